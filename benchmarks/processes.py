"""Programs that a measurement starts: pinned to cores, watched, and ended by their process ids."""

import contextlib
import ctypes
import itertools
import os
import random
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from benchmarks.machine import pinned

#: Seconds that a program has to stop by itself, after SIGTERM.
PATIENCE = 5.0
#: Signals that end a run.
STOPPING = (signal.SIGINT, signal.SIGTERM)
#: Seconds between two looks whether a program listens.
LOOK = 0.002

_libc = ctypes.CDLL(None)

#: Every Process that has not been ended. A signal can come between the start of one and the block that ends it.
_running = set()


class Failed(Exception):
    """A program did not start, or did not serve; the message says why in one line."""


class Process:
    """A running program with all the processes that it started.

    arguments: program and arguments.  cores: those it may use.  log: file for its output.
    environment: variables beside those of this process.

    It leads a session of its own, by which its processes are known even when their parent is gone,
    and which keeps Ctrl-C from them: `end` is what stops them.
    """

    def __init__(self, arguments, *, cores, log, environment=None):
        self._log = Path(log)
        self._started = time.monotonic()
        with self._log.open("wb") as output, pinned(cores), undisturbed():
            self._child = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=self._log.parent,
                start_new_session=True,
            )
            self.pid = self._child.pid
            _running.add(self)

    def wait_until_listening(self, port, timeout):
        """Seconds from start until a connection to `port` on loopback was taken.

        Raises Failed when the program ends, or `timeout` seconds pass, before that.
        """
        while not _accepts(port):
            if self._child.poll() is not None:
                raise Failed(f"ended with status {self._child.returncode}: {self.last_words()}")
            if time.monotonic() - self._started > timeout:
                raise Failed(f"did not listen within {timeout:g} s: {self.last_words()}")
            time.sleep(LOOK)
        return time.monotonic() - self._started

    def last_words(self):
        """The last line of its output that says something, without the path of its folder."""
        text = self._log.read_text(errors="replace").replace(f"{self._log.parent}/", "")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"

    def cpu(self):
        """CPU seconds, user and system, that each of its processes has used so far, by process id."""
        return _of_each(session_members(self.pid), cpu_seconds)

    def memory(self):
        """Bytes resident, pages shared between processes divided among them."""
        return sum(_of_each(session_members(self.pid), proportional_set).values())

    def end(self):
        """Stop all its processes: SIGTERM for the first, SIGKILL for what is left after `PATIENCE` seconds."""
        try:
            if self._child.poll() is None:
                self._child.terminate()
            self._child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pass
        finally:  # a second Ctrl-C as well
            self._kill_rest()

    def _kill_rest(self):
        for pid in session_members(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._child.wait()
        _running.discard(self)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.end()


def end_all():
    """End every Process that is still there."""
    for process in list(_running):
        process.end()


@contextlib.contextmanager
def undisturbed():
    """Let SIGINT and SIGTERM, which end a run by an exception, wait until the end of the block."""
    waiting = []
    handlers = {number: signal.signal(number, lambda *signalled: waiting.append(signalled[0])) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in waiting:
            signal.raise_signal(number)


def session_members(leader):
    """Ids of the processes whose session is that of `leader`."""
    numbers = (int(entry) for entry in os.listdir("/proc") if entry.isdecimal())
    return [pid for pid, session in _of_each(numbers, os.getsid).items() if session == leader]


def cpu_seconds(pid):
    """CPU seconds of a process, all threads, user and system.

    Read from the kernel's clock of that process, which counts nanoseconds; `/proc/PID/stat` has hundredths of a second.
    """
    clock = ctypes.c_int()
    if _libc.clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise ProcessLookupError(pid)
    return time.clock_gettime(clock.value)


def proportional_set(pid):
    """Bytes of a process that are resident, each shared page divided by its users (Pss in proc(5))."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)[1])


def _of_each(pids, ask):
    """What `ask` says of each process, by process id, without those that are gone."""
    answers = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            answers[pid] = ask(pid)
    return answers


def free_ports(count):
    """That many TCP ports of loopback which nothing uses at the moment.

    They lie below those that Linux gives to outgoing connections, of which a load makes thousands.
    """
    candidates = random.sample(range(10_000, 32_768), k=22_768)
    return list(itertools.islice(filter(_is_free, candidates), count))


def free_port():
    return free_ports(1)[0]


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _accepts(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
