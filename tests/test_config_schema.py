import pytest

from configs import KEYS, LEAVES, WEB, inside, load, problems
from vestri.config import building, nodes
from vestri.config.reading import INVALID, Place, Reading
from vestri.config.schema import FILE

#: The names of a file that is written today; they stay for ever. Only those that were settled first are here.
SETTLED = {
    "": "strategy listen watch control workers trusted_proxies access_log admin shutdown limits timeouts services"
    " tests",
    "control": "socket",
    "trusted_proxies": "hops",
    "access_log": "format path",
    "admin": "listen",
    "shutdown": "pre_stop grace",
    "limits": "header_size header_count body_size connections requests_per_connection min_rate",
    "timeouts": "client_header client_body client_idle client_write connect response idle per_try total tunnel"
    " keep_alive idle_connections",
    "services": "name matcher priority strategy replicas discovery redirect respond split host health outliers retries"
    " queue breaker slow_start sticky drain timeouts rewrite headers",
    "services.replicas": "url id metadata backup max_requests",
    "services.replicas.metadata": "weight",
    "services.matcher": "path path_exact path_regex host method header query cookie client_ip",
    "services.health": "path method interval timeout rise fall expect body headers port",
    "services.outliers": "consecutive ejection max_ejection max_ejected panic",
    "services.retries": "extra budget min_budget when non_idempotent buffer hedge",
    "services.queue": "size timeout when order",
    "services.breaker": "when window open recover",
    "services.sticky": "cookie wait",
    "services.drain": "timeout",
    "services.timeouts": "connect response idle per_try total tunnel keep_alive idle_connections",
    "services.rewrite": "strip_prefix add_prefix regex replacement",
    "services.headers.request": "set add remove",
    "services.headers.response": "set add remove",
    "services.redirect": "to code",
    "services.respond": "status body headers",
    "services.split": "services key",
    "tests": "request expect",
    "tests.request": "method url headers",
    "tests.expect": "service path status",
}


def read(key, written):
    reading = Reading("", {}, {})
    return key.kind.read(Place(nodes.parse(written)), reading), reading.problems


@pytest.mark.parametrize("path", SETTLED)
def test_the_settled_names_are_known(path):
    section = inside(KEYS[path]) if path else FILE
    assert set(section.keys) >= set(SETTLED[path].split())


@pytest.mark.parametrize("path", KEYS)
def test_a_key_says_what_it_means_in_a_sentence(path):
    assert KEYS[path].meaning[0].isupper() or KEYS[path].meaning[0] in "h`"
    assert KEYS[path].meaning.endswith(".")


@pytest.mark.parametrize("path", KEYS)
def test_a_key_has_an_example_or_keys_of_its_own(path):
    assert KEYS[path].example or inside(KEYS[path])


@pytest.mark.parametrize("path", LEAVES)
def test_an_example_is_valid_and_differs_from_the_default(path):
    key = LEAVES[path]
    example, faults = read(key, key.example)
    assert faults == []
    if key.default:
        default, faults = read(key, key.default)
        assert faults == []
        assert default is not INVALID
        assert example != default


@pytest.mark.parametrize("path", KEYS)
def test_what_holds_without_a_key_is_told_once(path):
    key = KEYS[path]
    told = [key.default, key.otherwise, key.required]
    assert sum(map(bool, told)) <= 1


def written(path, value):
    """A file in which one key has this value."""
    top, *rest = path.split(".")
    if top != "services":
        return f"{nest([top, *rest], value)}\n{WEB}"
    if rest[0] == "replicas":
        return f"{WEB}        {nest(rest[1:], value)}\n"
    return f"{WEB}    {nest(rest, value)}\n"


def nest(steps, value):
    for step in reversed(steps[1:]):
        value = f"{{{step}: {value}}}"
    return f"{steps[0]}: {value}"


#: Keys of which the file above has another value.
GIVEN = {"services", "services.name", "services.replicas", "services.replicas.url"}
SUPPORTED = [path for path in LEAVES if path not in GIVEN and not problems(written(path, LEAVES[path].example))]
#: Those of `tests` only mean something together.
LATER = [path for path in LEAVES if path not in GIVEN and path not in SUPPORTED and not path.startswith("tests")]


#: But for `access_log.path`: without it standard output is used as well, and not by a daemon.
DEFAULTS = [path for path in SUPPORTED if LEAVES[path].default and path != "access_log.path"]


@pytest.mark.parametrize("path", DEFAULTS)
def test_a_default_is_what_holds_without_the_key(path):
    assert told(load(written(path, LEAVES[path].default))) == told(load(WEB))


def told(configuration):
    """A configuration as text, but for `metadata`, which holds whatever was written."""
    return str(configuration).replace("metadata={'weight': 1}", "metadata={}")


@pytest.mark.parametrize("path", SUPPORTED)
def test_an_example_changes_the_configuration(path, monkeypatch):
    cores = {0, 1}  # of one core, `workers: auto` is the default
    monkeypatch.setattr(building.os, "sched_getaffinity", lambda process: cores, raising=False)
    assert load(written(path, LEAVES[path].example)) != load(WEB)


@pytest.mark.parametrize("path", LATER)
def test_a_key_without_its_behaviour_is_refused_with_its_place(path):
    faults = problems(written(path, LEAVES[path].example))
    assert [fault for fault in faults if "not supported yet" in fault]


def test_the_tests_of_a_file_are_refused_with_their_place():
    tests = "tests: [{request: {url: /}, expect: {status: 404}}]"
    assert problems(f"{tests}\n{WEB}") == ["1:1: tests: not supported yet"]


def test_what_this_release_does():
    behind_a_switch = {"workers"}
    assert set(SUPPORTED) - behind_a_switch == {
        *("strategy", "strategy.name", "listen", "trusted_proxies", "trusted_proxies.hops"),
        *(f"access_log.{name}" for name in SETTLED["access_log"].split()),
        *(f"shutdown.{name}" for name in SETTLED["shutdown"].split()),
        *(f"limits.{name}" for name in SETTLED["limits"].split()),
        *(f"timeouts.{name}" for name in SETTLED["timeouts"].split()),
        *("services.matcher", "services.matcher.path", "services.strategy", "services.strategy.name", "services.host"),
        *(f"services.health.{name}" for name in SETTLED["services.health"].split()),
        *(f"services.timeouts.{name}" for name in SETTLED["services.timeouts"].split()),
        *("services.replicas.id", "services.replicas.metadata.weight"),
    }
