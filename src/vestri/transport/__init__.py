"""Sockets under Twisted's transport interface: the one room that knows which kind of transport serves."""

from vestri.transport.connecting import ClientEndpoint
from vestri.transport.handshakes import ServerCertificate
from vestri.transport.kinds import install_reactor
from vestri.transport.listening import ServerEndpoint, server_endpoint

__all__ = ["ClientEndpoint", "ServerCertificate", "ServerEndpoint", "install_reactor", "server_endpoint"]
