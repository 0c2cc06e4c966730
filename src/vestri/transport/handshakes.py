"""The two sides of TLS: replicas whose certificates we verify, and clients to whom we show ours."""

import ssl
from functools import cache

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, NoProtocol
from twisted.internet.interfaces import IProtocolFactory
from zope.interface import implementer

from vestri.errors import TLSFailed
from vestri.transport.tls import SecureConnection

#: What is spoken over TLS, in the words of ALPN (RFC 7301).
PROTOCOL = "http/1.1"
#: Seconds for a client's handshake. The site's own timeouts begin when that is over.
HANDSHAKE = 10.0


@cache
def client_context():
    """How replicas are spoken to: certificates are verified, and only HTTP/1.1 is offered."""
    context = ssl.create_default_context()
    context.set_alpn_protocols([PROTOCOL])
    return context


@implementer(IProtocolFactory)
class Reaching:
    """One attempt to reach a replica by TLS: it has succeeded once the handshake is over.

    To the connection beneath it is the factory, and to `SecureConnection` what waits for the handshake.  factory: makes
    the protocol within.  server_name: of the certificate.
    """

    noisy = False

    def __init__(self, factory, server_name):
        self._factory, self._server_name = factory, server_name
        self._secured = Deferred(self._cancel)
        self._connection = None

    def over(self, connected):
        """A Deferred of the protocol within, given one of the connection beneath; it may fail with TLSFailed too."""
        self._connected = connected
        connected.addErrback(self._unreached)
        return self._secured

    def _unreached(self, reason):
        if not self._secured.called:
            self._secured.errback(reason)

    def _cancel(self, secured):
        self._connected.cancel()
        if self._connection is not None:
            self._connection.abortConnection()

    def buildProtocol(self, address):
        self._connection = SecureConnection(client_context(), self, self._server_name)
        return self._connection

    def doStart(self):
        """Part of a factory's interface; nothing to prepare."""

    doStop = doStart

    def done(self, connection):
        """The handshake is over: let the protocol within begin."""
        protocol = None if self._secured.called else self._factory.buildProtocol(connection.getPeer())
        if protocol is None:
            connection.abortConnection()
            self._unreached(NoProtocol())
            return
        connection.begin(protocol)
        self._secured.callback(protocol)

    def failed(self, why):
        """There will be no protocol within."""
        self._unreached(TLSFailed(why))


@attrs.frozen
class ServerCertificate:
    """Who a listener of ours says that it is: PEM files, read when listening begins.

    chain_path: the certificate, then those of the authorities between it and a trusted one.  key_path: its private key.
    """

    chain_path: str
    key_path: str

    def context(self):
        """What clients are met with. Raises CannotListenError where the files are not there, or no pair."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_alpn_protocols([PROTOCOL])
        try:
            context.load_cert_chain(self.chain_path, self.key_path)
        except OSError as error:
            raise CannotListenError(None, self.chain_path, error) from error
        return context


@implementer(IProtocolFactory)
class Meeting:
    """Makes TLS connections of clients, around the protocols of another factory."""

    noisy = False

    def __init__(self, reactor, factory, context):
        self._reactor, self._factory, self._context = reactor, factory, context

    def buildProtocol(self, address):
        greeting = Greeting(self._factory, address)
        connection = SecureConnection(self._context, greeting)
        greeting.late = self._reactor.callLater(HANDSHAKE, connection.abortConnection)
        return connection

    def doStart(self):
        self._factory.doStart()

    def doStop(self):
        self._factory.doStop()


class Greeting:
    """The handshake of a client. late: the DelayedCall that ends it when it takes too long."""

    def __init__(self, factory, address):
        self._factory, self._address, self.late = factory, address, None

    def done(self, connection):
        """It is over: let the protocol within begin."""
        self.late.cancel()
        protocol = self._factory.buildProtocol(self._address)
        if protocol is None:
            connection.abortConnection()
        else:
            connection.begin(protocol)

    def failed(self, why):
        """There will be no protocol within."""
        if self.late.active():
            self.late.cancel()
