import re
import subprocess
import sys

import pytest

from configs import KEYS, LEAVES, REPOSITORY, load, problems
from vestri.config import nodes
from vestri.config.manual import commented, markdown
from vestri.config.manual.__main__ import main
from vestri.config.manual.walking import is_there

FULL = REPOSITORY / "config" / "full.yaml"
GUIDE = REPOSITORY / "docs" / "configuration.md"


@pytest.mark.parametrize(
    ("path", "manual", "form"),
    [(FULL, commented.manual, "yaml"), (GUIDE, markdown.manual, "markdown")],
    ids=["yaml", "md"],
)
def test_the_manual_is_as_the_table_says(path, manual, form):
    assert path.read_text() == manual(), f"python -m vestri.config.manual {form} > {path.relative_to(REPOSITORY)}"


@pytest.mark.parametrize("path", KEYS)
def test_every_key_is_in_the_file_of_all_keys(path):
    assert re.search(rf"\b{KEYS[path].name}:", FULL.read_text())


@pytest.mark.parametrize("path", KEYS)
def test_every_key_is_explained_in_the_guide(path):
    assert KEYS[path].meaning.replace("|", "\\|") in GUIDE.read_text()


def values(node, path=""):
    """(path, node) of every value of a file; items of lists stand under the list's path."""
    if isinstance(node, nodes.Sequence):
        for item in node.items:
            yield from values(item, path)
    elif isinstance(node, nodes.Mapping):
        for key, inner in node.entries:
            here = f"{path}.{key.text}".removeprefix(".")
            yield here, inner
            yield from values(inner, here)


def test_the_file_of_all_keys_uses_each_that_is_there():
    used = {path for path, _ in values(nodes.parse(FULL.read_text()))}
    rare = {"strategy.name", "services.strategy.name", "trusted_proxies.hops"}
    outer = {path for path in KEYS if any(path.startswith(f"{later}.") for later in KEYS if not is_there(KEYS[later]))}
    there = {path for path, key in KEYS.items() if is_there(key)} - rare - outer
    assert there <= used


def test_what_is_commented_out_is_what_is_not_supported_yet_and_nothing_else():
    uncommented = re.sub(r"^( *)#(?=[a-z]| {2,})", r"\1", FULL.read_text(), flags=re.MULTILINE)
    assert uncommented != FULL.read_text()
    faults = problems(uncommented)
    assert [fault for fault in faults if "not supported yet" not in fault and "got both" not in fault] == []
    later = {fault.split(": ")[1] for fault in faults}
    assert {"watch", "control.socket", "services[0].queue", "services[0].matcher.host"} <= later


def test_comments_tell_meaning_default_and_unit():
    assert """\
  # Client connections at once. Beyond it new ones wait in the kernel's backlog.
  # Default: 10000. Unit: connections.
  connections: 20000
""" in FULL.read_text()


def test_the_guide_holds_examples_that_can_be_served():
    examples = re.findall(r"^```yaml\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        load(example)


def test_the_links_of_the_guide_lead_to_its_headings():
    text = GUIDE.read_text()
    headings = {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall("^#+ (.*)$", text, re.M)
    }
    assert set(re.findall(r"\]\(#(.*?)\)", text)) <= headings


def test_the_guide_names_the_keys_with_units_and_defaults():
    assert "| `header_count` | Header fields of a request: 431 beyond it. | `100` fields | `64` |" in GUIDE.read_text()
    assert LEAVES["limits.header_count"].unit == "fields"


@pytest.mark.parametrize("form", ["yaml", "markdown"])
def test_a_form_of_the_manual_is_written_to_standard_output(capsys, form):
    assert main([form]) == 0
    assert capsys.readouterr().out == {"yaml": commented, "markdown": markdown}[form].manual()


@pytest.mark.parametrize("arguments", [[], ["html"], ["yaml", "markdown"]])
def test_another_form_is_wrong_usage(capsys, arguments):
    assert main(arguments) == 2
    assert capsys.readouterr() == ("", "usage: python -m vestri.config.manual markdown|yaml\n")


def test_the_manual_can_be_made_anew_by_its_command():
    made = subprocess.run([sys.executable, "-m", "vestri.config.manual", "yaml"], capture_output=True, timeout=60)
    assert made.stdout.decode() == FULL.read_text()
