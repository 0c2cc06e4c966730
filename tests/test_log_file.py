import errno
import fcntl
import os
import pty
import socket
import stat
import subprocess
import sys
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent, globalLogPublisher

from vestri.operations import outlets
from vestri.operations.log_file import BACKLOG, BATCH, DELAY, QUIET, LogFile


class Outlet:
    """Takes what `plan` says, one entry a write: a number of bytes, an errno (negative), or all once it is over."""

    def __init__(self, plan=()):
        self.plan, self.taken, self.writes, self.closed = list(plan), b"", 0, False

    def write(self, data):
        self.writes += 1
        step = self.plan.pop(0) if self.plan else len(data)
        if step < 0:
            raise OSError(-step, os.strerror(-step))
        self.taken += bytes(data[:step])
        return min(step, len(data))

    def close(self):
        self.closed = True


def a_log(outlet, clock, path="/var/log/access.log"):
    return LogFile(path, clock, lambda path: outlet)


def running(outlet, clock, path="/var/log/access.log"):
    log = a_log(outlet, clock, path)
    log.startService()
    return log


@contextmanager
def told():
    """Collects what the event log hears from warnings up."""
    lines = []

    def observe(event):
        if event["log_level"] >= LogLevel.warn:
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(observe)


# Batches


def test_lines_are_gathered_and_written_at_once():
    clock, outlet = Clock(), Outlet()
    log = running(outlet, clock)
    for line in ("a\n", "b\n", "c\n"):
        log.append(line)
    assert outlet.writes == 0
    clock.advance(DELAY)
    assert (outlet.taken, outlet.writes) == (b"a\nb\nc\n", 1)


def test_a_full_batch_does_not_wait():
    clock, outlet = Clock(), Outlet()
    log = running(outlet, clock)
    log.append("x" * (BATCH - 1) + "\n")
    assert len(outlet.taken) == BATCH


def test_what_is_left_is_written_at_the_stop_and_no_timer_stays():
    clock, outlet = Clock(), Outlet()
    log = running(outlet, clock)
    log.append("a\n")
    log.stopService()
    assert outlet.taken == b"a\n"
    assert clock.getDelayedCalls() == []


def test_a_stop_leaves_no_timer_even_where_nobody_reads():
    clock = Clock()
    log = running(Outlet([-errno.EAGAIN] * 5), clock)
    log.append("a\n")
    log.stopService()
    assert clock.getDelayedCalls() == []


def test_requests_that_end_after_the_stop_are_written_at_once():
    clock, outlet = Clock(), Outlet()
    log = running(outlet, clock)
    log.stopService()
    log.append("late\n")
    assert outlet.taken == b"late\n"
    assert clock.getDelayedCalls() == []


def test_a_line_after_close_is_dropped_and_reaches_no_other_file(tmp_path):
    log = LogFile(tmp_path / "log", Clock())
    log.append("a\n")
    log.close()
    with open(tmp_path / "other", "wb"):  # which gets the descriptor that the log had
        log.append("b\n")
    assert (tmp_path / "log").read_text() == "a\n"
    assert (tmp_path / "other").read_text() == ""


# Failures


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EPIPE, errno.EIO, errno.EFBIG, errno.EDQUOT, errno.ENXIO])
def test_lines_that_cannot_be_written_are_dropped_and_counted(error):
    clock, outlet = Clock(), Outlet([-error, -error])
    log = running(outlet, clock)
    with told() as lines:
        for line in ("a\n", "b\nc\n"):
            log.append(line)
            clock.advance(DELAY)
        assert lines == [f"log to /var/log/access.log: lines are dropped: {os.strerror(error)}"]
        clock.advance(QUIET)
        log.append("d\n")
        clock.advance(DELAY)
    assert outlet.taken == b"d\n"
    assert lines[1:] == ["log to /var/log/access.log: written again; lines dropped: 3"]


def test_it_does_not_count_as_working_again_while_it_comes_and_goes():
    clock, outlet = Clock(), Outlet([-errno.ENOSPC, 100, -errno.ENOSPC, 100, -errno.ENOSPC])
    clock.advance(QUIET)
    log = running(outlet, clock)
    with told() as lines:
        for _ in range(6):
            log.append("a\n")
            clock.advance(DELAY)
    assert len(lines) == 1


