"""Which service takes a path: the longest prefix by whole segments, whatever the path is dressed up as."""

import pytest
from puppet import Puppet
from stage import HOST, head

pytestmark = pytest.mark.live
PUPPETS = Puppet, Puppet, Puppet
CONFIG = """
services:
  - {{name: api, matcher: /api/v1, health: off, replicas: [{{url: "{1}"}}]}}
  - {{name: deeper, matcher: /api/v1/deep, health: off, replicas: [{{url: "{2}"}}]}}
  - {{name: spaced, matcher: "/a%20b", health: off, replicas: [{{url: "{2}"}}]}}
  - {{name: web, matcher: /web, health: off, replicas: [{{url: "{0}"}}]}}
access_log: {{format: off}}
"""

ROUTES = [
    ("/api/v1", "api"), ("/api/v1/", "api"), ("/api/v1?x=1", "api"), ("/api/v1/x", "api"), ("/api/v1//x", "api"),
    ("/api/v1/deep", "deeper"), ("/api/v1/deep/", "deeper"), ("/api/v1/deeper", "api"), ("/api/v1/deep?", "deeper"),
    ("/api/v10", None), ("/api/v", None), ("/api", None), ("/api/v1x", None), ("/API/v1", None), ("/api/V1", None),
    ("/api//v1", None), ("//api/v1", None), ("/api/v1;x", None), ("/api;x/v1", None), ("/api%2Fv1", None),
    ("/api/v1%2Fx", None), ("/%61pi/v1", "api"), ("/ap%69/%76%31", "api"), ("/api/v%31/deep", "deeper"),
    ("/api/./v1", "api"), ("/./api/v1", "api"), ("/api/x/../v1", "api"), ("/x/../api/v1", "api"),
    ("/api/v1/../v1", "api"), ("/api/v1/..", None), ("/api/v1/../x", None), ("/api/v1/deep/..", "api"),
    ("/api/v1/deep/../x", "api"), ("/api/v1/x/../deep", "deeper"), ("/api/v1/.", "api"), ("/api/%2e/v1", "api"),
    ("/api/%2E%2e/api/v1", "api"), ("/api/v1/%2e%2e/x", None), ("/api/v1/..%2fx", "api"), ("/api/v1%00", None),
    ("/api/v1/%00", "api"), ("/api%5cv1", None), ("/api\\v1", None), ("/api/v1/..\\x", "api"), ("/api/v1%20", None),
    ("/api/v1+", None), ("/api/v1%3Fx", None), ("/api/v1%23x", None), ("/api/v1*", None), ("/*", None),
    ("/a%20b", "spaced"), ("/a%20b/c", "spaced"), ("/a+b", None), ("/a%2520b", None), ("/x/web", None),
    ("/web", "web"), ("/web.html", None), ("/we", None), ("/", None), ("//", None), ("//web", None),
    ("/web//", "web"), ("/?/web", None), ("/../web", 400), ("/..", 400), ("/%2e%2e/web", 400), ("/web/../../x", 400),
    ("/.%2e/web", 400), ("/web/%2E./%2e./x", 400), ("/...", None), ("/..web", None), ("/web/...", "web"),
    ("/web/..x", "web"), ("/.web", None), ("/web?/../..", "web"),
]  # fmt: skip


@pytest.mark.parametrize(("target", "service"), ROUTES, ids=[target for target, _ in ROUTES])
def test_the_longest_prefix_by_whole_segments_takes_a_path(stage, target, service):
    """Compared in normal form (RFC 3986 section 6.2.2), and forwarded as it came."""
    answer = stage.ask(head(target=target.encode()))
    expected = {None: 404, 400: 400}.get(service, 200)
    assert answer.status == expected
    taken = {
        name: [each.target for each in puppet.taken] for name, puppet in zip(["web", "api", "deeper"], stage.puppets)
    }
    wanted = {"spaced": "deeper"}.get(service, service)
    assert taken == {name: [target.encode()] if name == wanted else [] for name in taken}


def test_a_query_and_a_URL_do_not_confuse_the_choice(stage):
    assert stage.ask(b"GET http://a.example/api/v1/deep?/web HTTP/1.1\r\n" + HOST + b"\r\n").status == 200
    assert [each.target for each in stage.puppets[2].taken] == [b"/api/v1/deep?/web"]
