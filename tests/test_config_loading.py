import gc
import os
import sys
from unittest import mock

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from configs import FILES, REPOSITORY, STRATEGIES, WEB, load, problems
from vestri import config
from vestri.config import loading, nodes
from vestri.errors import InvalidConfiguration

FULL = (REPOSITORY / "config" / "full.yaml").read_text()


@pytest.fixture
def written(tmp_path):
    """write(bytes) -> the path of a file that holds them."""

    def write(data):
        path = tmp_path / "config.yaml"
        path.write_bytes(data)
        return path

    return write


def refused(path):
    """What is said of a file, without its name."""
    with pytest.raises(InvalidConfiguration) as caught:
        config.read(path, strategies=STRATEGIES)
    return [str(problem).removeprefix(f"{os.fspath(path)}:") for problem in caught.value.problems]


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_every_file_in_the_repository_can_be_served(path):
    assert config.read(path, strategies=STRATEGIES).warnings == ()


def test_the_first_file_of_all_works_for_ever():
    (service,) = config.read(REPOSITORY / "config" / "minimal.yaml", strategies=STRATEGIES).services
    assert (service.name, service.strategy.name, service.matcher.path) == ("service1", "WeightedRoundRobin", "/api/v1")
    assert [(replica.url, replica.weight) for replica in service.replicas] == [
        ("http://127.0.0.1:8081", 2),
        ("http://127.0.0.1:8082", 4),
    ]


def test_the_demo_has_three_replicas_that_are_noticed_within_a_second():
    configuration = config.read(REPOSITORY / "config" / "demo.yaml", strategies=STRATEGIES)
    (service,) = configuration.services
    assert [(replica.port, replica.weight) for replica in service.replicas] == [(8081, 1), (8082, 2), (8083, 3)]
    assert (service.health.interval, service.health.rise, service.health.fall) == (1.0, 1, 1)
    assert configuration.listen == ("tcp:8080",)


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("as it is", WEB.encode()),
        ("windows line ends", WEB.replace("\n", "\r\n").encode()),
        ("old mac line ends", WEB.replace("\n", "\r").encode()),
        ("a byte order mark", WEB.encode("utf-8-sig")),
        ("no line end at the end", WEB.rstrip().encode()),
        ("JSON", b'{"services": [{"name": "web", "replicas": [{"url": "http://127.0.0.1:8081"}]}]}'),
        ("a document mark", b"---\n" + WEB.encode() + b"...\n"),
    ],
)
def test_a_file_may_come_from_any_editor(written, reason, data):
    assert config.read(written(data), strategies=STRATEGIES) == load(WEB)


@pytest.mark.parametrize(
    ("reason", "data", "problem"),
    [
        ("empty", b"", "1:1: the file is empty; expected at least a list of services"),
        ("only comments", b"# services:\n", "1:1: the file is empty; expected at least a list of services"),
        ("null", b"~\n", "1:1: the file is empty; expected at least a list of services"),
        ("a word", b"hello\n", "1:1: expected a mapping that begins with a key such as 'services:', got 'hello'"),
        ("a list", b"- a\n", "1:1: expected a mapping that begins with a key such as 'services:', got a list"),
        ("latin-1", b"a: 1\nname: caf\xe9\n", "2:10: expected UTF-8 text, got byte 0xe9"),
        ("UTF-16", WEB.encode("utf-16"), "1:1: expected UTF-8 text, got byte 0xff"),
        ("no YAML", b"services:\n\t- a\n", "2:1: a tab cannot indent; use spaces"),
        ("a program", b"\x7fELF\x02\x01", "1:1: the file holds a control character, '\\x7f'"),
    ],
)
def test_a_file_that_holds_no_configuration_is_refused_with_the_place(written, reason, data, problem):
    assert refused(written(data)) == [problem]


@pytest.mark.parametrize(
    ("reason", "name", "problem"),
    [
        ("it is not there", "other.yaml", "1:1: cannot be read: No such file or directory"),
        ("it is a directory", "", "1:1: cannot be read: Is a directory"),
        ("it stands in a file", "config.yaml/a", "1:1: cannot be read: Not a directory"),
        ("no file has such a name", "a\0b", "1:1: cannot be read: embedded null byte"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(written, reason, name, problem):
    assert refused(written(WEB.encode()).parent / name) == [problem]


def test_a_file_that_may_not_be_read_is_refused_with_the_reason(written):
    path = written(WEB.encode())
    with mock.patch.object(loading, "open", side_effect=PermissionError(13, "Permission denied"), create=True):
        assert refused(path) == ["1:1: cannot be read: Permission denied"]


def test_a_file_without_an_end_is_given_up(monkeypatch, written):
    monkeypatch.setattr(loading, "LARGEST_FILE", 20)
    assert refused(written(WEB.encode())) == ["1:1: expected a file of at most 20 bytes"]


def test_variables_come_from_the_environment(monkeypatch, written):
    monkeypatch.setenv("VESTRI_TEST_HOST", "web")
    path = written(b"services: [{name: a, replicas: [url: 'http://${VESTRI_TEST_HOST}:${VESTRI_TEST_PORT:-81}']}]")
    (service,) = config.read(path, strategies=STRATEGIES).services
    assert service.replicas[0].url == "http://web:81"


def test_an_unset_variable_is_told_where_it_stands():
    problem = "4:14: services[0].replicas[0].url: environment variable H is not set; set it, or write ${H:-default}"
    assert problems(WEB.replace("127.0.0.1", "${H}")) == [problem]


def test_the_collector_of_garbage_runs_again_afterwards():
    load(WEB)
    assert gc.isenabled()
    problems("[")
    assert gc.isenabled()


def many(services):
    one = "- {{name: s{0}, matcher: /{0}, replicas: [{{url: 'h{0}:1', metadata: {{weight: 2}}}}, {{url: 'h{0}:2'}}]}}"
    return "services:\n" + "\n".join(one.format(number) for number in range(services))


def faulty(services):
    return many(services).replace("weight", "wieght").replace("matcher", "macther")


def calls(function, argument):
    """How many calls a function makes, all told: the same on every machine."""
    count = 0

    def profile(frame, event, what):
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        function(argument)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("text", [many, faulty])
def test_the_work_grows_no_faster_than_the_file(text):
    small, large = (calls(problems, text(services)) for services in (50, 400))
    assert large < 8.5 * small


def stays_inside(text):
    """Load a text; whatever is wrong with it must be said at a place inside it."""
    try:
        load(text)
    except InvalidConfiguration as invalid:
        lines = [*text.removeprefix("\ufeff").splitlines(), ""]
        for problem in invalid.problems:
            assert 1 <= problem.line <= len(lines)
            assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
            assert "\n" not in str(problem)


LOADERS = st.sampled_from([yaml.CSafeLoader, yaml.SafeLoader])
YAML = st.text(st.characters() | st.sampled_from(" \n\r\t:-[]{},&*'\"#!|>%@?~$<=."), max_size=60)


@given(YAML, LOADERS)
def test_any_text_is_served_or_refused_at_a_place_inside_it(text, loader):
    with mock.patch.object(nodes, "LOADER", loader):
        stays_inside(text)


@given(st.integers(0, len(FULL)), st.integers(0, 30), YAML, LOADERS)
def test_a_damaged_file_is_served_or_refused_at_a_place_inside_it(start, length, patch, loader):
    with mock.patch.object(nodes, "LOADER", loader):
        stays_inside(FULL[:start] + patch + FULL[start + length :])
