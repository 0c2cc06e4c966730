"""What is left of an exchange after 101: two sockets, joined."""

from vestri.proxying.passing import ANY, LARGE
from vestri.proxying.sweep import NEVER


class Tunnel:
    """Carry bytes both ways, at the pace of the slower side, until both sides have ended.

    An end in one direction is passed on and leaves the other open (half-close).  The replica's lease is
    held until the tunnel ends.  client, replica: connections with `transport`, `tunnel` and `abort()`.
    idle: seconds without a byte either way after which the tunnel is closed, or None.
    """

    __slots__ = ("_client", "_client_open", "_exchange", "_idle", "_replica", "_replica_open", "_sweep", "deadline")

    def __init__(self, exchange, client, replica, idle, sweep):
        self._exchange, self._client, self._replica = exchange, client, replica
        self._idle, self._sweep = idle, sweep
        self._client_open = self._replica_open = True
        self.deadline = NEVER

    def join(self, head, from_replica):
        """Tell the client 101, with the bytes that the replica sent behind it, and begin."""
        self._client.tunnel = self
        self._replica.join(self)
        self._touch()
        self._sweep.watch(self)
        self._exchange.bytes_out += len(from_replica)
        self._client.upgraded(head, from_replica)

    def from_client(self, data):
        self._touch()
        self._exchange.bytes_in += len(data)
        self._replica.transport.write(data)
        if len(data) >= LARGE:
            self._exchange.bytes_in += self._client.transport.pass_on(self._replica.transport, ANY)

    def from_replica(self, data):
        self._touch()
        self._exchange.bytes_out += len(data)
        self._client.transport.write(data)
        if len(data) >= LARGE:
            self._exchange.bytes_out += self._replica.transport.pass_on(self._client.transport, ANY)

    def client_full(self):
        self._replica.transport.pauseProducing()

    def client_drained(self):
        if self._replica_open:
            self._replica.transport.resumeProducing()

    def replica_full(self):
        self._client.transport.pauseProducing()

    def replica_drained(self):
        if self._client_open:
            self._client.transport.resumeProducing()

    def client_ended(self):
        """The client will send no more."""
        self._client_open = False
        self._pass_end(self._replica)

    def replica_ended(self):
        self._replica_open = False
        self._pass_end(self._client)

    def lost(self):
        """One of the sockets is gone: what was on its way to the other still goes out."""
        self._end()
        self._client.close()
        self._replica.close()

    def overdue(self, now):
        self._end("response_timeout")
        self._client.abort()
        self._replica.abort()

    def _pass_end(self, connection):
        if self._client_open or self._replica_open:
            connection.transport.unregisterProducer()  # a paused producer would hold up the end
            connection.transport.loseWriteConnection()
        else:
            self.lost()

    def _touch(self):
        if self._idle is not None:
            self.deadline = self._sweep.seconds() + self._idle

    def _end(self, reason=""):
        self._sweep.forget(self)
        self._client.tunnel = self._replica.tunnel = None
        self._exchange.finish(reason)
