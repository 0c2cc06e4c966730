"""The servers behind the proxies, the same for all of them."""

import contextlib

from benchmarks import tools
from benchmarks.peers import nginx
from benchmarks.processes import Process, free_ports

START_TIMEOUT = 10.0
#: What a small request is answered with: about a hundred bytes.
SMALL_BODY = "Received Response from a replica of a benchmark of Vestri, in about one hundred bytes of plain text."

SITE = """\
    server {{
{listen}
        default_type text/plain;
        location / {{ return 200 "{body}"; }}
    }}
"""


@contextlib.contextmanager
def static(count, *, folder, cores, descriptors):
    """Run servers of small answers while entered: `count` addresses shared out between two nginx.

    Gives the addresses as a tuple of `host:port`.
    """
    addresses = _addresses(count)
    with contextlib.ExitStack() as stack:
        for name, mine in (("first", addresses[::2]), ("second", addresses[1::2])):
            place = folder / f"replica-{name}"
            stack.enter_context(_nginx(place, mine, cores=cores, descriptors=descriptors))
        yield addresses


@contextlib.contextmanager
def _nginx(folder, addresses, *, cores, descriptors):
    folder.mkdir()
    site = SITE.format(listen="\n".join(f"        listen {address};" for address in addresses), body=SMALL_BODY)
    configured = folder / "nginx.conf"
    configured.write_text(nginx.render(body=site, folder=folder, descriptors=descriptors))
    command = (tools.find("nginx"), "-p", folder, "-c", configured)
    with _running(command, addresses, cores=cores, log=folder / "output"):
        yield


@contextlib.contextmanager
def bodies(program, *, folder, cores):
    """Run a server of large bodies, uploads and WebSockets while entered, on two addresses, which it gives.

    program: path of our goload.
    """
    addresses = _addresses(2)
    command = (program, "replica", "-listen", ",".join(addresses))
    with _running(command, addresses, cores=cores, log=folder / "bodies.output"):
        yield addresses


def _addresses(count):
    return tuple(f"127.0.0.1:{port}" for port in free_ports(count))


@contextlib.contextmanager
def _running(command, addresses, *, cores, log):
    with Process(command, cores=cores, log=log) as process:
        for address in addresses:
            process.wait_until_listening(int(address.rpartition(":")[2]), START_TIMEOUT)
        yield process
