"""A process that may open few descriptors: `python sparse.py uvloop|epoll` prints its port and greets every client.

It connects to each port that a client names, as four digits of hexadecimal.
"""

import resource
import sys

from twisted.internet.protocol import Factory, Protocol
from twisted.logger import globalLogBeginner, textFileLogObserver

from vestri.transport import ClientEndpoint, install_reactor, server_endpoint

#: Descriptors that it may have.
LIMIT = 200


class Greeting(Protocol):
    def connectionMade(self):
        self.transport.write(b"!")

    def dataReceived(self, data):
        from twisted.internet import reactor

        endpoint = ClientEndpoint(reactor, "127.0.0.1", int(data, 16))
        endpoint.connect(quiet(Protocol)).addErrback(lambda failure: None)


def quiet(protocol):
    factory = Factory.forProtocol(protocol)
    factory.noisy = False
    return factory


def main(kind):
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    if kind == "uvloop":
        install_reactor()
    from twisted.internet import reactor

    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    server_endpoint(reactor, "tcp:0:interface=127.0.0.1").listen(quiet(Greeting)).addCallback(tell)
    reactor.run()


def tell(port):
    port.one_by_one(False)
    sys.stdout.write(f"{port.getHost().port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
