"""What a proxy spends while a load runs."""

import attrs

from benchmarks.load import Answered


@attrs.frozen
class Window:
    """What a proxy used while a load ran. cpu: CPU seconds of each of its processes."""

    answered: Answered
    cpu: tuple

    @property
    def cpu_seconds(self):
        return sum(self.cpu)

    @property
    def cpu_us(self):
        """CPU microseconds per request."""
        return 1e6 * self.cpu_seconds / self.answered.requests

    @property
    def requests_s(self):
        return self.answered.requests / self.answered.seconds

    @property
    def busy(self):
        """Cores in use on average. Well below 1 with one worker, the load was the limit and not the proxy."""
        return self.cpu_seconds / self.answered.seconds

    @property
    def busiest_share(self):
        """Of all its CPU time, the share of the process that used most."""
        return max(self.cpu) / self.cpu_seconds


def watch(proxy, ask):
    """The `Window` of a call of `ask`, which loads the proxy and returns what was `Answered`."""
    before = proxy.process.cpu()
    answered = ask()
    after = proxy.process.cpu()
    return Window(answered, tuple(used - before.get(pid, 0.0) for pid, used in after.items()))
