"""Watch and steer: what Vestri tells the people who run it."""

from vestri.operations.access_log import AccessLog, open_log

__all__ = ["AccessLog", "open_log"]
