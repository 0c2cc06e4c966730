"""treq, on the reactor of the tests."""

from io import BytesIO

from treq.client import HTTPClient
from twisted.internet.defer import DeferredQueue
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool
from twisted.web.iweb import UNKNOWN_LENGTH

from clients import Answer, Download, Session
from wire import PATIENCE


class Treq(Session):
    """It normalises URLs, and undoes gzip."""

    verbatim, decodes = False, True

    def __init__(self, port):
        from twisted.internet import reactor

        super().__init__(port)
        self._reactor = reactor
        self._pool = HTTPConnectionPool(reactor)
        self._client = HTTPClient(Agent(reactor, pool=self._pool))
        self._downloads = HTTPClient(Agent(reactor))

    async def ask(self, *asks):
        return [await self._answer(each) for each in asks]

    async def _answer(self, ask):
        data = Unmeasured(ask.body) if ask.chunked else ask.body or None
        answer = await self._client.request(
            ask.method, self._url(ask.target), data=data, headers=ask.fields, allow_redirects=False, timeout=PATIENCE
        )
        body = await answer.content()
        return Answer(answer.code, tuple(named(answer.headers)), body)

    async def open(self, target):
        answer = await self._downloads.get(self._url(target), unbuffered=True, timeout=PATIENCE)
        download = TreqDownload(self._reactor)
        answer.deliverBody(download)
        return download

    def _url(self, target):
        return self.url(target).encode()

    async def close(self):
        await self._pool.closeCachedConnections()
        await deferLater(self._reactor, 0)


class TreqDownload(Protocol, Download):
    def __init__(self, reactor):
        self._reactor, self._pieces = reactor, DeferredQueue()

    def dataReceived(self, data):
        self._pieces.put(data)

    async def more(self):
        return await self._pieces.get().addTimeout(PATIENCE, self._reactor)

    async def cancel(self):
        self.transport.loseConnection()


class Unmeasured(FileBodyProducer):
    """A body of which nobody knows the length, so that it is sent in chunks."""

    def __init__(self, content):
        super().__init__(BytesIO(content))
        self.length = UNKNOWN_LENGTH


def named(headers):
    for name, values in headers.getAllRawHeaders():
        for value in values:
            yield name.decode().lower(), value.decode("latin-1")
