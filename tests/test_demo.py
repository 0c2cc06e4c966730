"""`vestri demo`: what it plans, counts and shows, and that it leaves nothing behind."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from support import wait_until
from vestri.commands.demo import children
from vestri.commands.demo.children import GRACE, Child
from vestri.commands.demo.live import LivePicture
from vestri.commands.demo.picture import Lines, Standing, picture
from vestri.commands.demo.plan import plan, taken
from vestri.commands.demo.running import AWAY, Demo
from vestri.commands.demo.tally import Tally
from vestri.operations.access_lines import CommonLine

ROOT = Path(__file__).parent.parent
EVENT = "2026-11-24T02:59:45+0000 [{}] {}"


# The plan


def test_the_demo_that_is_installed_is_the_one_in_config():
    installed = ROOT / "src/vestri/commands/demo/demo.yaml"
    assert installed.read_text() == (ROOT / "config/demo.yaml").read_text()


def test_where_its_ports_are_free_the_plan_is_the_file_as_it_is():
    planned = plan(lambda port: False)
    assert planned.text == (ROOT / "config/demo.yaml").read_text()
    assert (planned.port, [replica.port for replica in planned.replicas]) == (8080, [8081, 8082, 8083])
    assert [replica.weight for replica in planned.replicas] == [1, 2, 3]
    assert planned.moved == {}


def test_the_next_free_port_stands_in_for_one_that_is_taken():
    planned = plan({8080, 8082, 8084}.__contains__)
    assert planned.moved == {8080: 8085, 8082: 8086}
    assert (planned.port, [replica.port for replica in planned.replicas]) == (8085, [8081, 8086, 8083])
    assert "8080" not in planned.text


def test_a_port_is_taken_while_somebody_listens_on_it():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert taken(port)
    assert not taken(port)


# The counts


def access_line(**facts):
    said = {
        "head": None, "client_ip": "127.0.0.1", "status": 200, "bytes_out": 32, "service": "demo",
        "replica": "http://127.0.0.1:8081", "reason": "", "started": 1.0, "ended": 1.001,
    }  # fmt: skip
    return CommonLine()(SimpleNamespace(**{**said, **facts})).rstrip("\n")


def test_lines_of_the_access_log_are_counted():
    tally = Tally()
    head = SimpleNamespace(method=b"GET", target=b'/"x y"', version=11)
    lines = [
        access_line(), access_line(head=head), access_line(replica="b c"), access_line(status=500),
        access_line(status=503, replica=None, reason="no_replica"), access_line(status=502, reason="upstream_reset"),
    ]  # fmt: skip
    assert all(tally.count(line) for line in lines)
    assert tally.answered == {"http://127.0.0.1:8081": 3, r"b\x20c": 1}
    assert tally.failed == {"no_replica (503)": 1, "upstream_reset (502)": 1}
    assert tally.total == 6


def test_other_lines_are_not():
    tally = Tally()
    assert not any(tally.count(line) for line in ("", EVENT.format("vestri.balancer#info", "listening"), "Traceback"))
    assert tally.total == 0


# The picture

STANDINGS = [
    Standing("8081", 1, 4711, None, 10),
    Standing("8082", 2, None, 4.6, 20),
    Standing("8083", 3, None, None, 30),
]


def a_tally(**failed):
    tally = Tally()
    tally.answered.update(a=10, b=20, c=30)
    tally.failed.update(failed)
    return tally


def test_a_replica_is_up_or_away_or_starting():
    assert [standing.state for standing in STANDINGS] == ["up, pid 4711", "down, back in 5 s", "starts"]


def test_plain_lines_tell_the_counts_when_they_are_new():
    out = io.StringIO()
    lines = Lines(None, out)
    lines.show(STANDINGS, a_tally())
    lines.show(STANDINGS, a_tally())
    lines.show(STANDINGS, a_tally(no_replica=2))
    assert out.getvalue().splitlines() == [
        "60 requests: 10 by 8081, 20 by 8082, 30 by 8083",
        "62 requests: 10 by 8081, 20 by 8082, 30 by 8083; answered by Vestri itself: 2 no_replica",
    ]


def test_it_ends_when_nobody_reads_its_lines():
    gone = []

    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    lines = Lines(lambda: gone.append(True), Gone())
    lines.say("hello")
    lines.say("hello?")
    assert gone == [True]


def test_without_a_terminal_there_are_plain_lines():
    assert isinstance(picture(None), Lines)


def drawn(width, height=40, tally=None, **environ):
    """What a terminal shows after one look."""
    console = Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height, _environ={"TERM": "xterm", **environ}
    )
    live = LivePicture(console)
    live.invite("http://127.0.0.1:8080/")
    live.show(STANDINGS, tally or a_tally())
    live.close()
    return console.file.getvalue()


def text_of(shown):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n")


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (80, ["replica", "weight", "requests", "share", "state"]),
        (70, ["replica", "weight", "requests", "share", "state"]),
        (60, ["replica", "requests", "share", "state"]),
        (40, ["replica", "requests", "share"]),
        (24, ["replica", "requests"]),
    ],
)
def test_a_narrow_terminal_shows_fewer_columns_and_never_half_of_one(width, columns):
    lines = text_of(drawn(width)).splitlines()
    assert max(map(len, lines)) <= width
    assert next(line.split() for line in lines if "replica " in line) == columns
    first = next(line.split() for line in lines if line.startswith(" 8081"))
    assert first[0] == "8081"
    assert "10" in first


def test_a_low_terminal_shows_the_table_and_no_hints():
    assert "curl" in drawn(80, 18)
    assert "curl" not in drawn(80, 17)
    assert "8083" in drawn(80, 10)


def test_without_colour_there_is_none():
    assert re.search(r"\x1b\[[0-9;]*3[0-9]", drawn(80))
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", drawn(80, NO_COLOR="1"))


def test_what_vestri_answered_itself_is_shown():
    assert "answered by Vestri itself: 2 no_replica" in text_of(drawn(80, tally=a_tally(no_replica=2)))


def test_it_is_drawn_anew_only_where_something_changed():
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=40, _environ={"TERM": "xterm"})
    live = LivePicture(console)
    live.show(STANDINGS, a_tally())
    before = console.file.tell()
    live.show(STANDINGS, a_tally())
    assert console.file.tell() == before
    live.show(STANDINGS, a_tally(no_replica=1))
    assert console.file.tell() > before
    live.close()


def test_a_terminal_of_another_size_is_cleared_first():
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=40, _environ={"TERM": "xterm"})
    live = LivePicture(console)
    live.show(STANDINGS, a_tally())
    before = console.file.tell()
    console.width = 40
    live.show(STANDINGS, a_tally())
    shown = console.file.getvalue()[before:]
    live.close()
    assert shown.startswith("\x1b[2J\x1b[H")
    assert max(map(len, text_of(shown).splitlines())) <= 40


# The processes, in memory


class Process:
    """A child's transport. signals: what it was sent."""

    def __init__(self, pid):
        self.pid, self.signals = pid, []

    def closeStdin(self):
        """A child reads nothing."""

    def signalProcess(self, name):
        self.signals.append(name)


