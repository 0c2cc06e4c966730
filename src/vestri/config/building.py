"""From the values of a file to the model, with the checks that look at more than one key."""

import os

import attrs

from vestri.config import schema
from vestri.config.endpoints import parse_endpoint
from vestri.config.kinds import Items
from vestri.config.reading import NOT_YET, closest, shown
from vestri.config.strategies import strategy
from vestri.model import (
    AccessLog,
    Configuration,
    HealthCheck,
    Limits,
    Matcher,
    Replica,
    Service,
    Shutdown,
    Strategy,
    Timeouts,
    TrustedProxies,
)

#: Where a file that does not say it listens.
LISTEN = parse_endpoint("tcp:8080")
#: How replicas are asked where the file does not say it.
HEALTH = HealthCheck()


def configuration(values, reading, port=None):
    """The `Configuration` of what the schema read; faults found here are reported to `reading`.

    port: of the command line, which replaces `listen`.
    """
    listen = _listen(values, reading, port)
    timeouts = Timeouts(**values.get("timeouts", {}))
    services = _Services(reading, listen, timeouts, strategy(values, reading)).build(values)
    workers, limits = _workers(values), Limits(**values.get("limits", {}))
    if workers > limits.connections:
        message = f"{workers} workers share {limits.connections} connections, and each takes one all the same"
        reading.warn(values.at("workers"), message)
    return Configuration(
        services=services,
        listen=tuple(endpoint.written for endpoint in listen),
        workers=workers,
        trusted_proxies=_trusted_proxies(values.get("trusted_proxies", ())),
        access_log=AccessLog(**values.get("access_log", {})),
        shutdown=Shutdown(**values.get("shutdown", {})),
        limits=limits,
        timeouts=timeouts,
        warnings=reading.warnings,
    )


def _listen(values, reading, port):
    """The endpoints to listen at."""
    written = values.get("listen", LISTEN)
    if isinstance(written, Items):
        _refuse_equal_listeners(written, reading)
    else:
        written = (written,)
    if port is not None:
        return (parse_endpoint(f"tcp:{port}"),)
    return tuple(written)


def _refuse_equal_listeners(endpoints, reading):
    seen = {}
    for endpoint, place in zip(endpoints, endpoints.places, strict=True):
        first = seen.setdefault(endpoint.place, endpoint)
        if first is not endpoint and not endpoint.any_port:
            reading.refuse(place, f"{shown(endpoint.written)} listens where {shown(first.written)} does already")


def _workers(values):
    workers = values.get("workers", 1)
    return _cores() if workers == "auto" else workers


def _cores():
    """Those that this process may use, where the system tells."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _trusted_proxies(value):
    return TrustedProxies(hops=value.get("hops")) if isinstance(value, dict) else TrustedProxies(tuple(value))


class _Services:
    """Builds the services of a file, and compares them with each other."""

    def __init__(self, reading, listen, timeouts, default_strategy):
        self._reading, self._timeouts = reading, timeouts
        self._default_strategy = default_strategy or Strategy()
        self._names, self._paths, self._listeners = {}, {}, {}
        for endpoint in listen:
            self._listeners.setdefault(endpoint.port, []).append(endpoint)

    def build(self, values):
        """A tuple of `Service`, those with a name."""
        services = [self._service(service) for service in values.get("services", ())]
        return tuple(service for service in services if service)

    def _service(self, values):
        matcher = _matcher(values.get("matcher", "/"))
        self._warn_of_same_path(matcher, values)
        replicas = self._replicas(values)
        health = _health(values, self._reading)
        chosen = strategy(values, self._reading) or self._default_strategy
        if "name" not in values:
            return None
        _refuse_duplicate("service name", values["name"], values.at("name"), self._names, self._reading)
        return Service(
            name=values["name"],
            replicas=replicas,
            matcher=matcher,
            strategy=chosen,
            host=values.get("host", "pass"),
            health=health,
            timeouts=self._timeouts_of(values),
        )

    def _warn_of_same_path(self, matcher, values):
        place = values.at("matcher")
        first = self._paths.setdefault(matcher.path.rstrip("/"), place)
        if first is not place:
            whose = f"{(first.parent if first.step == 'matcher' else first).path} on line {first.node.line}"
            self._reading.warn(place, f"the same path {shown(matcher.path)} as {whose}, which takes its requests")

    def _replicas(self, values):
        ids = {}
        replicas = [self._replica(replica, ids) for replica in values.get("replicas", ()) if "url" in replica]
        if replicas and not any(replica.weight for replica in replicas):
            self._reading.warn(values.at("replicas"), "all weights are 0: every request is answered 503")
        return tuple(replicas)

    def _replica(self, values, ids):
        url, place = values["url"], values.at("url")
        self._check_reachable(url, place)
        name = values.get("id", url.written)
        _refuse_duplicate("replica id", name, values.at("id") if "id" in values else place, ids, self._reading)
        metadata = values.get("metadata", {})
        self._warn_of_mistyped_weight(metadata)
        return Replica(
            url=url.written,
            id=name,
            scheme=url.scheme,
            host=url.host,
            port=url.port,
            base_path=url.path,
            weight=metadata.get("weight", 1),
            metadata=dict(metadata),
        )

    def _warn_of_mistyped_weight(self, metadata):
        """Keys under `metadata` are free, so a mistyped weight would go unseen."""
        if "weight" in metadata:
            return
        for key in metadata:
            if closest(key, ("weight",)):
                self._reading.warn(metadata.at(key), f"{shown(key)} is a key of your own; did you mean weight?")

    def _check_reachable(self, url, place):
        if url.scheme == "https" and not schema.HTTPS_REPLICAS:
            self._reading.refuse(place, f"{NOT_YET}: https://")
        for endpoint in self._listeners.get(url.port, ()):
            if endpoint.serves(url.host, url.port):
                self._reading.refuse(place, f"expected a replica, got Vestri's own listener {shown(endpoint.written)}")

    def _timeouts_of(self, values):
        own = values.get("timeouts")
        return attrs.evolve(self._timeouts, **own) if own else self._timeouts


def _refuse_duplicate(what, name, place, seen, reading):
    first = seen.setdefault(name, place)
    if first is not place:
        reading.refuse(place, f"duplicate {what} {shown(name)}, first given on line {first.node.line}")


def _matcher(value):
    return Matcher(value if isinstance(value, str) else value.get("path", "/"))


def _health(values, reading):
    """The `HealthCheck` of a service, or None for `off`."""
    value = values.get("health", {})
    if not value:
        return None if value is None else HEALTH
    check = HealthCheck(**{**value, "headers": tuple(value.get("headers", {}).items())})
    if check.method == "HEAD" and check.body is not None:
        reading.refuse(value.at("body"), "expected nothing with method HEAD, of which the answer has no body")
    if check.timeout <= check.interval:
        return check
    if "timeout" not in value:
        return attrs.evolve(check, timeout=check.interval)
    message = f"expected at most the interval, {check.interval:g}s, got {check.timeout:g}s"
    reading.refuse(value.at("timeout"), message)
    return check
