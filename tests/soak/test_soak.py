"""What must not grow, and must not go wrong, with time: visitors of every kind, and replicas that break.

`pytest -m soak` soaks for VESTRI_SOAK_SECONDS (600); a few seconds of the same are among the live tests.
VESTRI_SOAK_SEED makes the choices of another run again.
"""

import os
import random
import re
import signal
import time
from contextlib import ExitStack, suppress
from itertools import chain
from types import SimpleNamespace

import pytest
from agreed import content, target
from parts import Crowd, Replica, Trouble, WatchedVestri

from support import wait_until
from wire import connect

SECONDS = float(os.environ.get("VESTRI_SOAK_SECONDS", 600))
SEED = os.environ.get("VESTRI_SOAK_SEED", str(random.SystemRandom().randrange(10**9)))
#: Visitors of each service at any time; seconds after which others come.
VISITORS, ROUND = 16, 60
#: Bytes that it may hold more after the soak than after its warm-up: what an allocator keeps, not what leaks.
GROWTH = 12 * 1024 * 1024
#: Kinds of which so many are kept on purpose: heads to be used again, and cancelled timers until their time has come.
REMEMBERED = {
    "vestri.http1.answer.AnswerHead": 1100,
    "vestri.http1.request_fields.RequestFields": 1100,
    "twisted.internet.base.DelayedCall": 60,
}
#: What a line of the event log has where something is wrong.
FAULT = re.compile("Traceback|Unhandled|#critical|#error")
CONFIG = """
access_log: {{path: access.log}}
timeouts: {{client_header: 5s, client_body: 5s, client_idle: 5s, keep_alive: 1s, tunnel: 10s}}
services:
  - name: steady
    matcher: /steady
    health: {{path: /health, interval: 2s}}
    timeouts: {{response: 20s, idle: 20s, connect: 10s}}
    replicas: [{steady}]
  - name: shaky
    matcher: /shaky
    health: {{path: /health, interval: 500ms, timeout: 400ms, rise: 1, fall: 2}}
    timeouts: {{response: 1s, idle: 1s, connect: 1s}}
    replicas: [{shaky}]
"""

WELL_BEHAVED = ["ask", "ask_as_of_old", "pipeline", "upload", "upload_in_chunks", "upload_when_invited"]
SLOW = ["slow_download", "slow_upload", "tunnel"]
LEAVING = ["leave_reading", "leave_uploading", "leave_waiting", "leave_at_once", "leave_tunnel"]
#: Kind of visit -> what it may come to where replicas do as they are told.
STEADY = {
    **dict.fromkeys(WELL_BEHAVED + SLOW, {"right"}),
    **dict.fromkeys(LEAVING, {"left"}),
    "nonsense": {"refused"},
    "unanswered": {"refused"},
    "cut_off": {"cut", "refused"},
    "cut_tunnel": {"cut"},
}
#: And where they come and go: half an answer is never a right one, and nothing is ever wrong.
SHAKY = {kind: {*outcomes, "cut", "refused"} for kind, outcomes in STEADY.items()}


@pytest.fixture
def house(request, tmp_path):
    """Vestri, with two `steady` replicas that do as they are told and three `shaky` ones that come and go.

    Parametrized, it takes options of twistd.
    """
    steady, shaky = ([Replica(tmp_path) for _ in range(count)] for count in (2, 3))
    with ExitStack() as running:
        for replica in (*steady, *shaky):
            replica.start()
            running.callback(replica.kill)
        urls = {"steady": urls_of(steady), "shaky": urls_of(shaky)}
        vestri = running.enter_context(WatchedVestri(tmp_path, CONFIG.format(**urls), *getattr(request, "param", ())))
        yield SimpleNamespace(vestri=vestri, steady=steady, shaky=shaky)


def urls_of(replicas):
    return ", ".join(f'{{url: "{replica.url}"}}' for replica in replicas)


@pytest.mark.soak
@pytest.mark.timeout(SECONDS * 1.5 + 300)
def test_nothing_grows_and_nothing_goes_wrong(house, capsys):
    def tell(*words):
        with capsys.disabled():
            print(*words)

    soak(house, SECONDS, tell)


@pytest.mark.live
@pytest.mark.parametrize("house", [(), ("--reactor=epoll",)], ids=["uvloop", "epoll"], indirect=True)
def test_nothing_goes_wrong_for_a_few_seconds(house):
    soak(house, 4, tell=print)


