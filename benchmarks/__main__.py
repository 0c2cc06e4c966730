"""Measure Vestri beside its peers: `python -m benchmarks [--quick] [--only small,large] [--peers vestri,nginx]`."""

import argparse
import contextlib
import datetime
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import chart, machine, report, tools
from benchmarks.measure import Bench, Run
from benchmarks.peers import PEERS
from benchmarks.processes import end_all
from benchmarks.results import Results, to_json
from benchmarks.scenarios import SCENARIOS

#: What `--quick` measures, and how often.
QUICK_SCENARIOS, QUICK_PEERS, QUICK_ROUNDS = ("small",), ("vestri", "nginx"), 10
#: Minutes after which no further round begins.
MINUTES = 25.0
#: Seconds of one sample.
SECONDS = 2


def main(arguments=None):
    """Run and report; returns the exit status: 0, 1 when Vestri was not measured, 130 after Ctrl-C."""
    given = parse(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores the first
        signal.signal(number, signal.default_int_handler)
    results = Results()
    try:
        with tempfile.TemporaryDirectory(prefix="vestri-benchmark-") as folder, contextlib.ExitStack() as last:
            last.callback(end_all)
            chosen = measure(given, results, folder)
    except KeyboardInterrupt:
        print("stopped; all that was started has ended", file=sys.stderr)
        return 130
    page = report.markdown(results, chosen)
    print(page)
    if given.output:
        write(given.output, page, results, chosen)
    return int(not any(key.peer == "vestri" for key in results.samples))


def parse(arguments):
    """The command line, its lists of names checked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Vestri beside its peers.")
    parser.add_argument("--quick", action="store_true", help="a minute: small requests, Vestri beside nginx")
    parser.add_argument("--only", type=_names, metavar="NAMES", help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--peers", type=_names, metavar="NAMES", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--rounds", type=int, help="samples of each, in place of 2 to 5")
    parser.add_argument("--seconds", type=int, default=SECONDS, help=f"length of a sample ({SECONDS})")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"begin no round after this time ({MINUTES:g})")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write benchmark.md, .json and .svg there")
    given = parser.parse_args(arguments)
    given.only = given.only or (QUICK_SCENARIOS if given.quick else tuple(SCENARIOS))
    given.rounds = given.rounds or (QUICK_ROUNDS if given.quick else None)
    given.peers = given.peers or (QUICK_PEERS if given.quick else tuple(PEERS))
    for name in (*set(given.only) - set(SCENARIOS), *set(given.peers) - set(PEERS)):
        parser.error(f"unknown name {name!r}")
    return given


def _names(text):
    return tuple(text.split(","))


def measure(given, results, folder):
    """Fill `results`; returns the peers of the run, by name."""
    begun = time.monotonic()
    bench = Bench(folder, given.seconds, results)
    chosen = {name: peer for name, peer in PEERS.items() if name in given.peers}
    results.machine.update(machine.describe(bench.cores()))
    run = Run(bench, chosen, until=begun + 60 * given.minutes, say=_say)
    for name, scenario in SCENARIOS.items():
        if name in given.only:
            run.measure(scenario, given.rounds or scenario.rounds)
    results.versions.update(load_versions())
    results.about.update(about(time.monotonic() - begun, given.seconds))
    return chosen


def about(elapsed, seconds):
    """When and how long, text by name."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "Taken": f"{now:%Y-%m-%d %H:%M} UTC",
        "in": f"{elapsed / 60:.1f} minutes",
        "samples of": f"{seconds} s",
    }


def load_versions():
    """Of what makes the load, as far as it is here."""
    try:
        return {"wrk": tools.version(r"^wrk (\S+)", tools.find("wrk"), "-v")}
    except tools.Missing:
        return {}


def write(folder, page, results, chosen):
    """The three files of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmark.md").write_text(page)
    (folder / "benchmark.json").write_text(to_json(results))
    (folder / "benchmark.svg").write_text(chart.svg(results, chosen))


def _say(line):
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
