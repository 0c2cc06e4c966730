"""The HTTP client that probes ask with."""

from http.cookiejar import CookieJar, DefaultCookiePolicy

from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from vestri.transport import ClientEndpoint


def probing_client(make, reactor):
    """The client for an `Asker`.

    make: `treq.client.HTTPClient`, handed in because treq is imported in one place only.

    Each probe opens a connection of its own: it takes none from the requests, and finds out whether
    the replica still accepts. No cookie of one answer goes out with another question.
    """
    pool = HTTPConnectionPool(reactor, persistent=False)
    agent = Agent.usingEndpointFactory(reactor, ReplicaEndpoints(reactor), pool)
    return make(agent, cookiejar=CookieJar(DefaultCookiePolicy(allowed_domains=())))


@implementer(IAgentEndpointFactory)
class ReplicaEndpoints:
    """Connects as requests do. An address needs no resolver, whose threads a dead name server could keep busy."""

    def __init__(self, reactor):
        self._reactor = reactor

    def endpointForURI(self, uri):
        return ClientEndpoint(self._reactor, uri.host.decode("ascii"), uri.port, tls=uri.scheme == b"https")
