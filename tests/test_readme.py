"""README.md: what it shows works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from vestri import config
from vestri.config import load
from vestri.errors import InvalidConfiguration
from vestri.selection import STRATEGIES

README = Path(__file__).parents[1] / "README.md"
ROOT = README.parent


def blocks(language):
    """The fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", blocks("yaml"))
def test_a_configuration_it_shows_loads(block):
    assert load(block, strategies=STRATEGIES).services


def test_the_first_configuration_is_the_minimal_file():
    assert config.read(ROOT / "config" / "minimal.yaml", strategies=STRATEGIES) == load(
        blocks("yaml")[0], file="minimal.yaml", strategies=STRATEGIES
    )


def test_the_mistakes_it_shows_are_told_in_these_words():
    shown = next(block for block in blocks("text") if block.startswith("config.yaml:"))
    mistaken = blocks("yaml")[0].replace("WeightedRoundRobin", "WeightedRobin").replace("weight: 4", "weight: heavy")

    with pytest.raises(InvalidConfiguration) as caught:
        load(mistaken, strategies=STRATEGIES)

    assert str(caught.value) == shown.rstrip("\n")


def test_the_commands_it_names_are_there():
    named = set(re.findall(r"\bvestri (check|demo|replica|schema)\b", README.read_text("utf-8")))

    helped = {name for name in named if _run("-m", "vestri", name, "--help").returncode == 0}

    assert helped == named == {"check", "demo", "replica", "schema"}


def test_check_is_fine_with_every_configuration_it_shows(tmp_path):
    for block in blocks("yaml"):
        (tmp_path / "config.yaml").write_text(block, "utf-8")
        assert _run("-m", "vestri", "check", "config.yaml", cwd=tmp_path).returncode == 0


def test_every_file_it_links_to_is_there():
    links = re.findall(r"\]\(([^):]+)\)", README.read_text("utf-8"))

    assert [link for link in links if not (ROOT / link).exists()] == []


def _run(*arguments, cwd=None):
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, timeout=60)
