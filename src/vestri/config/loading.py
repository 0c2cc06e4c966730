"""A configuration from its text, or from its file."""

import gc
import os
from contextlib import contextmanager

from vestri.config import nodes
from vestri.config.building import configuration
from vestri.config.reading import INVALID, Place, Reading
from vestri.config.schema import FILE
from vestri.config.syntax import Unreadable
from vestri.errors import InvalidConfiguration, Problem

#: Bytes. A file of 10,000 services has 2 MiB.
LARGEST_FILE = 256 * 2**20


def load(text, *, file="config.yaml", strategies, environ=os.environ, port=None):
    """The `Configuration` that a text describes.

    file: its name in messages.  strategies: name -> class, of what may stand under `strategy`.
    environ: what ``${NAME}`` reads.  port: of the command line, 0..65535; stands for ``listen: [tcp:N]``.
    Raises InvalidConfiguration with every problem of the text, in file order.
    """
    reading = Reading(file, environ, strategies)
    with _no_collection():
        made = configuration(_values(text, reading), reading, port)
    if reading.problems:
        raise InvalidConfiguration(reading.problems)
    return made


@contextmanager
def _no_collection():
    """A large file makes a million objects and hardly any garbage: the collector would take half of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _values(text, reading):
    """What the schema reads from a text. Raises InvalidConfiguration where there is nothing to read."""
    try:
        root = nodes.parse(text)
    except Unreadable as error:
        raise _invalid(reading.file, error.message, error.line, error.column) from None
    if root is None or root.absent:
        raise _invalid(reading.file, "the file is empty; expected at least a list of services")
    values = FILE.read(Place(root), reading)
    if values is INVALID:
        raise InvalidConfiguration(reading.problems)
    return values


def read(path, **options):
    """The `Configuration` that a file describes; `options` as for `load`, which names the file by its path.

    Raises InvalidConfiguration, also for a file that cannot be read or is not UTF-8.
    """
    path = os.fspath(path)
    return load(_text(path), **{"file": path, **options})


def _text(path):
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        raise _invalid(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > LARGEST_FILE:
        raise _invalid(path, f"expected a file of at most {LARGEST_FILE} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise _invalid(path, f"expected UTF-8 text, got byte 0x{data[error.start]:02x}", line, column) from None


def _invalid(file, message, line=1, column=1):
    return InvalidConfiguration([Problem(file, line, column, "", message)])
