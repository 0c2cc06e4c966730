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

    def failures(self):
        """Such as ``answered by Vestri itself: 2 no_replica (503)``."""
        return "answered by Vestri itself: " + ", ".join(f"{count} {why}" for why, count in sorted(self.failed.items()))

    @property
    def total(self):
        return sum(self.answered.values()) + sum(self.failed.values())
