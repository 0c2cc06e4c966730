"""Both ends of a connection: a Twisted protocol on a transport of ours, and a plain blocking socket far away."""

import os
import select
import socket
import ssl
import struct
from contextlib import contextmanager, suppress

from pytest_twisted import blockon
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from vestri.transport import ClientEndpoint, server_endpoint
from vestri.transport.handshakes import client_context
from wire import LOOPBACK

#: Seconds after which what should have happened long ago is given up.
PATIENCE = 20.0
#: Bytes that the far end sends or takes at once.
PIECE = 1 << 20
NAME = "localhost"
ANY_PORT = "tcp:0:interface=127.0.0.1"


@contextmanager
def trusting(authority):
    """Our side trusts an authority of `certificates`, and no other."""
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(authority.path)
    client_context.cache_clear()
    yield
    os.environ.pop("SSL_CERT_FILE")
    if before is not None:
        os.environ["SSL_CERT_FILE"] = before
    client_context.cache_clear()


class Near(Protocol):
    """Our end. received: bytes so far.  lost: the reasons of connectionLost.  told: what a producer is told, in order.

    take: what else becomes of what is received.
    """

    def __init__(self):
        self.received, self.lost, self.told = bytearray(), [], []
        self.take = self.received.extend

    def dataReceived(self, data):
        self.take(data)

    def connectionLost(self, reason):
        self.lost.append(reason.type)

    def pauseProducing(self):
        self.told.append("pause")

    def resumeProducing(self):
        self.told.append("resume")

    def stopProducing(self):
        self.told.append("stop")


@implementer(IHalfCloseableProtocol)
class HalfClosing(Near):
    """Decides itself when to close. ended: how often it heard that the far end sends no more."""

    ended = 0

    def readConnectionLost(self):
        self.ended += 1

    def writeConnectionLost(self):
        """We half-closed."""


class Nears(Factory):
    """Makes protocols of one kind. made: those so far.  peers: the addresses it was given for them."""

    noisy = False

    def __init__(self, protocol=Near):
        self.protocol, self.made, self.peers = protocol, [], []

    def buildProtocol(self, address):
        self.peers.append(address)
        self.made.append(self.protocol())
        return self.made[-1]


