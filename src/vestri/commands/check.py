"""`vestri check FILE`: is this a configuration that Vestri can serve?"""

import sys

SUMMARY = "check a configuration file, and say what is wrong with it"


def add_arguments(parser):
    parser.add_argument("file", metavar="FILE", help="the configuration, such as config.yaml")


def run(args):
    """Tell every problem, or what the file holds. Returns the exit status: 1 for a file that cannot be served."""
    from vestri.config import read
    from vestri.errors import InvalidConfiguration
    from vestri.selection import STRATEGIES

    try:
        configuration = read(args.file, strategies=STRATEGIES)
    except InvalidConfiguration as invalid:
        print(invalid, file=sys.stderr)
        return 1
    for warning in configuration.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{args.file}: fine: {contents(configuration)}")
    return 0


def contents(configuration):
    """Such as ``1 service, 2 replicas``."""
    counts = {
        "service": len(configuration.services),
        "replica": sum(len(service.replicas) for service in configuration.services),
        "warning": len(configuration.warnings),
    }
    told = (f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in counts.items() if count)
    return ", ".join(told)
