"""`twisted.web.proxy` as it ships, in a small program of our own: what a Twisted user has without Vestri."""

import sys
from importlib import metadata

from benchmarks import tools
from benchmarks.peers.job import Peer, Start


def start(job):
    job.refuse(
        workers="one process only",
        access_log="not measured",
        routes="not measured",
        replicas="one replica only",
        tls="not measured",
        websocket="it cannot upgrade",
    )
    host, port = job.replicas[0].split(":")
    return Start((job.program, tools.SOURCES / "stockproxy" / "main.py", job.port, host, port))


def _program(folder):
    return sys.executable


def _version(program):
    return metadata.version("Twisted")


PEER = Peer("stock", "twisted.web.proxy", _program, _version, start, note="one replica, a new connection per request")