class Far:
    """The far end: a blocking socket, used in threads, so that the reactor runs meanwhile."""

    def __init__(self, sock):
        sock.settimeout(PATIENCE)
        self.sock = sock

    def sends(self, data):
        """A Deferred that fires when all of it was taken."""
        return deferToThread(self.sock.sendall, data)

    def reads(self, size):
        """A Deferred of so many bytes, of fewer where it ends before."""
        return deferToThread(self._read, size)

    def ending(self):
        """A Deferred of all that comes until the end."""
        return self.reads(float("inf"))

    def reset(self):
        """A Deferred that fires when the connection is reset by our side; fails where that ends in order."""
        return deferToThread(self._reset)

    def _reset(self):
        with suppress(ConnectionResetError):
            while socket.socket.recv(self.sock, PIECE):  # of TLS, the plain bytes
                pass
            raise AssertionError("it ended in order")

    def echoed(self, data):
        """A Deferred of what comes back of data that is sent meanwhile, by one thread: TLS wants no two at once."""
        return deferToThread(self._echoed, data)

    def _echoed(self, data):
        back, unsent = bytearray(), memoryview(data)
        self.sock.setblocking(False)
        while len(back) < len(data):
            select.select([self.sock], [self.sock] if unsent else [], [], PATIENCE)
            with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                unsent = unsent[self.sock.send(unsent[:PIECE]) :]
            with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                while piece := self.sock.recv(PIECE):
                    back += piece
        return bytes(back)

    def _read(self, size):
        data = bytearray()
        with suppress(ssl.SSLZeroReturnError):  # the end, where we have announced ours before
            while len(data) < size and (piece := self.sock.recv(int(min(size - len(data), PIECE)))):
                data += piece
        return bytes(data)

    def says_goodbye(self):
        """Say so in the words of TLS first, where that is spoken; the answer is not waited for."""
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.settimeout(0)
            with suppress(ssl.SSLError):  # the answer is not there yet, or was there before
                self.sock.unwrap()
            self.sock.settimeout(PATIENCE)
        self.cuts_off()

    def cuts_off(self):
        """Say that no more follows, in the words of TCP alone."""
        with suppress(OSError):  # our side is gone already
            socket.socket.shutdown(self.sock, socket.SHUT_WR)

    def resets(self):
        """Close with RST in place of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Bench:
    """Makes connections of every kind, and takes them apart when the test ends.

    authority: signs the certificates of the TLS ones.  ports: to be stopped.
    """

    def __init__(self, reactor, directory, authority=None):
        self.reactor, self._directory, self._authority = reactor, directory, authority
        self.ports, self._sockets, self._factories = [], [], []

    async def connection(self, link, protocol=Near):
        """(our protocol, the far end) of a new connection. link: a key of `LINKS`."""
        return await LINKS[link](self, protocol)

    async def listen(self, description=ANY_PORT, factory=None, certificate=None):
        """(port, factory) of a listener of ours."""
        factory = factory or self.nears()
        port = await server_endpoint(self.reactor, description, certificate=certificate).listen(factory)
        self.ports.append(port)
        return port, factory

    def nears(self, protocol=Near):
        """A factory whose connections are closed when the test ends."""
        self._factories.append(Nears(protocol))
        return self._factories[-1]

    async def stop(self, port):
        self.ports.remove(port)
        await maybeDeferred(port.stopListening)

    def far(self, address, family=socket.AF_INET):
        """A Deferred of a `Far` that has connected to an address."""
        sock = self.keep(socket.socket(family))
        sock.settimeout(PATIENCE)
        return deferToThread(sock.connect, address).addCallback(lambda _: Far(sock))

    def server(self, family=socket.AF_INET):
        """A blocking socket that listens, with which our side can connect."""
        return self.keep(socket.create_server((LOOPBACK, 0), backlog=16))

    def keep(self, sock):
        """Close a socket when the test ends."""
        self._sockets.append(sock)
        return sock

    async def until(self, happened):
        """Let the reactor run until `happened` says something true, and return that."""
        deadline = self.reactor.seconds() + PATIENCE
        while not (answer := happened()):
            assert self.reactor.seconds() < deadline, "it did not happen"
            await deferLater(self.reactor, 0.002)
        return answer

    def turns(self, seconds=0.05):
        """Let the reactor do what it has to do; for what must not happen."""
        return deferLater(self.reactor, seconds)

    def secured(self, sock, **how):
        """The same socket, speaking TLS once its handshake is over; a Deferred. how: arguments of `wrap_socket`."""
        if how.get("server_side"):
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            certificate = how.pop("certificate", None) or self.certificate
            context.load_cert_chain(certificate.chain_path, certificate.key_path)
        else:
            context = ssl.create_default_context(cafile=self._authority.path)
        context.set_alpn_protocols(["http/1.1"])
        sock.settimeout(PATIENCE)
        return deferToThread(context.wrap_socket, sock, suppress_ragged_eofs=False, **how).addCallback(self.keep)

    @property
    def certificate(self):
        """Of a server called `NAME`."""
        return self._authority.certify(NAME, LOOPBACK)

    def close(self):
        for port in self.ports:
            blockon(maybeDeferred(port.stopListening))
        for each in [near for factory in self._factories for near in factory.made if not near.lost]:
            each.transport.abortConnection()
        for sock in self._sockets:
            with suppress(OSError):
                sock.close()
        blockon(self.turns(0.01))

    # Links

    async def _accepted(self, protocol, description, family=socket.AF_INET, certificate=None):
        port, factory = await self.listen(description, self.nears(protocol), certificate)
        host = port.getHost()
        far = await self.far(host.name if family == socket.AF_UNIX else (host.host, host.port), family)
        return factory, far

    async def accepted_over_tcp(self, protocol):
        factory, far = await self._accepted(protocol, ANY_PORT)
        return await self.until(lambda: factory.made and factory.made[0]), far

    async def accepted_over_unix(self, protocol):
        factory, far = await self._accepted(protocol, f"unix:{self._directory}/near", socket.AF_UNIX)
        return await self.until(lambda: factory.made and factory.made[0]), far

    async def accepted_over_tls(self, protocol):
        factory, far = await self._accepted(protocol, ANY_PORT, certificate=self.certificate)
        far = Far(await self.secured(far.sock, server_hostname=NAME))
        return await self.until(lambda: factory.made and factory.made[0]), far

    async def connected_over_tcp(self, protocol):
        server = self.server()
        near = await ClientEndpoint(self.reactor, *server.getsockname()).connect(self.nears(protocol))
        await self.turns(0)
        return near, Far(self.keep(server.accept()[0]))

    async def connected_over_tls(self, protocol):
        server = self.server()
        connecting = ClientEndpoint(self.reactor, *server.getsockname(), tls=True).connect(self.nears(protocol))
        sock = self.keep((await deferToThread(server.accept))[0])
        far = Far(await self.secured(sock, server_side=True))
        return await connecting, far


#: Every way to have a connection.
LINKS = {
    "accepted over TCP": Bench.accepted_over_tcp,
    "accepted over a Unix socket": Bench.accepted_over_unix,
    "accepted over TLS": Bench.accepted_over_tls,
    "connected over TCP": Bench.connected_over_tcp,
    "connected over TLS": Bench.connected_over_tls,
}
