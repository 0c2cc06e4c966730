"""The frozen nouns: what a person asked for, as values.

`config` makes them; everything above reads them. Durations are float seconds, sizes int bytes,
and None stands where the file says `off`.
"""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network

import attrs


@attrs.frozen
class Replica:
    """One server process.

    id: stable name, default the url as written.  base_path: prefixed to the request's path, without
    its trailing slash.  metadata: every value as the file says it, unknown keys included.
    """

    url: str
    id: str
    scheme: str
    host: str
    port: int
    base_path: str = ""
    weight: int = 1
    metadata: Mapping[str, object] = attrs.field(factory=dict)

    @property
    def authority(self):
        """host:port as a Host field says it: IPv6 in brackets, the scheme's own port left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"


@attrs.frozen
class Strategy:
    """A strategy's name and its own settings."""

    name: str = "RoundRobin"
    settings: Mapping[str, object] = attrs.field(factory=dict)


@attrs.frozen
class Matcher:
    """path: prefix by whole segments; "/" matches everything."""

    path: str = "/"


@attrs.frozen
class HealthCheck:
    """How a replica is asked whether it is up.

    path: None means GET / where any HTTP answer counts as up.  interval, timeout: seconds.
    rise, fall: consecutive probes to come up, to go down.  expect: inclusive (low, high) ranges of
    status codes.  body: text that the answer's body must contain, or None.  port: None = the replica's own.
    """

    path: str | None = None
    method: str = "GET"
    interval: float = 5.0
    timeout: float = 2.0
    rise: int = 2
    fall: int = 3
    expect: tuple[tuple[int, int], ...] = ((200, 399),)
    body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    port: int | None = None


@attrs.frozen
class Limits:
    """Of the client side. Sizes in bytes; min_rate in bytes a second, averaged over 30 s."""

    header_size: int = 32 * 1024
    header_count: int = 100
    body_size: int | None = None
    connections: int = 10_000
    requests_per_connection: int | None = None
    min_rate: int | None = 240


@attrs.frozen
class Timeouts:
    """Seconds; None = no limit. The client_* ones and nothing else are the same for all services."""

    client_header: float | None = 10.0
    client_body: float | None = 30.0
    client_idle: float | None = 75.0
    client_write: float | None = 30.0
    connect: float | None = 3.0
    response: float | None = 30.0
    idle: float | None = 60.0
    per_try: float | None = None
    total: float | None = None
    tunnel: float | None = 3600.0
    keep_alive: float | None = 30.0
    idle_connections: int = 32


@attrs.frozen
class TrustedProxies:
    """Whose X-Forwarded-* fields are believed: addresses in `networks`, or the last `hops` hops."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    hops: int | None = None


@attrs.frozen
class AccessLog:
    """format: common, json or off.  path: a file, or "-" for standard output, None where the file says neither."""

    format: str = "common"
    path: str | None = None


@attrs.frozen
class Shutdown:
    """Seconds: pre_stop still accepts, grace waits for what is under way."""

    pre_stop: float = 0.0
    grace: float = 30.0


@attrs.frozen
class Service:
    """Interchangeable replicas under one name, and what sends a request to them.

    host: "pass", "replica", or what the replica sees as Host.  health: None = never probed.
    """

    name: str
    replicas: tuple[Replica, ...]
    matcher: Matcher = Matcher()
    strategy: Strategy = Strategy()
    host: str = "pass"
    health: HealthCheck | None = HealthCheck()
    timeouts: Timeouts = Timeouts()


@attrs.frozen
class Configuration:
    """One whole file. listen: endpoint strings.  workers: processes.  warnings: what the person should know."""

    services: tuple[Service, ...]
    listen: tuple[str, ...] = ("tcp:8080",)
    workers: int = 1
    trusted_proxies: TrustedProxies = TrustedProxies()
    access_log: AccessLog = AccessLog()
    shutdown: Shutdown = Shutdown()
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    warnings: tuple[str, ...] = ()
