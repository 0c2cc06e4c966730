"""Twisted's own reverse proxy, as it ships: `main.py PORT HOST REPLICA_PORT`."""

import sys

from twisted.internet import reactor
from twisted.web.proxy import ReverseProxyResource
from twisted.web.server import Site


def main(port, host, replica_port):
    """Serve until ended, on loopback."""
    reactor.listenTCP(int(port), Site(ReverseProxyResource(host, int(replica_port), b"")), interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
