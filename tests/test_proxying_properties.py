"""What holds whatever clients, replicas and the clock do: nobody gets half a truth, and nothing is left behind."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from support_proxying import SWITCH, UPGRADE, World, chunked_post, get, message, ok, post
from vestri.http1 import UNTIL_CLOSE, AnswerReader
from vestri.model import Limits, Timeouts

BIG = b"x" * 170_000
CHUNKED = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked")
#: What clients send, in any order, well or badly.
SAID = {
    "a request": get(),
    "two requests": get() * 2,
    "the first half": get()[:20],
    "the second half": get()[20:],
    "HEAD": get(method=b"HEAD"),
    "TRACE": get(method=b"TRACE"),
    "the last request": get(b"/", b"Connection: close"),
    "HTTP/1.0": message(b"GET / HTTP/1.0"),
    "a long request": get(b"/x" * 3000),
    "a post": post(b"hello"),
    "some of a post": post(b"hel", length=5),
    "the rest of a post": b"lo",
    "some of a put": message(b"PUT / HTTP/1.1", b"Host: a", b"Content-Length: 5") + b"hel",
    "a large post": post(b"", length=340_000),
    "a post that is too large": post(b"", length=500_000),
    "much": BIG,
    "a question": post(b"", b"Expect: 100-continue", length=5),
    "a chunked post": chunked_post(),
    "a chunk": b"5\r\nhello\r\n",
    "the last chunk": b"0\r\n\r\n",
    "an upgrade": UPGRADE,
    "nonsense": b"nonsense\r\n\r\n",
    "an empty line": b"\r\n",
}
#: What replicas send.
ANSWERED = {
    "an answer": ok(b"hi"),
    "the last answer": ok(b"hi", b"Connection: close"),
    "some of an answer": ok(b"h", length=6),
    "the rest of an answer": b"hello",
    "chunks": CHUNKED,
    "a chunk": b"5\r\nhello\r\n",
    "the last chunk": b"0\r\n\r\n",
    "an answer without a length": message(b"HTTP/1.1 200 OK"),
    "hints": message(b"HTTP/1.1 103 Early Hints"),
    "an invitation": message(b"HTTP/1.1 100 Continue"),
    "a switch": SWITCH,
    "nonsense": b"nonsense",
    "a large answer": ok(BIG),
    "some of a large answer": ok(BIG, length=3 * len(BIG)),
    "much": BIG,
    "a large chunk": CHUNKED + b"%x\r\n%b\r\n" % (len(BIG), BIG),
    "a refusal": ok(b"no", status=b"413 Content Too Large"),
    "half a head": b"HTTP/1.1 2",
}
#: Which of those who are there.
ANYBODY = st.integers(0, 99)
TIMEOUTS = Timeouts(tunnel=30, idle=10, response=10, client_write=8, client_body=8, client_idle=15)


def answers_to(client, exchanges):
    """How what a client got ends: "whole", "partial", or "open" where anything may follow. Raises if it is nonsense."""
    data, methods = bytes(client.seen), [each.head.method if each.head else b"GET" for each in exchanges]
    while data:
        reader = AnswerReader()
        read = reader.receive(data, methods[0])
        if read is None:
            return "partial"
        head, data = read
        if head.status == 101:
            return "open"
        if head.interim:
            continue
        methods.pop(0)
        body = head.body()
        if body is None:
            continue
        body.feed(data)
        if not body.done:
            return "open" if head.framing == UNTIL_CLOSE else "partial"
        data = body.rest
    return "whole"


class Anything(RuleBasedStateMachine):
    """Clients, replicas and time, in any order. What is drawn never depends on what happened: sets have no order."""

    def __init__(self):
        super().__init__()
        limits = Limits(body_size=400_000, requests_per_connection=5)
        self.world = World("a", "b", limits=limits, timeouts=TIMEOUTS)
        self.clients, self.silent = [], set()

    @property
    def replicas(self):
        return [each for listener in self.world.listeners.values() for each in listener.connections]

    def one_of(self, wires, who):
        """One of those that are there and have not ended, in a list, or nobody."""
        talking = [each for each in wires if not (each.lost or each in self.silent)]
        return talking[who % len(talking) :][:1] if talking else []

    @rule()
    def a_client_comes(self):
        self.clients.append(self.world.client())

    @rule(who=ANYBODY, words=st.lists(st.sampled_from(sorted(SAID)), min_size=1, max_size=3))
    def a_client_speaks(self, who, words):
        for client in self.one_of(self.clients, who):
            client.sends(*(SAID[each] for each in words))

    @rule(who=ANYBODY, words=st.lists(st.sampled_from(sorted(ANSWERED)), min_size=1, max_size=3))
    def a_replica_speaks(self, who, words):
        for replica in self.one_of(self.replicas, who):
            replica.sends(*(ANSWERED[each] for each in words))

    @rule(who=ANYBODY, deed=st.sampled_from(["finishes", "resets", "stops", "stops", "goes on"]))
    def somebody(self, who, deed):
        for wire in self.one_of(self.clients + self.replicas, who):
            if deed in ("finishes", "resets"):
                self.silent.add(wire)
                getattr(wire, deed)()
            else:
                wire.takes(10 if deed == "stops" else float("inf"))

    @rule(seconds=st.sampled_from([0.25, 1, 3, 9, 16]))
    def time_passes(self, seconds):
        self.world.wait(seconds)

    @rule(name=st.sampled_from("ab"), mood=st.sampled_from(["accepts", "refuses", "is silent"]))
    def a_listener_changes(self, name, mood):
        self.world.listeners[name].mood = mood

    @rule(name=st.sampled_from("ab"), up=st.booleans())
    def health_changes(self, name, up):
        self.world.destinations["web"].pool.set_up(name, up)

    def teardown(self):
        self.world.wait(200)
        exchanges = self.world.observer.exchanges
        for client in self.clients:
            end = answers_to(client, [each for each in exchanges if each.client is client.protocol])
            assert end != "partial" or client.closed == "aborted" or client in self.silent
        assert len({each.request_id for each in exchanges}) == len(exchanges)
        assert all(wire.lost for wire in self.clients + self.replicas)
        assert (self.world.in_flight, self.world.watched) == (0, 0)


@pytest.mark.parametrize("steps", [10, 40])
def test_whatever_happens_every_request_ends_once_and_nothing_is_left_behind(steps):
    run_state_machine_as_test(Anything, settings=settings(stateful_step_count=steps))
