"""What a replica is told about where a request came from, and who is believed about that."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_proxying import CLIENT, World, get, lines_of, message, ok, values_of
from vestri.errors import RequestError
from vestri.http1 import RequestReader
from vestri.model import Limits, TrustedProxies
from vestri.proxying.forwarding import Forwarding

OURS = "10.0.0.9"
TRUSTED = TrustedProxies(networks=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")))
CHAINS = st.lists(st.sampled_from(["203.0.113.7", "198.51.100.2", "10.1.1.1", "10.2.2.2", "nonsense", "fd00::1"]))


def origin(*lines, peer=OURS, trusted=TRUSTED, scheme=b"http", request=None):
    """The Origin of a request with these lines."""
    head, _ = RequestReader(Limits()).receive(request or get(b"/", *lines))
    return Forwarding(trusted, "test").origin(head, peer, scheme)


def told(found):
    """Lower-case name -> value of the lines of an Origin."""
    return {
        name.lower(): value for name, _, value in (line.partition(b": ") for line in found.lines.split(b"\r\n")[:-1])
    }


def client_ip(chain, trusted, peer=OURS):
    return Forwarding(trusted).client_address(chain, peer)


# A client that nobody trusts


@pytest.mark.parametrize(
    "forged",
    [
        b"X-Forwarded-For: 203.0.113.9", b"X-Real-IP: 203.0.113.9", b"Forwarded: for=203.0.113.9",
        b"X-Forwarded-Proto: https", b"X-Forwarded-Host: evil.test", b"X-Request-ID: mine", b"X-Vestri-Attempt: 9",
        b"X-Forwarded-Port: 1", b"x_forwarded_for: a",
    ],
)  # fmt: skip
def test_what_a_client_says_of_itself_is_replaced(forged):
    found = origin(forged, peer=CLIENT)

    assert told(found) == {
        b"x-forwarded-for": CLIENT.encode(),
        b"x-real-ip": CLIENT.encode(),
        b"x-forwarded-proto": b"http",
        b"x-forwarded-host": b"example.org",
        b"via": b"1.1 vestri-test",
        b"x-request-id": found.request_id,
    }
    assert found.client_ip == CLIENT


@pytest.mark.parametrize(
    "forged", [b"X-Forwarded-For: a", b"Forwarded: for=x", b"X_Real_IP: 1", b"X-Forwarded-Port: 1"]
)
def test_nor_does_it_reach_the_replica_as_it_came(forged):
    world = World()

    world.asks(get(b"/", forged))

    assert forged not in lines_of(world.replica().news())


def test_by_default_nobody_is_trusted():
    assert not Forwarding(TrustedProxies()).trusts("127.0.0.1")


def test_the_lines_of_a_connection_follow_its_host():
    world = World()
    client = world.asks(get(host=b"one.test"))
    world.replica().sends(ok())
    client.sends(get(host=b"two.test"))
    world.replica().sends(ok())
    client.sends(get(host=b"two.test"))
    world.replica().sends(ok())
    client.sends(message(b"GET / HTTP/1.0", b"Host: two.test", b"Connection: keep-alive"))
    world.replica().sends(ok())
    client.sends(get(host=b"two.test"))
    world.replica().sends(ok())
    client.sends(message(b"GET / HTTP/1.0", b"Connection: keep-alive"))

    heads = bytes(world.replica().seen).split(b"\r\n\r\n")[:-1]

    hosts = [values_of(head, b"x-forwarded-host") for head in heads]
    assert hosts == [[b"one.test"], [b"two.test"], [b"two.test"], [b"two.test"], [b"two.test"], []]
    assert [values_of(head, b"via")[0][:3] for head in heads] == [b"1.1", b"1.1", b"1.1", b"1.0", b"1.1", b"1.0"]


# A proxy that is trusted


def test_a_trusted_proxy_s_chain_is_continued():
    found = origin(b"X-Forwarded-For: 203.0.113.7, 10.1.1.1")

    assert told(found)[b"x-forwarded-for"] == b"203.0.113.7, 10.1.1.1, 10.0.0.9"
    assert told(found)[b"x-real-ip"] == b"203.0.113.7"
    assert found.client_ip == "203.0.113.7"


def test_a_chain_in_several_lines_is_one():
    found = origin(b"X-Forwarded-For: 203.0.113.7", b"X-Forwarded-For: ,10.1.1.1 ,")

    assert told(found)[b"x-forwarded-for"] == b"203.0.113.7, 10.1.1.1, 10.0.0.9"


def test_a_trusted_proxy_is_believed_in_the_rest_too():
    found = origin(
        b"X-Forwarded-Proto: https", b"X-Forwarded-Host: shop.test", b"X-Request-ID: abc-1", b"X-Forwarded-Port: 443"
    )

    assert told(found)[b"x-forwarded-proto"] == b"https"
    assert told(found)[b"x-forwarded-host"] == b"shop.test"
    assert told(found)[b"x-forwarded-port"] == b"443"
    assert (told(found)[b"x-request-id"], found.request_id) == (b"abc-1", b"abc-1")


@pytest.mark.parametrize(
    ("why", "line", "name", "value"),
    [
        ("no scheme", b"X-Forwarded-Proto: gopher", b"x-forwarded-proto", b"http"),
        ("no host", b"X-Forwarded-Host: <evil>", b"x-forwarded-host", b"example.org"),
        ("the first of a list", b"X-Forwarded-Proto: https, http", b"x-forwarded-proto", b"https"),
        ("an empty list", b"X-Forwarded-Host: ,", b"x-forwarded-host", b"example.org"),
    ],
)
def test_what_makes_no_sense_is_not_believed_of_anybody(why, line, name, value):
    assert told(origin(line))[name] == value


@pytest.mark.parametrize("said", [b"", b"two words", b"caf\xe9", b"x" * 129])
def test_a_request_id_that_is_none_is_replaced(said):
    found = origin(b"X-Request-ID: " + said)

    assert found.request_id not in (said, b"")
    assert told(found)[b"x-request-id"] == found.request_id


def test_without_a_host_none_is_told():
    request = message(b"GET / HTTP/1.0")

    for peer in (OURS, CLIENT):
        assert b"x-forwarded-host" not in told(origin(request=request, peer=peer))


def test_a_trusted_proxy_before_a_live_site():
    world = World(trusted=TRUSTED)
    client = world.client(OURS)

    client.sends(get(b"/", b"X-Forwarded-For: 203.0.113.7", b"X-Request-ID: abc"))
    world.replica().sends(ok())

    assert values_of(world.replica().seen, b"x-real-ip") == [b"203.0.113.7"]
    exchange = world.observer.last
    assert (exchange.client_ip, exchange.peer, exchange.request_id) == ("203.0.113.7", OURS, b"abc")


# Who the client is


@pytest.mark.parametrize(
    ("why", "chain", "client"),
    [
        ("nothing said: the peer", [], OURS),
        ("the last untrusted hop", ["203.0.113.7"], "203.0.113.7"),
        ("not what that one claims", ["198.51.100.2", "203.0.113.7"], "203.0.113.7"),
        ("trusted hops are passed over", ["203.0.113.7", "10.1.1.1", "10.2.2.2"], "203.0.113.7"),
        ("all trusted: the leftmost", ["10.1.1.1", "10.2.2.2"], "10.1.1.1"),
        ("nonsense stops the walk", ["203.0.113.7", "nonsense", "10.2.2.2"], "10.2.2.2"),
        ("at once where it is last", ["203.0.113.7", "unknown"], OURS),
        ("ports and brackets go", ["[2001:db8::1]:443"], "2001:db8::1"),
        ("also of IPv4", ["203.0.113.7:99"], "203.0.113.7"),
        ("IPv6 without brackets", ["2001:DB8::1", "fd00::7"], "2001:db8::1"),
        ("a mapped address is an IPv4 one", ["::ffff:203.0.113.7", "::ffff:10.1.1.1"], "203.0.113.7"),
        ("a zone is for one machine alone", ["fe80::1%<b>"], OURS),
        ("whatever characters it has", ["[fe80::1%\xe9]:1"], OURS),
    ],
)
def test_the_client_is(why, chain, client):
    assert client_ip(chain, TRUSTED) == client


@pytest.mark.parametrize(
    ("hops", "client"),
    [(0, OURS), (1, "10.2.2.2"), (2, "203.0.113.7"), (3, "198.51.100.2"), (4, "198.51.100.2"), (9, "198.51.100.2")],
)
def test_hops_are_counted_from_the_right(hops, client):
    assert client_ip(["198.51.100.2", "203.0.113.7", "10.2.2.2"], TrustedProxies(hops=hops)) == client


@given(CHAINS)
def test_nobody_but_a_trusted_proxy_can_name_the_client(chain):
    def oracle(hops, last):
        if not hops or hops[-1] == "nonsense" or last not in ("10.1.1.1", "10.2.2.2", "fd00::1", OURS):
            return last
        return oracle(hops[:-1], hops[-1])

    assert client_ip(chain, TRUSTED) == oracle(chain, OURS)


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [("10.0.0.1", True), ("11.0.0.1", False), ("fd00::1", True), ("::ffff:10.0.0.1", True), ("unknown", False)],
)
def test_a_peer_is_trusted_by_its_network(peer, trusted):
    assert Forwarding(TRUSTED).trusts(peer) is trusted


def test_by_hops_every_peer_is_trusted():
    assert Forwarding(TrustedProxies(hops=1)).trusts("203.0.113.7")


# Ids and loops


def test_ids_are_unique_also_between_instances():
    made = [Forwarding(TrustedProxies()) for _ in range(2)]

    ids = {each.new_id() for each in made for _ in range(1000)}

    assert len(ids) == 2000
    assert made[0].pseudonym != made[1].pseudonym


@pytest.mark.parametrize(
    ("via", "loop"),
    [
        ([b"1.1 vestri-test"], True),
        ([b"1.1 a, 1.1 vestri-test (x)"], True),
        ([b"1.1 a", b"1.0 vestri-test"], True),
        ([b"1.1 vestri-other"], False),
    ],
)
def test_a_request_that_names_this_instance_in_via_is_a_loop(via, loop):
    head, _ = RequestReader(Limits()).receive(get(b"/", *[b"Via: " + value for value in via]))
    forwarding = Forwarding(TrustedProxies(), "test")

    if loop:
        with pytest.raises(RequestError) as refused:
            forwarding.refuse_loop(head)
        assert (refused.value.status, refused.value.reason) == (508, "loop")
    else:
        forwarding.refuse_loop(head)
