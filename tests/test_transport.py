"""What every kind of transport promises: Twisted's interface, `pending`, and ports that can wait."""

import resource
import select
import socket
import struct
from contextlib import contextmanager, suppress
from threading import Thread

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost

from support_transport import KINDS, read, running
from vestri.transport.sockets import NOTSENT_LOWAT, listen_tcp, listen_unix, remove, tune
from wire import LOOPBACK

MUCH = b"x" * 20_000_000


@pytest.fixture(params=KINDS)
def kind(request):
    with running(request.param) as kind:
        yield kind


def untuned(sock):
    """For connections that may be as they are."""


class Reading:
    """Reads from a blocking peer, in a thread of its own, until the end. size: bytes so far."""

    def __init__(self, peer):
        self._peer, self.size, self.ended = peer, 0, False
        Thread(target=self._run, daemon=True).start()

    def _run(self):
        with suppress(OSError):
            while piece := self._peer.recv(1_000_000):
                self.size += len(piece)
        self.ended = True


def is_closed(peer):
    """Whether a blocking peer sees an end without a reset."""
    return peer.recv(1) == b""


# Bytes


def test_bytes_go_both_ways(kind):
    served, peer = kind.serving()
    peer.sendall(b"hello")

    kind.until(lambda: served.data == b"hello")
    served.transport.write(b"wor")
    served.transport.writeSequence([b"l", b"d"])
    kind.wait()

    assert read(peer, 5) == b"world"
    assert served.transport.pending() == 0


def test_what_the_peer_does_not_take_is_pending_and_goes_out_in_the_end(kind):
    served, peer = kind.serving()

    served.transport.write(MUCH)
    kind.wait()
    assert 0 < served.transport.pending() < len(MUCH)
    reading = Reading(peer)
    kind.until(lambda: reading.size == len(MUCH))

    assert served.transport.pending() == 0


def test_a_producer_is_told_when_to_pause_and_when_to_go_on(kind):
    served, peer = kind.serving()
    served.transport.registerProducer(served, True)

    served.transport.write(MUCH)
    kind.wait()
    assert set(served.told) == {"pause"}
    served.told.clear()
    Reading(peer)

    kind.until(lambda: served.told == ["resume"])


def test_who_is_no_producer_any_more_is_told_nothing(kind):
    served, _ = kind.serving()
    served.transport.registerProducer(served, True)
    served.transport.unregisterProducer()

    served.transport.write(MUCH)
    kind.wait()

    assert served.told == []


def test_a_paused_connection_reads_nothing_until_it_is_resumed(kind):
    served, peer = kind.serving()
    served.transport.pauseProducing()

    peer.sendall(b"hello")
    kind.wait()
    assert served.data == b""
    served.transport.resumeProducing()

    kind.until(lambda: served.data == b"hello")


def test_much_arrives_whole(kind):
    served, peer = kind.serving()
    sender = Thread(target=peer.sendall, args=(MUCH,))
    sender.start()

    kind.until(lambda: len(served.data) == len(MUCH))

    sender.join()
    assert served.data == MUCH


# Ends


def test_the_peer_may_end_and_still_be_told(kind):
    served, peer = kind.serving()
    peer.sendall(b"bye")
    peer.shutdown(socket.SHUT_WR)
    kind.until(lambda: served.ended)

    served.transport.write(b"so long")
    kind.wait()

    assert served.data == b"bye"
    assert served.lost is None
    assert read(peer, 7) == b"so long"


def test_we_may_end_and_still_be_told(kind):
    served, peer = kind.serving()
    served.transport.write(b"bye")
    served.transport.loseWriteConnection()
    kind.wait()
    assert read(peer, 3) == b"bye"
    assert is_closed(peer)

    peer.sendall(b"so long")

    kind.until(lambda: served.data == b"so long")
    assert served.lost is None


