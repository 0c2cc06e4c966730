"""Several processes behind one port: who serves, who is replaced, and what all of them know."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event

import pytest
from load import Load
from puppet import OK, Puppet
from strict import Stream, connect
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from support import Vestri, free_port, script, wait_until
from vestri import config, wiring
from vestri.errors import VestriError
from vestri.selection import STRATEGIES
from wire import LOOPBACK, PATIENCE, send

pytestmark = pytest.mark.live
GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
CONFIG = """
workers: 2
shutdown: {{grace: 5s}}
access_log: {{format: off}}
services: [{{name: web, health: off, replicas: [{replicas}]}}]
"""
PROBED = CONFIG.replace("health: off", "health: {{path: /health, interval: 250ms, timeout: 250ms, rise: 1, fall: 1}}")


def filled(text, *puppets):
    """A configuration whose replicas are these."""
    return text.format(replicas=", ".join(f'{{url: "{puppet.url}"}}' for puppet in puppets))


@pytest.fixture
def puppet():
    with Puppet() as puppet:
        yield puppet


@contextmanager
def running(directory, text, workers=2):
    """A Vestri whose workers all serve."""
    with Vestri(directory, text) as vestri:
        wait_until(lambda: len(serving(vestri.log)) == workers, "every worker serves")
        yield vestri


def serving(log):
    """Number of a worker -> its process, of those that have said that they serve; the last of each."""
    return {
        int(number): int(pid) for number, pid in re.findall(r"worker (\d+) serves \(process (\d+)\)", log.read_text())
    }


def runs(pid):
    """Whether a process is there, and no zombie that nobody waits for."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def listens(port):
    with suppress(OSError):
        connect(port).close()
        return True
    return False


def ask(port, data=GET):
    with connect(port) as client:
        client.send(data)
        return client.answer()


def clean(log):
    """Nobody had a fault. Returns the log's text."""
    text = log.read_text()
    assert "Traceback" not in text
    assert "Unhandled" not in text
    return text


# Serving


def test_both_serve_and_neither_gets_nearly_everything(tmp_path, puppet):
    with running(tmp_path, filled(CONFIG, puppet)) as vestri:
        statuses = Counter(ask(vestri.port).status for _ in range(400))
        assert vestri.stop() == -signal.SIGTERM

    served = [int(count) for count in re.findall(r"worker \d: served (\d+) requests", clean(vestri.log))]
    assert statuses == {200: 400}
    assert sum(served) == 400
    assert max(served) <= 300, served


def test_one_worker_is_one_process(tmp_path, puppet):
    with Vestri(tmp_path, filled(CONFIG.replace("workers: 2", "workers: 1"), puppet)) as vestri:
        assert ask(vestri.port).status == 200
        assert Path(f"/proc/{vestri.process.pid}/task/{vestri.process.pid}/children").read_text() == ""
        assert "worker" not in clean(vestri.log)


def test_each_takes_its_share_of_the_connections_that_there_may_be(tmp_path, puppet):
    limited = filled(CONFIG, puppet) + "limits: {connections: 4}\n"
    with running(tmp_path, limited) as vestri, ExitStack() as opened:
        clients = [opened.enter_context(connect(vestri.port)) for _ in range(40)]
        for client in clients:
            client.send(GET)
        wait_until(lambda: len(puppet.taken) >= 4, "as many as may be have been served")
        time.sleep(0.2)
        assert len(puppet.taken) == 4
        for client in clients:  # who waits is served as soon as somebody leaves
            client.sock.settimeout(0.05)
            with suppress(OSError):
                client.answer()
                client.close()
        wait_until(lambda: len(puppet.taken) > 4, "others have their turn")


# Dying


def test_one_that_is_killed_costs_what_it_had_in_hand_and_is_replaced(tmp_path, puppet):
    with running(tmp_path, filled(CONFIG, puppet)) as vestri, Load(vestri.port, 16) as load:
        wait_until(lambda: len(load.outcomes) > 200, "there is load")
        before = serving(vestri.log)
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: serving(vestri.log)[0] != before[0], "it is replaced")
        back, so_far = time.monotonic(), len(load.outcomes)
        wait_until(lambda: len(load.outcomes) > so_far + 200, "there is load again")

    failed = [outcome for outcome in load.outcomes if outcome.status != 200]
    assert len(failed) <= 16, "no more than it had connections"
    assert [outcome for outcome in failed if outcome.began > back] == []
    assert serving(vestri.log)[1] == before[1], "the other one was left alone"
    assert "worker 0 ended" in clean(vestri.log)


