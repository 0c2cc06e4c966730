"""The demo as a person sees it: a table that lives, in a terminal, else plain lines."""

import sys

import attrs


@attrs.frozen
class Standing:
    """What there is to see of one replica.

    name: its port, which it also answers with.  pid: of its process, None while there is none.
    away: seconds until it is back, None while it is not away.
    """

    name: str
    weight: int
    pid: int | None
    away: float | None
    requests: int

    @property
    def state(self):
        if self.pid:
            return f"up, pid {self.pid}"
        return "starts" if self.away is None else f"down, back in {self.away:.0f} s"


def picture(on_gone):
    """The picture that standard output allows. on_gone: called when nobody sees it any more."""
    from rich.console import Console

    console = Console(highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        from vestri.commands.demo.live import LivePicture

        return LivePicture(console)
    return Lines(on_gone)


def hints(url):
    """What a person can do now."""
    return (
        f"curl {url}",
        f"for i in $(seq 60); do curl -s {url} >/dev/null; done",
        "kill -9 PID of a replica; Vestri goes on with the others",
    )


class Lines:
    """For a file or a pipe. interval: seconds between two looks.  on_gone: called once, when nobody reads any more."""

    interval = 1.0

    def __init__(self, on_gone, out=None):
        self._on_gone, self._out, self._total = on_gone, out or sys.stdout, 0
        self._gone = False

    def say(self, text):
        try:
            print(text, file=self._out, flush=True)
        except BrokenPipeError:
            if not self._gone:
                self._gone = True
                self._on_gone()

    def invite(self, url):
        self.say(f"Vestri answers at {url}")
        for hint in hints(url):
            self.say(f"Try: {hint}")

    def show(self, standings, tally):
        """Tell the counts, if there are new ones."""
        if tally.total == self._total:
            return
        self._total = tally.total
        counts = [f"{each.requests} by {each.name}" for each in standings]
        self.say(f"{tally.total} requests: {', '.join(counts)}" + (f"; {tally.failures()}" if tally.failed else ""))

    def close(self):
        """Nothing is held."""
