import subprocess
import sys
from argparse import Namespace

import pytest

from configs import WEB
from vestri.commands import check
from vestri.model import Configuration, Replica, Service


@pytest.fixture
def file(tmp_path):
    """write(text) -> the path of a file that holds it."""

    def write(text):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return str(path)

    return write


def run(file):
    return check.run(Namespace(file=file))


def test_a_file_that_can_be_served_is_fine_and_what_it_holds_is_told(file, capsys):
    path = file(f"{WEB}  - {{name: b, matcher: /b, replicas: [url: b, url: c]}}\n")
    assert run(path) == 0
    assert capsys.readouterr() == (f"{path}: fine: 2 services, 3 replicas\n", "")


def test_every_fault_is_a_line_on_standard_error(file, capsys):
    path = file(f"stratgy: a\n{WEB}        metadata: {{weight: heavy}}\n")
    assert run(path) == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.splitlines() == [
        f"{path}:1:1: stratgy: unknown key 'stratgy'; did you mean strategy?",
        f"{path}:6:28: services[0].replicas[0].metadata.weight: expected a whole number 0..1000, got 'heavy'",
    ]


def test_a_file_that_is_not_there_is_a_fault(tmp_path, capsys):
    path = str(tmp_path / "config.yaml")
    assert run(path) == 1
    assert capsys.readouterr() == ("", f"{path}:1:1: cannot be read: No such file or directory\n")


def test_warnings_go_to_standard_error_and_the_file_is_fine_all_the_same(file, capsys):
    path = file(f"{WEB}        metadata: {{weight: 0}}\n")
    assert run(path) == 0
    assert capsys.readouterr() == (
        f"{path}: fine: 1 service, 1 replica, 1 warning\n",
        f"warning: {path}:4:7: services[0].replicas: all weights are 0: every request is answered 503\n",
    )


@pytest.mark.parametrize(
    ("services", "replicas", "warnings", "told"),
    [
        (1, 1, 0, "1 service, 1 replica"),
        (3, 7, 0, "3 services, 7 replicas"),
        (1, 2, 2, "1 service, 2 replicas, 2 warnings"),
    ],
)
def test_what_a_file_holds_is_counted(services, replicas, warnings, told):
    replica = Replica("a", "a", "http", "a", 80)
    shares = [replicas - services + 1, *[1] * (services - 1)]
    held = tuple(Service(f"s{number}", (replica,) * share) for number, share in enumerate(shares))
    assert check.contents(Configuration(held, warnings=("beware",) * warnings)) == told


@pytest.mark.parametrize("text", [WEB, "services: []\n"], ids=["fine", "faulty"])
def test_no_reactor_is_imported(file, text):
    program = (
        "import sys; from argparse import Namespace; from vestri.commands import check;"
        f"check.run(Namespace(file={file(text)!r}));"
        "sys.exit('twisted.internet.reactor' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert ran.returncode == 0, ran.stderr.decode()


@pytest.mark.parametrize(
    ("arguments", "status"), [(["FILE"], 0), ([], 2), (["FILE", "other"], 2), (["--fast", "FILE"], 2)]
)
def test_wrong_usage_is_told_apart_from_a_wrong_file(file, arguments, status):
    arguments = [file(WEB) if argument == "FILE" else argument for argument in arguments]
    ran = subprocess.run([sys.executable, "-m", "vestri", "check", *arguments], capture_output=True, timeout=60)
    assert ran.returncode == status
