"""Frozen facts: what happened, for whoever listens. Past tense; transitions only, never one per request."""

import attrs


@attrs.frozen
class HealthChanged:
    """A replica went up or down. cause: why, in words, such as `connection refused` or `answered 503`."""

    service: str
    replica: str
    up: bool
    cause: str
