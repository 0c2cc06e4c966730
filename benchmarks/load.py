"""Requests in large numbers: wrk, our own goload, and idle connections; each tells what was answered."""

import contextlib
import json
import re
import socket
import subprocess

import attrs

from benchmarks import tools
from benchmarks.processes import Failed

#: Seconds that a load may take beyond its time before it is stopped.
GRACE = 20.0
#: Share of failed requests above which a measurement is void.
TOLERATED = 0.001
#: Seconds that one answer on an idle connection may take.
ANSWER_TIMEOUT = 10.0

WRK_REQUESTS = re.compile(r"(\d+) requests in ([\d.]+)(us|ms|s|m)")
WRK_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
WRK_STATUSES = re.compile(r"Non-2xx or 3xx responses: (\d+)")
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}

#: A wrk script that asks for some paths in turn.
PATHS_SCRIPT = """\
local requests = {{}}
local turn = 0
function init(arguments)
   for number, path in ipairs({{{paths}}}) do
      requests[number] = wrk.format(nil, path)
   end
end
function request()
   turn = turn % #requests + 1
   return requests[turn]
end
"""


@attrs.frozen
class Answered:
    """What a load got. requests: answered well.  errors: not.  seconds: how long it took.

    p50, p99: seconds of latency, 0.0 where the load does not tell.
    """

    requests: int
    errors: int
    seconds: float
    cause: str = ""
    p50: float = 0.0
    p99: float = 0.0

    def checked(self):
        """This, or Failed when too little was answered well."""
        if self.errors > TOLERATED * self.requests or not self.requests:
            raise Failed(f"{self.errors} failed, {self.requests} answered{self.cause and f': {self.cause}'}")
        return self


def wrk(url, *, connections, seconds, threads=1, fields=(), script=None):
    """As many requests as are answered, over kept-alive connections.

    seconds: a whole number, as wrk takes no other.  fields: header lines.  script: a path.
    """
    command = [tools.find("wrk"), f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    command += [argument for field in fields for argument in ("-H", field)]
    command += ["-s", str(script)] if script else []
    return read_wrk(_output([*command, url], seconds)).checked()


def paths_script(paths):
    """The text of a wrk script that asks for the paths in turn."""
    return PATHS_SCRIPT.format(paths=", ".join(f'"{path}"' for path in paths))


def read_wrk(text):
    """`Answered` from what wrk prints."""
    found = WRK_REQUESTS.search(text)
    if found is None:
        raise Failed(f"wrk said {text.strip()[-200:]!r}")
    requests, seconds = int(found[1]), float(found[2]) * UNITS[found[3]]
    broken = WRK_ERRORS.search(text)
    refused = WRK_STATUSES.search(text)
    statuses = int(refused[1]) if refused else 0
    errors = statuses + sum(map(int, broken.groups())) if broken else statuses
    return Answered(requests - statuses, errors, seconds, cause=broken[0] if broken else "")


def goload(program, kind, seconds, **options):
    """A run of our goload. kind: requests or websocket.  options: its flags; `None` leaves one out."""
    flags = [f"-{name}={value}" for name, value in {**options, "seconds": seconds}.items() if value is not None]
    return read_goload(_output([program, kind, *flags], seconds)).checked()


def read_goload(text):
    """`Answered` from what goload prints."""
    try:
        told = json.loads(text)
    except ValueError:
        raise Failed(f"goload said {text.strip()[-200:]!r}") from None
    latencies = {name: told[f"{name}_us"] / 1e6 for name in ("p50", "p99")}
    return Answered(told["requests"], told["errors"], told["seconds"], told["cause"], **latencies)


def _output(command, seconds):
    try:
        return tools.run(command, timeout=seconds + GRACE).stdout
    except subprocess.TimeoutExpired:
        raise Failed(f"was not done {GRACE:g} s after its time") from None


@contextlib.contextmanager
def idle_connections(port, count):
    """Keep `count` client connections open while entered, each of which has had one request answered."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT))
            _ask(client, port)
        yield


def _ask(client, port):
    client.sendall(b"GET /small HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port)
    answer = client.recv(65536)
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise Failed(f"answered {answer[:60]!r}")
