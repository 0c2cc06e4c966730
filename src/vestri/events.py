"""Frozen facts: what happened, for whoever listens. Past tense; transitions only, never one per request."""

import attrs


@attrs.frozen
class HealthChanged:
    """A replica went up or down.

    cause: why, in words, such as `connection refused` or `answered 503`.
    probes: how many in a row said so.
    """

    service: str
    replica: str
    up: bool
    cause: str
    probes: int = 1

    def __str__(self):
        state = "up" if self.up else "down"
        in_a_row = f" ({self.probes} probes in a row)" if self.probes > 1 else ""
        return f"service '{self.service}': replica '{self.replica}' is {state}: {self.cause}{in_a_row}"
