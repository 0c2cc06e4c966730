"""Every object of a serving process, once, and each with what is its own."""

import resource
import subprocess
import sys
from random import Random

import attrs
import pytest
from twisted.application.service import IService
from twisted.internet.testing import MemoryReactorClock

from vestri import config, model, wiring
from vestri.health.monitor import HealthMonitor
from vestri.proxying.sweep import Sweep
from vestri.selection import STRATEGIES, WeightedRoundRobin
from vestri.selection.strategy import Strategy

TWO = """
access_log: {format: off}
listen: ["tcp:0", "tcp6:0"]
limits: {connections: 7}
timeouts: {response: 20s, client_header: 2s}
services:
  - name: api
    matcher: "/api/v1"
    strategy: WeightedRoundRobin
    timeouts: {response: 1s}
    replicas: [{url: "http://10.0.0.1:81", metadata: {weight: 2}}, {url: "https://secure.test"}]
  - name: web
    health: off
    replicas: [{url: "http://10.0.0.3", id: c}]
"""


def configured(text=TWO, **changes):
    return attrs.evolve(config.load(text, strategies=STRATEGIES), **changes)


def built(text=TWO, **changes):
    return wiring.build(configured(text, **changes), MemoryReactorClock())


def wired(text=TWO):
    return wiring.serving(configured(text), MemoryReactorClock(), [])


def destination(balancer, path):
    return balancer.site._routes.decide(path).destination


# What is built


def test_requests_find_the_service_that_the_file_says():
    balancer = wired().balancer

    assert destination(balancer, b"/api/v1/users").service.name == "api"
    assert destination(balancer, b"/other").service.name == "web"


def test_of_two_services_with_one_path_the_first_has_it():
    balancer = wired(TWO.replace('    matcher: "/api/v1"\n', "")).balancer

    assert destination(balancer, b"/").service.name == "api"


def test_the_same_routes_are_mounted_as_resources():
    balancer = wired().balancer

    api = balancer.site.root.children[b"api"].children[b"v1"]
    assert api.destination is destination(balancer, b"/api/v1")
    assert balancer.site.root.destination is destination(balancer, b"/")


def test_every_replica_is_a_member_with_connections_of_its_own():
    pools = wired().pools

    members = [member for pool in pools.values() for member in pool.members]
    assert [member.replica.id for member in members] == ["http://10.0.0.1:81", "https://secure.test", "c"]
    assert [repr(member.connections) for member in members] == [
        f"<Shelf <ClientEndpoint {place}>: 0 idle of 0 open>"
        for place in ("10.0.0.1:81", "secure.test:443", "10.0.0.3:80")
    ]
    assert [member.weight for member in members] == [2, 1, 1]


def test_every_service_has_its_strategy_and_its_timeouts():
    pools = wired().pools
    balancer = wired().balancer

    assert isinstance(destination(balancer, b"/api/v1").selector._strategy, WeightedRoundRobin)
    assert [pool.members[0].connections.timeouts.response for pool in pools.values()] == [1.0, 20.0]
    assert balancer.site.timeouts.client_header == 2.0
    assert balancer.site.limits.connections == 7


def test_a_strategy_s_settings_reach_it(monkeypatch):
    made = []

    class Picky(Strategy):
        def __init__(self, *, random, floor):
            made.append((type(random), floor))

        def update(self, candidates):
            """Nothing to prepare."""

    monkeypatch.setattr(wiring, "STRATEGIES", {"Picky": Picky})
    service = attrs.evolve(configured().services[0], strategy=model.Strategy("Picky", {"floor": 3}))

    wiring.serving(configured(services=(service,)), MemoryReactorClock(), [])

    assert made == [(Random, 3)]


def test_what_is_never_probed_counts_as_up():
    pools = wired().pools

    assert [[member.up for member in pool.members] for pool in pools.values()] == [[None, None], [True]]


def test_deadlines_are_looked_at_often_enough_for_the_shortest():
    clock = MemoryReactorClock()
    balancer = wiring.serving(configured(), clock, []).balancer
    (sweep,) = (part for part in balancer if isinstance(part, Sweep))

    sweep.startService()

    assert [call.getTime() for call in clock.getDelayedCalls()] == [0.25]
    sweep.stopService()


def test_it_runs_with_all_its_parts_and_stops_with_them(monkeypatch):
    balancer = built()
    parts = list(balancer)
    assert {type(part) for part in parts} >= {Sweep, HealthMonitor}
    monkeypatch.setattr(balancer, "_handle", lambda number, action: None)

    for part in parts:
        monkeypatch.setattr(part, "startService", lambda part=part: setattr(part, "running", 1))
    balancer.startService()

    assert all(part.running for part in parts)


def test_without_an_access_log_only_the_counters_observe():
    balancer = wired().balancer

    assert [type(observer).__name__ for observer in balancer.site._observers] == ["Counters"]


def test_an_access_log_observes_too_and_is_reopened(tmp_path):
    log = tmp_path / "access.log"
    balancer = wired(TWO.replace("format: off", f"path: {log}")).balancer
    log.rename(tmp_path / "moved.log")

    balancer.reopen_logs()

    assert log.exists()
    assert len(balancer.site._observers) == 2


def test_an_access_log_that_cannot_be_opened_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        built(TWO.replace("format: off", f"path: {tmp_path}/no/access.log"))


def test_several_workers_have_a_supervisor():
    service = built(workers=2)

    assert type(service).__name__ == "Supervisor"
    assert IService.providedBy(service)
    assert [type(part) for part in service] == [HealthMonitor]


# Descriptors


@pytest.fixture
def limits(monkeypatch):
    """The limits of open files, as the kernel has them: what is set is kept."""
    kept = {"limits": (1024, 4096), "refused": False}

    def change(which, limits):
        if kept["refused"]:
            raise ValueError("not allowed to raise maximum limit")
        kept["limits"] = limits

    monkeypatch.setattr(resource, "getrlimit", lambda which: kept["limits"])
    monkeypatch.setattr(resource, "setrlimit", change)
    return kept


def test_the_soft_limit_is_raised_to_the_hard_one(limits):
    warnings = []

    wiring.raise_descriptor_limit(2048, warnings.append)

    assert limits["limits"] == (4096, 4096)
    assert warnings == []


def test_a_limit_that_is_still_too_low_is_warned_about(limits):
    warnings = []

    wiring.raise_descriptor_limit(10_000, warnings.append)

    assert warnings == ["limits.connections: 10000 take up to 20000 open files, and ulimit -n allows 4096"]


def test_a_limit_that_cannot_be_raised_counts_as_it_is(limits):
    limits["refused"], warnings = True, []

    wiring.raise_descriptor_limit(1000, warnings.append)

    assert limits["limits"] == (1024, 4096)
    assert "ulimit -n allows 1024" in warnings[0]


def test_no_limit_is_enough_for_everybody(limits):
    limits["limits"], warnings = (resource.RLIM_INFINITY,) * 2, []

    wiring.raise_descriptor_limit(10**9, warnings.append)

    assert warnings == []


# Imports


def test_what_is_imported_late_can_be_imported_early():
    program = "from vestri import wiring; import sys; wiring.import_the_rest(); print(*sys.modules)"

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert {*wiring.LATE} <= {*ran.stdout.split()}
