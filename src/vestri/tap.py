"""twistd's door: the options of `twistd vestri`, and the service that they make."""

import sys

import attrs
from twisted.python import usage

from vestri import config
from vestri.errors import CannotServe, InvalidConfiguration, VestriError
from vestri.model import AccessLog
from vestri.selection import STRATEGIES
from vestri.transport import install_reactor


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
        if "twisted.internet.reactor" not in sys.modules:  # nobody asked for another with --reactor
            install_reactor()
        for warning in self.configuration.warnings:
            warn(warning)

    @property
    def daemon(self):
        """Whether twistd will detach from the terminal. (There is no parent where the options stand alone.)"""
        return self.parent is not None and not self.parent["nodaemon"]

    @property
    def sheds_privileges(self):
        """Whether twistd will become another user before we serve."""
        return self.parent is not None and (self.parent["uid"] is not None or self.parent["gid"] is not None)


def makeService(options):
    """The service that twistd runs. Imports what imports the reactor only now, when twistd has chosen one."""
    from twisted.internet import reactor

    from vestri import wiring

    sys.excepthook = _without_traceback
    configuration = options.configuration
    if options.daemon and configuration.access_log.path in (None, "-") and configuration.access_log.format != "off":
        warn("a daemon has no standard output: no access log is kept; access_log: {path: FILE} keeps one")
        configuration = attrs.evolve(configuration, access_log=AccessLog(format="off"))
    wiring.raise_descriptor_limit(configuration.limits.connections, warn)
    if options.sheds_privileges:
        wiring.import_the_rest()
    try:
        return wiring.build(configuration, reactor)
    except (OSError, VestriError) as error:
        refuse(error, 1)


def _without_traceback(kind, error, traceback):
    """What twistd does with an error at the start, but for those that were logged in one line already."""
    if not issubclass(kind, CannotServe):
        sys.__excepthook__(kind, error, traceback)


def warn(message):
    """Tell the person who starts us, while their terminal is still there."""
    print(f"warning: {message}", file=sys.stderr)


def refuse(error, status):
    """End the process with a message on standard error, not with a traceback."""
    print(error, file=sys.stderr)
    raise SystemExit(status)
