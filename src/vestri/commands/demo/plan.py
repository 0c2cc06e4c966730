"""What the demo runs: its configuration, with free ports where its own are taken."""

import re
import socket
from importlib.resources import files

import attrs

from vestri.config import load
from vestri.selection import STRATEGIES


@attrs.frozen
class Plan:
    """text: the configuration.  port: where the balancer listens.  replicas: model.Replica of each.

    moved: taken port -> the one in its place.
    """

    text: str
    port: int
    replicas: tuple
    moved: dict


def plan(taken):
    """The Plan for this machine. taken: tells whether somebody listens on a port."""
    text = files("vestri.commands.demo").joinpath("demo.yaml").read_text("utf-8")
    moved = _moved(_ports(text), taken)
    text = re.sub(r"\b\d+\b", lambda found: str(moved.get(int(found[0]), found[0])), text)
    return Plan(text, _ports(text)[0], _configuration(text).services[0].replicas, moved)


def taken(port):
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("", port))
        except OSError:
            return True
        return False


def _configuration(text):
    return load(text, file="demo.yaml", strategies=STRATEGIES)


def _ports(text):
    """The ports of a configuration: the balancer's, then the replicas'."""
    configuration = _configuration(text)
    return [int(configuration.listen[0].split(":")[1])] + [
        replica.port for replica in configuration.services[0].replicas
    ]


def _moved(ports, taken):
    """Port -> the next higher free one, for those of the ports that are taken."""
    moved, used = {}, set(ports)
    for port in filter(taken, ports):
        moved[port] = next(other for other in range(port + 1, 65536) if other not in used and not taken(other))
        used.add(moved[port])
    return moved