def test_closing_lets_what_was_written_out(kind):
    served, peer = kind.serving()
    served.transport.write(MUCH)

    served.transport.loseConnection()
    reading = Reading(peer)
    kind.until(lambda: reading.ended)

    assert reading.size == len(MUCH)
    assert served.lost is ConnectionDone


def test_aborting_resets_and_is_told_later(kind):
    served, peer = kind.serving()
    served.transport.write(MUCH)

    served.transport.abortConnection()
    assert served.lost is None
    kind.until(lambda: served.lost)

    with pytest.raises(ConnectionResetError):
        while peer.recv(1_000_000):
            pass


@pytest.mark.parametrize("way", ["loseConnection", "abortConnection"])
def test_who_writes_to_a_closed_connection_writes_nowhere(kind, way):
    served, peer = kind.serving()
    getattr(served.transport, way)()

    for _ in range(2):
        served.transport.write(b"too late")
        served.transport.writeSequence([b"far ", b"too late"])
        kind.until(lambda: served.lost)

    if way == "loseConnection":
        assert is_closed(peer)
    else:
        with pytest.raises(ConnectionResetError):
            peer.recv(1)


def test_closing_twice_and_in_any_order_is_no_fault(kind):
    served, _ = kind.serving()
    transport = served.transport

    for verb in (
        "loseWriteConnection",
        "loseWriteConnection",
        "loseConnection",
        "abortConnection",
        "loseWriteConnection",
    ):
        getattr(transport, verb)()
    kind.until(lambda: served.lost)
    transport.unregisterProducer()
    transport.loseConnection()

    assert transport.pending() == 0


def test_a_reset_by_the_peer_is_a_loss(kind):
    served, peer = kind.serving()

    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    kind.until(lambda: served.lost)

    assert issubclass(served.lost, ConnectionLost)
    assert not served.ended


# What may be asked


def test_a_connection_knows_both_its_ends(kind):
    served, peer = kind.serving()

    assert served.transport.getPeer() == IPv4Address("TCP", *peer.getsockname())
    assert served.transport.getHost() == IPv4Address("TCP", *peer.getpeername())


def test_a_connection_can_be_looked_at_by_poll(kind):
    served, peer = kind.serving()
    served.transport.pauseProducing()
    look = select.poll()
    look.register(served.transport.fileno(), select.POLLIN)
    assert look.poll(0) == []

    peer.sendall(b"x")

    assert [event for _, event in look.poll(1000)] == [select.POLLIN]


def test_both_sides_of_vestri_send_at_once_and_keep_the_kernel_s_buffer_small(kind):
    factory = kind.recorders()
    port = kind.listen(factory, listen_tcp(0, LOOPBACK, 10)[0])
    opened = kind.result(kind.module.connect(kind.reactor, LOOPBACK, port.getHost().port, kind.recorders(), tune))
    kind.until(lambda: factory.made)

    for side in (opened, factory.made[0]):
        sock = socket.socket(fileno=side.transport.fileno())
        try:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == NOTSENT_LOWAT
        finally:
            sock.detach()
    opened.transport.loseConnection()


# Connecting


def test_a_connection_is_told_of_when_it_is_there(kind):
    server = kind.keep(socket.create_server((LOOPBACK, 0)))
    factory = kind.recorders()

    opened = kind.result(kind.module.connect(kind.reactor, LOOPBACK, server.getsockname()[1], factory, untuned))
    accepted = kind.keep(server.accept()[0])
    opened.transport.write(b"hello")
    kind.wait()

    assert factory.made == [opened]
    assert read(accepted, 5) == b"hello"
    opened.transport.loseConnection()


def test_a_refused_connection_is_a_connect_error(kind):
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(ConnectError):
        kind.result(kind.module.connect(kind.reactor, LOOPBACK, port, kind.recorders(), untuned))


