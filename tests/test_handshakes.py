"""With whom a TLS connection is made, on the reactor of this process; `test_kinds` runs it on uvloop's."""

import socket
import ssl
from contextlib import suppress

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.error import CannotListenError, ConnectError, ConnectionLost, NoProtocol
from twisted.internet.threads import deferToThread

from certificates import Authority
from ends import ANY_PORT, NAME, PATIENCE, Far
from vestri.errors import TLSFailed
from vestri.transport import ClientEndpoint, ServerCertificate, handshakes
from wire import LOOPBACK


class Server:
    """A replica that speaks TLS. secured: a Deferred of the far end, or of why there is none."""

    def __init__(self, bench, certificate, host=LOOPBACK, **settings):
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate.chain_path, certificate.key_path)
        for name, value in settings.items():
            setattr(self._context, name, value)
        self.offer, self.asked = self._context.set_alpn_protocols, []
        self._context.sni_callback = lambda sock, name, context: self.asked.append(name)
        self._bench, self._listening = bench, bench.server()
        self.endpoint = ClientEndpoint(bench.reactor, host, self._listening.getsockname()[1], tls=True)
        self.secured = deferToThread(self._serve)

    def _serve(self):
        sock = self._bench.keep(self._listening.accept()[0])
        sock.settimeout(PATIENCE)
        try:
            return Far(self._bench.keep(self._context.wrap_socket(sock, server_side=True)))
        except OSError as error:
            return error


# Replicas


@pytest.mark.parametrize("host", [LOOPBACK, NAME])
async def test_a_replica_that_is_who_it_is_called(bench, authority, host):
    server = Server(bench, authority.certify(LOOPBACK, NAME), host)

    near = await server.endpoint.connect(bench.nears())

    near.transport.write(b"hello")
    assert await (await server.secured).reads(5) == b"hello"
    assert server.asked == [None if host == LOOPBACK else NAME]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_versions_that_are_spoken(bench, authority, version):
    server = Server(bench, authority.certify(LOOPBACK), minimum_version=version, maximum_version=version)

    await server.endpoint.connect(bench.nears())

    assert (await server.secured).sock.version() == version.name.replace("_", ".")


async def test_only_http_1_1_is_offered(bench, authority):
    server = Server(bench, authority.certify(LOOPBACK))
    server.offer(["h2", "http/1.1"])

    await server.endpoint.connect(bench.nears())

    assert (await server.secured).sock.selected_alpn_protocol() == "http/1.1"


async def refused(bench, server):
    """The words in which it is said that a replica cannot be reached. No protocol hears of it."""
    factory = bench.nears()
    with pytest.raises(TLSFailed) as refusal:
        await server.endpoint.connect(factory)
    assert isinstance(await server.secured, OSError)
    assert factory.made == []
    return str(refusal.value)


@pytest.mark.parametrize("host", [LOOPBACK, NAME])
async def test_a_certificate_for_another_name(bench, authority, host):
    server = Server(bench, authority.certify("other.test", "127.0.0.9"), host)

    assert f"certificate is not valid for '{host}'" in await refused(bench, server)


async def test_a_certificate_by_somebody_unknown(bench, tmp_path):
    server = Server(bench, Authority(tmp_path, "somebody else").certify(LOOPBACK))

    assert await refused(bench, server) == "self-signed certificate in certificate chain"


async def test_a_certificate_of_yesterday(bench, authority):
    server = Server(bench, authority.certify(LOOPBACK, expired=True))

    assert await refused(bench, server) == "certificate has expired"


async def plainly(bench, answer):
    """The words for a replica that answers the beginning of a handshake in its own way."""
    listening = bench.server()
    connecting = ClientEndpoint(bench.reactor, *listening.getsockname(), tls=True).connect(bench.nears())
    sock = bench.keep((await deferToThread(listening.accept))[0])
    await Far(sock).reads(5)
    answer(sock)
    with pytest.raises(TLSFailed) as refusal:
        await connecting
    return str(refusal.value)


async def test_a_replica_that_speaks_no_tls(bench):
    words = await plainly(bench, lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))

    assert words == "what it speaks is not TLS"


@pytest.mark.parametrize("way", ["closes", "resets"])
async def test_a_replica_that_goes_within_the_handshake(bench, way):
    words = await plainly(bench, lambda sock: sock.close() if way == "closes" else Far(sock).resets())

    assert words == "the connection ended within the handshake"


