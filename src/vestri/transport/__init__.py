"""Sockets under Twisted's transport interface: the one room that knows which kind of transport serves."""

from vestri.transport.connecting import ClientEndpoint
from vestri.transport.listening import ServerEndpoint, server_endpoint

__all__ = ["ClientEndpoint", "ServerEndpoint", "server_endpoint"]
