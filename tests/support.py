"""Vestri as a real process, for the live tests."""

import itertools
import random
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from wire import LOOPBACK, PATIENCE

# Below the range from which Linux takes the ports of outgoing connections. No two test processes share a hundred.
_HUNDREDS = range(20_000, 32_000, 100)


def free_port():
    """A port that nobody listens on and that no other test is given meanwhile, in this process or in another."""
    return next(_free_ports)


def _hand_out_ports():
    with socket.socket() as claim:  # bound as long as the process lives: the mark that its hundred is taken
        own = next(hundred for hundred in random.sample(_HUNDREDS, len(_HUNDREDS)) if _can_bind(claim, hundred))
        for port in itertools.cycle(range(own + 1, own + _HUNDREDS.step)):
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if not _can_bind(sock, port):
                    continue
            yield port


def _can_bind(sock, port):
    try:
        sock.bind(("", port))
    except OSError:
        return False
    return True


_free_ports = _hand_out_ports()


def wait_until(happened, what, seconds=PATIENCE):
    """Ask `happened` until it says something true, and return that. AssertionError with `what` when time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := happened():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def script(name):
    """The command of that name beside the interpreter that runs the tests."""
    return str(Path(sys.executable).with_name(name))


class Vestri:
    """`twistd -n vestri` on a port of its own, running while the context lasts.

    directory: takes configuration, pidfile and log.  config: text of the file.  options: more of the command line.
    """

    def __init__(self, directory, config, *options):
        self.port = free_port()
        self.log = directory / f"vestri-{self.port}.log"
        self.config = directory / f"vestri-{self.port}.yaml"
        self.config.write_text(config)
        pidfile = ("--pidfile", str(directory / f"vestri-{self.port}.pid"))
        serving = ("--config", str(self.config), "--port", str(self.port))
        self._command = [script("twistd"), "-n", *pidfile, "vestri", *serving, *options]

    def __enter__(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.log.parent
            )
        try:
            wait_until(self._listens, f"Vestri listens on {self.port}")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info):
        self.stop()

    def _listens(self):
        if self.process.poll() is not None:
            raise AssertionError(f"Vestri ended with status {self.process.returncode}:\n{self.log.read_text()}")
        with suppress(OSError), socket.create_connection((LOOPBACK, self.port), 1):
            return True
        return False

    def stop(self):
        """SIGTERM, then SIGKILL for one that does not heed it. Returns the exit status; may be called again."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(PATIENCE)
        self.process.kill()
        return self.process.wait()

    def peak_memory(self):
        """The most memory that it has held so far, in bytes (VmHWM of proc(5))."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
