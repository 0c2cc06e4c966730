"""One run: for each scenario the proxies are started, measured in turn round by round, and ended."""

import contextlib
import functools
import itertools
import tempfile
import time
from pathlib import Path
from subprocess import SubprocessError

from benchmarks import load, machine, replicas, tools
from benchmarks.peers.job import Unsupported
from benchmarks.processes import Failed
from benchmarks.proxy import Contestant, running
from benchmarks.results import Key

#: Seconds of load before a proxy is measured, over how many connections.
WARM_UP, WARM_UP_CONNECTIONS = 1, 64
#: What may keep a proxy from being measured; its message goes into the report.
REASONS = (Failed, Unsupported, tools.Missing, OSError, SubprocessError)


class Bench:
    """What all scenarios of a run share.

    folder: for files; the caller removes it.  seconds: length of one sample, a whole number.  results: so far.
    """

    def __init__(self, folder, seconds, results):
        self.folder, self.seconds, self.results = Path(folder), seconds, results
        self.descriptors = machine.raise_descriptor_limit()
        self._allowed = machine.allowed_cores()

    def cores(self, workers=1):
        """`Cores` for a proxy with that many workers."""
        return machine.share_out(workers, self._allowed)

    @property
    def goload(self):
        """Path of our load program, built once. Raises tools.Missing."""
        return tools.build("goload", self.folder)

    def place(self):
        """A new folder."""
        return Path(tempfile.mkdtemp(dir=self.folder))


class Run:
    """Measure `peers` (by name) in scenarios.

    until: when to stop, in time.monotonic().  say: called with a line about the progress.
    """

    def __init__(self, bench, peers, *, until=float("inf"), say=print):
        self._bench, self._peers, self._until, self._say = bench, peers, until, say
        self._results = bench.results
        self._programs = self._find_programs()

    def _find_programs(self):
        """Path of its program by peer, of those that are on this machine."""
        programs = {}
        for peer in self._peers.values():
            try:
                programs[peer.name] = peer.program(self._bench.folder)
                self._results.versions[peer.title] = peer.version(programs[peer.name])
            except REASONS as why:
                self._results.skip("", "", peer.name, str(why))
        return programs

    def measure(self, scenario, rounds):
        """Take `rounds` samples of each peer in each of a scenario's setups, in turn."""
        contestants = self._contestants(scenario)
        if not contestants:
            return
        cores = self._bench.cores(max(each.setup.workers for each in contestants))
        with contextlib.ExitStack() as stack:
            stack.enter_context(machine.pinned(cores.load))
            try:
                addresses = stack.enter_context(self._replicas(scenario, cores))
            except REASONS as why:
                self._drop(scenario, contestants, why)
                return
            start = functools.partial(
                running,
                folder=self._bench.folder,
                replicas=addresses,
                cores=cores.proxy,
                descriptors=self._bench.descriptors,
            )
            if not scenario.fresh:
                contestants, start = self._start_all(scenario, contestants, start, stack)
            self._take_turns(scenario, contestants, start, rounds)

    def _contestants(self, scenario):
        return [
            Contestant(peer, self._programs[peer.name], name, setup)
            for peer in self._peers.values()
            for name, setup in scenario.setups.items()
            if peer.name in self._programs and scenario.takes(peer)
        ]

    def _replicas(self, scenario, cores):
        bench = self._bench
        if scenario.bodies:
            return replicas.bodies(bench.goload, folder=bench.place(), cores=cores.load)
        count = max(setup.replicas for setup in scenario.setups.values())
        return replicas.static(count, folder=bench.place(), cores=cores.load, descriptors=bench.descriptors)

    def _start_all(self, scenario, contestants, start, stack):
        """Start what can be started, for as long as `stack`; returns those, and a `start` that finds them running."""
        proxies = {}
        for contestant in contestants:
            try:
                proxies[contestant] = stack.enter_context(start(contestant))
                warm_up(proxies[contestant])
            except REASONS as why:
                self._drop(scenario, [contestant], why)
        return list(proxies), lambda contestant: contextlib.nullcontext(proxies[contestant])

    def _take_turns(self, scenario, contestants, start, rounds):
        for number in range(rounds):
            if time.monotonic() > self._until:
                self._drop(scenario, contestants, f"the time of the run was up after {number} of {rounds} rounds")
                return
            self._say(f"{scenario.name}: round {number + 1} of {rounds}")
            for contestant in in_turn(contestants, number):
                try:
                    with start(contestant) as proxy:
                        self._keep(scenario, contestant, scenario.measure(proxy, self._bench))
                except REASONS as why:
                    self._drop(scenario, [contestant], why)
                    contestants = [each for each in contestants if each is not contestant]

    def _keep(self, scenario, contestant, values):
        for metric, value in values.items():
            self._results.add(Key(scenario.name, metric, contestant.peer.name, contestant.setup_name), value)

    def _drop(self, scenario, contestants, why):
        for contestant in contestants:
            self._results.skip(scenario.name, contestant.setup_name, contestant.peer.name, str(why))


def warm_up(proxy):
    """Let it open its connections to replicas, and do whatever it does only once."""
    path = f"{proxy.job.prefixes[0]}small"
    load.wrk(proxy.url(path), connections=WARM_UP_CONNECTIONS, seconds=WARM_UP)


def in_turn(contestants, number):
    """The contestants of a round: the setups of a peer one after the other, and nobody always the first."""
    groups = [list(group) for _, group in itertools.groupby(contestants, key=lambda each: each.peer)]
    return [each for group in _rotated(groups, number) for each in _rotated(group, number)]


def _rotated(items, number):
    at = number % len(items) if items else 0
    return [*items[at:], *items[:at]]
