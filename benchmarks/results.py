"""What was measured, as plain data: samples by key, and how they are kept in a JSON file."""

import json
import statistics

import attrs

FORMAT = 1


@attrs.frozen(order=True)
class Key:
    """What a sample is of.

    scenario, metric: names in `scenarios.TABLE`.  setup: which of the scenario's setups, "" where it
    has one.  peer: name of the proxy.
    """

    scenario: str
    metric: str
    peer: str
    setup: str = ""


@attrs.frozen
class Skipped:
    """A proxy that was not measured, and why. scenario, setup: "" where it was not found at all."""

    scenario: str
    setup: str
    peer: str
    reason: str


@attrs.frozen
class Summary:
    """The middle and the ends of some samples."""

    median: float
    low: float
    high: float
    count: int


@attrs.define(eq=False)
class Results:
    """One run.

    about: of the run (when, how long), text by name.  machine: likewise.  versions: by peer or tool.
    samples: lists by Key, one number for each round.  skipped: a list of Skipped.
    """

    about: dict = attrs.Factory(dict)
    machine: dict = attrs.Factory(dict)
    versions: dict = attrs.Factory(dict)
    samples: dict = attrs.Factory(dict)
    skipped: list = attrs.Factory(list)

    def add(self, key, value):
        self.samples.setdefault(key, []).append(value)

    def skip(self, scenario, setup, peer, reason):
        self.skipped.append(Skipped(scenario, setup, peer, reason))

    def summary(self, key):
        """`Summary` of the samples of a key, or None without any."""
        return summarize(self.samples.get(key, ()))

    def median(self, key):
        """The median of a key, or None without samples."""
        found = self.summary(key)
        return found and found.median

    def ratio(self, over, under):
        """One key ÷ another, or None where one was not measured.

        The median of the ratios of the rounds: what slows down the whole machine for a while is in both of a round.
        """
        ratios = self.ratios(over, under)
        return statistics.median(ratios) if ratios else None

    def ratios(self, over, under):
        """The same of each round, sorted."""
        pairs = zip(self.samples.get(over, ()), self.samples.get(under, ()), strict=False)
        return sorted(top / bottom for top, bottom in pairs if bottom)

    def covers(self, scenario):
        """Whether the run had that scenario, measured or not."""
        return any(each.scenario == scenario for each in (*self.samples, *self.skipped))

    def reason(self, key):
        """Why a key has no samples."""
        places = ((key.scenario, key.setup, key.peer), ("", "", key.peer))
        reasons = {(each.scenario, each.setup, each.peer): each.reason for each in self.skipped}
        return next((reasons[place] for place in places if place in reasons), "not in this run")


def summarize(values):
    """`Summary` of some numbers, or None of none."""
    if not values:
        return None
    return Summary(statistics.median(values), min(values), max(values), len(values))


def to_json(results):
    """The text of a results file."""
    measures = [
        {**attrs.asdict(key), **attrs.asdict(results.summary(key)), "samples": values}
        for key, values in results.samples.items()
    ]
    return json.dumps(
        {
            "format": FORMAT,
            "about": results.about,
            "machine": results.machine,
            "versions": results.versions,
            "measures": measures,
            "skipped": [attrs.asdict(skipped) for skipped in results.skipped],
        },
        indent=1,
        ensure_ascii=False,
    )


def from_json(text):
    """`Results` from the text of a results file. Raises ValueError when it is none, or of another format."""
    told = json.loads(text)
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise ValueError(f"not a results file of format {FORMAT}")
    results = Results(told["about"], told["machine"], told["versions"])
    results.skipped.extend(Skipped(**skipped) for skipped in told["skipped"])
    for measure in told["measures"]:
        key = Key(*(measure[field.name] for field in attrs.fields(Key)))
        results.samples[key] = measure["samples"]
    return results
