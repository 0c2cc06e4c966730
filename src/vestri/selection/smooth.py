"""Smooth weighted round robin: exact shares in the most even order."""


class Turn:
    """What one member has saved up. current: the richest is next, and pays for all."""

    __slots__ = ("current", "member", "weight")

    def __init__(self, member):
        self.member, self.current = member, 0


class SmoothTurns:
    """The algorithm of nginx (``ngx_http_upstream_round_robin.c``): for each choice every candidate
    earns its weight, the richest is chosen, the first of equals, and pays what all have earned.

    Savings are kept by member, also while it is no candidate, so that a replica that comes and goes
    does not restart the order.
    """

    def __init__(self):
        self._known = {}
        self._turns, self._total = [], 0

    def update(self, candidates):
        total = sum(member.weight for member in candidates)
        self._turns, self._total = [self._turn(member, total) for member in candidates], total

    def _turn(self, member, total):
        """The turn of a candidate. Savings of more than a round come from other weights, and would come as a burst."""
        turn = self._known.setdefault(member, Turn(member))
        turn.weight = member.weight
        turn.current = max(-total, min(turn.current, total))
        return turn

    def choose(self, exclude):
        if not exclude:
            return _richest(self._turns, self._total)
        turns = [turn for turn in self._turns if turn.member not in exclude]
        return _richest(turns, sum(turn.weight for turn in turns))

    def preview(self):
        """The score is what it will have when the next is chosen."""
        scores = [(turn.member, turn.current + turn.weight) for turn in self._turns]
        return sorted(scores, key=lambda pair: pair[1], reverse=True)


def _richest(turns, total):
    richest = turns[0]
    most = richest.current
    for turn in turns:
        current = turn.current = turn.current + turn.weight
        if current > most:
            richest, most = turn, current
    richest.current -= total
    return richest.member
