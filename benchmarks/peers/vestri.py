"""Vestri itself, through the command line that its users type."""

import platform
from importlib import metadata

from benchmarks import tools
from benchmarks.peers.job import Peer, Start

#: Libraries that its speed depends on.
LIBRARIES = ("Twisted", "uvloop", "httptools")


def start(job):
    return Start((job.program, "-n", "--pidfile=", "vestri", "--config", job.write_json("vestri.yaml", _file(job))))


def _file(job):
    """The configuration; JSON is YAML too. `listen` is given, as `--port` listens on all interfaces."""
    file = {
        "listen": [_endpoint(job)],
        "access_log": {"format": "common", "path": str(job.log)} if job.setup.access_log else {"format": "off"},
        "services": [_service(job, number, path) for number, path in enumerate(job.prefixes)],
    }
    if job.setup.workers > 1:
        file["workers"] = job.setup.workers
    return file


def _endpoint(job):
    if job.setup.tls:
        return f"ssl:{job.port}:interface=127.0.0.1:privateKey={job.key}:certKey={job.certificate}"
    return f"tcp:{job.port}:interface=127.0.0.1"


def _service(job, number, path):
    return {
        "name": f"service{number}",
        "matcher": path,
        "replicas": [{"url": f"http://{replica}"} for replica in job.replicas],
    }


def _version(program):
    libraries = ", ".join(f"{name} {_installed(name)}" for name in LIBRARIES)
    return f"{_installed('vestri')} on Python {platform.python_version()}, {libraries}"


def _installed(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(none)"


PEER = Peer("vestri", "Vestri", tools.finder("twistd"), _version, start)