def test_who_has_waited_long_enough_may_cancel(kind):
    server = kind.keep(socket.create_server((LOOPBACK, 0), backlog=0))
    address = server.getsockname()
    for _ in range(4):  # until the kernel takes no more
        waiting = kind.keep(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(address)
    factory = kind.recorders()
    connecting = kind.module.connect(kind.reactor, *address, factory, untuned)
    kind.wait()

    connecting.cancel()

    with pytest.raises(CancelledError):
        kind.result(connecting)
    assert factory.made == []


# Listening


def test_a_paused_port_lets_clients_wait(kind):
    factory = kind.recorders()
    port = kind.listen(factory)
    kind.peer(port)
    kind.until(lambda: factory.made)

    port.pauseProducing()
    kind.wait()
    for _ in range(3):
        kind.peer(port)
    kind.wait()
    assert len(factory.made) == 1
    port.resumeProducing()

    kind.until(lambda: len(factory.made) == 4)


def test_pausing_while_clients_arrive_loses_none(kind):
    factory = kind.recorders()
    port = kind.listen(factory)

    for _ in range(10):
        kind.peer(port)
        port.pauseProducing()
        kind.wait(0.001)
        port.resumeProducing()

    kind.until(lambda: len(factory.made) == 10)


def test_a_stopped_port_takes_nobody(kind):
    told = []
    port = kind.listen(kind.recorders(), on_stop=lambda: told.append("stopped"))
    address = (LOOPBACK, port.getHost().port)
    kind.peer(port)
    kind.wait()

    kind.close()

    assert told == ["stopped"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_a_client_that_the_factory_does_not_want_is_closed(kind):
    factory = kind.recorders()
    factory.buildProtocol = lambda address: None
    peer = kind.peer(kind.listen(factory))
    kind.wait()

    assert is_closed(peer)


def test_unix_sockets_are_served_and_removed(kind, tmp_path):
    path = str(tmp_path / "vestri.sock")
    factory = kind.recorders()
    kind.listen(factory, listen_unix(path, 0o600, 10)[0], on_stop=lambda: remove(path))
    peer = kind.keep(socket.socket(socket.AF_UNIX))
    peer.connect(path)
    kind.until(lambda: factory.made)

    peer.sendall(b"hello")
    kind.until(lambda: factory.made[0].data == b"hello")
    assert [type(address) for address in factory.peers] == [UNIXAddress]
    kind.close()

    assert list(tmp_path.iterdir()) == []


def test_ipv6_has_addresses_of_its_own(kind):
    factory = kind.recorders()
    port = kind.listen(factory, listen_tcp(0, "::", 10)[0])

    for family, host in ((socket.AF_INET6, "::1"), (socket.AF_INET, LOOPBACK)):
        peer = kind.keep(socket.socket(family))
        peer.connect((host, port.getHost().port))
    kind.until(lambda: len(factory.made) == 2)

    assert sorted(address.host for address in factory.peers) == ["::1", "::ffff:127.0.0.1"]
    assert {type(address) for address in factory.peers} == {IPv6Address}


@contextmanager
def descriptors(spare):
    """Hardly any descriptor can be opened: the highest in use, and so many more, are the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = socket.socket()
    highest = probe.fileno()
    probe.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + spare, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_descriptors_clients_wait_and_none_is_lost(kind):
    factory = kind.recorders()
    port = kind.listen(factory)
    kind.peer(port)
    kind.until(lambda: factory.made)
    spare = 1 if kind.module.__name__.endswith("eager") else 66
    port.pauseProducing()
    kind.wait()
    peers = [kind.peer(port) for _ in range(40)]
    port.resumeProducing()

    with descriptors(spare):
        kind.wait(0.1)
        accepted = len(factory.made)
        kind.wait(0.4)
        assert len(factory.made) < 41
    assert accepted < 41

    kind.until(lambda: len(factory.made) == 41)
    for served in factory.made[1:]:
        served.transport.write(b"!")
    kind.wait()
    assert [read(peer, 1) for peer in peers] == [b"!"] * 40
