"""Configurations for tests, what is said of them, and the keys that they may have."""

from pathlib import Path

from vestri import config
from vestri.config.kinds import ListOf, section_of
from vestri.config.schema import FILE
from vestri.errors import InvalidConfiguration

REPOSITORY = Path(__file__).parent.parent
FILES = sorted((REPOSITORY / "config").glob("*.yaml"))

#: A whole file, to which tests add lines at the end: of its one service at four spaces, of its replica at eight.
WEB = """\
services:
  - name: web
    replicas:
      - url: "http://127.0.0.1:8081"
"""


class RoundRobin:
    def __init__(self, *, random):
        """Has no settings."""


class WeightedRoundRobin(RoundRobin):
    """Neither."""


STRATEGIES = {"RoundRobin": RoundRobin, "WeightedRoundRobin": WeightedRoundRobin}


def load(text, *, strategies=STRATEGIES, environ=(), **options):
    return config.load(text, strategies=strategies, environ=dict(environ), **options)


def problems(text, **options):
    """The lines of a file that cannot be served, without its name; none for one that can."""
    try:
        load(text, file="", **options)
    except InvalidConfiguration as invalid:
        return [str(problem).removeprefix(":") for problem in invalid.problems]
    return []


def only_service(text, **options):
    (service,) = load(text, **options).services
    return service


def inside(key):
    """The section that a key's value, or each item of it, may be; None for a plain one."""
    return section_of(key.kind.item if isinstance(key.kind, ListOf) else key.kind)


def keys(section=FILE, path=""):
    """(path, key) of every key of the format."""
    for key in section.keys.values():
        here = f"{path}.{key.name}".removeprefix(".")
        yield here, key
        if inside(key):
            yield from keys(inside(key), here)


#: Path -> key of the format; indices of lists are left out.
KEYS = dict(keys())
#: Those that are written as a value of their own, and not only as a mapping of further keys.
LEAVES = {path: key for path, key in KEYS.items() if key.example}
