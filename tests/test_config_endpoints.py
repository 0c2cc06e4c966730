import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestri.config.endpoints import parse_endpoint
from vestri.transport.listening import KINDS as LISTENING


def parsed(text):
    """The text of an endpoint, or what is said of one that is none."""
    try:
        return parse_endpoint(text).written
    except ValueError as error:
        return f"refused: {error}"


def place(text):
    return parse_endpoint(text).place


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tcp:8080", "tcp:port=8080"),
        ("tcp:8080", "tcp:08080"),
        ("tcp:8080", "tcp:8080:interface=0.0.0.0"),
        ("tcp:8080", "tcp:8080:backlog=50"),
        ("tcp6:8080", r"tcp:8080:interface=\:\:"),
        (r"tcp:1:interface=0\:0\:\:1", r"tcp:1:interface=\:\:1"),
        ("unix:/run/a", "unix:/run/a:mode=660"),
        ("unix:/run/a", "unix:address=/run/a"),
        ("fd:3", "fd:fd=3"),
        ("systemd:index=0", "systemd:domain=INET:index=0"),
    ],
)
def test_two_ways_to_write_one_listener_are_equal(one, other):
    assert place(one) == place(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tcp:8080", "tcp:8081"),
        ("tcp:8080", "tcp:8080:interface=127.0.0.1"),
        ("tcp:8080", "tcp6:8080"),
        ("unix:/run/a", "unix:/run/b"),
        ("fd:3", "fd:4"),
        ("systemd:index=0", "systemd:index=1"),
        ("systemd:name=a", "systemd:name=b"),
    ],
)
def test_two_listeners_are_not_equal(one, other):
    assert place(one) != place(other)


def test_a_backslash_keeps_a_colon_in_a_value():
    assert place(r"unix:/run/a\:b:mode=600") == ("unix", "/run/a:b", "")


def test_any_free_port_can_be_taken_twice():
    assert parse_endpoint("tcp:0").any_port
    assert parse_endpoint("tcp:0").port is None
    assert not parse_endpoint("tcp:1").any_port
    assert not parse_endpoint("unix:/run/a").any_port


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tcp4:80", "unknown endpoint type 'tcp4'; did you mean tcp?"),
        ("TCP:80", "unknown endpoint type 'TCP'; did you mean tcp?"),
        ("onion:80", "unknown endpoint type 'onion'; known are tcp, tcp6, unix, fd, systemd"),
        ("", "unknown endpoint type ''; known are tcp, tcp6, unix, fd, systemd"),
        ("8080", "unknown endpoint type '8080'; did you mean tcp:8080?"),
        (":8080", "unknown endpoint type ''; did you mean tcp:8080?"),
        ("127.0.0.1:80", "unknown endpoint type '127.0.0.1'; did you mean tcp:80:interface=127.0.0.1?"),
        ("localhost:80", "unknown endpoint type 'localhost'; did you mean tcp:80:interface=localhost?"),
        ("ssl:443", "not supported yet: endpoint type 'ssl'"),
        ("haproxy:tcp:80", "not supported yet: endpoint type 'haproxy'"),
        ("tcp", "expected a port after the endpoint type"),
        ("tcp:", "expected a port 0..65535, got ''"),
        ("tcp:http", "expected a port 0..65535, got 'http'"),
        ("tcp:65536", "expected a port 0..65535, got '65536'"),
        ("tcp:-1", "expected a port 0..65535, got '-1'"),
        ("tcp:80:81", "expected tcp:PORT, then interface=..., backlog=..., got '81'"),
        ("tcp:80:port=81", "expected tcp:PORT, then interface=..., backlog=..., got 'port=81'"),
        ("tcp:80:iface=a", "expected tcp:PORT, then interface=..., backlog=..., got 'iface=a'"),
        (
            "tcp:80:interface=::1",
            r"expected tcp:PORT, then interface=..., backlog=..., got ''; write \: for a colon in a value",
        ),
        ("tcp:80:interface=", "expected the address of an interface, got ''"),
        ("tcp:80:interface=a b", "expected the address of an interface, got 'a b'"),
        ("tcp:80:backlog=0", "expected a backlog of at least 1, got '0'"),
        ("tcp:80:backlog=many", "expected a whole number, got 'many'"),
        ("unix:", "expected a path after 'unix:'"),
        ("unix:/a:mode=rw", "expected a mode such as 660, got 'rw'"),
        ("unix:/a:mode=888", "expected a mode such as 660, got '888'"),
        ("fd:stdin", "expected a whole number, got 'stdin'"),
        ("fd:3:4", "expected fd:FD, got '4'"),
        ("systemd:domain=TCP", "expected a domain INET, INET6, UNIX, got 'TCP'"),
        ("systemd:name=", "expected the name of a socket after 'name='"),
    ],
)
def test_what_is_no_endpoint_is_refused(text, message):
    assert parsed(text) == f"refused: {message}"


@pytest.mark.parametrize(
    ("reason", "listener", "host", "port", "arrives"),
    [
        ("every address", "tcp:8080", "127.0.0.1", 8080, True),
        ("another port", "tcp:8080", "127.0.0.1", 8081, False),
        ("by name", "tcp:8080", "localhost", 8080, True),
        ("by name in capitals", "tcp:8080", "LOCALHOST", 8080, True),
        ("any address of the loopback network", "tcp:8080", "127.0.0.2", 8080, True),
        ("the address of no machine", "tcp:8080", "0.0.0.0", 8080, True),
        ("another machine, as far as we know", "tcp:8080", "10.0.0.1", 8080, False),
        ("another name", "tcp:8080", "web", 8080, False),
        ("one address", "tcp:8080:interface=10.0.0.1", "10.0.0.1", 8080, True),
        ("one address, asked at another", "tcp:8080:interface=10.0.0.1", "127.0.0.1", 8080, False),
        ("loopback alone", "tcp:8080:interface=127.0.0.1", "localhost", 8080, True),
        ("loopback alone, by the address of no machine", "tcp:8080:interface=127.0.0.1", "0.0.0.0", 8080, True),
        ("one name", "tcp:8080:interface=web", "web", 8080, True),
        ("every IPv6 address serves IPv4 too", "tcp6:8080", "127.0.0.1", 8080, True),
        ("every IPv6 address", "tcp6:8080", "::1", 8080, True),
        ("IPv4 alone", "tcp:8080", "::1", 8080, False),
        ("any free port", "tcp:0", "127.0.0.1", 8080, False),
        ("a UNIX socket", "unix:/run/a", "127.0.0.1", 8080, False),
    ],
)
def test_a_connection_that_is_certain_to_arrive_at_ourselves(reason, listener, host, port, arrives):
    assert parse_endpoint(listener).serves(host, port) is arrives


@pytest.mark.parametrize("text", ["tcp:0", "tcp6:0", "unix:/run/a", "fd:0", "systemd:index=0"])
def test_what_is_accepted_here_can_be_listened_at(text):
    assert parse_endpoint(text).place[0].removesuffix("6") in LISTENING


@given(st.text(st.characters() | st.sampled_from(":=\\"), max_size=30), st.sampled_from(["", "tcp:", "unix:", "fd:"]))
def test_any_text_is_an_endpoint_or_is_refused_in_words(text, kind):
    outcome = parsed(kind + text)
    assert outcome == kind + text or outcome.startswith("refused: ")
    assert outcome != "refused: "
