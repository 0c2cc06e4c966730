"""Clients that are slow on purpose, and descriptors that run out. VESTRI_ATTACKS=1 (`tox -e chaos`): 2,000 of them."""

import os
import resource
import subprocess
import time
from contextlib import contextmanager, suppress
from select import POLLRDHUP, poll
from threading import Event, Thread

import pytest
from load import percentile
from stage import HOST, Stage
from strict import PATIENCE

from support import wait_until
from wire import send

pytestmark = pytest.mark.live
FULL = bool(os.environ.get("VESTRI_ATTACKS"))
#: Slow connections; seconds between two bytes of one; seconds that they are watched beside ordinary requests.
MANY, BETWEEN, WATCHED = (2000, 5, 12) if FULL else (200, 0.4, 1.5)
MIB = 1024 * 1024
#: Growth of memory that many slow connections may cause.
GROWTH = 64 * MIB
PATIENT = """
services: [{{name: web, health: off, replicas: [{replicas}]}}]
access_log: {{format: off}}
"""
CONFIG = PATIENT + "timeouts: {{client_header: %s, client_body: %s, client_write: %s}}\n" % (
    ("10s", "30s", "30s") if FULL else ("2s", "1s", "2s")
)
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


def latencies(stage, seconds):
    """Of ordinary requests one after the other, in seconds."""
    measured, until = [], time.monotonic() + seconds
    with stage.connect() as client:
        while time.monotonic() < until:
            began = time.monotonic()
            client.send(GET)
            assert client.answer().status == 200
            measured.append(time.monotonic() - began)
            time.sleep(0.002)
    return measured


@contextmanager
def slow_ones(stage, first):
    """So many connections that have sent `first`."""
    clients = [stage.connect() for _ in range(MANY)]
    try:
        for client in clients:
            client.send(first)
        yield clients
    finally:
        for client in clients:
            client.close()


def trickle(clients, beat):
    """Let each do its slow thing until the time is up."""
    until = time.monotonic() + WATCHED
    while time.monotonic() < until:
        for client in clients:
            with suppress(OSError):
                beat(client)
        time.sleep(BETWEEN)


def say(client):
    client.sock.send(b"x")


def read(client):
    client.sock.recv(20)


def check_others(stage, clients, beat):
    """Ordinary requests are served while the slow ones go on, and memory stays."""
    undisturbed = percentile(latencies(stage, WATCHED / 2), 0.99)
    before = stage.vestri.peak_memory()
    beating = Thread(target=trickle, args=(clients, beat))
    beating.start()
    disturbed = percentile(latencies(stage, WATCHED), 0.99)
    beating.join()
    assert stage.vestri.peak_memory() - before < GROWTH
    most = 3 * undisturbed + 0.01 if FULL else 0.25
    assert disturbed < most, f"p99 went from {undisturbed * 1000:.1f} to {disturbed * 1000:.1f} ms"


def wait_until_gone(clients, beat, seconds):
    """Each has been ended from the other side, though it goes on with its slow thing where that makes a difference."""
    deadline, left = time.monotonic() + seconds, list(clients)
    while left and time.monotonic() < deadline:
        left = [client for client in left if not ended(client.sock)]
        for client in left if FULL else ():
            with suppress(OSError):
                beat(client)
        time.sleep(BETWEEN)
    assert not left, f"{len(left)} of {len(clients)} slow connections are still there"


def ended(sock):
    """Whether the other side has ended or broken off, whatever it had said before."""
    look = poll()
    look.register(sock, POLLRDHUP)
    return bool(look.poll(0))


def test_heads_that_come_byte_by_byte(stage):
    with slow_ones(stage, b"GET / HTTP/1.1\r\nX-A: ") as clients:
        check_others(stage, clients, say)
        wait_until_gone(clients, say, 15)


def test_bodies_that_come_byte_by_byte(stage):
    """Each byte is progress, so what ends them is the rate: over its window of 30 s (`limits.min_rate`)."""
    with slow_ones(stage, b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100000\r\n\r\n") as clients:
        check_others(stage, clients, say)
        wait_until_gone(clients, say, 60)


def test_answers_that_nobody_reads(stage):
    stage.puppet.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MIB + b"x" * MIB
    with slow_ones(stage, GET) as clients:
        wait_until(lambda: len(stage.taken) == MANY, "all have been asked for", 60)
        stage.forget()
        check_others(stage, clients, read)
        wait_until_gone(clients, read, 60)


def test_connections_that_never_say_a_word(stage):
    with slow_ones(stage, b"") as clients:
        check_others(stage, clients, lambda client: None)
        assert len(clients) == MANY


# Descriptors

FEW = 160


def limit_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW))


@pytest.fixture
def small(stage, tmp_path, monkeypatch):
    """A Stage whose Vestri may have few descriptors open."""
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *args, **kwargs: popen(*args, preexec_fn=limit_descriptors, **kwargs)
    )
    with Stage(tmp_path, PATIENT, stage.puppets) as small:
        yield small


def test_clients_beyond_the_descriptors_wait_until_others_leave(small):
    """Twisted's own loop accepts and closes at EMFILE, which loses them."""
    crowd = [small.connect() for _ in range(3 * FEW)]
    late = small.connect()
    late.send(GET)
    for client in crowd:
        client.close()
    assert late.answer().status == 200
    late.close()
    assert small.ask(GET).status == 200


def test_requests_that_were_accepted_get_their_connection_to_a_replica(small):
    """All of them at once: no answer comes before the last has asked."""
    asked = Event()
    for _ in range(3 * FEW):
        small.puppet.next(small.puppet.take, lambda *_: asked.wait(PATIENCE), send(small.puppet.answer))
    crowd = [small.connect() for _ in range(3 * FEW)]
    wait_until(lambda: small.descriptors() > FEW / 2, "as many are accepted as will be")
    for client in crowd:
        client.send(GET)
    time.sleep(0.5)
    asked.set()
    statuses = []
    for client in crowd:
        statuses.append(client.answer().status)
        client.close()
    assert {*statuses} == {200}


def test_connections_beyond_the_limit_wait_in_the_backlog(stage, tmp_path):
    with Stage(tmp_path, PATIENT + "limits: {{connections: 5}}\n", stage.puppets) as narrow:
        crowd = [narrow.connect() for _ in range(5)]
        for client in crowd:
            client.send(GET)
            assert client.answer().status == 200
        late = narrow.connect()
        late.send(GET)
        late.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            late.sock.recv(1)
        late.sock.settimeout(PATIENCE)
        crowd.pop().close()
        assert late.answer().status == 200
        for client in (*crowd, late):
            client.close()
