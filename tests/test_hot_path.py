"""The path of a small request: what it costs, in counts that do not depend on the machine."""

import sys

import pytest

from support_proxying import World, get, ok
from vestri.model import AccessLog
from vestri.operations.access_log import AccessLog as Log
from vestri.operations.counters import Counters

ROOM = "vestri"
#: Calls of Vestri's own Python functions for one request and its answer on connections that are open; the figure is
#: what the code makes today. Who adds to it says in docs/performance.md what the addition brings.
CALLS, CALLS_WITH_LOG = 46, 55


class Bare:
    """A transport that only keeps what is written."""

    def __init__(self, protocol):
        self.written = []
        self.write = self.written.append
        protocol.transport.unregisterProducer()
        protocol.transport = self

    def pending(self):
        return 0


def calls_of(work):
    """(module, function) of every call of ours while `work` runs, in order."""
    made = []

    def note(frame, event, argument):
        if event == "call":
            module = frame.f_globals.get("__name__", "")
            if module.partition(".")[0] == ROOM:
                made.append((module, frame.f_code.co_name))

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return made


def warm(observers):
    """A world in which one request has gone through, and a function that sends another one through."""
    world = World("a", observers=observers)
    world.site._observers = tuple(observers)
    client = world.asks(get(b"/api/v1/users?page=2", b"User-Agent: curl/8", b"Accept: */*"))
    world.replica().sends(ok(b"x" * 100, b"Server: nginx"))
    near, far = client.protocol, world.replica().protocol
    transports = Bare(near), Bare(far)

    def relay():
        near.dataReceived(get(b"/api/v1/users?page=2", b"User-Agent: curl/8", b"Accept: */*"))
        far.dataReceived(ok(b"x" * 100, b"Server: nginx"))

    return relay, transports


@pytest.mark.parametrize(
    ("logged", "most"), [pytest.param(False, CALLS, id="log off"), pytest.param(True, CALLS_WITH_LOG, id="log on")]
)
def test_a_request_costs_no_more_calls_than_it_did(tmp_path, logged, most):
    log = Log(AccessLog("common", str(tmp_path / "log")), World().clock) if logged else None
    if log:
        log.file.running = True  # gathers, as it does while it serves
    relay, _ = warm([Counters(), *([log] if log else [])])

    made = calls_of(relay)

    assert len(made) <= most, "\n".join(f"{module}.{name}" for module, name in made)


def test_each_side_gets_its_message_in_one_write():
    relay, (client, replica) = warm([])

    relay()

    assert (len(client.written), len(replica.written)) == (1, 1)


def test_no_timer_is_made_for_a_request():
    world = World("a")
    client = world.asks(get())
    world.replica().sends(ok(b"x"))
    timers = len(world.clock.getDelayedCalls())

    client.protocol.dataReceived(get())
    world.replica().protocol.dataReceived(ok(b"x"))

    assert len(world.clock.getDelayedCalls()) == timers
