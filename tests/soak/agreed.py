"""What the crowd asks for, and what a replica therefore has to say."""

import hashlib
import random
import zlib

_STOCK = random.Random(11).randbytes(1024 * 1024)
#: Bytes of the largest content.
LARGEST = len(_STOCK) // 2


def content(name, size):
    """The body for a request of this name: nobody else's."""
    start = zlib.crc32(name.encode()) % LARGEST
    return _STOCK[start : start + size]


def digest(body):
    """What a replica answers to an upload."""
    return b"%d %b" % (len(body), hashlib.sha256(body).hexdigest().encode())


def target(service, act, name, size=0):
    """act: a method of `replica.Replica`.  name: of this request alone."""
    return f"/{service}/{act}/{name}/{size}"
