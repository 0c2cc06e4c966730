"""TLS over any transport: the standard library's `ssl`, between a connection and the protocol that uses it."""

import ssl
from contextlib import suppress

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

#: The most bytes of a record (RFC 8446 section 5.1), which is what one call deciphers.
RECORD = 16 * 1024
LOST = Failure(ConnectionLost())


@implementer(ITransport, IHalfCloseableProtocol)
class SecureConnection:
    """The protocol of the connection beneath, and the transport of the protocol within.

    context: ssl.SSLContext.  handshake: its `done(connection)` is called when that is over, to `begin` with the
    protocol within; its `failed(why)` when there will be none.  server_name: whom a client wants to reach; None
    for a server.

    All that came is deciphered at once, and nothing written is held back here: how much waits, and when to
    pause, is the matter of the connection beneath.
    """

    plain = False

    def __init__(self, context, handshake, server_name=None):
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_name is None, server_name)
        self._handshake, self.protocol = handshake, None
        self.disconnecting = self._silent = self._announced = self._cut_off = False

    # What the connection beneath tells

    def makeConnection(self, transport):
        self.transport = transport
        self._shake_hands()

    def dataReceived(self, data):
        self._incoming.write(data)
        if self._handshake is not None:
            self._shake_hands()
        if self.protocol is not None and not self._announced:
            self._decipher()

    def readConnectionLost(self):
        """An end that was not announced may be somebody else's doing: it is a loss (RFC 9112 section 9.8)."""
        if not self._announced:
            self._cut()

    def writeConnectionLost(self):
        """We half-closed; nothing more to do."""

    def connectionLost(self, reason):
        self._silent = True
        self._fail("the connection ended within the handshake")
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.connectionLost(LOST if self._cut_off else reason)

    # Ciphers

    def _shake_hands(self):
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._flush()
            self._fail(in_words(error))
            self.transport.loseConnection()
        else:
            self._flush()
            self._handshake.done(self)
            self._handshake = None

    def _fail(self, why):
        handshake, self._handshake = self._handshake, None
        if handshake is not None:
            handshake.failed(why)

    def begin(self, protocol):
        """The handshake is over: this is the protocol within."""
        self.protocol = protocol
        protocol.makeConnection(self)

    def _decipher(self):
        pieces = []
        try:
            while (not pieces or pieces[-1]) and (self._incoming.pending or self._tls.pending()):
                pieces.append(self._tls.read(RECORD))
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            pieces.append(b"")
        except ssl.SSLError:
            self._cut()
        self._flush()
        self._deliver(pieces)

    def _deliver(self, pieces):
        """pieces: of what the far end wrote; the last is empty where it announced that no more follows."""
        self._announced = bool(pieces) and not pieces[-1]
        if data := b"".join(pieces):
            self.protocol.dataReceived(data)
        if not self._announced or self.disconnecting:
            return
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self.loseConnection()

    def _flush(self):
        if self._outgoing.pending:
            self.transport.write(self._outgoing.read())

    def _cut(self):
        """What came is not whole, and nothing that follows is to be believed."""
        self._cut_off = True
        self._flush()
        self.transport.abortConnection()

    # What the protocol within asks for

    def write(self, data):
        if not data or self._silent:
            return
        sent = self._tls.write(data)
        while sent < len(data):
            sent += self._tls.write(memoryview(data)[sent:])
        self.transport.write(self._outgoing.read())

    def writeSequence(self, pieces):
        self.write(b"".join(pieces))

    def loseConnection(self):
        if not self.disconnecting:
            self._say_goodbye()
            self.disconnecting = True
            self.transport.loseConnection()

    def loseWriteConnection(self):
        if not self.disconnecting:
            self._say_goodbye()
            self.transport.loseWriteConnection()

    def _say_goodbye(self):
        """Announce that nothing follows, once (RFC 8446 section 6.1)."""
        if not self._silent:
            self._silent = True
            with suppress(ssl.SSLError):  # the far end has not said the same yet
                self._tls.unwrap()
            self._flush()

    def abortConnection(self):
        self._silent = self.disconnecting = True
        self.transport.abortConnection()

    def registerProducer(self, producer, streaming):
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self):
        self.transport.unregisterProducer()

    def pauseProducing(self):
        self.transport.pauseProducing()

    def resumeProducing(self):
        self.transport.resumeProducing()

    def stopProducing(self):
        self.loseConnection()

    def pending(self):
        """Bytes written to this transport, as they are on the wire, that the kernel has not taken yet."""
        return self.transport.pending()

    def pass_on(self, target, most):
        """Nothing goes from here unread: it has to be deciphered."""
        return 0

    def fileno(self):
        return self.transport.fileno()

    def getPeer(self):
        return self.transport.getPeer()

    def getHost(self):
        return self.transport.getHost()

    def __repr__(self):
        return f"<SecureConnection of {self.protocol!r}>"


def in_words(error):
    """Why a handshake failed. error: ssl.SSLError."""
    if error.reason == "WRONG_VERSION_NUMBER":
        return "what it speaks is not TLS"
    return getattr(error, "verify_message", None) or (error.reason or str(error)).replace("_", " ").lower()
