"""What several parts of the table share: the switches of this release, and words of the format."""

from vestri.config.kinds import Anything, Either, Key, MapOf, Section
from vestri.config.scalars import FIELD_NAME, FIELD_VALUE, duration, or_off, text, whole

#: Whether replicas are reached over TLS. False: an https:// url is "not supported yet".
HTTPS_REPLICAS = True
#: Whether `workers` may be other than 1. False: any other is "not supported yet".
MANY_WORKERS = True


def later(name, kind, meaning, **rest):
    """A `Key` whose behaviour is not there yet."""
    return Key(name, kind, meaning, supported=False, **rest)


NAME = text("a name of at most 200 characters", r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,198}[^\s\x00-\x1f\x7f])?")
COUNT = or_off(whole(1))
TIMEOUT = or_off(duration())
HEADER_FIELDS = MapOf(FIELD_NAME, FIELD_VALUE)

STRATEGY_NAME = text("the name of a strategy")
STRATEGY = Either(
    word=STRATEGY_NAME,
    section=Section(
        Key("name", STRATEGY_NAME, "The strategy's name.", example="WeightedRoundRobin", required=True),
        others=Anything(),
    ),
)
