"""Who answered how many requests, read from the balancer's access log."""

import re
from collections import Counter

#: Of a line in the common format: status, service, replica, reason.
LINE = re.compile(r'^\S+ - - \[[^]]+\] "[^"]*" (\d{3}|-) \d+ "([^"]*)" "([^"]*)" (\S+) [0-9.]+$')


class Tally:
    """answered: replica -> requests that it answered.  failed: reason -> requests that the balancer answered."""

    def __init__(self):
        self.answered, self.failed = Counter(), Counter()

    def count(self, line):
        """Whether the line is one of the access log; if so it is counted."""
        found = LINE.match(line)
        if not found:
            return False
        status, _, replica, reason = found.groups()
        if reason == "-":
            self.answered[replica] += 1
        else:
            self.failed[f"{reason} ({status})"] += 1
        return True

    def __str__(self):
        """Such as ``12 requests: a 2, b 4, c 6``."""
        counts = [f"{name} {count}" for name, count in sorted((self.answered + self.failed).items())]
        return f"{self.total} requests: {', '.join(counts)}"

    @property
    def total(self):
        return self.answered.total() + self.failed.total()