def soak(house, seconds, tell):
    """tell: called with what a person wants to know."""
    vestri = house.vestri
    tell(f"VESTRI_SOAK_SEED={SEED}")
    wait_until(lambda: serves(vestri, "shaky") and serves(vestri, "steady"), "all services are up")
    visited(house, max(2, min(ROUND, seconds / 5)), f"{SEED}.warm", tell)
    before, memory = at_rest(vestri), vestri.memory()
    for number in range(rounds := max(1, round(seconds / ROUND))):
        visited(house, seconds / rounds, f"{SEED}.{number}", tell)
    after, grown = at_rest(vestri), vestri.memory() - memory
    tell(f"at rest: {memory // 1024} KiB after the warm-up, {grown // 1024:+} since; {after['descriptors']} open files")
    check_rest(before, after)
    assert grown < GROWTH
    check_uploads(house)
    assert serves(vestri, "steady")
    assert vestri.stop() == -signal.SIGTERM, "twistd ends in order, and then by the signal that it got"
    assert "Server Shut Down" in check_log(vestri)


def serves(vestri, service):
    """Whether a plain request is answered as it should be."""
    connection = connect(vestri.port)
    try:
        connection.send(f"GET {target(service, 'length', 'probe', 1000)} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
        return connection.answer().body == content("probe", 1000)
    finally:
        connection.close()


def visited(house, seconds, seed, tell):
    """Let crowds come for so long, and check what they saw."""
    with Trouble(house.shaky, seed) as trouble:
        crowds = {name: Crowd(house.vestri.port, name, VISITORS, seconds, seed) for name in ("steady", "shaky")}
        results = {name: crowd.result() for name, crowd in crowds.items()}
    requests, memory = sum(result["requests"] for result in results.values()), house.vestri.memory() // 1024
    tell(
        f"{requests} requests, {requests / seconds:.0f} a second, {outcomes(results)};"
        f" {trouble.kills} kills, {trouble.stops} standstills; {memory} KiB"
    )
    check_log(house.vestri)
    for name, allowed in (("steady", STEADY), ("shaky", SHAKY)):
        assert results[name]["faults"] == []
        check_outcomes(results[name]["counts"], allowed)


def outcomes(results):
    """What all visits came to, in words."""
    sums = {}
    for result in results.values():
        for each, count in result["counts"].items():
            outcome = each.split()[1]
            sums[outcome] = sums.get(outcome, 0) + count
    return ", ".join(f"{count} visits {outcome}" for outcome, count in sorted(sums.items()))


def check_outcomes(counts, allowed):
    came_to = {tuple(each.split()) for each in counts}
    assert [(kind, outcome) for kind, outcome in came_to if outcome not in allowed[kind]] == []


def at_rest(vestri):
    """What Vestri holds when nobody visits any more: the least of several looks, for probes come and go."""
    with suppress(AssertionError):
        wait_until(lambda: not vestri.held()["visits"], "every connection has ended")
    assert vestri.held()["visits"] == [], "visits that are over have not ended"
    looks = []
    for _ in range(5):
        looks.append(vestri.held())
        time.sleep(0.3)
    kinds = {kind for look in looks for kind in look["objects"]}
    return {
        "objects": {kind: min(look["objects"].get(kind, 0) for look in looks) for kind in kinds},
        "in_flight": looks[-1]["in_flight"],
        "descriptors": min(look["descriptors"] for look in looks),
    }


def check_rest(before, after):
    assert {*after["in_flight"].values()} == {0}, "leases that nobody gave back"
    assert after["descriptors"] == before["descriptors"]
    counts = {kind: (before["objects"].get(kind, 0), count) for kind, count in after["objects"].items()}
    assert {kind: pair for kind, pair in counts.items() if pair[1] > max(pair[0], REMEMBERED.get(kind, 0))} == {}


def check_uploads(house):
    """No upload was begun twice: what may not be repeated was not (RFC 9110 section 9.2.2)."""
    files = (replica.begun for replica in (*house.steady, *house.shaky))
    begun = [*chain.from_iterable(file.read_text().splitlines() for file in files)]
    assert len(begun) == len({*begun}) > 0


def check_log(vestri):
    """Its event log, in which nothing of the kind stands."""
    log = vestri.log.read_text()
    faults = [line for line in log.splitlines() if FAULT.search(line)]
    assert faults == []
    return log
