"""Who may import whom, and how much one file may hold: docs/architecture.md as a test."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import vestri

#: The rooms of each floor, from the ground up. Imports point down; rooms of one floor do not know each other.
FLOORS = (
    ("errors", "model", "events", "_version"),
    ("config", "routing", "http1", "transport", "control"),
    ("pool",),
    ("selection", "health"),
    ("proxying", "operations"),
    ("balancer",),
    ("workers",),
    ("wiring",),
    ("tap", "worker", "commands", "__main__"),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

#: Nowhere else do neighbours meet: the command line is the only caller of its commands.
NEIGHBOURS = {("__main__", "commands")}

#: What is imported in these files or packages alone.
HOMES = {
    "twisted.web.proxy": ("proxying.resource",),
    "treq": ("wiring",),
    "yaml": ("config",),
    "uvloop": ("transport",),
    "httptools": ("http1",),
    "twisted.internet.reactor": ("tap", "worker", "commands.replica", "commands.demo"),
}

MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 45

SOURCE = Path(vestri.__file__).parent


class Import(NamedTuple):
    """One imported name. importer, name: dotted, without `vestri.`.  lazy: stands inside a function."""

    importer: str
    name: str
    line: int
    lazy: bool

    @property
    def room(self):
        """Which of our rooms it reaches into, or None."""
        room = self.name.removeprefix("vestri.").partition(".")[0]
        return room if self.name.startswith("vestri.") else None

    def __str__(self):
        return f"{self.importer}:{self.line} imports {self.name}"


def files():
    """Dotted name below vestri and parsed text of every file; the package itself is ``""``."""
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), ast.parse(path.read_text())


def imports(importer, tree):
    in_functions = {node for function in functions(tree) for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in imported(node):
                yield Import(importer, name, node.lineno, node in in_functions)


def imported(node):
    """`from a import b` counts as a.b, which finds the module whether it is a or b."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def room_of(name):
    return name.partition(".")[0]


def within(name, module):
    return name == module or name.startswith(module + ".")


FILES = dict(files())
IMPORTS = [one for importer, tree in FILES.items() for one in imports(importer, tree)]


def test_every_room_has_its_floor():
    assert {room_of(name) for name in FILES if name} == set(FLOOR)


def test_imports_point_down():
    def allowed(one):
        here, there = room_of(one.importer), one.room
        return here == there or (here, there) in NEIGHBOURS or FLOOR[here] > FLOOR[there]

    ours = [one for one in IMPORTS if one.room in FLOOR and one.importer]
    assert [str(one) for one in ours if not allowed(one)] == []


def test_names_are_imported_absolutely_from_the_room_that_has_them():
    assert [str(one) for one in IMPORTS if one.name.startswith(".") or one.name.endswith(".*")] == []


@pytest.mark.parametrize("name", HOMES)
def test_some_names_live_in_one_room(name):
    importers = [one for one in IMPORTS if within(one.name, name)]
    assert [str(one) for one in importers if not any(within(one.importer, home) for home in HOMES[name])] == []


def test_the_reactor_is_imported_only_once_it_is_to_run():
    reactor = [one for one in IMPORTS if within(one.name, "twisted.internet.reactor")]
    assert [str(one) for one in reactor if not one.lazy] == []


def test_a_file_opens_with_what_it_owns():
    assert [name for name, tree in FILES.items() if not ast.get_docstring(tree)] == []


def test_a_file_tells_one_story():
    lengths = {path: len(path.read_text().splitlines()) for path in SOURCE.rglob("*.py")}
    assert {str(path): length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_a_function_is_seen_whole():
    lengths = {
        f"{name}:{function.lineno} {function.name}": function.end_lineno - function.lineno + 1
        for name, tree in FILES.items()
        for function in functions(tree)
    }
    assert {where: length for where, length in lengths.items() if length > MOST_LINES_OF_A_FUNCTION} == {}


def loads_a_reactor(program, *arguments):
    """Whether a fresh interpreter has a reactor after it ran `program`."""
    asking = f"import sys\n{program}\nprint('twisted.internet.reactor' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", asking, *arguments], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()[-1] == "True"


def test_this_test_would_see_a_reactor():
    assert loads_a_reactor("import twisted.web.proxy")


@pytest.mark.parametrize("module", ["vestri.tap", "twisted.plugins.vestri_plugin"])
def test_importing_the_door_installs_no_reactor(module):
    assert not loads_a_reactor(f"import {module}")


def test_checking_a_file_installs_no_reactor(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("services: [{name: web, replicas: [{url: 'http://127.0.0.1:8081'}]}]")
    program = "from vestri.__main__ import main\nassert main() == 0"
    assert not loads_a_reactor(program, "check", str(config))
