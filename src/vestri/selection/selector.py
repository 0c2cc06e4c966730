"""The object around a strategy, which leases what it chooses."""

from vestri.errors import NoReplicaAvailable
from vestri.selection.strategy import Strategy


class Selector:
    """Chooses a member of a pool for each request. One pool has one selector, which keeps its strategy informed."""

    def __init__(self, pool, strategy):
        self._pool, self._strategy = pool, strategy
        self._choose, self._lease = strategy.choose, pool.lease
        pool.subscribe(strategy.update)
        if type(strategy).settled is not Strategy.settled:  # it learns from requests that ended
            pool.listen(strategy.settled)

    def acquire(self, key=None, exclude=()):
        """Lease a member.

        key: what the choice may depend on.  exclude: members that this request was sent to already.
        Raises NoReplicaAvailable (503) when no other may take a request.
        """
        candidates = self._pool.candidates
        if not candidates or exclude and all(member in exclude for member in candidates):
            raise NoReplicaAvailable(self._pool.service, len(self._pool.members))
        return self._lease(self._choose(key, exclude))

    def preview(self, key=None):
        """[(member, score)] as the strategy sees them now, the next choice first; moves no state."""
        return self._strategy.preview(key) if self._pool.candidates else []

    def __repr__(self):
        return f"<Selector {type(self._strategy).__name__} of {self._pool!r}>"
