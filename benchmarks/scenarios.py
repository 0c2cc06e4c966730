"""What is measured: a table of scenarios, each with its metrics and how a sample of it is taken."""

import time

import attrs

from benchmarks import load
from benchmarks.machine import idle_connections
from benchmarks.peers.job import Peer, Setup
from benchmarks.results import Key
from benchmarks.window import watch

#: Client connections that are kept busy.
CONNECTIONS = 64
#: The same where two workers share them by chance: the more, the more evenly. Every peer keeps that many
#: idle connections to this many replicas, by default or as it is set up here.
MANY_CONNECTIONS, MANY_REPLICAS = 256, 8
#: Routes that get requests, of few or of many.
ROUTES_ASKED = 10
#: Requests a second at which latencies are compared.
RATE = 1000
#: Idle client connections whose memory is measured.
IDLE = 10_000
#: Seconds until memory has settled.
SETTLE = 1.5

KIB, MIB = 1 << 10, 1 << 20
LARGE = 10 * MIB
MEDIUM = 64 * KIB


@attrs.frozen
class Metric:
    """A number that a scenario gives. title: with its unit.  digits: after the point, in reports."""

    name: str
    title: str
    digits: int = 0


@attrs.frozen
class Scenario:
    """Something to be measured.

    measure: takes a Proxy and a Bench; returns values by the names of `metrics`.  setups: by name.
    rounds: samples of each.  peers: names of those that take part; () means all.
    bodies: whether the replicas are those for large bodies and WebSockets.
    fresh: whether each sample wants a proxy that was started for it.
    """

    name: str
    title: str
    measure: object
    metrics: tuple
    setups: dict = attrs.Factory(lambda: {"": Setup()})
    rounds: int = 3
    peers: tuple = ()
    bodies: bool = False
    fresh: bool = False

    def takes(self, peer: Peer):
        """Whether a peer takes part."""
        return (not self.peers or peer.name in self.peers) and (not peer.only or self.name in peer.only)


def small(proxy, bench):
    window = watch(proxy, lambda: load.wrk(proxy.url("/small"), connections=CONNECTIONS, seconds=bench.seconds))
    return {"cpu_us": window.cpu_us, "requests_s": window.requests_s, "busy": window.busy}


def connect(proxy, bench):
    def ask():
        url = proxy.url("/small")
        return load.wrk(url, connections=CONNECTIONS, seconds=bench.seconds, fields=["Connection: close"])

    window = watch(proxy, ask)
    return {"cpu_us": window.cpu_us, "requests_s": window.requests_s}


def rate(proxy, bench):
    return _at_rate(proxy, bench, RATE)


def half(proxy, bench):
    """At half of what `small` got from the same proxy in this run, or of what it does now."""
    most = bench.results.median(Key("small", "requests_s", proxy.name)) or small(proxy, bench)["requests_s"]
    return {"rate": most / 2, **_at_rate(proxy, bench, most / 2)}


def _at_rate(proxy, bench, requests_s):
    def ask():
        options = {"port": proxy.port, "path": "/small", "connections": CONNECTIONS, "rate": requests_s}
        return load.goload(bench.goload, "requests", 2 * bench.seconds, **options)

    window = watch(proxy, ask)
    answered = window.answered
    return {"p50_ms": 1e3 * answered.p50, "p99_ms": 1e3 * answered.p99, "cpu_us": window.cpu_us}


def large(proxy, bench):
    return {
        "down_64k": _transfer(proxy, bench, MEDIUM, path=f"/bytes/{MEDIUM}"),
        "up_64k": _transfer(proxy, bench, MEDIUM, path="/sink", body=MEDIUM),
        "down_10m": _transfer(proxy, bench, LARGE, path=f"/bytes/{LARGE}"),
        "up_10m": _transfer(proxy, bench, LARGE, path="/sink", body=LARGE),
    }


def _transfer(proxy, bench, size, **options):
    """Bytes of bodies per CPU second, in GB. options: flags of goload."""
    connections = 8 if size == LARGE else 32

    def ask():
        return load.goload(bench.goload, "requests", bench.seconds, port=proxy.port, connections=connections, **options)

    window = watch(proxy, ask)
    return size * window.answered.requests / window.cpu_seconds / 1e9


def websocket(proxy, bench):
    def ask():
        return load.goload(bench.goload, "websocket", bench.seconds, port=proxy.port, connections=CONNECTIONS)

    window = watch(proxy, ask)
    return {"cpu_us": window.cpu_us, "messages_s": window.requests_s}


def memory(proxy, bench):
    """After some work, so that what is allocated once for all is there already."""
    load.wrk(proxy.url("/small"), connections=CONNECTIONS, seconds=1)
    time.sleep(SETTLE)
    before = proxy.process.memory()
    count = idle_connections(IDLE, bench.descriptors)
    with load.idle_connections(proxy.port, count):
        time.sleep(SETTLE)
        grown = proxy.process.memory() - before
    return {"idle_mib": before / MIB, "connection_kib": grown / count / KIB}


