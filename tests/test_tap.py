"""twistd's door: what its options refuse, and the service that they make."""

import subprocess
import sys

import pytest
from twisted.application.service import IService
from twisted.internet import reactor
from twisted.python import usage

from vestri import tap
from vestri.balancer import Balancer
from vestri.errors import CannotServe
from vestri.model import Configuration

WEB = """
access_log: {format: off}
services: [{name: web, health: off, replicas: [{url: "http://127.0.0.1:8081"}]}]
"""


@pytest.fixture(autouse=True)
def excepthook(monkeypatch):
    """`makeService` changes it for the rest of the process."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)


@pytest.fixture
def parsed(tmp_path):
    """parsed(text, *arguments): the options for a configuration of that text."""

    def parse(text, *arguments):
        file = tmp_path / "config.yaml"
        file.write_text(text)
        options = tap.Options()
        options.parseOptions(["--config", str(file), *arguments])
        return options

    return parse


class Twistd(dict):
    """The options of twistd itself, which has ours as a part."""


def under_twistd(options, **said):
    options.parent = Twistd({"nodaemon": True, "uid": None, "gid": None, **said})
    return options


# Options


def test_the_configuration_is_read_with_the_options(parsed):
    options = parsed(WEB)

    assert isinstance(options.configuration, Configuration)
    assert options.configuration.listen == ("tcp:8080",)


def test_a_port_replaces_what_the_file_says_about_listening(parsed):
    options = parsed("listen: ['tcp:1', 'tcp:2']\n" + WEB, "--port", "8090")

    assert options.configuration.listen == ("tcp:8090",)


def test_without_a_configuration_it_is_wrong_usage():
    with pytest.raises(usage.UsageError, match="--config FILE is missing"):
        tap.Options().parseOptions([])


@pytest.mark.parametrize("port", ["eighty", "-1", "65536"])
def test_a_port_that_is_none_is_wrong_usage(parsed, port):
    with pytest.raises(usage.UsageError):
        parsed(WEB, "--port", port)


def test_a_faulty_file_ends_it_with_a_line_for_each_fault_and_status_2(parsed, capsys):
    with pytest.raises(SystemExit) as ended:
        parsed("strategy: RundRobin\nservices: []\nbogus: 1\n")

    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(": ")[1] for line in err.splitlines()] == ["strategy", "services", "bogus"]
    assert all("config.yaml:" in line for line in err.splitlines())


def test_a_file_that_cannot_be_read_ends_it_in_the_same_way(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        tap.Options().parseOptions(["--config", str(tmp_path / "nowhere.yaml")])

    assert ended.value.code == 2
    assert "cannot be read: No such file or directory" in capsys.readouterr().err


def test_warnings_are_told_while_the_terminal_is_there(parsed, capsys):
    parsed(WEB.replace("url:", "metadata: {weight: 0}, url:"))

    assert capsys.readouterr().err.startswith("warning: ")


# The service


def test_the_service_is_a_balancer(parsed):
    service = tap.makeService(under_twistd(parsed(WEB)))

    assert isinstance(service, Balancer)
    assert IService.providedBy(service)


@pytest.mark.parametrize(
    ("why", "said", "text", "warned", "kept"),
    [
        ("a daemon has nowhere to write to", {"nodaemon": False}, "{}", True, "off"),
        ("unless the file says where", {"nodaemon": False}, "{path: ./access.log}", False, "common"),
        ("or wants none", {"nodaemon": False}, "{format: off}", False, "off"),
        ("in the foreground there is standard output", {}, "{}", False, "common"),
    ],
)
def test_an_access_log_needs_a_place(parsed, monkeypatch, capsys, tmp_path, why, said, text, warned, kept):
    monkeypatch.chdir(tmp_path)
    built = []
    monkeypatch.setattr("vestri.wiring.build", lambda configuration, reactor: built.append(configuration))
    options = under_twistd(parsed(WEB.replace("{format: off}", text)), **said)

    tap.makeService(options)

    assert built[0].access_log.format == kept
    assert ("no access log is kept" in capsys.readouterr().err) is warned


def test_an_access_log_that_cannot_be_opened_ends_it_with_status_1(parsed, tmp_path, capsys):
    options = under_twistd(parsed(WEB.replace("format: off", f"path: {tmp_path}/no/such/directory/access.log")))

    with pytest.raises(SystemExit) as ended:
        tap.makeService(options)

    assert ended.value.code == 1
    assert "No such file or directory" in capsys.readouterr().err


def test_the_service_is_built_for_the_reactor_that_runs(parsed, monkeypatch):
    built = []
    monkeypatch.setattr("vestri.wiring.build", lambda configuration, reactor: built.append(reactor))

    tap.makeService(under_twistd(parsed(WEB)))

    assert built == [reactor]


@pytest.mark.parametrize(("said", "imported"), [({"uid": 65534}, 1), ({"gid": 65534}, 1), ({}, 0)])
def test_who_will_shed_privileges_imports_everything_before(parsed, monkeypatch, said, imported):
    calls = []
    monkeypatch.setattr("vestri.wiring.import_the_rest", lambda: calls.append(True))

    tap.makeService(under_twistd(parsed(WEB), **said))

    assert len(calls) == imported


def test_an_error_that_was_logged_in_a_line_gets_no_traceback(parsed, monkeypatch):
    shown = []
    monkeypatch.setattr(sys, "__excepthook__", lambda *error: shown.append(error[0]))
    tap.makeService(under_twistd(parsed(WEB)))

    sys.excepthook(CannotServe, CannotServe("cannot listen"), None)
    sys.excepthook(ValueError, ValueError("a bug"), None)

    assert shown == [ValueError]


# The reactor

WHICH = """
import sys
from vestri.tap import Options
{before}
Options().parseOptions(["--config", sys.argv[1]])
from twisted.internet import reactor
print(type(reactor).__name__, type(getattr(reactor, "_asyncioEventloop", None)).__module__)
"""


def reactor_after(before, tmp_path):
    """What kind of reactor a fresh interpreter has after the options were read."""
    file = tmp_path / "config.yaml"
    file.write_text(WEB)
    program = WHICH.format(before=before)
    ran = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def test_the_fastest_reactor_is_taken(tmp_path):
    pytest.importorskip("uvloop")

    assert reactor_after("", tmp_path) == ["AsyncioSelectorReactor", "uvloop"]


def test_a_reactor_that_somebody_chose_stays(tmp_path):
    chosen = "from twisted.internet import selectreactor; selectreactor.install()"

    assert reactor_after(chosen, tmp_path)[0] == "SelectReactor"
