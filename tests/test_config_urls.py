import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestri.config import urls
from vestri.config.urls import Url, parse_url


def parsed(word, text):
    """What a word makes of a text, or what it says of it; empty where `expected` says it all."""
    try:
        return word.parse(text)
    except ValueError as error:
        return f"refused: {error}"


@pytest.mark.parametrize(
    ("reason", "text", "scheme", "host", "port", "path"),
    [
        ("an address and a port", "http://127.0.0.1:8081", "http", "127.0.0.1", 8081, ""),
        ("no scheme", "localhost:8081", "http", "localhost", 8081, ""),
        ("no scheme and no port", "web", "http", "web", 80, ""),
        ("the scheme's port", "http://web", "http", "web", 80, ""),
        ("the port of https", "https://web", "https", "web", 443, ""),
        ("a scheme in capitals", "HTTP://web", "http", "web", 80, ""),
        ("the root", "http://web/", "http", "web", 80, ""),
        ("a path, without its trailing slash", "http://web/a/b/", "http", "web", 80, "/a/b"),
        ("an encoded path", "web/%C3%A9", "http", "web", 80, "/%C3%A9"),
        ("IPv6", "http://[::1]:8081/a", "http", "::1", 8081, "/a"),
        ("IPv6, in its short form", "http://[0:0::1]", "http", "::1", 80, ""),
        ("a name of a container", "http://my_app-1:80", "http", "my_app-1", 80, ""),
        ("a name with its root", "http://example.org.:80", "http", "example.org.", 80, ""),
    ],
)
def test_a_url_is_taken_apart(reason, text, scheme, host, port, path):
    assert parse_url(text) == Url(text, scheme, host, port, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a URL such as http://127.0.0.1:8081, got ''"),
        ("http://", "expected a URL such as http://127.0.0.1:8081, got 'http://'"),
        ("/path", "expected a URL such as http://127.0.0.1:8081, got '/path'"),
        ("::1", "expected a URL such as http://127.0.0.1:8081, got '::1'"),
        ("ftp://web", "unknown scheme 'ftp'; expected http:// or https://"),
        ("http:/web", "expected http:// or https://, got 'http:/web'"),
        ("unix:/run/web", "expected http:// or https://, got 'unix:/run/web'"),
        ("http://web:0", "expected a port 1..65535, got '0'"),
        ("http://web:65536", "expected a port 1..65535, got '65536'"),
        ("http://web:", "expected a port 1..65535, got ''"),
        ("http://web:٣", "expected a port 1..65535, got '٣'"),
        ("http://web ", "expected the name or address of a host, got 'web '"),
        ("http://-web", "expected the name or address of a host, got '-web'"),
        ("http://a..b", "expected the name or address of a host, got 'a..b'"),
        ("http://256.0.0.1", "expected the name or address of a host, got '256.0.0.1'"),
        ("http://127.1", "expected the name or address of a host, got '127.1'"),
        ("http://café", "expected the name or address of a host, got 'café'"),
        ("http://[::1", "expected an address as [::1] or [::1]:8081, got 'http://[::1'"),
        ("http://[::1%eth0]", "expected an IPv6 address within brackets, got 'http://[::1%eth0]'"),
        ("http://[::1]8081", "expected an address as [::1] or [::1]:8081, got 'http://[::1]8081'"),
        ("http://me:secret@web", "a replica's url cannot have a user name, got 'http://me:secret@web'"),
        ("http://web?a", "a replica's url cannot have a query, got 'http://web?a'"),
        ("http://web/a?b", "a replica's url cannot have a query, got 'http://web/a?b'"),
        ("http://web/a#b", "a replica's url cannot have a fragment, got 'http://web/a#b'"),
        ("http://web/é", "expected a path in URL characters, others as %XX, got '/é'"),
        ("http://web/%G0", "expected a path in URL characters, others as %XX, got '/%G0'"),
        ("http://web/a/../b", "expected a path without '.' and '..', got '/a/../b'"),
        ("http://web/%2E%2e", "expected a path without '.' and '..', got '/%2E%2e'"),
    ],
)
def test_a_url_that_names_no_replica_is_refused(text, message):
    assert parsed(urls.URL, text) == f"refused: {message}"


