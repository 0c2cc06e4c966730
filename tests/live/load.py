"""Many clients at once, each of which asks again and again and remembers what became of it."""

import time
from threading import Thread
from typing import NamedTuple

from strict import connect

ASK = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"


class Outcome(NamedTuple):
    """began, ended: by time.monotonic.  status: 0 where the connection broke off.  body: of the answer."""

    began: float
    ended: float
    status: int
    body: bytes


class Load:
    """So many connections that ask all the time, while the context lasts.  outcomes: of every request so far."""

    def __init__(self, port, connections, ask=ASK):
        self._port, self._ask, self._over = port, ask, False
        self.outcomes = []
        self._threads = [Thread(target=self._run, daemon=True) for _ in range(connections)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info):
        self._over = True
        for thread in self._threads:
            thread.join()

    def _run(self):
        while not self._over:
            with connect(self._port) as client:
                while self._once(client):
                    pass

    def _once(self, client):
        """One request. Whether the connection can take another."""
        began, status, body, stays = time.monotonic(), 0, b"", False
        try:
            client.send(self._ask)
            answer = client.answer()
            status, body, stays = answer.status, answer.body, answer.get(b"connection") != b"close"
        except (OSError, EOFError):
            pass
        self.outcomes.append(Outcome(began, time.monotonic(), status, body))
        return stays and not self._over


def percentile(values, share):
    """The value below which that share of them lies."""
    return sorted(values)[int(len(values) * share)]
