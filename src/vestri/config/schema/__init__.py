"""The whole format of the file, as one table of keys.

Validation, the JSON Schema, `config/full.yaml` and `docs/configuration.md` all come from it. A key
whose behaviour is not there yet says `supported=False`: it is checked, and then refused.
"""

from vestri.config import endpoints
from vestri.config.kinds import Either, Key, ListOf, OrNull, Section
from vestri.config.scalars import BOOLEAN, METHOD, STATUS_CODE, WORKERS, text
from vestri.config.schema.clients import ACCESS_LOG, CLIENT_TIMEOUTS, LIMITS, SHUTDOWN, TRUSTED_PROXIES
from vestri.config.schema.common import HEADER_FIELDS, HTTPS_REPLICAS, MANY_WORKERS, NAME, STRATEGY, later
from vestri.config.schema.services import SERVICE, SERVICE_TIMEOUTS

__all__ = ["FILE", "HTTPS_REPLICAS"]

# fmt: off
CONTROL = Section(
    later("socket", OrNull(text("a path", ".+")), "Path of the control socket.",
        example="/run/vestri.sock", otherwise="vestri.sock beside the pidfile"),
)

ADMIN = Section(
    Key("listen", endpoints.LISTEN, "Where the admin site listens.",
        example='"tcp:8081:interface=127.0.0.1"', required=True),
)

TEST = Section(
    Key("request", Section(
        Key("method", METHOD, "The method.",
            default="GET", example="POST"),
        Key("url", text("a URL or a path", r"\S+"), "What is asked for.",
            example='"http://www.example.org/api/v1/users?debug=1"', required=True),
        Key("headers", HEADER_FIELDS, "Header fields.",
            default="{}", example="{X-Env: beta}"),
    ), "A request.", required=True),
    Key("expect", Section(
        Key("service", NAME, "The service that takes it.",
            example="api", otherwise="any"),
        Key("path", text("a path", r"/\S*"), "The path that the replica sees.",
            example='"/api/v1/users?debug=1"', otherwise="any"),
        Key("status", STATUS_CODE, "The status of Vestri's own answer.",
            example="404", otherwise="any"),
    ), "What must become of it.", required=True),
)

FILE = Section(
    Key("strategy", STRATEGY, "Default strategy of all services: a name, or a mapping with its own settings.",
        default="RoundRobin", example="WeightedRoundRobin"),
    Key("listen", Either(word=endpoints.LISTEN, list_of=ListOf(endpoints.LISTEN, "a list of endpoints", 1)),
        "Where clients connect, as endpoint strings. The command line's `--port N` stands for [\"tcp:N\"] and replaces "
        "the list.",
        default='["tcp:8080"]', example='["tcp:8080:interface=127.0.0.1", "unix:/run/vestri.http"]'),
    later("watch", BOOLEAN, "Reloads when the file changes.",
        default="false", example="true", absence=False),
    Key("control", CONTROL, "The control socket."),
    Key("workers", WORKERS, "Processes; `auto` = one for each core.",
        default="1", example="auto", unit="processes", supported=MANY_WORKERS, absence=1),
    Key("trusted_proxies", TRUSTED_PROXIES, "Networks whose X-Forwarded-* fields are believed.",
        default="[]", example='["10.0.0.0/8", "fd00::/8"]'),
    Key("access_log", ACCESS_LOG, "What is told of each request, in batches, past the event log."),
    later("admin", ADMIN, "The admin site.", otherwise="none"),
    Key("shutdown", SHUTDOWN, "What SIGTERM does."),
    Key("limits", LIMITS, "Of the client side, for the whole file."),
    Key("timeouts", Section(*CLIENT_TIMEOUTS, *SERVICE_TIMEOUTS),
        "Of the client side; from `connect` on they are the defaults of all services."),
    Key("services", ListOf(SERVICE, "a list of services", 1), "What is balanced.", required=True),
    later("tests", ListOf(TEST, "a list of tests"), "Requests and what must become of them; run by `vestri check` and "
        "before every reload.",
        default="[]", absence=()),
    expected="a mapping that begins with a key such as 'services:'",
)