@pytest.mark.parametrize("path", ["/", "/api/v1", "/api/", "//", "/a;b=c", "/%C3%A9", "/a:b@c", "/.well-known", "/..."])
def test_a_matcher_path_stays_as_it_is_written(path):
    assert urls.PATH.parse(path) == path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("api", ""),
        ("*", ""),
        ("/api*", "not supported yet: a pattern such as '/api*'; expected a path such as /api/v1"),
        ("/users/{id}", "not supported yet: a pattern such as '/users/{id}'; expected a path such as /api/v1"),
        ("/a?b=c", "expected a path without a query, got '/a?b=c'"),
        ("/a b", "expected a path in URL characters, others as %XX, got '/a b'"),
        ("/a/../b", "expected a path without '.' and '..', which no request has, got '/a/../b'"),
        ("/%2e", "expected a path without '.' and '..', which no request has, got '/%2e'"),
    ],
)
def test_a_matcher_path_that_no_request_could_have_is_refused(text, message):
    assert parsed(urls.PATH, text) == f"refused: {message}"


def test_a_matcher_path_without_its_slash_is_told_with_it():
    assert urls.PATH.hint("api/v1") == "; did you mean /api/v1?"
    assert urls.PATH.hint("*") == urls.PATH.hint("^/é") == ""


@pytest.mark.parametrize("path", ["/", "/health", "/health?full=1&a=?", "/%C3%A9?q=%20"])
def test_a_probe_path_may_have_a_query(path):
    assert urls.PROBE_PATH.parse(path) == path


@pytest.mark.parametrize("text", ["", "health", "/a#b", "/a b", "/a?b c", "/a?%zz", "http://web/health"])
def test_a_probe_path_that_cannot_be_asked_for_is_refused(text):
    assert parsed(urls.PROBE_PATH, text) == "refused: "


@pytest.mark.parametrize("host", ["pass", "replica", "www.example.org", "www.example.org:8080", "[::1]:80", "10.0.0.1"])
def test_what_the_replica_sees_as_host(host):
    assert urls.HOST_FIELD.parse(host) == host


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Pass", "expected pass or replica, got 'Pass'; did you mean pass?"),
        ("", ""),
        ("http://www.example.org", ""),
        ("a b", "expected the name or address of a host, got 'a b'"),
        ("web:x", "expected a port 1..65535, got 'x'"),
    ],
)
def test_a_host_that_no_field_could_hold_is_refused(text, message):
    assert parsed(urls.HOST_FIELD, text) == f"refused: {message}"


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("200", ((200, 200),)),
        ("200-399", ((200, 399),)),
        ("200-299, 401", ((200, 299), (401, 401))),
        ("100-599", ((100, 599),)),
    ],
)
def test_status_codes_are_ranges_with_both_ends(text, ranges):
    assert urls.STATUSES.parse(text) == ranges


@pytest.mark.parametrize("text", ["", "2xx", "99", "600", "200-", "200,", "200..299", "200–299"])
def test_what_is_no_status_code_is_refused(text):
    assert parsed(urls.STATUSES, text) == "refused: "


def test_ranges_of_status_codes_go_upwards():
    assert parsed(urls.STATUSES, "399-200") == "refused: expected ranges from low to high, got '399-200'"


def test_a_class_of_status_codes_is_told_as_a_range():
    assert urls.STATUSES.hint("2xx") == "; did you mean 200-299?"
    assert urls.STATUSES.hint("ok") == ""


@given(st.text(st.characters() | st.sampled_from(":/[]@?#%.-"), max_size=40))
def test_any_text_is_a_url_or_is_refused_in_words(text):
    outcome = parsed(urls.URL, text)
    if isinstance(outcome, str):
        assert outcome != "refused: "
        return
    assert outcome.written == text
    assert outcome.host
    assert 1 <= outcome.port <= 65535
    assert not outcome.path.endswith("/")
