"""What a matcher path is mounted as: a tree of resources in which the longest path takes a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.web.proxy import ReverseProxyResource
from twisted.web.resource import getChildForRequest
from twisted.web.test.requesthelper import DummyRequest

from support_proxying import Stock, World, get, ok, replica, service
from vestri.proxying.resource import BalancingResource, Waypoint, tree
from vestri.routing import Routes

SEGMENTS = st.sampled_from(["a", "b", "ab", "x.y", "~"])
PATHS = st.lists(SEGMENTS, max_size=4).map(lambda segments: "/" + "/".join(segments))


def found(root, path):
    """The resource that a stock twisted.web site would render."""
    return getChildForRequest(root, DummyRequest([segment.encode() for segment in path.split("/")[1:]]))


def mounted(*paths):
    """A world with a service for each path, and the tree of their resources."""
    names = [f"service{number}" for number in range(len(paths))]
    services = [service(name, path, [name]) for name, path in zip(names, paths, strict=True)]
    world = World(services=services)
    return world, world.site.root


# The tree


def test_a_resource_stands_at_its_path_and_takes_what_is_below():
    _, root = mounted("/", "/api/v1")

    below = found(root, "/api/v1/users/7")

    assert isinstance(below, ReverseProxyResource)
    assert below.destination.service.matcher.path == "/api/v1"
    assert found(root, "/other").destination.service.matcher.path == "/"


def test_on_the_way_to_a_path_nobody_stands():
    _, root = mounted("/api/v1")

    assert isinstance(root, Waypoint)
    assert isinstance(found(root, "/api/x"), Waypoint)


@given(st.lists(PATHS, min_size=1, max_size=8, unique=True), PATHS)
def test_the_tree_knows_what_the_routes_decide(paths, path):
    resources = {each: BalancingResource(_Destination(each), None) for each in paths}
    routes = Routes(resources.items())

    resource = found(tree(resources, None), path)

    if isinstance(resource, BalancingResource):
        assert resource is routes.decide(path.encode())
    else:
        assert path not in paths


class _Destination:
    """As much of one as a mounted resource needs."""

    def __init__(self, path):
        self.service = service(path=path, replicas=[replica("a", base_path="/base")])


def test_every_path_has_one_place():
    paths = ("/", "/a", "/a/b", "/c/d")
    _, root = mounted(*paths)

    assert [found(root, path).destination.service.matcher.path for path in paths] == list(paths)


# A request's way to its resource


@pytest.mark.parametrize("way", [World.client, Stock], ids=["ours", "stock"])
@given(st.lists(PATHS, min_size=1, max_size=5, unique=True), PATHS)
def test_a_request_goes_where_the_longest_path_says_on_either_way(way, paths, path):
    world, _ = mounted(*paths)
    expected = max((each for each in paths if (path + "/").startswith(each.rstrip("/") + "/")), key=len, default=None)

    way(world).sends(get(path.encode()))
    for listener in world.listeners.values():
        for connection in listener.connections:
            connection.sends(ok())

    assert [each.matcher for each in world.observer.exchanges] == [expected]
    assert world.log == [(404, "no_route") if expected is None else (200, "")]


def test_a_mounted_resource_is_a_reverse_proxy_of_its_first_replica():
    _, root = mounted("/")

    assert (root.host, root.port, root.path) == ("service0.test", 80, b"")
    assert repr(root) == "<BalancingResource / of 'service0'>"
