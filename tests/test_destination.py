"""Where the requests of one service go, and which Host they go with."""

import pytest

from support_proxying import World, get, message, replica, service, values_of

WITHOUT_HOST = message(b"GET / HTTP/1.0")


@pytest.mark.parametrize(
    ("why", "host", "request_", "seen"),
    [
        ("Host passes as it came", "pass", get(host=b"Shop.Example:8080"), b"Shop.Example:8080"),
        ("or is the replica's", "replica", get(), b"a.test:81"),
        ("or what the file says", "internal.test", get(), b"internal.test"),
        ("none came: it is the replica's", "pass", WITHOUT_HOST, b"a.test:81"),
        ("the file's holds for that as well", "internal.test", WITHOUT_HOST, b"internal.test"),
    ],
)
def test_the_replica_sees_a_host(why, host, request_, seen):
    world = World(services=[service(replicas=[replica("a", port=81)], host=host)])

    world.asks(request_)

    assert values_of(world.replica().news(), b"host") == [seen]


def test_the_host_that_the_client_asked_for_is_told_all_the_same():
    world = World(services=[service(host="internal.test")])

    world.asks(get(host=b"shop.example"))

    assert values_of(world.replica().news(), b"x-forwarded-host") == [b"shop.example"]


def test_a_destination_has_the_members_of_its_pool():
    destination = World("a", "b").destinations["web"]

    assert destination.members is destination.pool.members
