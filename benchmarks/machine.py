"""The machine under the measurement: what it is, and which cores do what."""

import contextlib
import os
import platform
import resource
from pathlib import Path

import attrs

#: Descriptors that a proxy needs beside those of its clients: replicas, logs, libraries.
SPARE_DESCRIPTORS = 1000


@attrs.frozen
class Cores:
    """proxy: cores of the proxy measured.  load: cores of the load and of the replicas."""

    proxy: tuple
    load: tuple

    @property
    def apart(self):
        """Whether the proxy has its cores to itself."""
        return not set(self.proxy) & set(self.load)


def share_out(wanted, allowed):
    """`Cores` with `wanted` of the `allowed` cores for the proxy and the rest for the load.

    Where there are too few for both to stand apart, both use all of them.
    """
    allowed = tuple(sorted(allowed))
    if len(allowed) < 2 * wanted:
        return Cores(allowed, allowed)
    return Cores(allowed[:wanted], allowed[wanted:])


def allowed_cores():
    """The cores that this process may use."""
    return os.sched_getaffinity(0)


@contextlib.contextmanager
def pinned(cores):
    """Use only `cores` while entered; what is started meanwhile inherits that."""
    before = allowed_cores()
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_descriptor_limit():
    """Raise the limit of open files as far as it goes, for this process and those that it starts; returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def idle_connections(wanted, descriptors):
    """How many of the `wanted` client connections fit into the limit of open files."""
    return max(0, min(wanted, descriptors - SPARE_DESCRIPTORS))


def describe(cores):
    """The machine as a report names it: text by name. cores: of a proxy with one worker."""
    return {
        "CPU": f"{_cpu_model()}, {len({*cores.proxy, *cores.load})} cores",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "system": _system(),
        "cores of the proxy": _listed(cores.proxy),
        "cores of load and replicas": _listed(cores.load),
        "load of the machine before the run": f"{os.getloadavg()[0]:.2f}",
    }


def _listed(cores):
    return ", ".join(map(str, cores))


def _cpu_model():
    return _field(Path("/proc/cpuinfo"), "model name", ":") or platform.machine()


def _system():
    return _field(Path("/etc/os-release"), "PRETTY_NAME", "=") or platform.platform()


def _field(path, name, separator):
    """The value of the first line `name separator value` of a file, or None."""
    for line in path.read_text(errors="replace").splitlines() if path.exists() else ():
        key, _, value = line.partition(separator)
        if key.strip() == name:
            return value.strip().strip('"')
    return None
