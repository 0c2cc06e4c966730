"""``vestri demo``: a balancer and three replicas, to be played with."""

from vestri.commands import react

SUMMARY = "run a balancer with three replicas, and watch who gets the requests"


def add_arguments(parser):
    """It has none."""


def run(args):
    """Run until a signal ends it. Returns the exit status: 1 where it cannot go on by itself."""
    from vestri.commands.demo.running import run_demo

    return react(run_demo)
