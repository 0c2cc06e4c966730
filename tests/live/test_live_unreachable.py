"""Replicas that cannot be reached: nobody is there, or the connection goes wrong as it is made."""

import socket
import struct
import time
from contextlib import suppress
from functools import partial
from threading import Thread

import pytest
from puppet import Puppet
from stage import CHUNKED, head
from strict import PATIENCE

from support import free_port
from wire import LOOPBACK

pytestmark = pytest.mark.live


class Rude:
    """Listens, and does something to each connection before a request can have come."""

    def __init__(self, greet):
        self._listening = socket.create_server((LOOPBACK, 0), backlog=100)
        self.url = f"http://{LOOPBACK}:{self._listening.getsockname()[1]}"
        self._greet, self._accepted = greet, []
        self._thread = Thread(target=self._accept, daemon=True)
        self.taken = self.faults = ()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for sock in (self._listening, *self._accepted):
            sock.close()

    def forget(self):
        """It remembers nothing."""

    def _accept(self):
        with suppress(OSError):
            while True:
                self._accepted.append(self._listening.accept()[0])
                self._greet(self._accepted[-1])


def slam(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def speak_first(sock):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
    sock.shutdown(socket.SHUT_WR)


PUPPETS = Puppet, partial(Rude, slam), partial(Rude, socket.socket.close), partial(Rude, speak_first)
NOWHERE = ", ".join(f'{{{{url: "http://{LOOPBACK}:{free_port()}"}}}}' for _ in range(2))
CONFIG = f"""
timeouts: {{{{connect: 400ms, response: 400ms}}}}
services:
  - {{{{name: lame, matcher: /lame, health: off, replicas: [{NOWHERE}, {{{{url: "{{0}}"}}}}]}}}}
  - {{{{name: nowhere, matcher: /nowhere, health: off, replicas: [{NOWHERE}]}}}}
  - {{{{name: slam, matcher: /slam, health: off, replicas: [{{{{url: "{{1}}"}}}}]}}}}
  - {{{{name: close, matcher: /close, health: off, replicas: [{{{{url: "{{2}}"}}}}]}}}}
  - {{{{name: speak, matcher: /speak, health: off, replicas: [{{{{url: "{{3}}"}}}}]}}}}
access_log: {{{{format: off}}}}
"""


def get(target):
    return head(target=target)


def post(target, body=b"hello"):
    return head(b"POST", target, lines=b"Content-Length: %d\r\n" % len(body)) + body


def chunked_post(target):
    return head(b"POST", target, lines=CHUNKED) + b"5\r\nhello\r\n0\r\n\r\n"


requests = pytest.mark.parametrize("request_to", [get, post, chunked_post])


@requests
def test_a_replica_that_is_not_there_is_passed_over(stage, request_to):
    """Nothing was sent, so that any request may go to the next one."""
    for _ in range(3):
        assert stage.ask(request_to(b"/lame")).status == 200
    assert len(stage.taken) == 3
    assert {each.get(b"x-vestri-attempt") for each in stage.taken} <= {None, b"2", b"3"}


def test_a_long_upload_to_a_replica_that_is_not_there_goes_to_the_next_whole(stage):
    body = bytes(range(256)) * 4096
    for _ in range(3):
        assert stage.ask(post(b"/lame", body)).status == 200
    assert [each.body == body for each in stage.taken] == [True] * 3


@requests
def test_where_nobody_is_there_it_is_a_502_that_comes_soon(stage, request_to):
    began = time.monotonic()
    answer = stage.ask(request_to(b"/nowhere"))
    assert (answer.status, answer.get(b"vestri-reason")) == (502, b"connect_refused")
    assert time.monotonic() - began < 2


def test_a_client_that_waits_for_100_is_told_502_in_its_place(stage):
    """No body is asked for that nobody will read (RFC 9110 section 10.1.1)."""
    with stage.connect() as client:
        client.send(head(b"POST", b"/nowhere", lines=b"Expect: 100-continue\r\nContent-Length: 5\r\n"))
        assert client.answer().status == 502


@requests
@pytest.mark.parametrize(("target", "statuses"), [(b"/slam", {502}), (b"/close", {502}), (b"/speak", {200, 502})])
def test_a_connection_that_goes_wrong_as_it_is_made_is_answered_at_once(stage, target, statuses, request_to):
    """It may be gone before we hear that it was there; the request must not wait for it for ever."""
    began = time.monotonic()
    assert {stage.ask(request_to(target)).status for _ in range(40)} <= statuses
    assert time.monotonic() - began < PATIENCE
