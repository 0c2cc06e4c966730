"""Where the programs are that a benchmark runs, and the two of our own that it builds."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).parent / "peers"
#: Where system programs lie that are not on every user's PATH.
SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"
#: Our Go programs use the standard library alone, so nothing is fetched.
GO_ENVIRONMENT = {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}
#: Seconds.
BUILD_TIMEOUT, VERSION_TIMEOUT = 300.0, 30.0


class Missing(Exception):
    """A program is not on this machine; the message names it."""


def find(name):
    """Path of a program: beside this Python, on the PATH, or among the system's. Raises Missing."""
    beside = str(Path(sys.executable).parent)
    path = shutil.which(name, path=beside) or shutil.which(name) or shutil.which(name, path=SYSTEM)
    if path is None:
        raise Missing(f"{name} is not installed")
    return path


def finder(name):
    """What finds a program for a peer, which may also build one in a folder."""
    return lambda folder: find(name)


def build(name, folder):
    """Path of our Go program `name`, built into `folder`. Raises Missing without Go, or when it does not build.

    Go keeps a cache below HOME; where that is not set, `folder` stands for it.
    """
    target = Path(folder) / name
    if not target.exists():
        command = [find("go"), "build", "-o", str(target), f"./{name}"]
        built = run(
            command, cwd=SOURCES, env={"HOME": str(folder), **os.environ, **GO_ENVIRONMENT}, timeout=BUILD_TIMEOUT
        )
        if built.returncode:
            raise Missing(f"{name} does not build: {built.stdout.strip().splitlines()[-1]}")
    return str(target)


def run(command, *, timeout, **options):
    """Run a program to its end, both of its outputs as text in `stdout`; it is killed after `timeout` seconds."""
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False, **options
    )


def version(pattern, *command):
    """The version in what a program says of itself, or "unknown". pattern: its first group is the version."""
    found = re.search(pattern, run(command, timeout=VERSION_TIMEOUT).stdout)
    return found[1] if found else "unknown"
