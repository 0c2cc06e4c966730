"""nginx, as Debian packages it."""

import functools
import os

from benchmarks import tools
from benchmarks.peers.job import Peer, Start

#: Idle connections that a worker keeps: for each replica, and for all of them at least.
KEPT_EACH, KEPT = 2, 512

CONFIGURATION = """\
daemon off;
{user}
worker_processes {workers};
worker_rlimit_nofile {descriptors};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections {descriptors}; }}
http {{
    access_log {access_log};
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000;
    keepalive_timeout 75s;
{body}
}}
"""

BALANCER = """\
    upstream replicas {{
{servers}
        keepalive {kept};
        keepalive_requests 1000000;
    }}
    server {{
        listen {address}{listen_options};
{certificate}
        client_max_body_size 0;
        proxy_http_version 1.1;
        proxy_request_buffering off;
        proxy_max_temp_file_size 0;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
{headers}
{buffers}
{locations}
    }}
"""

KEEP_ALIVE = '        proxy_set_header Connection "";'
UPGRADE = """\
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;"""
LARGE_BUFFERS = """\
        client_body_buffer_size 64k;
        proxy_buffer_size 64k;
        proxy_buffers 16 64k;
        proxy_busy_buffers_size 128k;"""


def start(job, buffers=""):
    """buffers: directives that set their sizes."""
    return Start((job.program, "-p", job.folder, "-c", job.write("nginx.conf", _configuration(job, buffers))))


def _configuration(job, buffers):
    setup = job.setup
    balancer = BALANCER.format(
        servers="\n".join(f"        server {replica};" for replica in job.replicas),
        kept=max(KEPT, KEPT_EACH * len(job.replicas)),
        address=job.address,
        listen_options=_listen_options(setup),
        certificate=_certificate(job) if setup.tls else "",
        headers=UPGRADE if setup.websocket else KEEP_ALIVE,
        buffers=buffers,
        locations="\n".join(f"        location {path} {{ proxy_pass http://replicas; }}" for path in job.prefixes),
    )
    return render(
        body=balancer,
        folder=job.folder,
        workers=setup.workers,
        descriptors=job.descriptors,
        access_log=job.log if setup.access_log else "off",
    )


def render(*, body, folder, workers=1, descriptors=1024, access_log="off"):
    """A whole configuration around what stands in `http`."""
    user = "user root;" if os.geteuid() == 0 else ""
    return CONFIGURATION.format(
        user=user, workers=workers, descriptors=descriptors, folder=folder, access_log=access_log, body=body
    )


def _listen_options(setup):
    return (" ssl" if setup.tls else "") + (" reuseport" if setup.workers > 1 else "")


def _certificate(job):
    return f"        ssl_certificate {job.certificate};\n        ssl_certificate_key {job.key};"


def _version(program):
    return tools.version(r"nginx/(\S+)", program, "-v")


_program = tools.finder("nginx")

PEER = Peer("nginx", "nginx", _program, _version, start)
LARGE = Peer(
    "nginx64k",
    "nginx, 64 KiB buffers",
    _program,
    _version,
    functools.partial(start, buffers=LARGE_BUFFERS),
    only=("large",),
)
