"""Vestri: an HTTP load balancer and reverse proxy that can say why it did what it did."""

from vestri._version import __version__

__all__ = ["__version__"]
