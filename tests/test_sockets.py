"""Listening sockets: bound at once, told what all of ours are told, and never anybody else's."""

import os
import socket
import stat
from contextlib import ExitStack

import pytest
from twisted.internet.error import CannotListenError

from vestri.transport.sockets import NOTSENT_LOWAT, adopt, close_all, listen_tcp, listen_unix, remove, tune
from wire import LOOPBACK


@pytest.fixture
def closing():
    """Closes what it is given when the test ends, and returns it."""
    with ExitStack() as stack:
        yield lambda sockets: [stack.enter_context(sock) for sock in sockets]


def options(sock):
    names = (socket.TCP_NODELAY, socket.TCP_NOTSENT_LOWAT)
    return [sock.getsockopt(socket.IPPROTO_TCP, name) for name in names]


def test_what_a_listening_socket_was_told_its_connections_inherit(closing):
    (listening,) = closing(listen_tcp(0, LOOPBACK, 10))
    with socket.create_connection(listening.getsockname()):
        listening.settimeout(5)
        accepted = closing([listening.accept()[0]])[0]

    assert options(accepted) == [1, NOTSENT_LOWAT]


def test_a_socket_that_connects_is_told_the_same(closing):
    (sock,) = closing([socket.socket()])

    tune(sock)

    assert options(sock) == [1, NOTSENT_LOWAT]


def test_several_sockets_have_one_port_and_connections_of_their_own(closing):
    sockets = closing(listen_tcp(0, LOOPBACK, 200, count=3))
    assert len({sock.getsockname() for sock in sockets}) == 1

    closing([socket.create_connection(sockets[0].getsockname()) for _ in range(90)])

    assert min(len(closing(accepted(sock))) for sock in sockets) > 0


def accepted(sock):
    while True:
        try:
            yield sock.accept()[0]
        except BlockingIOError:
            return


def test_nobody_else_can_share_the_port_of_a_single_socket(closing):
    (only,) = closing(listen_tcp(0, LOOPBACK, 10))

    with pytest.raises(CannotListenError):
        listen_tcp(only.getsockname()[1], LOOPBACK, 10, count=2)


@pytest.mark.parametrize("interface", ["", LOOPBACK, "::", "::1"])
def test_an_interface_is_that_of_its_family(closing, interface):
    (sock,) = closing(listen_tcp(0, interface, 10))

    assert sock.family == (socket.AF_INET6 if ":" in interface else socket.AF_INET)
    assert not sock.getblocking()


def test_a_port_that_was_served_a_moment_ago_can_be_served_again(closing):
    (first,) = listen_tcp(0, LOOPBACK, 10)
    address = first.getsockname()
    client = closing([socket.create_connection(address)])[0]
    first.settimeout(5)
    first.accept()[0].close()  # its side of the connection stays in TIME_WAIT
    first.close()
    client.close()

    assert closing(listen_tcp(address[1], LOOPBACK, 10))[0].getsockname() == address


# Unix sockets


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_a_unix_socket_has_the_permissions_that_were_asked_for(closing, tmp_path, mode):
    path = str(tmp_path / "socket")
    before = os.umask(0o077)
    try:
        closing(listen_unix(path, mode, 10))
    finally:
        os.umask(before)

    assert stat.S_IMODE(os.stat(path).st_mode) == mode


def test_several_processes_get_duplicates_of_one_unix_socket(closing, tmp_path):
    sockets = closing(listen_unix(str(tmp_path / "socket"), 0o600, 10, count=3))

    assert len({os.fstat(sock.fileno()).st_ino for sock in sockets}) == 1
    assert len({sock.fileno() for sock in sockets}) == 3


def test_a_file_that_is_no_socket_is_left_alone(tmp_path):
    file = tmp_path / "socket"
    file.write_text("precious")

    with pytest.raises(CannotListenError):
        listen_unix(str(file), 0o600, 10)
    remove(str(file))

    assert file.read_text() == "precious"


def test_a_directory_that_is_not_there_is_an_error_in_words(tmp_path):
    with pytest.raises(CannotListenError, match="No such file"):
        listen_unix(str(tmp_path / "missing" / "socket"), 0o600, 10)


def test_somebody_with_more_clients_than_can_wait_still_serves(closing, tmp_path):
    """Looking whether a socket is served waits for nobody."""
    path = str(tmp_path / "socket")
    closing(listen_unix(path, 0o600, 0))
    waiting = closing([socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) for _ in range(2)])
    assert [sock.connect_ex(path) != 0 for sock in waiting] == [False, True], "the second finds no room"

    with pytest.raises(CannotListenError):
        listen_unix(path, 0o600, 10)
    remove(path)

    assert os.path.exists(path)


def test_what_another_process_serves_by_now_is_not_removed(closing, tmp_path):
    path = str(tmp_path / "socket")
    close_all(listen_unix(path, 0o600, 10))
    closing(listen_unix(path, 0o600, 10))

    remove(path)

    assert os.path.exists(path)


def test_what_nobody_serves_any_more_is_removed_and_that_it_is_gone_is_no_fault(tmp_path):
    path = str(tmp_path / "socket")
    close_all(listen_unix(path, 0o600, 10))

    remove(path)
    remove(path)

    assert os.listdir(tmp_path) == []


# Sockets of somebody else


def test_an_adopted_socket_is_a_duplicate_that_does_not_block(closing):
    theirs = closing([socket.create_server((LOOPBACK, 0))])[0]

    ours = closing(adopt(theirs.fileno(), count=2))

    assert {sock.getsockname() for sock in ours} == {theirs.getsockname()}
    assert len({sock.fileno() for sock in (theirs, *ours)}) == 3
    assert not any(sock.getblocking() for sock in ours)


@pytest.mark.parametrize(
    "make", [socket.socket, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)], ids=["not listening", "UDP"]
)
def test_a_socket_that_does_not_listen_is_refused_and_left_open(closing, make):
    theirs = closing([make()])[0]
    before = descriptors()

    with pytest.raises(CannotListenError):
        adopt(theirs.fileno())

    assert descriptors() == before


def test_a_descriptor_that_is_no_socket_is_refused_and_left_open(tmp_path):
    with (tmp_path / "file").open("w") as file:
        before = descriptors()
        with pytest.raises(CannotListenError):
            adopt(file.fileno())
        assert descriptors() == before


def test_a_descriptor_that_is_not_open_is_refused():
    with pytest.raises(CannotListenError):
        adopt(9999)


def descriptors():
    return sorted(os.listdir("/proc/self/fd"))
