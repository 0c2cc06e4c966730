"""Vestri as a real process, for the live tests."""

import secrets
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from wire import LOOPBACK, PATIENCE


def free_port():
    """A port that nobody listens on, below the range from which Linux takes the ports of outgoing connections."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as sock, suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("", port))
            return port


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
