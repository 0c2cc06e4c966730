"""The demo's table in a terminal, drawn anew where something changed."""

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vestri.commands.demo.picture import hints

#: The columns: name, whether it holds numbers, width, and the width of the terminal from which it is shown.
COLUMNS = (
    ("replica", False, 7, 0),
    ("weight", True, 6, 66),
    ("requests", True, 8, 0),
    ("share", True, 5, 32),
    ("", False, 14, 76),
    ("state", False, 17, 52),
)
#: Lines of the terminal from which the hints are shown as well.
ROOMY = 18


class LivePicture:
    """interval: seconds between two looks."""

    interval = 0.25

    def __init__(self, console):
        self._console, self._url, self._seen, self._size = console, None, None, console.size
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._live.start()

    def say(self, text):
        self._console.print(Text(text))

    def invite(self, url):
        self._url = url

    def show(self, standings, tally):
        if self._console.size != self._size:  # the terminal has broken the lines anew, in its own way
            self._size = self._console.size
            self._console.clear()
        seen = (standings, tally.total, self._url, self._size)
        if seen != self._seen:
            self._seen = seen
            self._live.update(self._drawn(standings, tally), refresh=True)

    def close(self):
        self._live.stop()

    def _drawn(self, standings, tally):
        shown = [column for column in COLUMNS if self._console.width >= column[-1]]
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for name, numbers, width, _ in shown:
            table.add_column(name, justify="right" if numbers else "left", min_width=width, no_wrap=True)
        for each in standings:
            cells = _cells(each, sum(tally.answered.values()))
            table.add_row(*(cells[name] for name, *_ in shown))
        return Group(self._headline(), table, *self._below(tally))

    def _headline(self):
        return Text(f"Vestri answers at {self._url}" if self._url else "Vestri starts …", style="bold")

    def _below(self, tally):
        if tally.failed:
            yield Text(tally.failures(), style="red")
        if self._url and self._console.height >= ROOMY:
            yield Text("Try, in another terminal:")
            yield from (Text(f"  {hint}", style="dim") for hint in hints(self._url))
        yield Text("Ctrl-C ends it.")


def _cells(standing, total):
    share = standing.requests / total if total else 0.0
    return {
        "replica": standing.name,
        "requests": str(standing.requests),
        "share": f"{share:.0%}",
        "state": Text(standing.state, style="green" if standing.pid else "red"),
        "weight": str(standing.weight),
        "": ProgressBar(total=1.0, completed=share, width=14),
    }
