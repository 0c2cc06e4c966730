"""Python's http.client."""

from http.client import HTTPConnection

from clients import Answer, Download, Session
from wire import LOOPBACK, PATIENCE

CHUNK = 64 * 1024


class HttpClient(Session):
    def __init__(self, port):
        super().__init__(port)
        self._connection = HTTPConnection(LOOPBACK, port, timeout=PATIENCE)

    def answers(self, asks):
        return [self._answer(each) for each in asks]

    def _answer(self, ask):
        body, fields = ask.body or None, dict(ask.fields)
        if ask.chunked:
            body, fields["Transfer-Encoding"] = pieces(ask.body), "chunked"
        self._connection.request(ask.method, ask.target, body, fields, encode_chunked=ask.chunked)
        answer = self._connection.getresponse()
        named = tuple((name.lower(), value) for name, value in answer.getheaders())
        return Answer(answer.status, named, answer.read())

    def download(self, target):
        self._connection.request("GET", target)
        return HttpDownload(self._connection)

    async def close(self):
        self._connection.close()


class HttpDownload(Download):
    def __init__(self, connection):
        self._connection, self._answer = connection, connection.getresponse()

    def read(self):
        return self._answer.read1(CHUNK)

    def leave(self):
        self._answer.close()
        self._connection.close()


def pieces(body):
    return (body[at : at + CHUNK] for at in range(0, len(body), CHUNK))
