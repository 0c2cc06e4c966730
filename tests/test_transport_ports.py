"""What every port promises on the reactor of this process; `test_kinds` runs it on uvloop's."""

import os
import select
import socket
import stat
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from twisted.internet.defer import gatherResults
from twisted.internet.error import CannotListenError

from ends import ANY_PORT, Near
from sparse import LIMIT
from support import wait_until
from vestri.transport import server_endpoint
from wire import LOOPBACK


async def greeted(bench, factory, fars):
    """Return once every one of them is served: each gets a byte from our side, and nobody was lost."""
    await bench.until(lambda: len(factory.made) >= len(fars))
    for near in factory.made:
        near.transport.write(b"!")
    assert await gatherResults([far.reads(1) for far in fars]) == [b"!"] * len(fars)


# Beginning


def test_a_port_is_bound_before_the_reactor_has_its_turn(bench):
    ports = []
    server_endpoint(bench.reactor, ANY_PORT).listen(bench.nears()).addCallback(ports.append)
    address = ports[0].getHost()

    with socket.create_connection((address.host, address.port), 5):
        bench.ports.append(ports[0])


async def test_a_port_in_use_is_refused(bench):
    port, _ = await bench.listen()

    with pytest.raises(CannotListenError):
        await bench.listen(f"tcp:{port.getHost().port}:interface={LOOPBACK}")


async def test_a_port_that_is_stopped_before_its_turn_serves_nobody_and_leaves_nothing(bench):
    port, factory = await bench.listen()
    host = port.getHost()
    await bench.stop(port)
    await bench.turns()

    with pytest.raises(ConnectionRefusedError):
        await bench.far((host.host, host.port))
    assert factory.made == []


# Waiting


async def test_who_comes_while_a_port_is_paused_is_served_when_it_goes_on(bench):
    port, factory = await bench.listen()
    await greeted(bench, factory, [await client_of(bench, port)])
    factory.made.clear()

    port.pauseProducing()
    await bench.turns()
    fars = [await client_of(bench, port) for _ in range(20)]
    await bench.turns()
    assert factory.made == []

    port.resumeProducing()
    await greeted(bench, factory, fars)


def client_of(bench, port):
    """A Deferred of a client of a port."""
    host = port.getHost()
    return bench.far((host.host, host.port))


async def test_pausing_and_going_on_at_every_moment_loses_nobody(bench):
    port, factory = await bench.listen()
    fars = []
    for turns in range(30):
        port.pauseProducing()
        fars.append(await client_of(bench, port))
        for _ in range(turns % 4):
            await bench.turns(0)
        port.resumeProducing()

    await greeted(bench, factory, fars)


async def test_clients_that_are_gone_before_they_are_accepted_do_not_matter(bench):
    port, factory = await bench.listen()
    port.pauseProducing()
    await bench.turns()
    for _ in range(5):
        far = await client_of(bench, port)
        await far.sends(b"GET")
        far.resets()
    staying = await client_of(bench, port)

    port.resumeProducing()

    def served():
        return [near.transport.getPeer().port for near in factory.made if not near.lost]

    only = [staying.sock.getsockname()[1]]
    await bench.until(lambda: served() == only)

    assert served() == only
    assert None not in [getattr(peer, "host", None) for peer in factory.peers]


# Faults


class Faulty(Near):
    """Has a fault at its beginning. count: how many of them have it."""

    count = 0

    def connectionMade(self):
        Faulty.count -= 1
        if Faulty.count >= 0:
            raise ValueError("a bug")


async def test_a_fault_as_a_connection_begins_ends_that_one_alone(bench, failures):
    Faulty.count = 2
    port, factory = await bench.listen(factory=bench.nears(Faulty))

    for _ in range(2):
        with suppress(ConnectionResetError):
            await (await client_of(bench, port)).reset()
    staying = await client_of(bench, port)

    await bench.until(lambda: len(factory.made) == 3)
    factory.made[2].transport.write(b"!")
    assert await staying.reads(1) == b"!"
    assert [str(event["log_failure"].value) for event in failures] == ["a bug"] * 2
    failures.clear()


async def test_a_factory_that_makes_nothing_closes_that_client_alone(bench):
    port, factory = await bench.listen()
    make, unwanted = factory.buildProtocol, [None]
    factory.buildProtocol = lambda address: unwanted.pop() if unwanted else make(address)

    first, second = await client_of(bench, port), await client_of(bench, port)

    assert await first.ending() == b""
    await greeted(bench, factory, [second])


async def test_a_port_that_accepts_several_in_a_turn_loses_nobody_when_it_pauses(bench):
    port, factory = await bench.listen()
    port.one_by_one(False)
    await bench.turns()
    address = (port.getHost().host, port.getHost().port)
    fars = [await bench.far(address) for _ in range(20)]
    await bench.until(lambda: len(factory.made) == len(fars))

    port.pauseProducing()
    fars += [await bench.far(address) for _ in range(20)]
    await bench.turns()
    assert len(factory.made) == 20

    port.one_by_one(True)
    port.resumeProducing()
    await greeted(bench, factory, fars)
    await bench.stop(port)
    await bench.turns()
    with pytest.raises(ConnectionRefusedError):
        await bench.far(address)