def test_when_the_supervisor_is_killed_the_workers_finish_and_leave(tmp_path, puppet):
    go_on = Event()
    puppet.next(puppet.take, lambda *_: go_on.wait(PATIENCE), send(OK))
    with running(tmp_path, filled(CONFIG, puppet)) as vestri, connect(vestri.port) as client:
        workers = serving(vestri.log).values()
        client.send(GET)
        wait_until(lambda: puppet.taken, "a request is under way")
        vestri.process.kill()
        wait_until(lambda: sum(map(runs, workers)) == 1, "who has nothing to do leaves")
        go_on.set()
        assert client.answer().body == b"ok"
        wait_until(lambda: not any(map(runs, workers)), "the other one leaves as well")
        assert not listens(vestri.port)


# Stopping


def test_SIGTERM_lets_all_finish_and_takes_nobody_new(tmp_path, puppet):
    go_on, busy = Event(), 8
    for _ in range(busy):
        puppet.next(puppet.take, lambda *_: go_on.wait(PATIENCE), send(OK))
    with running(tmp_path, filled(CONFIG, puppet)) as vestri, ExitStack() as opened:
        clients = [opened.enter_context(connect(vestri.port)) for _ in range(busy)]
        for client in clients:
            client.send(GET)
        wait_until(lambda: len(puppet.taken) == busy, "all requests are under way")
        workers = serving(vestri.log).values()
        vestri.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not listens(vestri.port), "it listens no more")
        go_on.set()
        answers = [client.answer() for client in clients]
        assert [(answer.body, answer.get(b"connection")) for answer in answers] == [(b"ok", b"close")] * busy
        assert vestri.process.wait(PATIENCE) == -signal.SIGTERM
        assert not any(map(runs, workers))
    assert "ended" not in clean(vestri.log)


def test_a_second_SIGTERM_cuts_off_what_is_under_way(tmp_path, puppet):
    for _ in range(4):
        puppet.next(puppet.take, lambda stream, stopped: stopped.wait(PATIENCE))
    with running(tmp_path, filled(CONFIG, puppet).replace("grace: 5s", "grace: 600s")) as vestri, ExitStack() as opened:
        clients = [opened.enter_context(connect(vestri.port)) for _ in range(4)]
        for client in clients:
            client.send(GET)
        wait_until(lambda: len(puppet.taken) == 4, "all requests are under way")
        vestri.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not listens(vestri.port), "it listens no more")
        vestri.process.send_signal(signal.SIGTERM)
        for client in clients:
            with pytest.raises((EOFError, ConnectionResetError)):
                client.answer()
        assert vestri.process.wait(PATIENCE) == -signal.SIGTERM
    assert "stopping at once" in clean(vestri.log)


def test_a_worker_that_does_not_heed_is_killed(tmp_path, puppet):
    """Stopped by SIGSTOP, it hears nothing at all; its supervisor waits for the grace, and 5 s more."""
    with running(tmp_path, filled(CONFIG, puppet).replace("grace: 5s", "grace: 100ms")) as vestri:
        workers = serving(vestri.log)
        os.kill(workers[0], signal.SIGSTOP)
        vestri.process.send_signal(signal.SIGTERM)
        assert vestri.process.wait(PATIENCE) == -signal.SIGTERM
        assert not any(map(runs, workers.values()))


def test_a_hangup_ends_nothing(tmp_path, puppet):
    with running(tmp_path, filled(CONFIG, puppet)) as vestri:
        vestri.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "SIGHUP" in vestri.log.read_text(), "it was told")
        assert ask(vestri.port).status == 200


# Knowing


def asked(puppet):
    """How many requests of clients came to a replica, probes left out."""
    return sum(each.target == b"/" for each in puppet.taken)


def test_what_the_supervisor_finds_out_everybody_knows_replacements_too(tmp_path):
    with Puppet() as sick, Puppet() as well, running(tmp_path, filled(PROBED, sick, well)) as vestri:
        wait_until(lambda: vestri.log.read_text().count(" is up") == 2, "both are up")
        sick.answer = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"
        wait_until(lambda: " is down" in vestri.log.read_text(), "one is down")
        wait_until(lambda: {ask(vestri.port).status for _ in range(40)} == {200}, "every worker has heard of it")

        before = serving(vestri.log)
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not set(serving(vestri.log).values()) & set(before.values()), "both are replaced")
        wait_until(lambda: {ask(vestri.port).status for _ in range(40)} == {200}, "they have heard of it as well")
        so_far = asked(sick)
        assert {ask(vestri.port).status for _ in range(40)} == {200}
        assert asked(sick) == so_far
    assert vestri.log.read_text().count(" is down") == 1, "one of them asks, for all"


