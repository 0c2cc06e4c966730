"""TLS to replicas over Twisted's stock transports."""

from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener, IProtocolFactory
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from vestri.errors import TLSFailed


class Secured(TLSMemoryBIOProtocol):
    """A TLS connection, as transport of the protocol within, with what Vestri's transports have beyond Twisted's."""

    def pending(self):
        """Bytes written to this transport that the kernel has not taken yet."""
        return sum(map(len, self._appSendBuffer)) + self.transport.pending()

    def fileno(self):
        return self.transport.fileno()

    def loseWriteConnection(self):
        """TLS has no such word that peers understand: it is the end of both ways."""
        self.loseConnection()


class Securing:
    """One attempt to reach a replica by TLS: it has succeeded once the handshake is over.

    factory: makes the protocol that is to be connected.  server_name: of the certificate.
    """

    def __init__(self, factory, server_name):
        options = optionsForClientTLS(server_name, acceptableProtocols=[b"http/1.1"])
        self._inner, self._server_name = factory, server_name
        self.factory = TLSMemoryBIOFactory(options, True, _Greeting(self))
        self.factory.protocol = Secured
        self._secured = Deferred(self._cancel)
        self._tls = None

    def over(self, connected):
        """A Deferred of the protocol, given one of the TCP connection."""
        self._connected = connected
        connected.addCallbacks(self._greet, self._secured.errback)
        return self._secured

    def _greet(self, tls):
        self._tls = tls

    def _cancel(self, secured):
        if self._tls is not None:
            self._tls.abortConnection()
        else:
            self._connected.cancel()

    def done(self, transport):
        """The handshake is over."""
        if self._secured.called:
            return
        protocol = self._inner.buildProtocol(transport.getPeer())
        transport.wrappedProtocol = protocol
        protocol.makeConnection(transport)
        self._secured.callback(protocol)

    def failed(self, reason):
        """The connection ended before that."""
        if not self._secured.called:
            self._secured.errback(TLSFailed(_in_words(reason.value, self._server_name)))


@implementer(IHandshakeListener)
class _Hello(Protocol):
    """Stands in for the protocol until the handshake is over."""

    def __init__(self, securing):
        self._securing = securing

    def handshakeCompleted(self):
        self._securing.done(self.transport)

    def connectionLost(self, reason):
        self._securing.failed(reason)


@implementer(IProtocolFactory)
class _Greeting:
    noisy = False

    def __init__(self, securing):
        self._securing = securing

    def buildProtocol(self, address):
        return _Hello(self._securing)

    def doStart(self):
        """Part of a factory's interface; nothing to prepare."""

    doStop = doStart


def _in_words(error, server_name):
    """Why the handshake failed. pyOpenSSL gives [(library, function, reason), ...], service_identity its own error."""
    if isinstance(error, VerificationError):
        return f"its certificate is not valid for '{server_name}'"
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return ", ".join(reason[-1] for reason in reasons) or str(error) or type(error).__name__