# Unix sockets


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


async def test_a_unix_socket_outlives_a_pause_and_is_removed_at_the_end(bench, tmp_path):
    path = str(tmp_path / "socket")
    port, factory = await bench.listen(f"unix:{path}:mode=600")
    await greeted(bench, factory, [await bench.far(path, socket.AF_UNIX)])
    factory.made.clear()

    port.pauseProducing()
    await bench.turns()
    far = await bench.far(path, socket.AF_UNIX)
    port.resumeProducing()
    await greeted(bench, factory, [far])
    assert mode(path) == 0o600

    await bench.stop(port)
    await bench.turns()
    assert os.listdir(tmp_path) == []


async def test_a_unix_socket_that_nobody_serves_is_replaced_and_a_served_one_is_not(bench, tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    _, factory = await bench.listen(f"unix:{path}")
    await greeted(bench, factory, [await bench.far(path, socket.AF_UNIX)])

    with pytest.raises(CannotListenError):
        await bench.listen(f"unix:{path}")
    await bench.turns()  # somebody looked whether it is served
    factory.made.clear()
    await greeted(bench, factory, [await bench.far(path, socket.AF_UNIX)])


# Sockets of somebody else


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX], ids=["TCP", "Unix"])
async def test_an_adopted_socket_is_served_and_stays_with_its_owner(bench, tmp_path, family):
    address = str(tmp_path / "socket") if family == socket.AF_UNIX else (LOOPBACK, 0)
    theirs = bench.keep(socket.socket(family))
    theirs.bind(address)
    theirs.listen()

    port, factory = await bench.listen(f"fd:{theirs.fileno()}")
    await greeted(bench, factory, [await bench.far(theirs.getsockname(), family)])
    await bench.stop(port)
    await bench.turns()

    waiting = await bench.far(theirs.getsockname(), family)
    theirs.settimeout(5)
    with theirs.accept()[0] as accepted:
        accepted.sendall(b"theirs")
    assert await waiting.reads(6) == b"theirs"


def test_a_descriptor_that_does_not_listen_is_refused_and_left_open(bench):
    with socket.socket() as sock:
        failures = []
        server_endpoint(bench.reactor, f"fd:{sock.fileno()}").listen(bench.nears()).addErrback(failures.append)

        assert failures[0].check(CannotListenError)
        assert sock.getsockname()[0] == "0.0.0.0"


# Running out of descriptors


@pytest.fixture
def sparse(bench, tmp_path):
    """(port, log) of a process on the same kind of reactor that may open fewer descriptors than there are clients."""
    kind = "uvloop" if hasattr(bench.reactor, "_asyncioEventloop") else "epoll"
    log = tmp_path / "log"
    command = [sys.executable, str(Path(__file__).with_name("sparse.py")), kind]
    with log.open("w") as told, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, text=True) as process:
        yield int(process.stdout.readline()), log
        process.kill()


def greeted_so_far(clients):
    """Those that have had their byte. A client that was let in and turned away fails the test."""
    ready = [client for client in clients if select.select([client], [], [], 0)[0]]
    assert [client.recv(1) for client in ready] == [b"!"] * len(ready)
    return ready


def test_without_descriptors_clients_wait_and_none_is_lost(sparse):
    port, log = sparse
    with ExitStack() as opened:
        clients = [opened.enter_context(socket.create_connection((LOOPBACK, port), 20)) for _ in range(LIMIT + 20)]
        wait_until(lambda: "not accepting for a moment" in log.read_text(), "it ran out of descriptors")
        first = greeted_so_far(clients)
        assert 0 < len(first) < len(clients)

        waiting = set(clients).difference(first)
        for client in first:
            client.close()
        wait_until(lambda: waiting.difference_update(greeted_so_far(waiting)) or not waiting, "room for those who wait")
    assert "Traceback" not in log.read_text()


def test_connections_that_we_open_cost_no_client_its_place(sparse):
    """They take all that is left, and then low descriptors become free, one by one, while high ones stay in use."""
    port, log = sparse
    with ExitStack() as opened, socket.create_server((LOOPBACK, 0)) as theirs:
        clients = [opened.enter_context(socket.create_connection((LOOPBACK, port), 20)) for _ in range(LIMIT + 20)]
        wait_until(lambda: "not accepting for a moment" in log.read_text(), "it ran out of descriptors")
        first = greeted_so_far(clients)
        waiting = set(clients).difference(first)
        for client in first:
            client.sendall(b"%04x" % theirs.getsockname()[1])
        while first:
            for client in first[:8]:
                client.close()
            del first[:8]
            time.sleep(0.1)
            waiting.difference_update(greeted_so_far(waiting))
        theirs.close()  # which ends the connections to it
        wait_until(lambda: waiting.difference_update(greeted_so_far(waiting)) or not waiting, "room for those who wait")
    assert "Traceback" not in log.read_text()
