"""The client side of the table: who may connect, how much they may send and how long they may take."""

from vestri.config.kinds import Either, Key, ListOf, OrNull, Section
from vestri.config.scalars import NETWORK, choice, duration, or_off, size, text, whole
from vestri.config.schema.common import COUNT, TIMEOUT

# fmt: off
TRUSTED_PROXIES = Either(
    list_of=ListOf(NETWORK, "a list of networks"),
    section=Section(
        Key("hops", whole(1, 100), "In place of networks: how many proxies stand in front of Vestri, whatever their "
            "addresses. So many entries of X-Forwarded-For are believed, counted from the right.",
            example="2", unit="proxies", required=True),
    ),
)

ACCESS_LOG = Section(
    Key("format", choice("common", "json", "off"), "One line for each request, in this form, or none.",
        default="common", example="json"),
    Key("path", OrNull(text("a path, or - for standard output", r"[^\x00]+")),
        "A file, opened anew on SIGUSR1, or `-` for standard output. A daemon without a path writes no access log, "
        "and says so.",
        default='"-"', example="/var/log/vestri/access.log"),
    expected="a mapping such as {format: off}",
)

SHUTDOWN = Section(
    Key("pre_stop", duration(zero=True), "How long new requests are still taken after SIGTERM.",
        default="0s", example="5s"),
    Key("grace", duration(zero=True), "How long requests under way may take after that.",
        default="30s", example="1m"),
)

LIMITS = Section(
    Key("header_size", size(1), "The whole head of a request: 431 beyond it. A request line alone: 414.",
        default="32KiB", example="16KiB"),
    Key("header_count", whole(1), "Header fields of a request: 431 beyond it.",
        default="100", example="64", unit="fields"),
    Key("body_size", or_off(size()), "The body of a request: 413 beyond it.",
        default="off", example="10MiB"),
    Key("connections", whole(1), "Client connections at once. Beyond it new ones wait in the kernel's backlog.",
        default="10000", example="20000", unit="connections"),
    Key("requests_per_connection", COUNT, "Requests after which a client's connection is closed.",
        default="off", example="1000", unit="requests"),
    Key("min_rate", or_off(size(1)), "Each way, averaged over 30 s. A peer that has work to do and is slower is cut "
        "off.",
        default="240", example="1KiB", unit="bytes a second"),
)

CLIENT_TIMEOUTS = (
    Key("client_header", TIMEOUT, "From the first byte of a request to the end of its head.",
        default="10s", example="5s"),
    Key("client_body", TIMEOUT, "Between two reads of a request's body.",
        default="30s", example="1m"),
    Key("client_idle", TIMEOUT, "A kept-alive client connection with nothing under way.",
        default="75s", example="30s"),
    Key("client_write", TIMEOUT, "A client that reads nothing at all.",
        default="30s", example="20s"),
)
