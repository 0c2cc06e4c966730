"""HAProxy, as Debian packages it."""

from benchmarks import tools
from benchmarks.peers.job import Peer, Start

CONFIGURATION = """\
global
    no strict-limits
    maxconn {descriptors}
    nbthread {workers}
    {log}
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
    option forwardfor
    http-reuse always
    {log_format}
frontend clients
    bind {address}{certificate}
    {routes}
backend replicas
    balance roundrobin
{servers}
"""


def start(job):
    """Its access log goes to standard output, which is a file here."""
    return Start((job.program, "-db", "-f", job.write("haproxy.cfg", _configuration(job))))


def _configuration(job):
    setup = job.setup
    return CONFIGURATION.format(
        descriptors=job.descriptors,
        workers=setup.workers,
        log="log stdout format raw daemon" if setup.access_log else "",
        log_format="log global\n    option httplog" if setup.access_log else "no log",
        address=job.address,
        certificate=f" ssl crt {_certificate(job)}" if setup.tls else "",
        routes=_routes(job),
        servers="\n".join(f"    server r{n} {replica}" for n, replica in enumerate(job.replicas)),
    )


def _routes(job):
    if job.setup.routes == 1:
        return "default_backend replicas"
    paths = job.write("routes.map", "".join(f"{path} replicas\n" for path in job.prefixes))
    return f"use_backend %[path,map_beg({paths})]"


def _certificate(job):
    """It wants certificate and key in one file."""
    return job.write("both.pem", job.certificate.read_text() + job.key.read_text())


def _version(program):
    return tools.version(r"version (\S+)", program, "-v")


PEER = Peer("haproxy", "HAProxy", tools.finder("haproxy"), _version, start)
