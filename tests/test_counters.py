"""operations/counters.py: plain numbers that can be added up."""

import json
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from vestri.operations.counters import BOUNDS, NO_SERVICE, Counters, in_words, merged


def exchange(service="web", status=200, reason="", seconds=0.001, bytes_in=0, bytes_out=0):
    destination = service and SimpleNamespace(service=SimpleNamespace(name=service))
    return SimpleNamespace(
        destination=destination, status=status, reason=reason, started=10.0, ended=10.0 + seconds,
        bytes_in=bytes_in, bytes_out=bytes_out,
    )  # fmt: skip


def counted(*exchanges):
    counters = Counters()
    for each in exchanges:
        counters.finished(each)
    return counters.snapshot()


def test_requests_are_counted_by_service_and_status():
    snapshot = counted(exchange(), exchange(status=503, reason="no_replica"), exchange(service="api"))

    assert snapshot["web"]["statuses"] == {"200": 1, "503": 1}
    assert snapshot["web"]["reasons"] == {"no_replica": 1}
    assert snapshot["api"]["statuses"] == {"200": 1}


def test_a_request_that_no_service_took_is_counted_too():
    assert counted(exchange(service=None, status=404, reason="no_route"))[NO_SERVICE]["statuses"] == {"404": 1}


def test_a_duration_falls_into_the_first_bucket_that_holds_it():
    durations = counted(exchange(seconds=0.004), exchange(seconds=0.02), exchange(seconds=31))["web"]["durations"]

    assert len(durations) == len(BOUNDS) + 1
    assert (durations[0], durations[2], durations[-1], sum(durations)) == (1, 1, 1, 3)


def test_bytes_of_bodies_are_added_up():
    web = counted(exchange(bytes_in=3, bytes_out=5), exchange(bytes_in=4))["web"]

    assert (web["bytes_in"], web["bytes_out"]) == (7, 5)


requests = st.builds(
    exchange,
    service=st.sampled_from(["web", "api", None]),
    status=st.sampled_from([200, 404, 503]),
    reason=st.sampled_from(["", "no_route"]),
    seconds=st.floats(0, 100),
    bytes_out=st.integers(0, 9),
)


@given(st.lists(st.lists(requests, max_size=8), max_size=4))
def test_several_snapshots_add_up_to_that_of_one_process(shares):
    together = counted(*(each for share in shares for each in share))

    assert merged(json.loads(json.dumps(counted(*share))) for share in shares) == together


def test_a_line_for_the_log():
    snapshot = counted(exchange(), exchange(status=204), exchange(service="api", status=503))

    assert in_words(snapshot) == "served 3 requests: 2 with 2xx, 1 with 5xx"


def test_a_line_for_the_log_when_nobody_came():
    assert in_words({}) == "served 0 requests"
