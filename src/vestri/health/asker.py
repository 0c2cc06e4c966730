"""Asks questions with a client that comes late."""


class Asker:
    """Makes its client at the first question: importing treq takes longer than all of the start before it.

    make_client: returns a client with treq's `request`.  clock: IReactorTime that measures the timeouts.
    """

    def __init__(self, make_client, clock):
        self._make_client, self._clock = make_client, clock
        self._client = None

    def __call__(self, question):
        """A Deferred of an `Outcome`; see `probe`."""
        from vestri.health.probe import probe  # as late as the client: twisted.web.client comes with it

        if self._client is None:
            self._client = self._make_client()
        return probe(self._client, question, self._clock)
