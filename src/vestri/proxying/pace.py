"""How fast a peer moves: whether it falls silent, or dribbles, while it has bytes to move."""

#: Seconds over which a rate is averaged.
WINDOW = 30.0


class Pace:
    """Tells when a peer with work to do is too slow, by totals read now and then.

    A timer that every byte resets would let one byte a minute hold a connection for ever; here the
    bytes themselves are counted.  total: of bytes moved so far.  silence: seconds without any that are
    too long, or None.  rate: bytes a second, averaged over `WINDOW`, that are too few, or None.
    """

    __slots__ = ("_moved_at", "_rate", "_silence", "_total", "_window_began", "_window_total", "interval")

    def __init__(self, now, total, silence, rate):
        self._silence, self._rate = silence, rate
        self._moved_at = self._window_began = now
        self._total = self._window_total = total
        #: Seconds after which to look again.
        self.interval = min(WINDOW, silence or WINDOW) / 4

    def too_slow(self, now, total):
        """Whether the peer is; to be asked about every `interval` seconds."""
        if total != self._total:
            self._total, self._moved_at = total, now
        elif self._silence is not None and now - self._moved_at >= self._silence:
            return True
        return self._rate is not None and now - self._window_began >= WINDOW and self._dribbled(now, total)

    def _dribbled(self, now, total):
        moved, seconds = total - self._window_total, now - self._window_began
        self._window_began, self._window_total = now, total
        return moved < self._rate * seconds
