"""Which kind of transport serves; and the contract of all kinds, kept on each of their reactors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from vestri.transport import eager
from vestri.transport.kinds import kind_of

HERE = Path(__file__).parent
#: The tests of this directory that run on the reactor of their process, whichever that is.
CONTRACT = ("test_transport_contract.py", "test_transport_passing.py", "test_transport_ports.py", "test_handshakes.py")


def test_the_contract_holds_on_uvloop_too():
    """A process has one reactor; this one's is Twisted's own."""
    pytest.importorskip("uvloop")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "on_uvloop", "--reactor=asyncio", *CONTRACT],
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_this_process_has_the_reactor_of_the_other_kind(started_reactor):
    """Or the contract would be tested twice on one, and on the other never."""
    assert kind_of(started_reactor) is eager


def test_a_reactor_that_nobody_knows_is_served_by_twisted_s_transports():
    assert kind_of(Clock()) is eager


def kind_where(program):
    """The name of the kind that serves in a fresh process, after it ran `program`."""
    asking = f"{program}\nfrom twisted.internet import reactor\nfrom vestri.transport.kinds import kind_of\n"
    command = [sys.executable, "-c", f"{asking}print(kind_of(reactor).__name__)"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_with_uvloop_its_own_transports_serve():
    pytest.importorskip("uvloop")
    assert kind_where("from vestri.transport import install_reactor; install_reactor()") == "vestri.transport.uv"


def test_without_uvloop_twisted_s_serve():
    without = "import sys; sys.modules['uvloop'] = None"
    installing = "from vestri.transport import install_reactor; install_reactor()"
    assert kind_where(f"{without}\n{installing}") == "vestri.transport.eager"


def test_on_an_event_loop_of_asyncio_itself_twisted_s_serve():
    assert (
        kind_where("from twisted.internet import asyncioreactor; asyncioreactor.install()") == "vestri.transport.eager"
    )
