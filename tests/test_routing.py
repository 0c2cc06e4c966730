"""Which route takes a request: by whole segments, on a normalised copy, at the cost of one matcher."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestri.errors import RequestError
from vestri.routing import Routes, join, normalised

SEGMENTS = st.sampled_from([b"a", b"b", b"ab", b"A", b"", b"%2F", b"a%2Fb", b"x.y", b"...", b"~", b";p=1"])
PATHS = st.lists(SEGMENTS, max_size=5)
#: Whatever may stand in a target, with the characters that paths are made of more often than others.
TARGETS = st.lists(
    st.sampled_from(
        [b"/", b".", b"..", b"%2e", b"%2F", b"%", b"2", b"e", b"25", b"a", b"A", b"?", b"~", b"%7e", b"%%32e", b"%zz"]
    )
).map(lambda parts: b"/" + b"".join(parts))


def route_for(target, *paths):
    return Routes([(path, path) for path in paths]).decide(target)


def refusal(call, *arguments):
    with pytest.raises(RequestError) as refused:
        call(*arguments)
    return refused.value.status, refused.value.reason


# By whole segments


@pytest.mark.parametrize(
    ("why", "target", "taken_by"),
    [
        ("the path itself", b"/api", "/api"),
        ("with a slash", b"/api/", "/api"),
        ("what is below it", b"/api/users/1", "/api"),
        ("a longer matcher outranks it", b"/api/v1/users", "/api/v1"),
        ("not what only begins alike", b"/apis", "/"),
        ("nor what is shorter", b"/ap", "/"),
        ("the query does not count", b"/api?x=/api/v1", "/api"),
        ("nor does it where it has slashes", b"/?/api", "/"),
        ("letters have a case", b"/API", "/"),
        ("an empty segment is one", b"//api", "/"),
        ("the root takes the asterisk", b"*", "/"),
    ],
)
def test_a_route_takes(why, target, taken_by):
    assert route_for(target, "/", "/api", "/api/v1") == taken_by


def test_where_no_route_takes_it_it_is_not_found():
    routes = Routes([("/api", "api"), ("/b/c", "c")])

    for target in (b"/", b"/b", b"/apis", b"*", b"/b/cd"):
        assert refusal(routes.decide, target) == (404, "no_route")


def test_of_two_equal_paths_the_first_counts():
    routes = Routes([("/a", "first"), ("/a/", "second"), ("/%61", "third")])

    assert routes.decide(b"/a") == "first"
    assert len(routes) == 1


def test_no_routes_take_nothing():
    assert refusal(Routes([]).decide, b"/") == (404, "no_route")


@given(st.lists(PATHS, max_size=8), PATHS)
def test_the_longest_matcher_that_is_a_prefix_takes_it(matchers, path):
    prefixes = [tuple(_without_empty_end(matcher)) for matcher in matchers]
    taking = [prefix for prefix in prefixes if prefix == tuple(path[: len(prefix)])]
    routes = Routes([((b"/" + b"/".join(prefix)).decode(), prefix) for prefix in prefixes])
    target = b"/" + b"/".join(path)

    if taking:
        assert routes.decide(target) == max(taking, key=len)
    else:
        assert refusal(routes.decide, target) == (404, "no_route")


def _without_empty_end(segments):
    while segments and not segments[-1]:
        segments = segments[:-1]
    return segments


@given(PATHS, st.data())
def test_how_a_path_is_spelled_changes_nothing(path, data):
    plain = b"/" + b"/".join(path)
    spelled = bytearray()
    for byte in plain.replace(b"%2F", b"|"):
        encoded = data.draw(st.booleans()) and (chr(byte).isalnum() or byte in b".~")
        spelled += b"%%%02x" % byte if encoded else bytes((byte,))

    assert normalised(bytes(spelled).replace(b"|", b"%2f")) == normalised(plain)


# What it costs


def lookups(routes, target):
    """How many prefixes are looked for."""
    trace = []
    routes.decide(target, trace)
    return len(trace)


def test_the_cost_does_not_grow_with_the_number_of_routes():
    target = b"/s7/" + b"x/" * 50
    few = Routes([(f"/s{number}/deep/er", number) for number in range(10)] + [("/", "rest")])
    many = Routes([(f"/s{number}/deep/er", number) for number in range(10_000)] + [("/", "rest")])

    assert lookups(many, target) == lookups(few, target) == 4


def test_the_trace_says_what_was_looked_for_longest_first():
    trace = []

    Routes([("/", "rest"), ("/a/b/c", "deep")]).decide(b"/a/x/y/z?q", trace)

    assert trace == [b"/a/x/y", b"/a/x", b"/a", b""]


# Normalised


@pytest.mark.parametrize(
    ("why", "target", "path"),
    [
        ("unreserved characters mean the same encoded", b"/%61%2D%7E%5f", b"/a-~_"),
        ("other encodings stay, in capitals", b"/%2f%5c%3b%00", b"/%2F%5C%3B%00"),
        ("an encoded dot is a dot", b"/a/%2e%2E/b/%2e/c", b"/b/c"),
        ("an encoded percent sign is no beginning of another", b"/%252e%252e", b"/%252e%252e"),
        ("a percent sign that begins nothing stands for itself", b"/100%", b"/100%25"),
        ("and never makes one with what follows", b"/%%32e%%32e/x", b"/%252e%252e/x"),
        ("dot segments go", b"/a/./b/../c", b"/a/c"),
        ("at the end they leave a slash", b"/a/b/..", b"/a/"),
        ("so does a single one", b"/a/.", b"/a/"),
        ("three dots are a name", b"/.../..a/.b", b"/.../..a/.b"),
        ("empty segments stay", b"//a///b", b"//a///b"),
        ("and are segments that can be left", b"/a//../b", b"/a/b"),
        ("parameters are part of their segment", b"/a;x/..;/b", b"/a;x/..;/b"),
        ("a backslash is a character", b"/a\\..\\b", b"/a\\..\\b"),
        ("the query is left out", b"/a?/../..", b"/a"),
        ("the asterisk is the root", b"*", b"/"),
    ],
)
def test_a_path_is_compared_as(why, target, path):
    assert normalised(target) == path


@pytest.mark.parametrize("target", [b"/..", b"/a/../..", b"/%2e%2e/a", b"/./../a", b"/../"])
def test_a_path_above_the_root_is_refused(target):
    assert refusal(normalised, target) == (400, "bad_request")


@given(TARGETS)
def test_what_is_normalised_is_so_for_good(target):
    try:
        path = normalised(target)
    except RequestError:
        return

    assert normalised(path) == path


# Below the base path of a replica


@pytest.mark.parametrize(
    ("why", "target", "joined"),
    [
        ("the path follows the base", b"/a/b", b"/base/a/b"),
        ("the root keeps its slash", b"/", b"/base/"),
        ("the asterisk is the base itself", b"*", b"/base"),
        ("the query stays as it came", b"/a?x=%zz/../", b"/base/a?x=%zz/../"),
        ("also an empty one", b"/a?", b"/base/a?"),
        ("nothing leads out of the base", b"/a/../b", b"/base/b"),
    ],
)
def test_a_target_is_joined_to_a_base(why, target, joined):
    assert join(b"/base", target) == joined


@given(TARGETS)
def test_no_target_leads_out_of_the_base(target):
    try:
        path = join(b"/base", target).partition(b"?")[0]
    except RequestError:
        return

    assert normalised(path).startswith(b"/base/")
    assert normalised(_decoded_once(path)).startswith(b"/base/")


def _decoded_once(path):
    """As a replica may read it that decodes before it removes dot segments."""
    return path.replace(b"%2E", b".").replace(b"%2e", b".")
