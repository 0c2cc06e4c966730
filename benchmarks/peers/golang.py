"""Go's `httputil.ReverseProxy`, in a small program of our own."""

import functools

from benchmarks import tools
from benchmarks.peers.job import Peer, Start

#: Idle connections kept for each replica; Go's default of 2 doubles the CPU per request.
KEPT = 100


def start(job):
    job.refuse(access_log="ReverseProxy keeps none")
    configured = {
        "Listen": job.address,
        "Replicas": job.replicas,
        "Routes": job.prefixes,
        "IdlePerHost": KEPT,
        "Certificate": str(job.certificate or ""),
        "Key": str(job.key or ""),
    }
    arguments = (job.program, job.write_json("goproxy.json", configured))
    return Start(arguments, {"GOMAXPROCS": str(job.setup.workers)})


def _version(program):
    return tools.version(r"(go\d\S+)", tools.find("go"), "version", program)


PEER = Peer(
    "go",
    "Go ReverseProxy",
    functools.partial(tools.build, "goproxy"),
    _version,
    start,
    note=f"httputil.ReverseProxy with MaxIdleConnsPerHost {KEPT}; GOMAXPROCS is the number of workers",
)
