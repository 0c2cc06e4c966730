"""uvloop's transports, where they differ from Twisted's."""

import pytest

from support_transport import read, running

uv = pytest.importorskip("vestri.transport.uv", exc_type=ImportError)


@pytest.fixture
def kind():
    with running("uv") as kind:
        yield kind


def sizes(kind, served, peer, amount):
    """The sizes of the pieces in which so many bytes arrive that lie ready."""
    seen, received = [], served.transport._received
    served.transport._received = lambda data: (seen.append(len(data)), received(data))
    served.transport.pauseProducing()
    peer.sendall(b"x" * amount)
    served.transport.resumeProducing()
    kind.until(lambda: sum(seen) == amount)
    return seen


def test_reads_grow_while_they_fill(kind):
    served, peer = kind.serving()

    seen = sizes(kind, served, peer, 200_000)

    assert seen[:3] == [16 * 1024, 32 * 1024, 64 * 1024]


def test_who_is_paused_begins_with_small_reads_again(kind):
    served, peer = kind.serving()
    sizes(kind, served, peer, 200_000)

    assert sizes(kind, served, peer, 200_000)[0] == 16 * 1024


def test_a_protocol_that_cannot_be_half_closed_is_closed_by_its_peer(kind):
    class Whole:
        lost = None

        def makeConnection(self, transport):
            self.transport = transport

        def dataReceived(self, data):
            self.transport.write(data)

        def connectionLost(self, reason):
            self.lost = reason.type

    factory, made = kind.recorders(), Whole()
    factory.buildProtocol = lambda address: made
    peer = kind.peer(kind.listen(factory))
    peer.sendall(b"echo")
    kind.wait()
    assert read(peer, 4) == b"echo"

    peer.close()

    kind.until(lambda: made.lost)


def test_a_connection_that_is_lost_asks_no_producer_any_more(kind):
    served, peer = kind.serving()
    served.transport.registerProducer(served, True)

    peer.close()
    served.transport.abortConnection()
    kind.until(lambda: served.lost)

    assert served.told == []


def test_pausing_twice_and_resuming_twice_is_no_fault(kind):
    served, peer = kind.serving()

    for verb in ("pauseProducing", "pauseProducing", "resumeProducing", "resumeProducing"):
        getattr(served.transport, verb)()
    peer.sendall(b"hello")

    kind.until(lambda: served.data == b"hello")


def test_a_port_that_is_stopped_before_it_began_says_nothing(kind):
    port = kind.listen(kind.recorders())

    port.stopListening()
    kind.wait(0.1)

    assert repr(port).startswith("<Port IPv4Address")


def test_the_kind_follows_the_reactor(kind):
    from vestri.transport import eager
    from vestri.transport.kinds import kind_of

    assert kind_of(kind.reactor) is uv
    assert kind_of(object()) is eager