def test_logs_that_were_moved_are_opened_anew_by_everybody(tmp_path, puppet):
    path, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    text = filled(CONFIG, puppet).replace("access_log: {format: off}", f'access_log: {{path: "{path}"}}')
    with running(tmp_path, text) as vestri:
        for _ in range(40):
            ask(vestri.port)
        wait_until(lambda: len(path.read_text().splitlines()) == 40, "all lines are there")
        path.rename(moved)
        vestri.process.send_signal(signal.SIGUSR1)
        wait_until(path.exists, "there is a new file")
        wait_until(lambda: holders(moved, serving(vestri.log).values()) == 0, "nobody has the old one any more")
        for _ in range(40):
            ask(vestri.port)
        wait_until(lambda: len(path.read_text().splitlines()) == 40, "new lines are in the new file")
        assert len(moved.read_text().splitlines()) == 40
        clean(vestri.log)


def holders(path, pids):
    """How many of the processes have a file open."""
    return sum(str(path) in map(os.readlink, Path(f"/proc/{pid}/fd").iterdir()) for pid in pids)


# Steering: there is no control socket yet, so the supervisor runs here, with real workers


@pytest.fixture
def supervisor(started_reactor, puppet):
    """A Supervisor in this process, not started."""
    with Puppet() as other:
        text = filled(CONFIG, puppet, other) + f'listen: ["tcp:{free_port()}:interface={LOOPBACK}"]\n'
        supervisor = wiring.build(config.load(text, strategies=STRATEGIES), started_reactor)
        supervisor.puppets = [puppet, other]
        yield supervisor


async def until(reactor, happened):
    deadline = reactor.seconds() + PATIENCE
    while not (answer := happened()):
        assert reactor.seconds() < deadline, "it did not happen"
        await deferLater(reactor, 0.01)
    return answer


def all_ask(supervisor, count=40):
    """A Deferred that fires when so many requests have been answered, on connections of their own."""
    port = supervisor.slots[0].sockets[0].getsockname()[1]
    return deferToThread(lambda: [ask(port).status for _ in range(count)])


def shares(supervisor):
    """What the replicas took since last time."""
    taken = [len(puppet.taken) for puppet in supervisor.puppets]
    for puppet in supervisor.puppets:
        puppet.taken.clear()
    return taken


async def test_verbs_and_counts_reach_every_worker(supervisor):
    supervisor.privilegedStartService()
    supervisor.startService()
    try:
        await steered_and_counted(supervisor)
    finally:
        await supervisor.stopService()


async def steered_and_counted(supervisor):
    first, second = (puppet.url for puppet in supervisor.puppets)
    await until(supervisor.reactor, lambda: len(supervisor.workers) == 2)

    await supervisor.steer("web", "drain", first)
    assert await all_ask(supervisor) == [200] * 40
    assert shares(supervisor) == [0, 40]

    await supervisor.steer("web", "ready", first)
    await supervisor.steer("web", "set_weight", second, 0)
    await all_ask(supervisor)
    assert shares(supervisor) == [40, 0]

    with pytest.raises(VestriError, match="no replica 'nobody'"):
        await supervisor.steer("web", "drain", "nobody")
    with pytest.raises(ValueError, match="expected a whole number 0..1000, got -1"):
        await supervisor.steer("web", "set_weight", second, -1)

    counts = await supervisor.counts()
    assert counts["services"]["web"]["statuses"] == {"200": 80}
    assert [counts["members"]["web"][url]["selected"] for url in (first, second)] == [40, 40]

    pid = supervisor.workers[0].transport.pid
    os.kill(pid, signal.SIGKILL)
    await until(supervisor.reactor, lambda: pid not in pids(supervisor) and len(supervisor.workers) == 2)
    await all_ask(supervisor)
    assert shares(supervisor) == [40, 0], "who is new was steered like the others"


def pids(supervisor):
    return [worker.transport.pid for worker in supervisor.workers]


# Ways to be started


def command(directory, *options):
    return [script("twistd"), f"--pidfile={directory}/vestri.pid", f"--logfile={directory}/log", *options, "vestri"]


