"""A process that may open few descriptors: `python sparse.py uvloop|epoll` prints its port and greets every client."""

import resource
import sys

from twisted.internet.protocol import Factory, Protocol
from twisted.logger import globalLogBeginner, textFileLogObserver

from vestri.transport import install_reactor, server_endpoint

#: Descriptors that it may have.
LIMIT = 200


class Greeting(Protocol):
    def connectionMade(self):
        self.transport.write(b"!")


def main(kind):
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    if kind == "uvloop":
        install_reactor()
    from twisted.internet import reactor

    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    factory = Factory.forProtocol(Greeting)
    factory.noisy = False
    server_endpoint(reactor, "tcp:0:interface=127.0.0.1").listen(factory).addCallback(tell)
    reactor.run()


def tell(port):
    sys.stdout.write(f"{port.getHost().port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