class Processes(Clock):
    """A reactor that only notes which processes it is asked for. spawned: [protocol, its command]."""

    def __init__(self):
        super().__init__()
        self.spawned = []

    def spawnProcess(self, protocol, executable, args, env):
        assert env is None
        self.spawned.append((protocol, args))
        protocol.makeConnection(Process(1000 + len(self.spawned)))


class Said:
    """A picture for a test to read."""

    interval = 1.0

    def __init__(self):
        self.lines, self.url, self.standings, self.closed = [], None, None, False

    def say(self, text):
        self.lines.append(text)

    def invite(self, url):
        self.url = url

    def show(self, standings, tally):
        self.standings = standings

    def close(self):
        self.closed = True


@pytest.fixture
def demo():
    """A demo that has been opened, all in memory: reactor, picture, planned, demo."""
    reactor, said = Processes(), Said()
    planned = plan(lambda port: port == 8080)
    running = Demo(reactor, planned, said, lambda port: port == planned.port)
    running.open()
    yield SimpleNamespace(reactor=reactor, picture=said, planned=planned, running=running)
    if not said.closed:
        running.close()
        for protocol, _ in reactor.spawned:
            if protocol.pid:
                protocol.processEnded(Failure(ProcessDone(0)))


def all_listen(demo):
    for number, replica in enumerate(demo.planned.replicas):
        protocol = demo.reactor.spawned[number][0]
        protocol.childDataReceived(1, f"{replica.port} listens on 127.0.0.1\n".encode())


