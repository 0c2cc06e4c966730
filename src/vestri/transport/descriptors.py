"""How many more descriptors this process may open."""

import os
import resource

#: Descriptors kept free: at EMFILE libuv accepts and closes, which loses clients, so accepting pauses before.
RESERVED = 64


def last_descriptor():
    """The first of those that are kept free."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return float("inf") if soft == resource.RLIM_INFINITY else soft - RESERVED


def few_descriptors_left():
    """Whether there are no more than those that are kept free."""
    try:
        lowest = os.dup(0)
    except OSError:
        return True
    os.close(lowest)
    return lowest >= last_descriptor()
