"""A run as a page of Markdown: a table of all figures, the limits, and how they were taken."""

from benchmarks import gate
from benchmarks.results import Key
from benchmarks.scenarios import TABLE

OURS = "vestri"
METHOD = """\
All of it is measured in one run, the proxies in turn round by round. Where nothing else is said, a proxy balances two
replicas, keeps its connections to them alive and writes no access log; its processes have one core to themselves, load
and replicas the others. CPU is the user and system time of all processes of a proxy. Small requests are answered by
nginx with a hundred bytes, and asked by wrk over 64 connections in a closed loop. Large bodies, WebSockets and requests
at a fixed rate come from a small Go program of our own, whose latencies count from when a request was due, not from
when it could be sent."""
NOTHING = "–"


def markdown(results, peers):
    """The page. peers: of the run, by name."""
    present = [peer for peer in peers.values() if any(key.peer == peer.name for key in results.samples)]
    parts = [
        METHOD,
        _taken(results),
        _figures(results, present),
        _limits(results),
        _missing(results, peers),
        _machine(results, present),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _taken(results):
    about = "; ".join(f"{name} {value}" for name, value in results.about.items())
    return f"Medians, with the least and the most of the rounds in brackets; ratios are taken round by round. {about}."


def _figures(results, peers):
    """The table: a row for each metric and setup, a column for each peer."""
    rows = [["", *(_bold(peer.title, peer) for peer in peers)]]
    for scenario in TABLE:
        if any(key.scenario == scenario.name for key in results.samples):
            rows.append([f"**{scenario.title}**", *([""] * len(peers))])
            rows.extend(_scenario_rows(results, scenario, peers))
    return table(rows)


def _scenario_rows(results, scenario, peers):
    for metric in scenario.metrics:
        for setup in scenario.setups:
            cells = [
                _bold(cell(results.summary(Key(scenario.name, metric.name, peer.name, setup)), metric.digits), peer)
                for peer in peers
            ]
            if any(text != NOTHING for text in cells):
                yield [f"{setup}: {metric.title}" if setup else metric.title, *cells]


def cell(summary, digits):
    """Median and range as text."""
    if summary is None:
        return NOTHING
    median, low, high = (f"{value:,.{digits}f}" for value in (summary.median, summary.low, summary.high))
    return f"{median} ({low}–{high})" if summary.count > 1 else median


def _bold(text, peer):
    return f"**{text}**" if peer.name == OURS and text != NOTHING else text


def _limits(results):
    rows = [["Vestri", "measured", "must", "reach for", ""]]
    covered = [limit for limit in gate.LIMITS if results.covers(limit.of.scenario)]
    for limit, verdict, value in gate.judge(results, covered):
        measured = NOTHING if value is None else gate.number(value)
        rows.append([limit.title, measured, limit.written(limit.must), limit.written(limit.reach), verdict])
    return table(rows)


def _missing(results, peers):
    """What was not measured, the setups of a scenario together where the reason is the same."""
    found = {}
    for skipped in results.skipped:
        title = peers[skipped.peer].title if skipped.peer in peers else skipped.peer
        found.setdefault((title, skipped.scenario, skipped.reason), []).append(skipped.setup)
    lines = [_missing_line(*what, setups) for what, setups in found.items()]
    return "\n".join(["Not measured, or not in every round:", "", *lines]) if lines else ""


def _missing_line(title, scenario, reason, setups):
    where = f", {scenario}" if scenario else ""
    which = " ".join(filter(None, setups))
    return f"- {title}{where}{which and f' ({which})'}: {reason}"


def _machine(results, peers):
    notes = {peer.title: peer.note for peer in peers if peer.note}
    rows = [["machine and versions", ""]]
    rows.extend([name, text] for name, text in results.machine.items())
    rows.extend([name, f"{text}; {notes[name]}" if name in notes else text] for name, text in results.versions.items())
    return table(rows)


def table(rows):
    """Rows of text as a Markdown table; the first is its head."""
    head, *body = [_line(row) for row in rows]
    return "\n".join([head, _line(["---"] * len(rows[0])), *body])


def _line(cells):
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"
