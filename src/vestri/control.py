"""What the supervisor and its workers say to each other, in AMP (one pipe each way)."""

import json

import attrs
from twisted.protocols import amp

from vestri.errors import VestriError
from vestri.events import HealthChanged


class Pipe(amp.AMP):
    """One end. Unlike `amp.AMP` it has nothing to say about connections: to its own process it is always there."""

    def makeConnection(self, transport):
        amp.BinaryBoxProtocol.makeConnection(self, transport)

    def connectionLost(self, reason):
        amp.BinaryBoxProtocol.connectionLost(self, reason)
        self.transport = None


class Change(amp.Argument):
    """A `HealthChanged`."""

    def toString(self, change):
        return json.dumps(attrs.astuple(change)).encode("ascii")

    def fromString(self, data):
        return HealthChanged(*json.loads(data))


class Json(amp.Argument):
    """Plain values: numbers, text, lists and mappings of these."""

    def toString(self, value):
        return json.dumps(value).encode("ascii")

    def fromString(self, data):
        return json.loads(data)


class Serving(amp.Command):
    """From a worker: it accepts connections."""

    arguments = ((b"pid", amp.Integer()),)
    response = ()


class Adopt(amp.Command):
    """To a worker: a replica went up or down."""

    arguments = ((b"change", Change()),)
    response = ()


class Steer(amp.Command):
    """To a worker: a verb of `Pool`, the replica that it is about, and what else it takes. Fails as the verb does."""

    arguments = ((b"service", amp.Unicode()), (b"verb", amp.Unicode()), (b"arguments", Json()))
    response = ()
    errors = {VestriError: b"REFUSED", ValueError: b"NO_VALUE", TypeError: b"NO_ARGUMENTS"}


class Count(amp.Command):
    """To a worker: what it served (``services``, of `operations.counters`) and each replica's requests (``members``).

    As JSON, of which one answer holds a piece: AMP's values end at 65,535 bytes. What is counted at offset 0 holds
    for the offsets after it.
    """

    arguments = ((b"offset", amp.Integer()),)
    response = ((b"piece", amp.String()), (b"size", amp.Integer()))


#: Bytes of one piece.
PIECE = 60_000


class Reopen(amp.Command):
    """To a worker: log files were moved; open them anew."""

    arguments = ()
    response = ()


class Stop(amp.Command):
    """To a worker: finish what is under way, and end. It answers when it begins to."""

    arguments = ()
    response = ()


class Hurry(amp.Command):
    """To a worker that is stopping: cut off what is still under way."""

    arguments = ()
    response = ()


#: The verbs that may be steered by.
VERBS = frozenset({"drain", "ready", "set_weight"})
