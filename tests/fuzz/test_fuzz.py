"""Searches for bytes that break a promise: long ones on demand (`pytest -m fuzz`), and that they find what is there.

VESTRI_FUZZ_SECONDS says how long each target is searched.
"""

import itertools
import os
import subprocess
import sys

import pytest
import search
from hypothesis import strategies as st

targets = pytest.importorskip("targets", exc_type=ImportError, reason="compares with h11 and httptools")

SECONDS = int(os.environ.get("VESTRI_FUZZ_SECONDS", "60"))


@pytest.mark.fuzz
@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("name", targets.TARGETS)
def test_no_bytes_break_a_promise(name):
    command = [sys.executable, search.__file__, name, f"--seconds={SECONDS}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.parametrize("name", targets.TARGETS)
def test_a_target_takes_what_it_begins_with(name):
    target, seeds, _ = targets.TARGETS[name]
    found = seeds()
    for data in found[:: len(found) // 20]:
        target(data)


def test_a_search_leaves_the_smallest_finding_behind(tmp_path, capsys):
    def breaks(data):
        assert b"\n" not in data

    assert search.unguided(breaks, st.binary(), 60, tmp_path) == 1
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"\n"]
    assert "crash-" in capsys.readouterr().err


def test_a_search_ends_in_time_when_there_is_nothing_to_find(tmp_path):
    seen, beats = [], itertools.count()
    assert search.unguided(seen.append, st.integers(), 3, tmp_path, clock=lambda: next(beats)) == 0
    assert next(beats) == 4  # looks at the clock to begin with, before two batches, and to end
    assert seen
    assert not list(tmp_path.iterdir())
