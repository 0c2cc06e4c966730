"""Vestri under twistd: in the foreground and as a daemon, told to stop, and as somebody else."""

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import pytest
from puppet import OK
from stage import HOST, PLAIN, Stage
from strict import PATIENCE, connect

from support import free_port, script, wait_until
from wire import send

pytestmark = pytest.mark.live
CONFIG = PLAIN.replace("idle: 2s", "idle: 2s, client_idle: 30s") + "shutdown: {{grace: 2s}}\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture
def passing(stage, tmp_path):
    """A Stage of this test's own, over the module's replicas: it is told to stop."""
    with Stage(tmp_path, CONFIG, stage.puppets) as passing:
        yield passing


def test_SIGTERM_ends_it_in_order(passing):
    assert passing.ask(GET).status == 200
    assert passing.vestri.stop() == -signal.SIGTERM, "twistd ends by the signal that it was sent"
    log = passing.vestri.log.read_text()
    assert "Traceback" not in log
    assert "Unhandled" not in log


def test_SIGTERM_lets_an_answer_under_way_be_finished_and_takes_no_more(passing):
    go_on = Event()
    passing.puppet.next(passing.puppet.take, lambda *_: go_on.wait(5), send(OK))
    with passing.connect() as client:
        client.send(GET)
        wait_until(lambda: passing.taken, "the request is under way")
        passing.vestri.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not listens(passing.vestri.port), "it listens no more")
        go_on.set()
        answer = client.answer()
        assert (answer.body, answer.get(b"connection")) == (b"ok", b"close")
        assert client.ended()
    assert passing.vestri.process.wait(PATIENCE) == -signal.SIGTERM


def test_SIGTERM_closes_idle_connections_at_once(passing):
    with passing.connect() as client:
        client.send(GET)
        assert client.answer().status == 200
        passing.vestri.process.send_signal(signal.SIGTERM)
        assert client.ended()
        assert passing.vestri.process.wait(1.5) == -signal.SIGTERM


def test_SIGTERM_cuts_off_what_takes_longer_than_its_grace(passing):
    passing.puppet.next(
        passing.puppet.take, send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234"), lambda *_: _[1].wait(8)
    )
    with passing.connect() as client:
        client.send(GET)
        client.head()
        passing.vestri.process.send_signal(signal.SIGTERM)
        with pytest.raises((EOFError, ConnectionResetError)):
            client.exactly(9)
    assert passing.vestri.process.wait(PATIENCE) == -signal.SIGTERM


def test_another_signal_does_not_wait_for_the_grace(passing):
    passing.puppet.next(passing.puppet.take, lambda stream, stopped: stopped.wait(8))
    with passing.connect() as client:
        client.send(GET)
        wait_until(lambda: passing.taken, "the request is under way")
        began = time.monotonic()
        passing.vestri.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not listens(passing.vestri.port), "it listens no more")
        passing.vestri.process.send_signal(signal.SIGTERM)
        assert passing.vestri.process.wait(PATIENCE) == -signal.SIGTERM
        assert time.monotonic() - began < 1.8


def test_it_starts_again_at_once_at_the_same_port(stage, tmp_path):
    with Stage(tmp_path, CONFIG, stage.puppets) as first:
        with first.connect() as client:
            client.send(GET)
            assert client.answer().status == 200
            first.vestri.stop()
        again = first.vestri
        with again:
            assert first.ask(GET).status == 200


def test_a_port_in_use_is_one_line_and_nothing_runs(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = tmp_path / "config.yaml"
        config.write_text('services: [{name: web, health: off, replicas: [{url: "http://127.0.0.1:1"}]}]\n')
        ended = run_to_the_end(tmp_path, config, taken.getsockname()[1])
    said = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert [line for line in said.splitlines() if "in use" in line]
    assert "Traceback" not in said


def test_a_faulty_file_is_refused_before_anything_starts(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        "services:\n  - name: web\n    strategy: WeightedRobin\n    replicas: [{url: 'http://127.0.0.1:1'}]\n"
    )
    ended = run_to_the_end(tmp_path, config, free_port())
    assert ended.returncode == 2
    assert "config.yaml:3:15: services[0].strategy" in ended.stderr
    assert "WeightedRoundRobin" in ended.stderr


def run_to_the_end(directory, config, port):
    command = [
        script("twistd"),
        "-n",
        "--pidfile",
        str(directory / "pid"),
        "vestri",
        "--config",
        config,
        "--port",
        str(port),
    ]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60)


# Daemons

PROBED = """
services: [{name: web, replicas: [{url: "http://localhost:%d"}]}]
access_log: {format: off}
"""


@contextmanager
def daemon(directory, puppet, port, *options):
    """`twistd vestri` that has detached itself. Yields (pidfile, log), and kills what is left of it.

    Its replica is probed, and known by name: it has to import all that it ever needs.
    """
    config, pidfile, log = directory / "config.yaml", directory / "vestri.pid", directory / "vestri.log"
    config.write_text(PROBED % puppet.port)
    command = [script("twistd"), f"--pidfile={pidfile}", f"--logfile={log}", *options]
    serving = ["vestri", f"--config={config}", f"--port={port}"]
    subprocess.run([*command, *serving], cwd=directory, check=True, timeout=60)
    try:
        wait_until(lambda: listens(port), "the daemon listens")
        yield pidfile, log
    finally:
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(pidfile.read_text()), signal.SIGKILL)


def listens(port):
    with suppress(OSError):
        connect(port).close()
        return True
    return False


def runs(pid):
    """Whether a process is there and no zombie that nobody waits for."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def ask(port):
    with connect(port) as client:
        client.send(GET)
        return client.answer().status


def test_a_daemon_writes_its_pid_and_log_and_ends_in_order(stage, tmp_path):
    port = free_port()
    with daemon(tmp_path, stage.puppet, port) as (pidfile, log):
        pid = int(pidfile.read_text())
        assert ask(port) == 200
        assert os.getsid(pid) != os.getsid(0), "it has left the terminal"
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not runs(pid), "it has ended")
        assert not pidfile.exists()
    said = log.read_text()
    assert "Traceback" not in said
    assert "Server Shut Down" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_root_takes_a_low_port_and_serves_as_nobody(stage, tmp_path):
    """Bound first, shed after: what speaks to the world has no privileges left."""
    port = next(port for port in range(1023, 900, -1) if not listens(port))
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    with daemon(tmp_path, stage.puppet, port, "--uid=65534", "--gid=65534") as (pidfile, log):
        pid = int(pidfile.read_text())
        status = Path(f"/proc/{pid}/status").read_text()
        assert "Uid:\t65534\t65534\t65534\t65534" in status
        assert "Gid:\t65534\t65534\t65534\t65534" in status
        assert ask(port) == 200
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not runs(pid), "it has ended")
    assert "Traceback" not in log.read_text()
