"""twistd that writes, whenever it gets SIGUSR2, what it holds: python witness.py FILE [twistd's arguments]."""

import gc
import json
import os
import signal
import sys
from collections import Counter

from twisted.scripts.twistd import run

from vestri.pool import Lease, Member
from vestri.proxying.client import ClientConnection
from vestri.proxying.exchange import Exchange
from vestri.proxying.replica import ReplicaConnection
from vestri.proxying.shelf import Connecting
from vestri.proxying.tunnel import Tunnel

#: Packages whose objects are counted: each connection, request, lease and timer is one of theirs.
WATCHED = ("vestri.", "uvloop.", "twisted.", "asyncio.")
#: Kinds of objects that no visit leaves behind.
OF_VISITS = (ClientConnection, ReplicaConnection, Connecting, Exchange, Lease, Tunnel)


def held():
    """What there is: see `parts.WatchedVestri.held`."""
    gc.unfreeze()  # Vestri hides what it begins with from the collector
    gc.collect()
    objects = gc.get_objects()
    kinds = (f"{type(each).__module__}.{type(each).__qualname__}" for each in objects)
    return {
        "objects": Counter(kind for kind in kinds if kind.startswith(WATCHED)),
        "in_flight": {each.replica.id: each.in_flight for each in objects if type(each) is Member},
        "visits": [state(each) for each in objects if type(each) in OF_VISITS],
    }


def state(each):
    """An object with all its attributes, in words."""
    slots = (name for kind in type(each).__mro__ for name in getattr(kind, "__slots__", ()))
    return f"{type(each).__name__}: " + ", ".join(f"{name}={getattr(each, name, None)!r}" for name in slots)


def tell(path):
    with open(f"{path}.new", "w") as file:
        json.dump(held(), file)
    os.replace(f"{path}.new", path)


if __name__ == "__main__":
    path = sys.argv.pop(1)
    signal.signal(signal.SIGUSR2, lambda *caught: tell(path))
    run()
