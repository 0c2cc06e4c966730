"""Endpoint strings, and the listening sockets that they stand for."""

import os
import resource
import socket
import stat

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError

from support_transport import KINDS, running
from vestri.transport import server_endpoint
from vestri.transport.listening import parse
from wire import LOOPBACK


@pytest.fixture(params=KINDS)
def kind(request):
    with running(request.param) as kind:
        yield kind


@pytest.fixture
def passed_on():
    """A listening socket of somebody else's."""
    with socket.create_server((LOOPBACK, 0)) as sock:
        yield sock


def listening(kind, description, **arguments):
    """(the port of an endpoint, the factory of its connections)."""
    endpoint, factory = server_endpoint(kind.reactor, description, **arguments), kind.recorders()
    port = kind.result(endpoint.listen(factory))
    kind._ports.append(port)
    return port, factory


def answered(kind, factory, peer):
    """Whether the first peer that has connected is served."""
    kind.keep(peer)
    kind.until(lambda: factory.made)
    factory.made[-1].transport.write(b"!")
    kind.wait()
    return peer.recv(1) == b"!"


# The strings


@pytest.mark.parametrize(
    ("description", "parsed"),
    [
        ("tcp:8080", ("tcp", ["8080"], {})),
        ("tcp:8080:interface=127.0.0.1", ("tcp", ["8080"], {"interface": "127.0.0.1"})),
        (r"tcp:port=80:interface=\:\:1", ("tcp", [], {"port": "80", "interface": "::1"})),
        (r"unix:/run/a\:b\=c:mode=660", ("unix", ["/run/a:b=c"], {"mode": "660"})),
        ("unix:address=/a=b", ("unix", [], {"address": "/a=b"})),
        ("systemd", ("systemd", [], {})),
    ],
)
def test_a_string_has_a_kind_and_arguments(description, parsed):
    assert parse(description) == parsed


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("udp:53", "unknown endpoint type 'udp'; known are tcp, tcp6, unix, fd, systemd"),
        ("tcp:99999", "expected a port number 0..65535, got '99999'"),
        ("tcp:", "expected a port number 0..65535, got ''"),
        ("tcp", "expected a port number 0..65535, got ''"),
        ("tcp:٣", "expected a port number"),
        ("tcp6:-1", "expected a port number"),
        ("unix", "a unix endpoint wants a path"),
        ("systemd:index=2", "systemd handed over 2 sockets, none of index 2"),
        ("systemd:name=api", "systemd handed over no socket named 'api'"),
    ],
)
def test_a_string_that_makes_no_sense_is_refused_in_words(description, words):
    environ = {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "http:https"}

    with pytest.raises(ValueError, match=words):
        server_endpoint(None, description, environ)


@pytest.mark.parametrize(
    "description", ["fd", "fd:x", "unix:/a:mode=rw", "unix:/a:mode=688", "tcp:80:backlog=many", "systemd:index=first"]
)
def test_a_number_that_is_none_is_refused_in_words(description):
    with pytest.raises(ValueError, match="expected"):
        server_endpoint(None, description, {"LISTEN_FDS": "2"})


def test_an_endpoint_says_what_it_was_called():
    endpoint = server_endpoint(None, "tcp:80")

    assert (endpoint.description, repr(endpoint)) == ("tcp:80", "<ServerEndpoint tcp:80>")


# Listening


def test_a_port_is_bound_at_once(kind):
    endpoint, factory = server_endpoint(kind.reactor, f"tcp:0:interface={LOOPBACK}"), kind.recorders()
    told = []

    endpoint.listen(factory).addCallback(told.append)
    kind._ports += told

    peer = socket.create_connection((LOOPBACK, told[0].getHost().port))
    assert answered(kind, factory, peer)


def test_tcp6_takes_ipv4_too(kind):
    port, factory = listening(kind, "tcp6:0")

    for host in ("::1", LOOPBACK):
        peer = kind.keep(socket.create_connection((host, port.getHost().port)))
        kind.until(lambda host=host: factory.peers and factory.peers[-1].host.endswith(host))
        factory.made[-1].transport.write(b"!")
        kind.wait()
        assert peer.recv(1) == b"!"


@pytest.mark.parametrize("mode", ["600", "666"])
def test_a_unix_socket_has_permissions_and_is_removed(kind, tmp_path, mode):
    path = tmp_path / "vestri.sock"
    _, factory = listening(kind, f"unix:{path}:mode={mode}")
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(str(path))

    assert answered(kind, factory, peer)
    assert stat.S_IMODE(path.stat().st_mode) == int(mode, 8)
    kind.close()

    assert not path.exists()


