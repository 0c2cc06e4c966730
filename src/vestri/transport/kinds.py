"""Which kind of transport serves: uvloop's own where the reactor stands on it, else Twisted's with eager writes."""

from vestri.transport import eager

try:
    from vestri.transport import uv
except ImportError:  # uvloop is not there for every platform
    uv = None


def kind_of(reactor):
    """The module with `listen` and `connect` for a reactor."""
    return uv if uv is not None and uv.loop_of(reactor) is not None else eager


def install_reactor():
    """Make the fastest reactor that there is the global one, unless one is installed already: call it before that."""
    if uv is not None:
        uv.install()