def killed(number):
    return Failure(ProcessTerminated(signal=number))


def test_the_replicas_come_first_and_then_the_balancer(demo):
    assert [command[-2:] for _, command in demo.reactor.spawned] == [["--port", str(8081 + n)] for n in range(3)]
    all_listen(demo)
    assert demo.reactor.spawned[3][1][-4:-1] == ["--pidfile=", "vestri", "--config"]
    assert Path(demo.reactor.spawned[3][1][-1]).read_text() == demo.planned.text


def test_a_person_is_told_of_a_port_in_place_of_another_and_what_to_type(demo):
    assert demo.picture.lines[0] == "Port 8080 is taken; 8084 is used in its place."
    all_listen(demo)
    assert demo.picture.url is None
    demo.reactor.advance(1)
    assert demo.picture.url == "http://127.0.0.1:8084/"


def test_the_balancers_access_lines_are_counted_and_its_events_shown(demo):
    all_listen(demo)
    balancer = demo.reactor.spawned[3][0]
    before = len(demo.picture.lines)
    for line in (
        EVENT.format("twisted.scripts#info", "reactor class: x"),
        EVENT.format("vestri.health#info", "replica 'a' is up"),
        "Traceback \x1b[2J",
        access_line(replica="http://127.0.0.1:8082"),
    ):
        balancer.childDataReceived(1, line[:5].encode())
        balancer.childDataReceived(1, f"{line[5:]}\n".encode())
    demo.reactor.advance(1)
    assert demo.picture.lines[before:] == ["Vestri: replica 'a' is up", "Vestri: Traceback \ufffd[2J"]
    assert [standing.requests for standing in demo.picture.standings] == [0, 1, 0]


def test_a_replica_that_is_killed_is_shown_as_down_and_comes_back(demo):
    all_listen(demo)
    demo.reactor.spawned[1][0].processEnded(killed(signal.SIGKILL))
    demo.reactor.advance(1)
    assert demo.picture.lines[-1] == "Replica 8082 was ended by SIGKILL; it is back in 5 s."
    assert demo.picture.standings[1].state == "down, back in 4 s"
    demo.reactor.pump([1] * int(AWAY))
    assert demo.reactor.spawned[4][1][-2:] == ["--port", "8082"]
    assert demo.picture.standings[1].state == "up, pid 1005"
    assert len(demo.reactor.spawned) == 5


def test_the_end_of_the_balancer_is_the_end_of_the_demo_and_its_last_words_are_shown(demo):
    all_listen(demo)
    ends = []
    demo.running.over.addErrback(ends.append)
    balancer = demo.reactor.spawned[3][0]
    balancer.childDataReceived(2, b"cannot go on\n")
    balancer.processEnded(Failure(ProcessTerminated(exitCode=3)))
    assert demo.picture.lines[-2:] == ["cannot go on", "Vestri ended with status 3."]
    assert ends[0].value.code == 1


