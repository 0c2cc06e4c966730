"""Builds every object of a serving process, once, from its configuration."""

import resource
import time
from importlib import import_module
from random import Random

import attrs

from vestri.balancer import Balancer
from vestri.health.asker import Asker
from vestri.health.monitor import HealthMonitor
from vestri.health.recorder import Recorder, log_change
from vestri.operations import open_log
from vestri.operations.counters import Counters
from vestri.pool import Pool
from vestri.proxying.destination import Destination
from vestri.proxying.forwarding import Forwarding
from vestri.proxying.resource import BalancingResource, tree
from vestri.proxying.shelf import Shelf
from vestri.proxying.site import Site
from vestri.proxying.sweep import Sweep, interval_for
from vestri.routing import Routes
from vestri.selection import STRATEGIES, Selector
from vestri.transport import ClientEndpoint, server_endpoint

#: Descriptors wanted for each client connection that may be open: its own, and one to a replica.
PER_CONNECTION = 2

#: Modules that are imported when they are first needed: by us, by asyncio to resolve a name, by sockets for one.
LATE = (
    "concurrent.futures.thread", "encodings.idna", "treq.client", "vestri.health.client", "vestri.health.probe",
    "vestri.workers",
)  # fmt: skip


@attrs.frozen
class Wired:
    """What one serving process consists of.

    pools: service name -> `Pool`.  recorder: writes their health.  counters: of what was served.
    """

    balancer: Balancer
    pools: dict
    recorder: Recorder
    counters: Counters


def build(configuration, reactor):
    """The service for a `model.Configuration`: one that serves, or the supervisor of several that do.

    Raises OSError when the access log cannot be opened.
    """
    endpoints = [server_endpoint(reactor, description) for description in configuration.listen]
    if configuration.workers > 1:
        return supervising(configuration, reactor, endpoints)
    wired = serving(configuration, reactor, endpoints)
    monitor(wired.pools, wired.recorder, configuration, reactor).setServiceParent(wired.balancer)
    return wired.balancer


def serving(configuration, reactor, endpoints, observers=(log_change,)):
    """The `Wired` parts of a process that serves; somebody else tells its recorder what is up.

    endpoints: to listen at.  observers: of changes of health.  Raises OSError when the access log cannot be opened.
    """
    access_log, counters = open_log(configuration.access_log, reactor), Counters()
    sweep = Sweep(reactor, time.monotonic, interval_for(_timeouts(configuration)))
    site = Site(
        configuration.limits,
        configuration.timeouts,
        Forwarding(configuration.trusted_proxies),
        sweep,
        [counters, access_log] if access_log else [counters],
    )
    shelves = _Shelves(sweep, reactor)
    destinations = [_destination(service, shelves) for service in configuration.services]
    mounted = _mount(destinations, site)
    site.serve(Routes(mounted.items()), tree(mounted, site))
    balancer = Balancer(
        site,
        endpoints,
        shelves.values(),
        configuration.shutdown,
        reactor,
        counters,
        access_log and access_log.file.reopen,
    )
    for part in (access_log and access_log.file, sweep):
        if part:
            part.setServiceParent(balancer)
    pools = {destination.service.name: destination.pool for destination in destinations}
    return Wired(balancer, pools, Recorder(_checked(pools, configuration), observers), counters)


def supervising(configuration, reactor, endpoints):
    """The `Supervisor` of a configuration with several workers. It probes for all of them, and serves nobody itself."""
    from vestri.workers import Supervisor  # it brings AMP along, which one process alone does not need

    pools = {service.name: Pool.of(service) for service in configuration.services}
    told = []  # by the recorder, which the supervisor needs first
    recorder = Recorder(_checked(pools, configuration), [log_change, lambda change: [tell(change) for tell in told]])
    supervisor = Supervisor(configuration, endpoints, recorder, reactor)
    told.append(supervisor.changed)
    monitor(pools, recorder, configuration, reactor).setServiceParent(supervisor)
    return supervisor


def monitor(pools, recorder, configuration, reactor):
    """The `HealthMonitor` of all services that are probed."""
    ask = Asker(lambda: _client(reactor), reactor)
    return HealthMonitor(_checked(pools, configuration), ask, recorder.record, reactor, Random())


def _checked(pools, configuration):
    return [(pools[each.name], each.health) for each in configuration.services if each.health is not None]


def _mount(destinations, site):
    """Matcher path -> the resource mounted there; of two services with the same path the first has it."""
    mounted = {}
    for destination in destinations:
        mounted.setdefault(destination.service.matcher.path, BalancingResource(destination, site))
    return mounted


def _destination(service, shelves):
    pool = Pool.of(service)
    for member in pool.members:
        member.connections = shelves[service.timeouts, member.replica.scheme, member.replica.host, member.replica.port]
    strategy = STRATEGIES[service.strategy.name](random=Random(), **service.strategy.settings)
    return Destination(service, pool, Selector(pool, strategy))


class _Shelves(dict):
    """(timeouts, scheme, host, port) -> `Shelf`: services that have a replica in common share the connections to it."""

    def __init__(self, sweep, reactor):
        self._sweep, self._reactor = sweep, reactor

    def __missing__(self, key):
        timeouts, scheme, host, port = key
        endpoint = ClientEndpoint(self._reactor, host, port, tls=scheme == "https")
        self[key] = shelf = Shelf(endpoint, timeouts, self._sweep)
        return shelf


def _client(reactor):
    """What asks the replicas."""
    from treq.client import HTTPClient

    from vestri.health.client import probing_client

    return probing_client(HTTPClient, reactor)


def _timeouts(configuration):
    """All timeouts that the sweep meets."""
    for each in (configuration.timeouts, *(service.timeouts for service in configuration.services)):
        yield from (each.client_header, each.client_body, each.client_idle, each.client_write, each.connect)
        yield from (each.response, each.idle, each.per_try, each.total, each.tunnel, each.keep_alive)


def import_the_rest():
    """Import what else would be imported later, when twistd has become a user who may not be allowed to read it."""
    for name in LATE:
        import_module(name)


def raise_descriptor_limit(connections, warn):
    """Raise the soft limit of open descriptors to the hard one, and warn where that is still too low.

    connections: of clients that may be open at once.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    except (ValueError, OSError):
        pass  # a container may forbid it; what counts is what the limit is
    wanted = PER_CONNECTION * connections
    if soft != resource.RLIM_INFINITY and soft < wanted:
        warn(f"limits.connections: {connections} take up to {wanted} open files, and ulimit -n allows {soft}")
