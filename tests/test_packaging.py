"""What pip installs: one plugin for twistd, one command, one version; from a wheel, an sdist and a checkout alike."""

import ast
import configparser
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import vestri
from support import script

ROOT = Path(__file__).parent.parent
PLUGIN = "twisted/plugins/vestri_plugin.py"


def ini(name):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / name)
    return parser


def run(*command, **kwargs):
    """Standard output and error of a command that must succeed."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, **kwargs)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_twistd_lists_vestri():
    assert re.search(r"^ +vestri +\S", run(script("twistd"), "--help"), re.MULTILINE)


def test_the_plugin_is_a_signpost_and_nothing_more():
    docstring, imported, signpost = ast.parse((ROOT / "src" / PLUGIN).read_text()).body
    assert ast.unparse(imported) == "from twisted.application.service import ServiceMaker"
    assert ast.unparse(signpost).startswith("vestri = ServiceMaker('vestri', 'vestri.tap', ")


def test_the_plugin_shares_its_package_with_those_of_others():
    assert [str(path) for path in (ROOT / "src" / "twisted").rglob("__init__.py")] == []


def test_the_version_is_said_once():
    assert ini("setup.cfg")["metadata"]["version"] == "attr: vestri._version.__version__"
    assert metadata.version("vestri") == vestri.__version__


def test_there_is_a_command_beside_twistd():
    (command,) = metadata.entry_points(group="console_scripts", name="vestri")
    assert command.value == "vestri.__main__:main"
    assert "usage: vestri" in run(script("vestri"), "--help")


def test_the_lowest_versions_that_are_tested_are_the_lowest_that_are_allowed():
    required = ini("setup.cfg")["options"]["install_requires"]
    pinned = ini("tox.ini")["testenv"]["deps"]
    allowed = set(re.findall(r"^([\w\[\]]+)>=([\d.]+)", required, re.MULTILINE))
    assert len(allowed) == len(required.split("\n")) - 1
    assert set(re.findall(r"lowest: ([\w\[\]]+)==([\d.]+)$", pinned, re.MULTILINE)) == allowed


@pytest.mark.skipif("TOX_ENV_NAME" not in os.environ, reason="an editable install serves the rest of the time")
def test_tox_tests_what_was_installed():
    assert Path(sys.prefix) in Path(vestri.__file__).parents


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    """Directory with one wheel and one sdist."""
    if "VESTRI_DIST" in os.environ:
        return Path(os.environ["VESTRI_DIST"])
    directory = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", str(directory), str(ROOT))
    return directory


@pytest.fixture
def wheel(dist):
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture
def sdist(dist):
    (found,) = dist.glob("*.tar.gz")
    return found


@pytest.fixture
def checkout(sdist, tmp_path):
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / sdist.name.removesuffix(".tar.gz")


@pytest.mark.packaging
def test_the_wheel_holds_what_is_under_src_and_nothing_else(wheel):
    ours = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.*") if path.is_file()}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == {path for path in ours if not re.search(r"\.pyc$|\.egg-info/|dropin\.cache$", path)}
    assert PLUGIN in held


@pytest.mark.packaging
def test_the_sdist_can_run_its_own_tests(checkout):
    assert {"tox.ini", "ruff.toml", "CHANGELOG.md", "LICENSE"} <= {path.name for path in checkout.iterdir()}
    ours = {path.relative_to(ROOT) for name in ("tests", "config", "docs") for path in (ROOT / name).rglob("*.[pym]*")}
    assert {path for path in ours if path.suffix != ".pyc" and not (checkout / path).exists()} == set()


@pytest.fixture(scope="session")
def clean(dist, tmp_path_factory):
    """Directory of the commands of a new environment, which has what the wheel asks for."""
    directory = tmp_path_factory.mktemp("clean")
    venv.create(directory, with_pip=True)
    run(directory / "bin" / "pip", "install", "--quiet", *dist.glob("*.whl"))
    return directory / "bin"


@pytest.mark.packaging
@pytest.mark.parametrize("how", [["wheel"], ["sdist"], ["-e", "checkout"]], ids=" ".join)
def test_a_clean_environment_gets_both_commands(how, clean, request):
    *options, what = how
    given = request.getfixturevalue(what)
    run(clean / "pip", "install", "--quiet", "--force-reinstall", "--no-deps", *options, given)
    assert "No broken requirements" in run(clean / "pip", "check")
    assert "--config" in run(clean / "twistd", "vestri", "--help")
    assert "usage: vestri" in run(clean / "vestri", "--help")