def test_a_replica_that_cannot_start_is_the_end_of_the_demo(demo):
    ends = []
    demo.running.over.addErrback(ends.append)
    replica = demo.reactor.spawned[0][0]
    replica.childDataReceived(2, b"vestri replica: cannot listen\n")
    replica.processEnded(Failure(ProcessTerminated(exitCode=1)))
    assert demo.picture.lines[-2:] == ["vestri replica: cannot listen", "Replica 8081 ended with status 1."]
    assert ends[0].value.code == 1
    assert len(demo.reactor.spawned) == 3


def test_the_end_is_asked_for_then_forced_and_leaves_no_file_and_no_timer(demo):
    all_listen(demo)
    directory = Path(demo.reactor.spawned[3][1][-1]).parent
    demo.reactor.spawned[0][0].processEnded(killed(signal.SIGKILL))
    running = [protocol for protocol, _ in demo.reactor.spawned[1:]]
    ends = []
    demo.running.close().addCallback(ends.append)
    demo.reactor.advance(GRACE)
    assert [protocol.transport.signals for protocol in running] == [["TERM", "KILL"]] * 3
    assert ends == []
    for protocol in running:
        protocol.processEnded(killed(signal.SIGKILL))
    assert len(ends) == 1
    assert demo.picture.closed
    assert not directory.exists()
    assert demo.reactor.getDelayedCalls() == []


def test_who_ends_when_asked_is_not_forced(demo):
    demo.running.close()
    for protocol, _ in demo.reactor.spawned:
        protocol.processEnded(killed(signal.SIGTERM))
    assert demo.picture.closed
    assert demo.reactor.getDelayedCalls() == []


# The processes, for real

UNKILLABLE = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)


async def test_a_child_that_heeds_no_sigterm_is_killed(monkeypatch):
    from twisted.internet import reactor

    monkeypatch.setattr(children, "GRACE", 0.1)
    ready, ends = Deferred(), []
    child = Child(
        reactor, ["-c", UNKILLABLE], lambda child, line: ready.callback(line), lambda child, how: ends.append(how)
    )
    child.start()
    assert await ready == "ready"
    pid = child.pid
    await child.stop()
    assert ends == ["was ended by SIGKILL"]
    assert not alive(pid)


PARENT = """
import os, subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-m", "vestri.commands.demo.tethered", str(os.getpid()), "/bin/sleep", "60"])
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is Linux's")
def test_a_child_does_not_outlive_a_parent_that_is_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        try:
            pid = int(parent.stdout.readline())
            wait_until(lambda: command_of(pid).startswith(b"/bin/sleep"), "the child has become its command")
            assert os.getsid(pid) == pid
        finally:
            parent.kill()
    wait_until(lambda: not alive(pid), "the child is gone")


def command_of(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def alive(pid):
    """Whether a process runs; one that has ended and waits for its parent does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.live
def test_the_whole_demo():
    with subprocess.Popen([sys.executable, "-m", "vestri", "demo"], stdout=subprocess.PIPE, text=True) as process:
        try:
            play(process)
        finally:
            process.kill()


def play(process):
    pids, port = [], None
    while port is None:
        line = process.stdout.readline()
        assert line, "the demo ended early"
        pids += re.findall(r"listens, pid (\d+)", line)
        port = next(iter(re.findall(r"answers at http://127.0.0.1:(\d+)/", line)), None)
    answers = [get(int(port)) for _ in range(6)]
    assert sorted(answers.count(answer) for answer in set(answers)) == [1, 2, 3]
    assert re.fullmatch(r"6 requests: 1 by \d+, 2 by \d+, 3 by \d+\n", line_with(process, "requests:"))

    os.kill(int(pids[0]), signal.SIGKILL)
    assert "was ended by SIGKILL; it is back in 5 s." in line_with(process, "SIGKILL")
    assert line_with(process, "is down")
    assert {get(int(port)) for _ in range(10)} < set(answers)

    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert not any(alive(int(pid)) for pid in pids)


def line_with(process, text):
    return next(line for line in process.stdout if text in line)


def get(port):
    client = HTTPConnection("127.0.0.1", port, timeout=10)
    client.request("GET", "/")
    body = client.getresponse().read()
    client.close()
    return body
