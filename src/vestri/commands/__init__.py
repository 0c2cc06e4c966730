"""The commands of ``vestri``, a module each: SUMMARY, add_arguments(parser) and run(args) -> exit status."""

from argparse import ArgumentTypeError


def argument(word):
    """An argparse type that reads what the configuration file calls a `Word`: a duration, a size, a percentage."""

    def parse(text):
        try:
            return word.parse(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error) or f"expected {word.expected}, got '{text}'") from None

    return parse


def react(main, *args):
    """Run the reactor for main(reactor, *args), as Twisted's `react` does. Returns the exit status."""
    from twisted.internet import task

    try:
        task.react(main, args)
    except SystemExit as end:
        return end.code
