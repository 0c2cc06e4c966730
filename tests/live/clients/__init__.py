"""Real HTTP clients, each behind the same three methods."""

from typing import NamedTuple

from twisted.internet.threads import deferToThread

from wire import LOOPBACK

#: Fields that belong to a connection, or to the moment.
PASSING = {"connection", "date", "keep-alive", "transfer-encoding"}


class Ask(NamedTuple):
    """A request. fields: name -> value.  chunked: send the body without saying its length."""

    target: str
    method: str = "GET"
    fields: dict = {}
    body: bytes = b""
    chunked: bool = False


class Answer(NamedTuple):
    """fields: (lower-case name, value) in order.  interim: statuses of the 1xx that came before."""

    status: int
    fields: tuple
    body: bytes
    interim: tuple = ()

    def values(self, name):
        return [value for field, value in self.fields if field == name]

    def lasting(self):
        """Without what another connection would say differently."""
        return self._replace(fields=tuple(sorted(pair for pair in self.fields if pair[0] not in PASSING)))


class Session:
    """A client's connections to one port, from its first request until `close`.

    Most clients block, and do so in a thread: every method returns a Deferred, or is a coroutine.
    verbatim: whether the client sends any target as it stands.  decodes: whether it undoes Content-Encoding by itself.
    """

    verbatim, decodes = True, False

    def __init__(self, port):
        self.port = port

    def url(self, target):
        return f"http://{LOOPBACK}:{self.port}{target}"

    async def ask(self, *asks):
        """The answers to requests that are made one after the other."""
        return await deferToThread(self.answers, asks)

    async def open(self, target):
        """A `Download`, whose head has come."""
        return await deferToThread(self.download, target)

    async def close(self):
        """Close all connections."""

    # What a client that blocks does

    def answers(self, asks):
        raise NotImplementedError

    def download(self, target):
        raise NotImplementedError


class Download:
    """An answer that is read piece by piece."""

    async def more(self):
        """The next bytes, once there are any."""
        return await deferToThread(self.read)

    async def cancel(self):
        """Lose interest."""
        return await deferToThread(self.leave)

    # What a client that blocks does

    def read(self):
        raise NotImplementedError

    def leave(self):
        raise NotImplementedError