@contextmanager
def daemon(directory, text, port, command):
    """A Vestri that has detached itself. Yields its pid, and kills what is left of it."""
    file, pidfile = directory / "config.yaml", directory / "vestri.pid"
    file.write_text(text)
    subprocess.run([*command, f"--config={file}", f"--port={port}"], cwd=directory, check=True, timeout=60)
    try:
        wait_until(lambda: len(serving(directory / "log")) == 2, "every worker serves")
        yield int(pidfile.read_text())
    finally:
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(pidfile.read_text()), signal.SIGKILL)


def test_as_a_daemon(tmp_path, puppet):
    port = free_port()
    with daemon(tmp_path, filled(CONFIG, puppet), port, command(tmp_path)) as pid:
        workers = serving(tmp_path / "log").values()
        assert ask(port).status == 200
        assert {os.getsid(each) for each in (pid, *workers)} == {os.getsid(pid)} != {os.getsid(0)}
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not any(map(runs, (pid, *workers))), "all have ended")
        assert not (tmp_path / "vestri.pid").exists()
    clean(tmp_path / "log")


NOBODY = 65534


def everybody_s_python():
    """An interpreter that nobody may execute, with what it needs to find this one's packages; or None."""
    packages = [path for path in sys.path if path and not path.startswith(sys.base_prefix)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(packages), "HOME": "/"}
    for python in (sys.executable, "/usr/bin/python{}.{}".format(*sys.version_info)):
        trying = [python, "-c", "import uvloop, treq, vestri.wiring, vestri.worker"]
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                trying, env=environment, cwd="/", user=NOBODY, group=NOBODY, extra_groups=[], check=True, timeout=60,
                capture_output=True,
            )  # fmt: skip
            return python, environment
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_at_a_low_port_as_nobody(tmp_path, puppet, monkeypatch):
    """Workers that are replaced have no privileges either, and need none: the sockets are there."""
    found = everybody_s_python()
    if found is None:
        pytest.skip("no interpreter with Vestri's packages that nobody may execute")
    python, environment = found
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    port = next(port for port in range(1023, 900, -1) if not listens(port))
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    twistd = [python, "-c", "from twisted.scripts.twistd import run; run()"]
    options = command(tmp_path, f"--uid={NOBODY}", f"--gid={NOBODY}")[1:]

    with daemon(tmp_path, filled(CONFIG, puppet), port, [*twistd, *options]) as pid:
        before = serving(tmp_path / "log")
        os.kill(before[1], signal.SIGKILL)
        wait_until(lambda: serving(tmp_path / "log")[1] != before[1], "it is replaced")
        workers = serving(tmp_path / "log").values()
        for each in (pid, *workers):
            assert "Uid:\t65534\t65534\t65534\t65534" in Path(f"/proc/{each}/status").read_text()
        assert {ask(port).status for _ in range(20)} == {200}
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not any(map(runs, (pid, *workers))), "all have ended")


@contextmanager
def foreground(directory, text, **how):
    """A Vestri that listens where its file says."""
    file, log = directory / "config.yaml", directory / "log"
    file.write_text(text)
    arguments = [script("twistd"), "-n", f"--pidfile={directory}/pid", "vestri", f"--config={file}"]
    with log.open("w") as out, subprocess.Popen(arguments, stdout=out, stderr=out, cwd=directory, **how) as process:
        try:
            wait_until(lambda: len(serving(log)) == 2, "every worker serves")
            yield process
        finally:
            process.terminate()
            assert process.wait(PATIENCE) == -signal.SIGTERM
    clean(log)


def test_at_a_socket_of_systemd_s(tmp_path, puppet):
    with socket.create_server((LOOPBACK, 0)) as theirs:
        text = filled(CONFIG, puppet) + 'listen: ["systemd:name=http"]\n'
        environment = {**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}

        def handed_over():
            os.dup2(theirs.fileno(), 3)

        how = {"env": environment, "close_fds": False, "preexec_fn": handed_over}
        with foreground(tmp_path, text, **how):
            assert {ask(theirs.getsockname()[1]).status for _ in range(20)} == {200}


def test_at_a_unix_socket_which_is_gone_afterwards(tmp_path, puppet):
    path = tmp_path / "http"
    with foreground(tmp_path, filled(CONFIG, puppet) + f'listen: ["unix:{path}"]\n'):
        for _ in range(20):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(path))
                with Stream(sock) as client:
                    client.send(GET)
                    assert client.answer().status == 200
    assert not path.exists()