def small_cpu(proxy, bench):
    return {"cpu_us": small(proxy, bench)["cpu_us"]}


def workers(proxy, bench):
    def ask():
        url = proxy.url("/small")
        return load.wrk(url, connections=MANY_CONNECTIONS, seconds=bench.seconds, threads=2)

    window = watch(proxy, ask)
    values = {"requests_cpu_s": window.answered.requests / window.cpu_seconds, "requests_s": window.requests_s}
    if len(window.cpu) > proxy.job.setup.workers > 1:  # workers that are threads cannot be told apart
        values["busiest"] = 100 * window.busiest_share
    return values


def routes(proxy, bench):
    script = bench.folder / f"routes-{proxy.job.setup.routes}.lua"
    script.write_text(load.paths_script(f"{path}small" for path in asked_for(proxy.job.prefixes)))

    def ask():
        return load.wrk(proxy.url("/"), connections=CONNECTIONS, seconds=bench.seconds, script=script)

    return {"cpu_us": watch(proxy, ask).cpu_us}


def asked_for(prefixes):
    """Those of a proxy's routes that get requests: equally many however long the table is, and spread over it."""
    return prefixes[:: max(1, len(prefixes) // ROUTES_ASKED)]


def start(proxy, bench):
    return {"seconds": proxy.start_seconds}


def tls(proxy, bench):
    return {"cpu_us": small(proxy, bench)["cpu_us"], "handshake_us": connect(proxy, bench)["cpu_us"]}


CPU = Metric("cpu_us", "CPU µs per request")
REQUESTS = Metric("requests_s", "requests/s")
LATENCIES = (Metric("p50_ms", "p50, ms", 2), Metric("p99_ms", "p99, ms", 2), CPU)
#: Those whose dependence on a setup is compared with Vestri's.
COMPARED = ("vestri", "nginx", "haproxy", "envoy", "go")

TABLE = (
    Scenario(
        "small",
        f"Small requests, {CONNECTIONS} connections kept alive",
        small,
        (CPU, REQUESTS, Metric("busy", "cores in use", 2)),
        rounds=5,
    ),
    Scenario("connect", "A new connection for each request", connect, (CPU, REQUESTS), rounds=5),
    Scenario("rate", f"Latency at {RATE:,} requests/s", rate, LATENCIES),
    Scenario(
        "large",
        "Large bodies, GB per CPU second",
        large,
        (
            Metric("down_64k", "64 KiB downloads", 2),
            Metric("up_64k", "64 KiB uploads", 2),
            Metric("down_10m", "10 MiB downloads", 2),
            Metric("up_10m", "10 MiB uploads", 2),
        ),
        bodies=True,
    ),
    Scenario(
        "memory",
        "Memory",
        memory,
        (
            Metric("idle_mib", "at rest, MiB", 1),
            Metric("connection_kib", f"per idle client connection ({IDLE:,} of them), KiB", 2),
        ),
        rounds=2,
        fresh=True,
    ),
    Scenario("start", "Start", start, (Metric("seconds", "process start to listening, s", 3),), rounds=5, fresh=True),
    Scenario(
        "log",
        "Access log, small requests",
        small_cpu,
        (CPU,),
        setups={"off": Setup(), "on": Setup(access_log=True)},
        rounds=5,
        peers=COMPARED,
    ),
    Scenario(
        "routes",
        f"Routes, small requests to {ROUTES_ASKED} of them",
        routes,
        (CPU,),
        setups={"10": Setup(routes=10), "10,000": Setup(routes=10_000)},
        rounds=5,
        peers=COMPARED,
    ),
    Scenario(
        "replicas",
        "Replicas, small requests",
        small_cpu,
        (CPU,),
        setups={"2": Setup(), "1,000": Setup(replicas=1000)},
        peers=COMPARED,
    ),
    Scenario(
        "workers",
        f"Workers, small requests, {MANY_CONNECTIONS} connections",
        workers,
        (
            Metric("requests_cpu_s", "requests per CPU second"),
            REQUESTS,
            Metric("busiest", "share of the busiest process, %"),
        ),
        setups={"1": Setup(replicas=MANY_REPLICAS), "2": Setup(replicas=MANY_REPLICAS, workers=2)},
        rounds=5,
        peers=COMPARED,
    ),
    Scenario("half", "Latency at half of its own maximum", half, (Metric("rate", "requests/s"), *LATENCIES)),
    Scenario(
        "websocket",
        "WebSocket, messages of 100 bytes and back",
        websocket,
        (Metric("cpu_us", "CPU µs per message and answer"), Metric("messages_s", "messages/s")),
        setups={"": Setup(websocket=True)},
        bodies=True,
    ),
    Scenario(
        "tls",
        "TLS from the client, small requests",
        tls,
        (CPU, Metric("handshake_us", "CPU µs per request with a new connection")),
        setups={"": Setup(tls=True)},
    ),
)
SCENARIOS = {scenario.name: scenario for scenario in TABLE}
