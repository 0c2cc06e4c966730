"""Whom Vestri believes about where a request came from, and which Host a replica sees."""

import pytest
from puppet import Puppet
from stage import HOST, Stage

pytestmark = pytest.mark.live
PUPPETS = Puppet, Puppet
CONFIG = """
trusted_proxies: ["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"]
services:
  - {{name: own, matcher: /own, host: replica, health: off, replicas: [{{url: "{0}"}}]}}
  - {{name: literal, matcher: /literal, host: "inner.example:81", health: off, replicas: [{{url: "{0}"}}]}}
  - {{name: based, matcher: /based, health: off, replicas: [{{url: "{1}/v2/x"}}]}}
  - {{name: web, health: off, replicas: [{{url: "{0}"}}]}}
access_log: {{format: off}}
"""


def asked(*lines, target=b"/"):
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


# (X-Forwarded-For as it came, X-Real-IP as told on)
CHAINS = [
    ([], "127.0.0.1"),
    (["1.2.3.4"], "1.2.3.4"),
    (["1.2.3.4, 10.0.0.1"], "1.2.3.4"),
    (["6.6.6.6, 1.2.3.4, 10.0.0.1, 10.0.0.2"], "1.2.3.4"),
    (["6.6.6.6", "1.2.3.4", "10.0.0.1"], "1.2.3.4"),
    (["10.0.0.3, 10.0.0.1"], "10.0.0.3"),
    (["garbage, 10.0.0.1"], "10.0.0.1"),
    (["1.2.3.4, garbage"], "127.0.0.1"),
    (["1.2.3.4, unknown, 10.0.0.1"], "10.0.0.1"),
    (["1.2.3.4:5678"], "1.2.3.4"),
    (["[2001:db8::1]:443"], "2001:db8::1"),
    (["2001:db8::1, fd00::1"], "2001:db8::1"),
    ([" 1.2.3.4 ,, 10.0.0.1 "], "1.2.3.4"),
    (["1.2.3.999"], "127.0.0.1"),
    (["::ffff:1.2.3.4, ::ffff:10.0.0.1"], "1.2.3.4"),
    (["::ffff:10.0.0.1"], "10.0.0.1"),
    (["01.2.3.4"], "127.0.0.1"),
]


@pytest.mark.parametrize(("chain", "client"), CHAINS, ids=[", ".join(chain) for chain, _ in CHAINS])
def test_the_client_is_the_first_from_the_right_that_is_not_trusted(stage, chain, client):
    """Never from the left, where the client writes what it likes (SEMANTICS: nginx's real_ip_recursive)."""
    assert stage.ask(asked(*[b"X-Forwarded-For: " + value.encode() for value in chain])).status == 200
    (taken,) = stage.taken
    assert taken.get(b"x-real-ip") == client.encode()
    assert taken.get(b"x-forwarded-for").endswith(b"127.0.0.1"), "the peer is appended"


def test_a_trusted_proxy_is_believed_about_the_rest(stage):
    lines = [
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Host: www.example",
        b"X-Request-ID: abc-1",
        b"X-Forwarded-Port: 443",
    ]
    assert stage.ask(asked(*lines)).status == 200
    assert {*lines} <= {*stage.taken[0].lines}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"X-Forwarded-Proto: gopher", b"x-forwarded-proto"),
        (b"X-Forwarded-Proto: ", b"x-forwarded-proto"),
        (b"X-Forwarded-Host: a b", b"x-forwarded-host"),
        (b"X-Forwarded-Host: a/../b", b"x-forwarded-host"),
        (b"X-Request-ID: a b", b"x-request-id"),
        (b"X-Request-ID: caf\xe9", b"x-request-id"),
        (b"X-Request-ID: " + b"a" * 500, b"x-request-id"),
    ],
)
def test_what_makes_no_sense_is_replaced_even_so(stage, line, name):
    assert stage.ask(asked(line)).status == 200
    (taken,) = stage.taken
    assert taken.get(name) not in (None, line.partition(b": ")[2])


def test_the_replica_s_own_Host(stage):
    assert stage.ask(asked(target=b"/own/x")).status == 200
    (taken,) = stage.taken
    assert taken.get(b"host") == b"127.0.0.1:%d" % stage.puppet.port
    assert taken.get(b"x-forwarded-host") == b"a.example"


def test_a_Host_of_the_configuration(stage):
    assert stage.ask(asked(target=b"/literal")).status == 200
    assert stage.taken[0].get(b"host") == b"inner.example:81"


@pytest.mark.parametrize(
    ("target", "forwarded"),
    [
        ("/based", "/v2/x/based"),
        ("/based/", "/v2/x/based/"),
        ("/based/a?b=%2e&&c", "/v2/x/based/a?b=%2e&&c"),
        ("/based/a/../b", "/v2/x/based/b"),
        ("/based/%2e%2e/based/b", "/v2/x/based/b"),
        ("/based/a%2fb;c", "/v2/x/based/a%2Fb;c"),
        ("/based/./", "/v2/x/based/"),
    ],
)
def test_under_a_base_path_no_dots_lead_out(stage, target, forwarded):
    assert stage.ask(asked(target=target.encode())).status == 200
    assert stage.taken[0].target == forwarded.encode()


def test_hops_are_counted_where_networks_are_not_known(tmp_path):
    config = """
trusted_proxies: {{hops: 2}}
services: [{{name: web, health: off, replicas: [{replicas}]}}]
access_log: {{format: off}}
"""
    with Puppet() as puppet, Stage(tmp_path, config, [puppet]) as stage:
        assert stage.ask(asked(b"X-Forwarded-For: 6.6.6.6, 1.2.3.4, 5.6.7.8")).status == 200
        assert stage.taken[0].get(b"x-real-ip") == b"1.2.3.4"
