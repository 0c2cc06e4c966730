"""What a service does when its replicas fail or are full: the part of the table between health and answers."""

from vestri.config.kinds import Key, ListOf, Section
from vestri.config.scalars import BOOLEAN, PERCENTAGE, TOKEN, choice, duration, or_off, size, text, whole

# fmt: off
OUTLIERS = Section(
    Key("consecutive", whole(1), "Failures in a row of live requests that eject a replica.",
        default="5", example="3", unit="failures"),
    Key("ejection", duration(), "How long, the first time; doubled each time in a row.",
        default="10s", example="5s"),
    Key("max_ejection", duration(), "How long at most.",
        default="300s", example="1m"),
    Key("max_ejected", PERCENTAGE, "Share of the replicas that may be ejected together, and never the last.",
        default="50%", example="30%"),
    Key("panic", PERCENTAGE, "Below this share of available replicas, all are used.",
        default="30%", example="10%"),
)

RETRY_CAUSES = choice("connect", "reset", "timeout", "invalid", "502", "503", "504")
RETRIES = Section(
    Key("extra", whole(0, 100), "Attempts after the first.",
        default="2", example="1", unit="attempts"),
    Key("budget", PERCENTAGE, "Retries under way, as a share of the requests under way.",
        default="20%", example="10%"),
    Key("min_budget", whole(0), "Retries at once that are always allowed.",
        default="3", example="5", unit="retries"),
    Key("when", ListOf(RETRY_CAUSES, "a list of causes"),
        "Causes. `timeout` is timeouts.per_try, `invalid` an answer that is not HTTP.",
        default="[connect, reset, timeout, invalid, 502, 503, 504]", example="[connect, reset]"),
    Key("non_idempotent", BOOLEAN, "Whether POST and its like are repeated too, once sent.",
        default="false", example="true"),
    Key("buffer", size(), "A body up to this size is kept for a repetition.",
        default="64KiB", example="256KiB"),
    Key("hedge", or_off(duration()), "Ask a second replica as well after this time.",
        default="off", example="200ms"),
)

QUEUE = Section(
    Key("size", whole(1), "Requests that may wait.",
        default="128", example="1000", unit="requests"),
    Key("timeout", duration(), "How long a request may wait.",
        default="10s", example="2s"),
    Key("when", ListOf(choice("full", "down"), "a list of causes", 1), "What is waited for.",
        default="[full, down]", example="[full]"),
    Key("order", choice("fifo", "priority", "fair", "adaptive_lifo"), "Who goes first.",
        default="fifo", example="fair"),
)

BREAKER = Section(
    Key("when", text("an expression", ".+"), "When the breaker opens.",
        default='"error_ratio > 0.5 and requests >= 20"', example='"error_ratio > 0.3 and requests >= 50"'),
    Key("window", duration(), "Time over which it counts.",
        default="10s", example="30s"),
    Key("open", duration(), "How long it stays open.",
        default="10s", example="5s"),
    Key("recover", duration(), "How long requests take to come back.",
        default="10s", example="30s"),
)

STICKY = Section(
    Key("cookie", text("the name of a cookie", TOKEN), "The cookie's name.",
        example="vestri_api", otherwise="vestri_ and the service's name"),
    Key("wait", duration(zero=True), "How long to wait for the bound replica when it is full.",
        default="0s", example="500ms"),
)

DRAIN = Section(
    Key("timeout", duration(), "How long a replica taken out may keep the requests it has.",
        default="30s", example="2m"),
)
