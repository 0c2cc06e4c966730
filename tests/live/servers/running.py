"""How each of the real servers is started, and what it cannot do."""

import http.client
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from string import Template

import pytest

from servers import COOKIES, ENDLESS, FILE, GZIP, HELLO, MOVED_TO, digest
from support import free_port, wait_until
from wire import LOOPBACK, PATIENCE

SOURCES = Path(__file__).parent
#: Our Go program uses the standard library alone, so nothing is fetched.
GO_ENVIRONMENT = {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}
#: Seconds for which Go may compile its library, the first time on a machine.
BUILD_TIMEOUT = 280.0


class Origin:
    """A server's process, running while the context lasts.

    directory: of its own.  lacks: what it cannot do -> why.  upload: the method by which it takes bodies.
    """

    lacks: dict = {}
    upload = "POST"

    def __init__(self, directory):
        self.directory, self.port = directory, free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"

    def __enter__(self):
        write_files(self.directory)
        command = self.command()
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.directory, env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            wait_until(self._listens, f"{self} listens")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _listens(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self} ended:\n{(self.directory / 'log').read_text()}")
        with suppress(OSError), socket.create_connection((LOOPBACK, self.port), 1):
            return True
        return False

    def environment(self):
        return {**os.environ, "PYTHONPATH": str(SOURCES.parent), "MOVED_TO": MOVED_TO, "COOKIES": "\n".join(COOKIES)}

    def requires(self, feature):
        if feature in self.lacks:
            pytest.skip(f"{type(self).__name__} {self.lacks[feature]}")

    def digest_of(self, answer, name):
        """The `digest` of what the server received as an upload."""
        return answer.body

    def sending(self):
        """How many answers to /endless are under way, asked without Vestri."""
        return int(self.ask("/sending"))

    def ask(self, target):
        """The body of an answer, got without Vestri."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=PATIENCE)
        try:
            connection.request("GET", target)
            return connection.getresponse().read()
        finally:
            connection.close()

    def __repr__(self):
        return f"{type(self).__name__} on {self.port}"


class Gunicorn(Origin):
    lacks = {"until close": "chunks what has no length", "websockets": "speaks no WebSocket by itself"}

    def command(self):
        options = f"--bind {LOOPBACK}:{self.port} --worker-class gthread --threads 16 --keep-alive 30 servers.wsgi"
        return [*python("gunicorn"), *options.split()]


class Uvicorn(Origin):
    lacks = {"until close": "chunks what has no length"}

    def command(self):
        options = f"--host {LOOPBACK} --port {self.port} --timeout-keep-alive 30 servers.asgi:application"
        return [*python("uvicorn"), *options.split()]


class Nginx(Origin):
    """WebSockets it passes on to a uvicorn behind it."""

    lacks = {"events": "has no content that takes its time"}
    upload = "PUT"

    def __init__(self, directory):
        super().__init__(directory)
        (directory / "behind").mkdir()
        self._behind, self._running = Uvicorn(directory / "behind"), ExitStack()

    def __enter__(self):
        with ExitStack() as starting:
            if installed("uvicorn"):
                starting.enter_context(self._behind)
            else:
                self.lacks = {**self.lacks, "websockets": "has no uvicorn behind it, which is not installed"}
            super().__enter__()
            self._running = starting.pop_all()
        return self

    def __exit__(self, *exc_info):
        super().__exit__()
        self._running.close()

    def command(self):
        program = find("nginx")
        for folder in ("temp", "logs", "upload"):
            (self.directory / folder).mkdir()
        (self.directory / "nginx.conf").write_text(self._configuration())
        return [program, "-p", str(self.directory), "-c", "nginx.conf"]

    def _configuration(self):
        cookies = "\n".join(f"add_header Set-Cookie '{cookie}';" for cookie in COOKIES)
        return Template((SOURCES / "nginx.conf").read_text()).safe_substitute(
            ROOT=self.directory, PORT=self.port, SOCKETS=self._behind.port, MOVED_TO=MOVED_TO, SET_COOKIES=cookies
        )

    def digest_of(self, answer, name):
        return digest((self.directory / "upload" / name).read_bytes())

    def sending(self):
        writing = self.ask("/sending").partition(b"Writing:")[2].split()[0]
        return int(writing) - 1  # the answer to this question


class Go(Origin):
    lacks = {"websockets": "has none in its standard library"}

    def command(self):
        program = self.directory / "origin"
        build = [find("go"), "build", "-o", str(program), str(SOURCES / "origin.go")]
        environment = {"HOME": str(self.directory), **os.environ, **GO_ENVIRONMENT}
        subprocess.run(build, env=environment, timeout=BUILD_TIMEOUT, check=True)
        return [str(program), str(self.port), str(self.directory)]


ORIGINS = (Nginx, Gunicorn, Uvicorn, Go)


def write_files(directory):
    """What servers of files serve."""
    for name, content in {"hello": HELLO, "gzip": GZIP, "file": FILE}.items():
        (directory / name).write_bytes(content)
    with (directory / "endless").open("wb") as endless:
        endless.truncate(ENDLESS)


def find(name):
    """Path of a program: beside this Python, on the PATH, or where the system has its servers."""
    beside = str(Path(sys.executable).parent)
    path = shutil.which(name, path=beside) or shutil.which(name) or shutil.which(name, path="/usr/sbin")
    return path or pytest.skip(f"{name} is not installed")


def installed(package):
    return importlib.util.find_spec(package) is not None


def python(package):
    """The command that runs a Python package."""
    return [sys.executable, "-m", package] if installed(package) else pytest.skip(f"{package} is not installed")
