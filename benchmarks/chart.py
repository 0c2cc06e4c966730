"""A run as a picture: bars for the figures that people compare first, as SVG."""

from html import escape

import attrs

from benchmarks.results import Key

WIDTH, MARGIN, LABELS, VALUES = 860, 20, 190, 120
BAR, GAP, HEAD, FOOT = 20, 8, 62, 22
OURS = "vestri"

STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 15px; }
.note { fill: #57606a; font-size: 12px; }
.peer { fill: #8c959f; }
.ours { fill: #6639ba; }
.range { stroke: #24292f; stroke-width: 1.5; }
.page { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .note { fill: #9198a1; } .range { stroke: #e6edf3; }
  .peer { fill: #656c76; } .ours { fill: #ab7df8; } .page { fill: #0d1117; }
}"""


@attrs.frozen
class Panel:
    """One group of bars. note: under the title.  digits: after the point."""

    title: str
    note: str
    scenario: str
    metric: str
    digits: int = 0


PANELS = (
    Panel("CPU per small request, µs", "less is better", "small", "cpu_us"),
    Panel("CPU per request with a new connection, µs", "less is better", "connect", "cpu_us"),
    Panel("10 MiB downloads, GB per CPU second", "more is better", "large", "down_10m", 2),
    Panel("10 MiB uploads, GB per CPU second", "more is better", "large", "up_10m", 2),
    Panel("p99 latency at 1,000 requests/s, ms", "less is better", "rate", "p99_ms", 2),
    Panel("Memory per idle client connection, KiB", "less is better", "memory", "connection_kib", 1),
)


def svg(results, peers):
    """The picture as text. peers: of the run, by name; those without a figure are left out of a panel."""
    parts, height = [], MARGIN
    for panel in PANELS:
        bars = _bars(results, panel, peers)
        if bars:
            parts.append(_panel(panel, bars, height))
            height += HEAD + len(bars) * (BAR + GAP) + FOOT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" role="img"\n'
        f' viewBox="0 0 {WIDTH} {height}">\n'
        f"<title>Vestri beside its peers</title>\n<style>\n{STYLE}\n</style>\n"
        f'<rect class="page" width="{WIDTH}" height="{height}"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _bars(results, panel, peers):
    """(peer, summary) of those measured, in the order of the peers."""
    found = [(peer, results.summary(Key(panel.scenario, panel.metric, peer.name))) for peer in peers.values()]
    return [(peer, summary) for peer, summary in found if summary]


def _panel(panel, bars, top):
    longest = max(summary.high for _, summary in bars) or 1
    scale = (WIDTH - 2 * MARGIN - LABELS - VALUES) / longest
    head = (
        f'<text class="title" x="{MARGIN}" y="{top + 20}">{escape(panel.title)}</text>\n'
        f'<text class="note" x="{MARGIN}" y="{top + 40}">{panel.note}; the line is the range of the rounds</text>'
    )
    rows = [
        _bar(peer, summary, panel.digits, scale, top + HEAD + number * (BAR + GAP) - 8)
        for number, (peer, summary) in enumerate(bars)
    ]
    return "\n".join([head, *rows])


def _bar(peer, summary, digits, scale, y):
    """Name, bar, range and value of one peer."""
    left, middle = MARGIN + LABELS, y + BAR / 2
    low, end, high = (left + value * scale for value in (summary.low, summary.median, summary.high))
    kind = "ours" if peer.name == OURS else "peer"
    return (
        f'<text x="{left - 10}" y="{middle + 4.5:.1f}" text-anchor="end">{escape(peer.title)}</text>'
        f'<rect class="{kind}" x="{left}" y="{y}" width="{end - left:.1f}" height="{BAR}" rx="2"/>'
        f'<line class="range" x1="{low:.1f}" x2="{high:.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>'
        f'<text x="{max(end, high) + 8:.1f}" y="{middle + 4.5:.1f}">{summary.median:,.{digits}f}</text>'
    )
