"""The command line, as a person meets it."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from vestri import __version__
from vestri.__main__ import COMMANDS, READER_GONE, main

MINIMAL = Path(__file__).parent.parent / "config/minimal.yaml"


def test_vestri_alone_shows_its_help(capsys):
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: vestri")
    assert all(import_module(f"vestri.commands.{name}").SUMMARY in " ".join(shown.split()) for name in COMMANDS)


def test_it_says_its_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"Vestri {__version__}\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["chekc"], "unknown command 'chekc'; did you mean check?"),
        (["serve-me-well"], "unknown command 'serve-me-well'\n"),
        (["--verison"], "unrecognized arguments: --verison"),
        (["check"], "the following arguments are required: FILE"),
        (["replica", "--port", "8081", "--delay", "3q"], "argument --delay: expected a duration such as 250ms"),
        (["replica", "--port", "99999"], "argument --port: expected a whole number 0..65535, got '99999'"),
        (["replica", "--port", "1", "--fail-rate", "101%"], "argument --fail-rate: expected a percentage such as 20%"),
        (["replica", "--port", "1", "--size", "big"], "argument --size: expected a size such as 64KiB"),
    ],
)
def test_wrong_usage_is_told_and_is_status_2(argv, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(argv)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("usage: vestri")
    assert message in shown.err


def test_the_status_is_that_of_the_command(monkeypatch):
    monkeypatch.setattr("vestri.commands.check.run", lambda args: 1 if args.file == "bad.yaml" else 0)
    assert main(["check", "bad.yaml"]) == 1
    assert main(["check", "good.yaml"]) == 0


@pytest.mark.parametrize("command", [["schema"], ["check", str(MINIMAL)]], ids=["much", "little"])
def test_a_reader_that_has_seen_enough_is_no_error(command):
    """As in `vestri schema | head`."""
    reader, writer = os.pipe()
    os.close(reader)
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    ran = subprocess.run(
        [sys.executable, "-m", "vestri", *command], stdout=writer, stderr=subprocess.PIPE, env=buffered, timeout=60
    )
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (READER_GONE, b"")


def test_a_command_imports_no_other():
    asking = "import sys\nfrom vestri.__main__ import main\nmain(['schema'])\nprint(*sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, timeout=60)
    imported = ran.stderr.split()
    assert "vestri.commands.schema" in imported
    assert not {"vestri.commands.replica", "vestri.commands.demo", "vestri.commands.check"} & set(imported)


def test_the_help_is_light():
    """What serves is imported only once it is to serve."""
    asking = "import sys\nfrom vestri.__main__ import main\nmain([])\nprint(*sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, timeout=60)
    assert not {"twisted.web", "twisted.internet.reactor", "rich", "treq"} & set(ran.stderr.split())
