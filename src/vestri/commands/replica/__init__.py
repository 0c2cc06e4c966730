"""``vestri replica``: a small web server to stand behind a balancer, for trying things out."""

from vestri.commands import argument, react
from vestri.config.scalars import PERCENTAGE, duration, size, whole

SUMMARY = "a small web server to be balanced, for trying things out"


def add_arguments(parser):
    def add(name, word, metavar, text, **more):
        parser.add_argument(name, type=argument(word), metavar=metavar, help=text, **more)

    add("--port", whole(0, 65535), "PORT", "where to listen; 0 takes a free one", required=True)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--delay", duration(zero=True), "TIME", "wait so long before each answer (default: %(default)s)", default="0s")
    add("--fail-rate", PERCENTAGE, "SHARE", "answer this share with 503 (default: %(default)s)", default="0%")
    add("--size", size(), "SIZE", "pad each answer to this size, such as 64KiB", default="0")


def run(args):
    """Serve until a signal ends it. Returns the exit status: 1 where the port cannot be had."""
    from vestri.commands.replica.server import serve

    return react(serve, args)
