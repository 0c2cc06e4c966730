"""What a benchmark asks of a proxy, and what a proxy answers: the words that all peers share."""

import json
from pathlib import Path

import attrs


class Unsupported(Exception):
    """A proxy cannot do, or is not measured at, what was asked; the message says why."""


@attrs.frozen
class Setup:
    """What a proxy shall be, beside a plain balancer of two replicas.

    workers: processes or threads that serve.  access_log: one line for each request, into a file.
    routes: path prefixes, all to the same replicas; 1 is `/`.  replicas: how many stand behind it.
    tls: whether clients speak TLS.  websocket: whether upgrades pass.
    """

    workers: int = 1
    access_log: bool = False
    routes: int = 1
    replicas: int = 2
    tls: bool = False
    websocket: bool = False


@attrs.frozen
class Job:
    """One proxy to be run.

    program: path of its program.  port: where it shall listen, on 127.0.0.1.  folder: its own, for
    its files.  replicas: `host:port` of each.  descriptors: how many files it may have open.
    certificate, key: files in PEM, where the setup has TLS.
    """

    program: str
    port: int
    folder: Path
    setup: Setup
    replicas: tuple
    descriptors: int = 1024
    certificate: Path | None = None
    key: Path | None = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def prefixes(self):
        """Path prefixes of its routes, each ending in a slash."""
        return ("/",) if self.setup.routes == 1 else tuple(map(prefix, range(self.setup.routes)))

    @property
    def log(self):
        """The access log."""
        return self.folder / "access.log"

    def write(self, name, text):
        """Write a file into its folder; returns the path."""
        path = self.folder / name
        path.write_text(text)
        return path

    def write_json(self, name, value):
        return self.write(name, json.dumps(value, indent=1))

    def refuse(self, **reasons):
        """Raise Unsupported where the setup asks for one of these; reasons: why not, by its name in Setup."""
        plain = Setup()
        for name, reason in reasons.items():
            if getattr(self.setup, name) != getattr(plain, name):
                raise Unsupported(reason)


def prefix(number):
    """The path prefix of a route, ending in a slash."""
    return f"/route/{number:05}/"


@attrs.frozen
class Start:
    """How to start a proxy. arguments: program and arguments.  environment: variables beside ours."""

    arguments: tuple
    environment: dict = attrs.Factory(dict)


@attrs.frozen
class Peer:
    """A proxy that can be measured.

    name: on the command line and in files.  title: in reports.
    program: returns the path of its program, given a folder where it may be built; or raises tools.Missing.
    version: returns it as text, given that path.
    start: writes the files that a Job needs and returns a Start; or raises Unsupported.
    only: names of the scenarios that it takes part in; () means all.
    note: what a reader of its figures should know.
    """

    name: str
    title: str
    program: object
    version: object
    start: object
    only: tuple = ()
    note: str = ""
