"""The access log: one line for each request that has ended."""

from vestri.operations.access_lines import FORMATS
from vestri.operations.log_file import LogFile
from vestri.operations.outlets import STANDARD_OUTPUT


class AccessLog:
    """Observer that writes a line for each finished exchange.

    settings: model.AccessLog, its format other than "off"; without a path standard output is meant.
    clock: IReactorTime that gathers the lines.  Raises OSError when the file cannot be opened.

    `file` is the Service that does the writing: give it a parent, and tell it to `reopen()` once the
    file has been moved.
    """

    __slots__ = ("_append", "_line", "file")

    def __init__(self, settings, clock):
        self.file = LogFile(settings.path or STANDARD_OUTPUT, clock)
        self._append, self._line = self.file.append, FORMATS[settings.format]().__call__

    def finished(self, exchange):
        self._append(self._line(exchange))


def open_log(settings, clock):
    """The access log that the settings ask for; None where they say off."""
    return None if settings.format == "off" else AccessLog(settings, clock)