def test_a_line_of_which_half_was_written_is_finished_first():
    clock, outlet = Clock(), Outlet([5, -errno.ENOSPC])
    log = running(outlet, clock)
    log.append("one\ntwo\nthree\n")
    clock.advance(DELAY)
    assert outlet.taken == b"one\nt"
    clock.advance(DELAY)
    log.append("four\n")
    clock.advance(DELAY)
    assert outlet.taken == b"one\ntwo\nfour\n"


def test_what_a_slow_reader_does_not_take_waits():
    clock, outlet = Clock(), Outlet([3, -errno.EAGAIN, -errno.EAGAIN])
    log = running(outlet, clock)
    log.append("one\ntwo\n")
    clock.pump([DELAY] * 3)
    assert outlet.taken == b"one\ntwo\n"


def test_no_more_waits_than_the_backlog():
    clock, outlet = Clock(), Outlet([-errno.EAGAIN] * 100)
    log = running(outlet, clock)
    line = "x" * 1023 + "\n"
    with told() as lines:
        for _ in range(BACKLOG // 1024 + 7):
            log.append(line)
        log.flush()
        assert lines == ["log to /var/log/access.log: lines are dropped: nobody reads it"]
        outlet.plan = []
        clock.advance(QUIET)
    assert len(outlet.taken) == BACKLOG
    assert lines[1:] == ["log to /var/log/access.log: written again; lines dropped: 7"]


def test_a_stuck_standard_output_is_told_of_only_when_it_is_read_again():
    clock, outlet = Clock(), Outlet([-errno.EAGAIN] * 100)
    log = running(outlet, clock, "-")
    with told() as lines:
        log.append("x" * BACKLOG + "\n")
        assert lines == []
        outlet.plan = []
        clock.advance(QUIET)
        log.append("a\n")
        clock.advance(DELAY)
    assert lines == ["log to standard output: written again; lines dropped: 1"]


STEPS = st.lists(st.integers(1, 40) | st.sampled_from([-errno.EAGAIN, -errno.ENOSPC, -errno.EIO]), max_size=60)


@given(plan=STEPS, lengths=st.lists(st.integers(0, 30), max_size=60))
def test_whatever_fails_the_file_holds_whole_lines_and_the_rest_is_counted(plan, lengths):
    clock, outlet = Clock(), Outlet(plan)
    log = running(outlet, clock)
    lines = [f"{number}:{'x' * length}\n" for number, length in enumerate(lengths)]
    with told() as heard:
        for line in lines:
            log.append(line)
            clock.advance(DELAY)
        outlet.plan = []
        clock.advance(QUIET)
        log.append("end\n")
        log.stopService()
    written = outlet.taken.decode().splitlines(keepends=True)
    dropped = len(lines) + 1 - len(written)
    assert [line for line in [*lines, "end\n"] if line in set(written)] == written
    counts = [line for line in heard if "written again" in line]
    assert counts == ([f"log to {log.path}: written again; lines dropped: {dropped}"] if dropped else [])


# Files


def test_a_file_is_appended_to_and_made_for_its_owner_and_group(tmp_path):
    path = tmp_path / "access.log"
    before = os.umask(0o022)
    try:
        for line in ("a\n", "b\n"):
            log = LogFile(path, Clock())
            log.append(line)
            log.close()
    finally:
        os.umask(before)
    assert path.read_text() == "a\nb\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_file_that_cannot_be_opened_is_an_error_at_once(tmp_path):
    with pytest.raises(FileNotFoundError):
        LogFile(tmp_path / "none" / "access.log", Clock())


def test_after_a_rotation_lines_go_to_the_new_file(tmp_path):
    path, clock = tmp_path / "access.log", Clock()
    log = LogFile(path, clock)
    log.startService()
    log.append("old\n")
    path.rename(tmp_path / "access.log.1")
    log.reopen()
    log.append("new\n")
    log.close()
    assert (tmp_path / "access.log.1").read_text() == "old\n"
    assert path.read_text() == "new\n"


def test_a_rotation_lets_go_of_the_old_file():
    old, new = Outlet(), Outlet()
    outlets = iter([old, new])
    log = LogFile("/var/log/access.log", Clock(), lambda path: next(outlets))
    log.reopen()
    assert (old.closed, new.closed) == (True, False)


def test_a_rotation_that_fails_leaves_the_log_where_it_is(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    log = LogFile(folder / "access.log", Clock())
    folder.rename(tmp_path / "moved")
    with told() as lines:
        log.reopen()
    log.append("a\n")
    log.close()
    assert lines == [f"log to {folder}/access.log: it stays where it is: No such file or directory"]
    assert (tmp_path / "moved" / "access.log").read_text() == "a\n"


def test_a_line_torn_by_a_rotation_does_not_begin_the_new_file(tmp_path):
    new = outlets.open_outlet(tmp_path / "new")
    old = outlets.open_outlet(tmp_path / "old")
    full = iter([3])

    def take_three_then_no_more(data):
        try:
            return os.write(old._descriptor, data[: next(full)])
        except StopIteration:
            raise OSError(errno.ENOSPC, "full") from None

    clock, opened = Clock(), iter([old, new])
    old.write = take_three_then_no_more
    log = LogFile(tmp_path / "log", clock, lambda path: next(opened))
    with told() as lines:
        log.append("torn line\n")
        log.reopen()
        clock.advance(QUIET)
        log.append("next\n")
    log.close()
    assert (tmp_path / "old").read_text() == "tor"
    assert (tmp_path / "new").read_text() == "next\n"
    assert lines == [f"log to {tmp_path}/log: written again; lines dropped: 1"]


def test_a_full_disk_drops_lines():
    log = LogFile("/dev/full", Clock())
    with told() as lines:
        log.append("a\n")
    log.close()
    assert lines == ["log to /dev/full: lines are dropped: No space left on device"]


TINY = """
import resource
from twisted.internet.task import Clock
from vestri.operations.log_file import LogFile
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
log = LogFile({path!r}, Clock())
log.append("one\\ntwo\\nthree\\nfour\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.append("five\\n")
"""


def test_a_file_at_the_limit_of_its_size_keeps_whole_lines(tmp_path):
    path = str(tmp_path / "log")
    subprocess.run([sys.executable, "-c", TINY.format(path=path)], check=True, timeout=30)
    with open(path) as file:
        assert file.read() == "one\ntwo\nthree\nfive\n"


# Standard output


@contextmanager
def pipe():
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def fill(outlet):
    for _ in range(1000):
        outlet.write(b"x" * 65536)


def blocks(descriptor):
    return not fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_NONBLOCK


KINDS = [("our own opening", outlets.standard_output), ("a shared one", lambda fd: outlets.Shared(os.dup(fd)))]


@pytest.mark.parametrize("make", [row[1] for row in KINDS], ids=[row[0] for row in KINDS])
def test_a_pipe_that_nobody_reads_is_not_waited_for_and_stays_as_it_was(make):
    with pipe() as (reader, writer):
        outlet = make(writer)
        assert outlet.write(b"x" * 8192) == 4096
        with pytest.raises(BlockingIOError):
            outlet.write(b"y")
        assert blocks(writer)
        os.read(reader, 4096)
        assert outlet.write(b"z") == 1
        outlet.close()


@pytest.mark.parametrize("make", [row[1] for row in KINDS], ids=[row[0] for row in KINDS])
def test_a_pipe_whose_reader_is_gone_is_an_error(make):
    reader, writer = os.pipe()
    outlet = make(writer)
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        outlet.write(b"a\n")
    outlet.close()
    os.close(writer)


def test_a_terminal_that_is_held_is_not_waited_for_and_stays_as_it_was():
    master, terminal = pty.openpty()
    outlet = outlets.standard_output(terminal)
    with pytest.raises(BlockingIOError):
        fill(outlet)
    assert blocks(terminal)
    outlet.close()
    os.close(terminal)
    os.close(master)


def test_a_socket_that_nobody_reads_is_not_waited_for_and_stays_as_it_was():
    ours, theirs = socket.socketpair()
    outlet = outlets.standard_output(ours.fileno())
    with pytest.raises(BlockingIOError):
        fill(outlet)
    assert blocks(ours.fileno())
    outlet.close()
    ours.close()
    theirs.close()


def test_a_file_as_standard_output_is_shared_with_what_else_is_written_to_it(tmp_path):
    with open(tmp_path / "out", "wb", buffering=0) as file:
        file.write(b"event\n")
        outlet = outlets.standard_output(file.fileno())
        outlet.write(b"access\n")
        file.write(b"event\n")
        outlet.close()
    assert (tmp_path / "out").read_text() == "event\naccess\nevent\n"


def test_a_closed_standard_output_is_an_error_at_once():
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    with pytest.raises(OSError, match="Bad file descriptor"):
        outlets.standard_output(writer)


def test_standard_output_is_not_reopened():
    opened = []
    log = LogFile("-", Clock(), lambda path: opened.append(path) or Outlet())
    log.reopen()
    assert opened == ["-"]
