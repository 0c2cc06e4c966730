"""What is changed on the way, or answered in place of replicas."""

from vestri.config.kinds import Key, ListOf, MapOf, OrNull, Section
from vestri.config.scalars import FIELD_NAME, STATUS_CODE, choice, text, whole
from vestri.config.schema.common import HEADER_FIELDS, NAME
from vestri.config.schema.matching import REGEX

# fmt: off
REWRITE = Section(
    Key("strip_prefix", text("a path"), "Taken from the front of the path.",
        default='""', example="/api"),
    Key("add_prefix", text("a path"), "Put before the path.",
        default='""', example="/v2"),
    Key("regex", OrNull(REGEX), "Replaced in the path.",
        default="null", example='"^/users/([0-9]+)"'),
    Key("replacement", OrNull(text()), "What it is replaced by.",
        default="null", example=r'"/people/\\1"'),
)

HEADER_RULES = Section(
    Key("set", HEADER_FIELDS, "Fields that get this one value.",
        default="{}", example="{X-Env: production}"),
    Key("add", HEADER_FIELDS, "Fields added to those there.",
        default="{}", example="{Cache-Control: no-store}"),
    Key("remove", ListOf(FIELD_NAME, "a list of field names"), "Fields taken out.",
        default="[]", example="[X-Powered-By]"),
)
HEADERS = Section(
    Key("request", HEADER_RULES, "On the way to the replica."),
    Key("response", HEADER_RULES, "On the way to the client."),
)

REDIRECT = Section(
    Key("to", text("a URL or a path", r"\S+"), "Where the client is sent.",
        example="/new", required=True),
    Key("code", choice("301", "302", "303", "307", "308"), "The status code.",
        default="308", example="302"),
)

RESPOND = Section(
    Key("status", STATUS_CODE, "The status code.",
        default="200", example="204"),
    Key("body", text(), "The body, as text.",
        default='""', example="pong"),
    Key("headers", HEADER_FIELDS, "Header fields.",
        default="{}", example="{Content-Type: text/plain}"),
)

SPLIT = Section(
    Key("services", MapOf(NAME, whole(0, 1_000_000)), "Services and their shares.",
        example="{stable: 95, canary: 5}", required=True),
    Key("key", text("header:NAME, cookie:NAME or ip", r"(?:header|cookie):.+|ip"),
        "Requests with the same key go to the same service.",
        example='"cookie:user"', otherwise="each request by itself"),
)
