"""The matcher part of the table: which requests a service takes."""

from vestri.config import urls
from vestri.config.kinds import Either, Key, ListOf, MapOf, Section
from vestri.config.scalars import BOOLEAN, METHOD, NETWORK, text
from vestri.config.schema.common import LATER

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
        Key("path_exact", urls.PATH, "The whole path.",
            example="/status", **LATER),
        Key("path_regex", REGEX, "A regular expression for the whole path.",
            example='"/v[0-9]+/.*"', **LATER),
        Key("host", Either(word=HOST_NAME, list_of=ListOf(HOST_NAME, "a list of host names", 1)),
            "The host asked for, without its port.",
            example='"*.example.org"', **LATER),
        Key("method", Either(word=METHOD, list_of=ListOf(METHOD, "a list of methods", 1)), "One of these methods.",
            example="[GET, HEAD]", **LATER),
        Key("header", CONDITIONS, "Header fields: a value, {regex: ...} or {present: true}.",
            example="{X-Env: beta}", **LATER),
        Key("query", CONDITIONS, "Parameters of the query, likewise.",
            example='{debug: "1"}', **LATER),
        Key("cookie", CONDITIONS, "Cookies, likewise.",
            example="{group: b}", **LATER),
        Key("client_ip", ListOf(NETWORK, "a list of networks", 1), "The client's address is in one of these.",
            example='["10.0.0.0/8"]', **LATER),
    ),
)