def test_a_stale_unix_socket_is_replaced(kind, tmp_path):
    path = str(tmp_path / "vestri.sock")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    _, factory = listening(kind, f"unix:{path}")
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)

    assert answered(kind, factory, peer)


def test_sockets_of_somebody_else_are_adopted(kind, passed_on):
    port, factory = listening(kind, f"fd:{passed_on.fileno()}")

    assert port.getHost().port == passed_on.getsockname()[1]
    assert answered(kind, factory, socket.create_connection(passed_on.getsockname()))


@pytest.mark.parametrize("how", ["index=0", "name=http"])
def test_sockets_of_systemd_are_adopted(kind, passed_on, monkeypatch, how):
    monkeypatch.setattr("vestri.transport.listening.SYSTEMD_FIRST", passed_on.fileno())

    _, factory = listening(kind, f"systemd:{how}", environ={"LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"})

    assert answered(kind, factory, socket.create_connection(passed_on.getsockname()))


def test_an_adopted_unix_socket_is_served(kind, tmp_path):
    path = str(tmp_path / "theirs.sock")
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(path)
        theirs.listen()
        _, factory = listening(kind, f"fd:{theirs.fileno()}")
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(path)
        assert answered(kind, factory, peer)
    kind.close()

    assert os.path.exists(path)


# What cannot be listened at


def refusal(kind, description):
    endpoint, factory = server_endpoint(kind.reactor, description), kind.recorders()
    with pytest.raises(CannotListenError) as refused:
        kind.result(endpoint.listen(factory))
    return refused.value


def test_a_port_in_use_is_refused(kind, passed_on):
    error = refusal(kind, f"tcp:{passed_on.getsockname()[1]}:interface={LOOPBACK}")

    assert error.socketError.strerror == "Address already in use"


@pytest.mark.parametrize("family", ["an address of nobody here", "a name"])
def test_an_interface_that_is_not_here_is_refused(kind, family):
    interface = {"an address of nobody here": "192.0.2.1", "a name": "nowhere.invalid"}[family]

    assert refusal(kind, f"tcp:0:interface={interface}")


def test_a_unix_socket_that_is_served_is_left_alone(kind, tmp_path):
    path = str(tmp_path / "busy.sock")
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(path)
        busy.listen()

        assert refusal(kind, f"unix:{path}").socketError.strerror == "Address already in use"


def test_a_file_in_the_place_of_a_unix_socket_is_left_alone(kind, tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")

    assert refusal(kind, f"unix:{path}")
    assert path.read_text() == "data"


def test_a_descriptor_that_is_none_is_refused(kind):
    reader, writer = os.pipe()
    os.close(writer)
    nobody_s = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1
    before = {*os.listdir("/dev/fd")}

    assert refusal(kind, f"fd:{reader}")
    assert refusal(kind, f"fd:{nobody_s}")

    assert {*os.listdir("/dev/fd")} <= before, "nothing is left open"
    os.close(reader)


def test_a_connected_socket_is_no_listening_one(kind):
    ends = socket.socketpair()
    for end in ends:
        kind.keep(end)

    assert "it is no listening socket" in str(refusal(kind, f"fd:{ends[0].fileno()}").socketError)


# For several processes


def test_several_sockets_share_a_port():
    sockets = server_endpoint(None, f"tcp:0:interface={LOOPBACK}").sockets(3)
    try:
        assert len({sock.getsockname() for sock in sockets}) == 1
        assert len({sock.fileno() for sock in sockets}) == 3
    finally:
        for sock in sockets:
            sock.close()


@pytest.mark.parametrize("count", [1, 2])
def test_several_sockets_where_there_can_be_but_one_are_duplicates(tmp_path, passed_on, count):
    for description in (f"unix:{tmp_path / 'vestri.sock'}", f"fd:{passed_on.fileno()}"):
        sockets = server_endpoint(None, description).sockets(count)
        try:
            assert len({sock.fileno() for sock in sockets}) == count
            assert len({sock.getsockname() for sock in sockets}) == 1
        finally:
            for sock in sockets:
                sock.close()


def test_a_port_in_use_is_not_shared(passed_on):
    with pytest.raises(CannotListenError):
        server_endpoint(None, f"tcp:{passed_on.getsockname()[1]}:interface={LOOPBACK}").sockets(2)


def test_listening_gives_a_deferred_as_every_endpoint_does(kind):
    listened = server_endpoint(kind.reactor, f"tcp:0:interface={LOOPBACK}").listen(kind.recorders())

    assert isinstance(listened, Deferred)
    kind._ports.append(kind.result(listened))
