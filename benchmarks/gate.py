"""The limits that a run must keep: `python -m benchmarks.gate FILE.json` says which it does not.

All are of one run, and most are ratios within its rounds, of which the median counts, so that they hold on any machine.
Exit status 0: all are kept. 1: some are not, or were not measured. 2: wrong usage.
"""

import argparse
import sys
from pathlib import Path

import attrs

from benchmarks.results import Key, from_json

VERDICTS = ("reached", "kept", "missed", "not measured")


@attrs.frozen
class Limit:
    """One row of the table.

    of: what is looked at; by: what it is divided by, or None.  must: the limit.  reach: the goal beyond it.
    more: whether more is better.
    """

    title: str
    of: Key
    by: Key | None
    must: float
    reach: float
    more: bool = False

    def value(self, results):
        """The number that is judged, or None where it was not measured."""
        return results.ratio(self.of, self.by) if self.by else results.median(self.of)

    def range(self, results):
        """The least and the most of the rounds, or None."""
        values = results.ratios(self.of, self.by) if self.by else sorted(results.samples.get(self.of, ()))
        return (values[0], values[-1]) if values else None

    def verdict(self, results):
        """One of VERDICTS."""
        value = self.value(results)
        if value is None:
            return "not measured"
        if self._within(value, self.reach):
            return "reached"
        return "kept" if self._within(value, self.must) else "missed"

    def _within(self, value, limit):
        return value >= limit if self.more else value <= limit

    def written(self, limit):
        return f"{'≥' if self.more else '≤'} {limit:g}"

    def why(self, results):
        """Why it was not measured."""
        missing = next(key for key in (self.of, self.by) if key and results.median(key) is None)
        return f"{missing.peer}: {results.reason(missing)}"


def _against(title, scenario, metric, peer, must, reach, more=False):
    """Vestri ÷ a peer."""
    return Limit(title, Key(scenario, metric, "vestri"), Key(scenario, metric, peer), must, reach, more)


def _with(title, scenario, metric, setup, without, must, reach, more=False):
    """Vestri in one setup ÷ Vestri in another."""
    of, by = (Key(scenario, metric, "vestri", each) for each in (setup, without))
    return Limit(title, of, by, must, reach, more)


def _alone(title, scenario, metric, must, reach, setup=""):
    return Limit(title, Key(scenario, metric, "vestri", setup), None, must, reach)


LIMITS = (
    _against("CPU per small request ÷ Go ReverseProxy", "small", "cpu_us", "go", 0.45, 0.30),
    _against("CPU per small request ÷ nginx", "small", "cpu_us", "nginx", 2.1, 1.5),
    _with("CPU per small request, access log on ÷ off", "log", "cpu_us", "on", "off", 1.15, 1.05),
    _against("CPU per request with a new connection ÷ Go", "connect", "cpu_us", "go", 0.8, 0.5),
    _against("10 MiB downloads, bytes per CPU second ÷ Go", "large", "down_10m", "go", 0.7, 1.2, more=True),
    _against("10 MiB uploads, bytes per CPU second ÷ Go", "large", "up_10m", "go", 0.7, 1.2, more=True),
    _against("p99 at 1,000 requests/s ÷ Go", "rate", "p99_ms", "go", 1.0, 0.6),
    _alone("memory per idle client connection, KiB", "memory", "connection_kib", 3.0, 1.5),
    _with("requests per CPU second, 2 workers ÷ 1", "workers", "requests_cpu_s", "2", "1", 0.92, 0.98, more=True),
    _alone("busier worker's share of 2, %", "workers", "busiest", 60.0, 55.0, setup="2"),
    _with("CPU per request, 10,000 routes ÷ 10", "routes", "cpu_us", "10,000", "10", 1.05, 1.0),
    _alone("process start to listening, s", "start", "seconds", 0.6, 0.4),
)


def judge(results, limits=LIMITS):
    """Rows of (limit, verdict, value or None)."""
    return [(limit, limit.verdict(results), limit.value(results)) for limit in limits]


def line(limit, verdict, value, results):
    """One row as text."""
    if value is None:
        return f"{verdict:13}{limit.title}: {limit.why(results)}"
    low, high = limit.range(results) or (value, value)
    wanted = f"must be {limit.written(limit.must)}, reach for {limit.written(limit.reach)}"
    return f"{verdict:13}{limit.title}: {number(value)} ({number(low)}–{number(high)}), {wanted}"


def number(value):
    """As text, exact enough to see on which side of a limit it lies."""
    return f"{value:#.4g}"


def main(arguments=None):
    """Print each row, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description="Compare a run with the limits.")
    parser.add_argument("file", type=Path, help="the JSON file of a run")
    parser.add_argument("--measured", action="store_true", help="do not fail for what was not measured")
    given = parser.parse_args(arguments)
    try:
        results = from_json(given.file.read_text())
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"{given.file}: {error}")
    rows = judge(results)
    for limit, verdict, value in rows:
        print(line(limit, verdict, value, results))
    refused = {"missed"} if given.measured else {"missed", "not measured"}
    return int(any(verdict in refused for _, verdict, _ in rows))


if __name__ == "__main__":
    sys.exit(main())
