"""twistd that writes, whenever it gets SIGUSR2, what it holds: python witness.py FILE [twistd's arguments]."""

import gc
import json
import os
import signal
import sys
from collections import Counter

from twisted.scripts.twistd import run

from vestri.pool import Member

#: Packages whose objects are counted: each connection, request, lease and timer is one of theirs.
WATCHED = ("vestri.", "uvloop.", "twisted.", "asyncio.")


def held():
    """Kind of object -> how many there are, and the requests that every replica has."""
    gc.unfreeze()  # Vestri hides what it begins with from the collector
    gc.collect()
    objects = gc.get_objects()
    kinds = (f"{type(each).__module__}.{type(each).__qualname__}" for each in objects)
    in_flight = {each.replica.id: each.in_flight for each in objects if type(each) is Member}
    return {"objects": Counter(kind for kind in kinds if kind.startswith(WATCHED)), "in_flight": in_flight}


def tell(path):
    with open(f"{path}.new", "w") as file:
        json.dump(held(), file)
    os.replace(f"{path}.new", path)


if __name__ == "__main__":
    path = sys.argv.pop(1)
    signal.signal(signal.SIGUSR2, lambda *caught: tell(path))
    run()
