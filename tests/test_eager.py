"""Stock transports with eager writes, where they differ from Twisted's own."""

import errno
import socket
import struct

import pytest

from support_transport import read, running
from wire import LOOPBACK


@pytest.fixture
def kind():
    with running("eager") as kind:
        yield kind


class Failing:
    """A listening socket whose next accepts fail with these errors."""

    def __init__(self, sock, *errors):
        self._sock, self._errors = sock, list(errors)

    def accept(self):
        if self._errors:
            raise OSError(self._errors.pop(0), "as told")
        return self._sock.accept()

    def __getattr__(self, name):
        return getattr(self._sock, name)


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


# Writes


def test_a_write_does_not_wait_for_the_reactor(kind):
    served, peer = kind.serving()

    served.transport.write(b"now")

    assert read(peer, 3) == b"now"
    assert served.transport.pending() == 0


def test_what_the_socket_does_not_take_waits_in_order(kind):
    served, peer = kind.serving()
    first = b"a" * 10_000_000

    served.transport.write(first)
    served.transport.write(b"b")
    left = served.transport.pending()

    assert 1 < left < len(first)
    taken = read(peer, len(first) + 1 - left)
    kind.wait(0.1)
    assert taken == b"a" * len(taken)


def test_a_write_that_fails_ends_the_connection_later(kind):
    served, peer = kind.serving()
    reset(peer)

    served.transport.write(b"to nobody")
    served.transport.write(b"to nobody")
    assert served.lost is None

    kind.until(lambda: served.lost)


def test_nothing_is_written_once_the_end_was_announced(kind):
    served, peer = kind.serving()
    served.transport.write(b"bye")

    served.transport.loseWriteConnection()
    served.transport.write(b"one more thing")
    kind.wait()

    assert read(peer, 3) == b"bye"
    assert peer.recv(1) == b""


# Accepting


@pytest.mark.parametrize("error", [errno.ECONNABORTED, errno.EPROTO])
def test_a_client_that_is_gone_before_it_is_accepted_is_no_matter(kind, error):
    factory = kind.recorders()
    port = kind.listen(factory)
    port.socket = Failing(port.socket, error)

    kind.peer(port)

    kind.until(lambda: factory.made)


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_a_port_that_cannot_accept_waits_a_moment(kind, error):
    factory = kind.recorders()
    port = kind.listen(factory)
    port.socket = Failing(port.socket, error)
    kind.peer(port)

    kind.wait(0.1)
    assert factory.made == []
    kind.until(lambda: factory.made)


def test_a_port_that_is_paused_meanwhile_does_not_accept_after_that_moment(kind):
    factory = kind.recorders()
    port = kind.listen(factory)
    port.socket = Failing(port.socket, errno.EMFILE)
    kind.peer(port)
    kind.wait(0.05)

    port.pauseProducing()
    kind.wait(0.35)
    assert factory.made == []
    port.resumeProducing()

    kind.until(lambda: factory.made)


def test_a_port_takes_a_bounded_number_of_clients_in_a_turn(kind):
    factory = kind.recorders()
    port = kind.listen(factory)
    port.pauseProducing()
    address = (LOOPBACK, port.getHost().port)
    for _ in range(100):
        kind.keep(socket.create_connection(address))
    port.resumeProducing()

    port.doRead()
    assert len(factory.made) == 64

    kind.until(lambda: len(factory.made) == 100)


def test_a_port_stops_accepting_within_a_turn_when_it_is_told_to(kind):
    factory = kind.recorders()
    port = kind.listen(factory)
    port.pauseProducing()
    for _ in range(5):
        kind.peer(port)
    build = factory.buildProtocol
    factory.buildProtocol = lambda address: (port.pauseProducing(), build(address))[1]

    port.resumeProducing()
    kind.wait()

    assert len(factory.made) == 1
