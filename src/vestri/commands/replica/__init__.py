"""``vestri replica``: a small web server to stand behind a balancer, for trying things out."""

from vestri.commands import argument
from vestri.config.scalars import PERCENTAGE, duration, size, whole

SUMMARY = "a small web server to be balanced, for trying things out"


def add_arguments(parser):
    parser.add_argument("--port", type=argument(whole(0, 65535)), required=True, help="where it listens; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address it listens on (default: %(default)s)")
    parser.add_argument(
        "--delay", type=argument(duration(zero=True)), default="0s", help="wait before each answer (default: %(default)s)"
    )
    parser.add_argument(
        "--fail-rate", type=argument(PERCENTAGE), default="0%", help="share of requests answered with 503 (default: 0%%)"
    )
    parser.add_argument(
        "--size", type=argument(size()), default="0", help="pad the answer to this size, such as 64KiB"
    )


def run(args):
    """Serves until a signal ends it. Raises SystemExit(1) where the port cannot be had."""
    from twisted.internet.task import react

    from vestri.commands.replica.server import serve

    react(serve, (args,))
