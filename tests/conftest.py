"""What every test gets: failures that nobody expected, timers left behind and hanging coroutines fail it."""

import functools
import gc
import inspect
import os
from contextlib import contextmanager

import pytest
from hypothesis import settings
from pytest_twisted import blockon
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, eventAsText, globalLogPublisher

from certificates import Authority
from ends import Bench, trusting

#: Seconds for an asynchronous test; pytest-timeout stops one that hangs outside the reactor.
LIMIT = 30.0

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("ci" if "CI" in os.environ else "dev")


def pytest_collection_modifyitems(items):
    for item in items:
        if inspect.iscoroutinefunction(getattr(item, "obj", None)):
            item.obj = limited(item.obj)


def limited(test):
    """The same test, failing alone when it has not ended after `LIMIT`: the next one runs."""

    @functools.wraps(test)
    def within_limit(*args, **kwargs):
        from twisted.internet import reactor

        return ensureDeferred(test(*args, **kwargs)).addTimeout(LIMIT, reactor)

    return within_limit


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Call a test as it is, and go into the reactor only for one that returns a Deferred.

    pytest-twisted would take every test there, every example of a property too; and a property test that has
    parameters it would wrap once more for each of them, until it calls itself.
    """
    wanted = inspect.signature(pyfuncitem.obj).parameters
    result = pyfuncitem.obj(**{name: value for name, value in pyfuncitem.funcargs.items() if name in wanted})
    if isinstance(result, Deferred):
        blockon(result)
    return True


@pytest.fixture(autouse=True)
def failures():
    """Log events of level critical, unhandled errors of Deferreds among them.

    The list must be empty again at the end: a test that provokes a failure looks at it and takes it out.
    """
    with critical_events() as seen:
        yield seen
    assert not seen, told(seen)


@pytest.fixture(scope="session", autouse=True)
def late_failures():
    """A failed Deferred in a cycle of references speaks only when the collector comes by."""
    yield
    with critical_events() as seen:
        gc.collect()
    assert not seen, told(seen)


@contextmanager
def critical_events():
    seen = []

    def observe(event):
        if event.get("log_level") is LogLevel.critical:
            seen.append(event)

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


def told(events):
    return "logged, and nobody expected it:\n" + "\n".join(map(eventAsText, events))


@pytest.fixture(scope="session")
def started_reactor():
    """The global reactor, which pytest-twisted has installed, with the descriptors open that it needs for itself."""
    from twisted.internet import reactor

    take_a_turn(reactor)
    return reactor


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Signs the certificates that tests want."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def bench(started_reactor, tmp_path, authority):
    """Makes connections of every kind."""
    with trusting(authority):
        bench = Bench(started_reactor, tmp_path, authority)
        yield bench
        bench.close()


@pytest.fixture(autouse=True)
def tidy_reactor(started_reactor):
    """A test leaves no timer and no socket in the reactor; connections that are closing get a moment to do so."""
    before = kept(started_reactor)
    yield
    if kept(started_reactor) - before:
        take_a_turn(started_reactor)
    left = kept(started_reactor) - before
    assert not left, f"left in the reactor: {left}"


def kept(reactor):
    return {*reactor.getDelayedCalls(), *reactor.getReaders(), *reactor.getWriters()}


def take_a_turn(reactor):
    blockon(deferLater(reactor, 0.01))