async def test_a_replica_that_is_not_there_is_no_matter_of_tls(bench):
    server = bench.server()
    address = server.getsockname()
    server.close()

    with pytest.raises(ConnectError):
        await ClientEndpoint(bench.reactor, *address, tls=True).connect(bench.nears())


@pytest.mark.parametrize("moments", range(6))
async def test_a_handshake_that_never_comes_can_be_given_up(bench, moments):
    listening = bench.server()
    connecting = ClientEndpoint(bench.reactor, *listening.getsockname(), tls=True).connect(bench.nears())
    for _ in range(moments):
        await bench.turns(0.003 if moments == 5 else 0)

    connecting.cancel()

    with pytest.raises(CancelledError):
        await connecting
    await bench.turns()
    listening.setblocking(False)
    with suppress(BlockingIOError, ConnectionResetError):  # no connection, or one that is gone
        await Far(bench.keep(listening.accept()[0])).ending()


async def test_a_factory_that_makes_nothing(bench, authority):
    server, factory = Server(bench, authority.certify(LOOPBACK)), bench.nears()
    factory.buildProtocol = lambda address: None

    with pytest.raises(NoProtocol):
        await server.endpoint.connect(factory)
    await server.secured


async def test_bytes_that_were_tampered_with_end_the_connection(bench):
    near, far = await bench.connection("connected over TLS")
    await far.sends(b"hello")
    await bench.until(lambda: near.received == b"hello")

    socket.socket.sendall(far.sock, b"\x17\x03\x03\x00\x20" + b"x" * 32)

    await bench.until(lambda: near.lost)
    assert near.lost == [ConnectionLost]
    assert near.received == b"hello"


# Clients


async def test_a_client_is_shown_the_certificate_and_may_speak_http_1_1(bench):
    _, far = await bench.connection("accepted over TLS")

    assert ("DNS", NAME) in far.sock.getpeercert()["subjectAltName"]
    assert far.sock.selected_alpn_protocol() == "http/1.1"


async def listener(bench):
    port, factory = await bench.listen(ANY_PORT, certificate=bench.certificate)
    host = port.getHost()
    return (host.host, host.port), factory


async def served(bench, address, factory):
    """Whether a client that does everything right is served."""
    far = await bench.far(address)
    far = Far(await bench.secured(far.sock, server_hostname=NAME))
    await far.sends(b"hello")
    return await bench.until(lambda: [near for near in factory.made if near.received == b"hello"])


async def test_a_client_that_speaks_no_tls_is_closed_and_the_next_one_served(bench):
    address, factory = await listener(bench)
    far = await bench.far(address)
    await far.sends(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")

    assert b"HTTP" not in await far.ending()
    assert factory.made == []
    assert await served(bench, address, factory)


async def test_a_client_whose_handshake_never_comes_is_cut_off(bench, monkeypatch):
    monkeypatch.setattr(handshakes, "HANDSHAKE", 0.05)
    address, factory = await listener(bench)

    await (await bench.far(address)).reset()

    assert factory.made == []
    monkeypatch.undo()
    assert await served(bench, address, factory)


async def test_a_client_that_leaves_within_its_handshake_leaves_nothing(bench):
    address, factory = await listener(bench)
    (await bench.far(address)).sock.close()
    await bench.turns()

    assert factory.made == []  # and no timer, as after every test


async def test_a_client_that_the_factory_does_not_want_is_closed(bench):
    address, factory = await listener(bench)
    factory.buildProtocol = lambda address: None
    far = await bench.far(address)
    far = Far(await bench.secured(far.sock, server_hostname=NAME))

    await far.reset()


async def test_files_that_are_not_there_are_refused_before_anything_is_bound(bench, tmp_path):
    missing = ServerCertificate(str(tmp_path / "chain.pem"), str(tmp_path / "key.pem"))

    with pytest.raises(CannotListenError, match="chain.pem"):
        await bench.listen(certificate=missing)
    assert bench.ports == []


async def test_a_key_of_another_certificate_is_refused(bench, authority):
    mixed = ServerCertificate(authority.certify("one.test").chain_path, authority.certify("two.test").key_path)

    with pytest.raises(CannotListenError):
        await bench.listen(certificate=mixed)
