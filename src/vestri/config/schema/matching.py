"""The matcher part of the table: which requests a service takes."""

from vestri.config import urls
from vestri.config.kinds import Either, Key, ListOf, MapOf, Section
from vestri.config.scalars import BOOLEAN, METHOD, NETWORK, text
from vestri.config.schema.common import later

REGEX = text("a regular expression", ".+")
HOST_NAME = text("a host name, or one under a wildcard such as *.example.org", r"(?:\*\.)?[^\s/:*]+")

# fmt: off
CONDITION = Either(
    word=text("a value"),
    section=Section(
        Key("regex", REGEX, "Matches anywhere in the value.", example="^beta"),
        Key("present", BOOLEAN, "Whether it must be there.", example="true"),
    ),
)
CONDITIONS = MapOf(text("a name", ".+"), CONDITION)

MATCHER = Either(
    word=urls.PATH,
    section=Section(
        Key("path", urls.PATH, "A prefix by whole segments: /api takes /api and /api/users, not /apis.",
            default="/", example="/api/v1"),
        later("path_exact", urls.PATH, "The whole path.",
            example="/status"),
        later("path_regex", REGEX, "A regular expression for the whole path.",
            example='"/v[0-9]+/.*"'),
        later("host", Either(word=HOST_NAME, list_of=ListOf(HOST_NAME, "a list of host names", 1)),
            "The host asked for, without its port.",
            example='"*.example.org"'),
        later("method", Either(word=METHOD, list_of=ListOf(METHOD, "a list of methods", 1)), "One of these methods.",
            example="[GET, HEAD]"),
        later("header", CONDITIONS, "Header fields: a value, {regex: ...} or {present: true}.",
            example="{X-Env: beta}"),
        later("query", CONDITIONS, "Parameters of the query, likewise.",
            example='{debug: "1"}'),
        later("cookie", CONDITIONS, "Cookies, likewise.",
            example="{group: b}"),
        later("client_ip", ListOf(NETWORK, "a list of networks", 1), "The client's address is in one of these.",
            example='["10.0.0.0/8"]'),
    ),
)
