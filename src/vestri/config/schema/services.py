"""The service part of the table: replicas, how they are probed, and everything else that one service may say."""

import attrs

from vestri.config import urls
from vestri.config.kinds import Anything, Either, Key, ListOf, OrNull, Section
from vestri.config.scalars import BOOLEAN, METHOD, OFF, PORT, SIGNED, duration, or_off, text, whole
from vestri.config.schema.answers import HEADERS, REDIRECT, RESPOND, REWRITE, SPLIT
from vestri.config.schema.common import COUNT, HEADER_FIELDS, HTTPS_REPLICAS, NAME, STRATEGY, TIMEOUT, later
from vestri.config.schema.failures import BREAKER, DRAIN, OUTLIERS, QUEUE, RETRIES, STICKY
from vestri.config.schema.matching import MATCHER

SCHEMES = "http:// or https://" if HTTPS_REPLICAS else "http://; https:// is not supported yet"

# fmt: off
METADATA = Section(
    Key("weight", whole(0, 1000), "Share of the requests, for strategies that weigh. 0: no new requests.",
        default="1", example="2"),
    others=Anything(),
)

REPLICA = Section(
    Key("url", urls.URL, f"{SCHEMES}. `localhost:8081` is http:// too. A path is put before the request's.",
        example='"http://127.0.0.1:8081"', required=True),
    Key("id", NAME, "A stable name, for logs, metrics and commands.",
        example="a", otherwise="the url"),
    Key("metadata", METADATA, "`weight`, and keys of your own, which are kept and shown."),
    later("backup", BOOLEAN, "Used only when no primary is available.",
        default="false", example="true", absence=False),
    later("max_requests", COUNT, "Requests at once.",
        default="off", example="100", unit="requests"),
    expected='a mapping such as {url: "http://127.0.0.1:8081"}',
)

OFF_OR_MAPPING = "off, or a mapping such as {path: /health}"
HEALTH = Either(
    expected=OFF_OR_MAPPING,
    word=attrs.evolve(OFF, expected=OFF_OR_MAPPING),
    section=Section(
        Key("path", urls.PROBE_PATH, "The path asked for, with its query. Without it: `GET /`, and any HTTP answer "
            "at all counts as passed.",
            example="/health", otherwise="`/`, any answer"),
        Key("method", METHOD, "The method of the probe; HEAD where no body is wanted.",
            default="GET", example="OPTIONS"),
        Key("interval", duration(), "From one probe of a replica to its next.",
            default="5s", example="10s"),
        Key("timeout", duration(), "For head and body together; at most the interval.",
            example="1s", otherwise="2s, or the interval where that is shorter"),
        Key("rise", whole(1, 1000), "Passed probes in a row that bring a replica up.",
            default="2", example="1", unit="probes"),
        Key("fall", whole(1, 1000), "Failed probes in a row that take it down.",
            default="3", example="2", unit="probes"),
        Key("expect", urls.STATUSES, "Status codes that count as passed.",
            default="200-399", example='"200-299,401"'),
        Key("body", OrNull(text("text", ".+")), "Text that the answer's body must contain.",
            default="null", example="ready"),
        Key("headers", HEADER_FIELDS, "Header fields of the probe.",
            default="{}", example="{Host: www.example.org}"),
        Key("port", OrNull(PORT), "The port to ask at, where it is not the replica's own.",
            default="null", example="9000"),
    ),
)

SERVICE_TIMEOUTS = (
    Key("connect", TIMEOUT, "Opening a connection to a replica.",
        default="3s", example="500ms"),
    Key("response", TIMEOUT, "From the request sent to the head of its answer.",
        default="30s", example="10s"),
    Key("idle", TIMEOUT, "Between two reads of an answer's body.",
        default="60s", example="2m"),
    Key("per_try", TIMEOUT, "One attempt, from connecting to the head of its answer.",
        default="off", example="5s"),
    Key("total", TIMEOUT, "The whole request, waiting and retries included.",
        default="off", example="1m"),
    Key("tunnel", TIMEOUT, "After an upgrade: no byte either way.",
        default="1h", example="10m"),
    Key("keep_alive", TIMEOUT, "An idle connection to a replica. Keep it below the replica's own.",
        default="30s", example="15s"),
    Key("idle_connections", whole(0),
        "Idle connections kept for each replica, by each process; more of them stay for a second.",
        default="32", example="64", unit="connections"),
)

#: Those of one service, which has the file's where it says nothing.
OWN_TIMEOUTS = [attrs.evolve(key, default="", otherwise="that of the file") for key in SERVICE_TIMEOUTS]

SERVICE = Section(
    Key("name", NAME, "Its name, in logs and metrics.",
        example="api", required=True),
    Key("matcher", MATCHER, "Which requests it takes. Text is a path prefix by whole segments: /api takes /api and "
        "/api/users, not /apis. Of a mapping, all conditions must hold.",
        default="/", example="/api/v1"),
    later("priority", whole(-1_000_000, 1_000_000, SIGNED), "Higher goes first, whatever the matchers say.",
        default="0", example="10", absence=0),
    Key("strategy", STRATEGY, "How a replica is chosen: a name, or a mapping with the strategy's own settings.",
        example="WeightedRoundRobin", otherwise="that of the file"),
    Key("replicas", ListOf(REPLICA, "a list of replicas", 1), "The servers behind it."),
    later("discovery", Anything(), "Where the replicas are found, in place of a list.",
        example="{}"),
    later("redirect", REDIRECT, "Sends clients elsewhere, in place of replicas."),
    later("respond", RESPOND, "A fixed answer, in place of replicas."),
    later("split", SPLIT, "Shares the requests out to other services, in place of replicas."),
    Key("host", urls.HOST_FIELD, "What the replica sees as Host: `pass` (as it came), `replica` (the replica's own), "
        "or a host of your own.",
        default="pass", example="replica"),
    Key("health", HEALTH, "How replicas are probed; `off` = never. Every service is probed unless it says so."),
    later("outliers", OUTLIERS, "Takes out replicas that fail live requests."),
    later("retries", RETRIES, "Tries again at another replica."),
    later("queue", QUEUE, "Waits for a replica.", otherwise="no waiting: 503 at once"),
    later("breaker", BREAKER, "Stops asking a service that fails.", otherwise="none"),
    later("slow_start", or_off(duration()), "How long a replica that is back takes to its full share.",
        default="off", example="30s"),
    later("sticky", STICKY, "Keeps a client at its replica.", otherwise="none"),
    later("drain", DRAIN, "Taking replicas out."),
    Key("timeouts", Section(*OWN_TIMEOUTS), "Those of this service."),
    later("rewrite", REWRITE, "Changes the path."),
    later("headers", HEADERS, "Changes header fields."),
    one_of=("replicas", "discovery", "redirect", "respond", "split"),
    expected="a mapping with name and replicas",
)
