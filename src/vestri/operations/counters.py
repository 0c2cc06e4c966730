"""What was served so far: plain numbers, so that those of several processes can be added up."""

from bisect import bisect_left

#: Upper bounds, in seconds, of the buckets in which durations are counted; one more counts what is longer.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
#: Under what name requests are counted that no service took.
NO_SERVICE = ""


class ServiceCount:
    """statuses: status code -> requests.  reasons: reason word -> requests that ended for it.

    durations: requests by `BOUNDS`, from the first byte of the request to the end of the answer.
    bytes_in, bytes_out: of bodies.
    """

    __slots__ = ("bytes_in", "bytes_out", "durations", "reasons", "statuses")

    def __init__(self):
        self.statuses, self.reasons = {}, {}
        self.durations = [0] * (len(BOUNDS) + 1)
        self.bytes_in = self.bytes_out = 0


class Counters:
    """Observer that counts every finished exchange, by service."""

    def __init__(self):
        self._services = {}

    def finished(self, exchange):
        destination = exchange.destination
        name = NO_SERVICE if destination is None else destination.service.name
        count = self._services.get(name)
        if count is None:
            count = self._services[name] = ServiceCount()
        count.statuses[exchange.status] = count.statuses.get(exchange.status, 0) + 1
        if exchange.reason:
            count.reasons[exchange.reason] = count.reasons.get(exchange.reason, 0) + 1
        count.durations[bisect_left(BOUNDS, exchange.ended - exchange.started)] += 1
        count.bytes_in += exchange.bytes_in
        count.bytes_out += exchange.bytes_out

    def snapshot(self):
        """Service name -> figure -> number, list of numbers, or mapping of text to numbers: fit for JSON."""
        return {name: _plain(count) for name, count in self._services.items()}


def _plain(count):
    return {
        "statuses": {str(status): requests for status, requests in count.statuses.items()},
        "reasons": dict(count.reasons),
        "durations": list(count.durations),
        "bytes_in": count.bytes_in,
        "bytes_out": count.bytes_out,
    }


def merged(snapshots):
    """The sum of several snapshots, or of any plain values of one shape."""
    total = None
    for snapshot in snapshots:
        total = _added(total, snapshot)
    return {} if total is None else total


def _added(one, other):
    if one is None:
        return other
    if isinstance(one, dict):
        return {key: _added(one.get(key), other[key]) if key in other else one[key] for key in {**one, **other}}
    if isinstance(one, list):
        return [_added(*pair) for pair in zip(one, other)]
    return one + other


def in_words(snapshot):
    """One line for the log, such as ``served 1204 requests: 1200 with 2xx, 4 with 5xx``."""
    classes = {}
    for count in snapshot.values():
        for status, requests in count["statuses"].items():
            classes[status[0]] = classes.get(status[0], 0) + requests
    shares = ", ".join(f"{classes[each]} with {each}xx" for each in sorted(classes))
    return f"served {sum(classes.values())} requests" + (f": {shares}" if shares else "")
