"""``vestri demo``: a balancer and three replicas, to be played with."""

SUMMARY = "run a balancer with three replicas, and watch who gets the requests"


def add_arguments(parser):
    """It has none."""


def run(args):
    """Runs until a signal ends it. Raises SystemExit(1) where the balancer ends of itself."""
    from twisted.internet.task import react

    from vestri.commands.demo.running import run_demo

    react(run_demo)
