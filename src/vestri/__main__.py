"""The command line: ``vestri COMMAND``, or ``python -m vestri COMMAND``."""

import os
import sys
from argparse import ArgumentParser
from importlib import import_module

from vestri import __version__

#: In the order of the help.  Each is a module of `vestri.commands`; only the one that is asked for is imported.
COMMANDS = ("check", "schema", "demo", "replica")
#: As a shell tells of a program that SIGPIPE ended.
READER_GONE = 128 + 13


def main(argv=None):
    """Run one command. Returns its exit status; wrong usage is SystemExit(2), in argparse's words."""
    argv = sys.argv[1:] if argv is None else argv
    asked = argv[0] if argv else ""
    if not asked or asked.startswith("-"):
        return _without_command(argv)
    if asked not in COMMANDS:
        _parser(COMMANDS).error(_unknown(asked))
    return _run(_parser([asked]).parse_args(argv))


def _without_command(argv):
    parser = _parser(COMMANDS)
    parser.parse_args(argv)
    parser.print_help()
    return 0


def _parser(names):
    parser = ArgumentParser(
        prog="vestri",
        description="An HTTP load balancer and reverse proxy. It serves as: twistd -n vestri --config config.yaml",
    )
    parser.add_argument("--version", action="version", version=f"Vestri {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name in names:
        module = import_module(f"vestri.commands.{name}")
        sentence = f"{module.SUMMARY[0].upper()}{module.SUMMARY[1:]}."
        command = commands.add_parser(name, help=module.SUMMARY, description=sentence)
        command.set_defaults(run=module.run)
        module.add_arguments(command)
    return parser


def _unknown(name):
    from vestri.config.reading import did_you_mean

    return f"unknown command '{name}'{did_you_mean(name, COMMANDS)}"


def _run(args):
    try:
        status = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # as in `vestri schema | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    return status


if __name__ == "__main__":
    sys.exit(main())
