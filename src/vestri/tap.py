"""twistd's door: the options of `twistd vestri`, and the service that they make."""

import sys

from twisted.python import usage

from vestri import config
from vestri.errors import InvalidConfiguration, VestriError
from vestri.selection import STRATEGIES


class Options(usage.Options):
    """Reads and checks the configuration too: a faulty one is refused before twistd daemonises."""

    synopsis = "[twistd options] vestri --config FILE [--port N]"
    longdesc = "An HTTP load balancer and reverse proxy. The file's format: config/full.yaml, or `vestri schema`."
    optParameters = (
        ("config", "c", None, "The configuration, a YAML file."),
        ("port", "p", None, "Listen at this TCP port, in place of the file's `listen`.", usage.portCoerce),
    )

    def postOptions(self):
        if self["config"] is None:
            raise usage.UsageError("--config FILE is missing")
        try:
            self.configuration = config.read(self["config"], strategies=STRATEGIES, port=self["port"])
        except (InvalidConfiguration, VestriError) as error:
            refuse(error, 2)
        for warning in self.configuration.warnings:
            print(f"warning: {warning}", file=sys.stderr)


def makeService(options):
    """The service that twistd runs. Imports what imports the reactor only now, when twistd has chosen one."""
    from twisted.internet import reactor

    from vestri import wiring

    warning = wiring.raise_descriptor_limit(options.configuration.limits.connections)
    if warning:
        print(f"warning: {warning}", file=sys.stderr)
    try:
        return wiring.build(options.configuration, reactor)
    except (OSError, VestriError) as error:
        refuse(error, 1)


def refuse(error, status):
    """End the process with a message on standard error, not with a traceback."""
    print(error, file=sys.stderr)
    raise SystemExit(status)
