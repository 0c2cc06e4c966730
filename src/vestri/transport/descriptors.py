"""How many connections this process may have open, going by the descriptors that it may open."""

import os
import resource

#: Descriptors kept free for everything that is no connection of a client or to a replica: probes, look-ups, files.
RESERVED = 64


class Budget:
    """Connections counted against RLIMIT_NOFILE.

    At EMFILE libuv accepts and closes, which loses clients, so accepting has to pause before; and the number
    of the newest descriptor does not tell how many are left, since low ones become free while high ones are in use.
    taken: connections that are open or being opened; whoever opens and closes them keeps it.
    """

    __slots__ = ("_most", "taken")

    def __init__(self):
        self._most, self.taken = 0.0, 0

    def measure(self):
        """Look at the limit, and at what is open besides connections."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        others = max(0, len(os.listdir("/dev/fd")) - self.taken)
        self._most = float("inf") if soft == resource.RLIM_INFINITY else max(1, soft - RESERVED - others)

    def spent(self):
        """Whether there are no more descriptors left than those that are kept free."""
        return self.taken >= self._most
