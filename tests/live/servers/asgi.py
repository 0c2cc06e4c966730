"""The servers' common contract as an ASGI application, for uvicorn."""

import asyncio
import hashlib
import re

from servers import COOKIES, ENDLESS, FILE, GZIP, HELLO, MOVED_TO

PIECE = bytes(64 * 1024)


class Origin:
    """next: lets the running /events go on.  sending: answers to /endless that are under way."""

    def __init__(self):
        self.next, self.sending = asyncio.Semaphore(0), 0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "websocket":
            await echo(scope, receive, send)
            return
        first = scope["raw_path"].decode("latin-1").split("/")[1]
        serve = getattr(self, "get_" + first.replace("-", "_"), self.nothing)
        await serve(Request(scope, receive, send))

    async def get_hello(self, request):
        if request.get(b"if-none-match") == b'"v1"':
            await request.answer(304, b"", (b"etag", b'"v1"'))
        else:
            await request.whole(HELLO, (b"etag", b'"v1"'))

    async def get_empty(self, request):
        await request.answer(204, b"")

    async def get_moved(self, request):
        await request.whole(b"", (b"location", MOVED_TO.encode()), status=302)

    async def get_cookies(self, request):
        await request.whole(b"", *((b"set-cookie", cookie.encode()) for cookie in COOKIES))

    async def get_gzip(self, request):
        await request.whole(GZIP, (b"content-encoding", b"gzip"))

    async def get_file(self, request):
        asked = re.fullmatch(rb"bytes=(\d+)-(\d+)", request.get(b"range") or b"")
        if not asked:
            await request.whole(FILE, (b"accept-ranges", b"bytes"))
            return
        first, last = map(int, asked.groups())
        span = b"bytes %d-%d/%d" % (first, last, len(FILE))
        await request.whole(FILE[first : last + 1], (b"content-range", span), status=206)

    async def get_chunked(self, request):
        await request.begin(200, (b"content-type", b"text/plain"))
        await request.more(HELLO[:100])
        await request.more(HELLO[100:], last=True)

    async def get_echo(self, request):
        query = request.scope["query_string"]
        await request.whole(request.scope["raw_path"] + (b"?" + query if query else b""))

    async def get_port(self, request):
        await request.whole(str(request.scope["client"][1]).encode())

    async def get_upload(self, request):
        size, sha, more = 0, hashlib.sha256(), True
        while more:
            message = await request.receive()
            size += len(message.get("body", b""))
            sha.update(message.get("body", b""))
            more = message.get("more_body", False)
        await request.whole(f"{size} {sha.hexdigest()}".encode())

    async def get_events(self, request):
        self.next = asyncio.Semaphore(0)
        await request.begin(200, (b"content-type", b"text/event-stream"))
        await request.more(b"id: 1\ndata: one\n\n")
        for number in (2, 3):
            await asyncio.wait_for(self.next.acquire(), 20)
            await request.more(b"id: %d\ndata: more\n\n" % number, last=number == 3)

    async def get_next(self, request):
        self.next.release()
        await request.whole(b"")

    async def get_endless(self, request):
        self.sending += 1
        try:
            await request.begin(200, (b"content-length", str(ENDLESS).encode()))
            gone = asyncio.ensure_future(request.gone())
            while not gone.done():
                await request.more(PIECE)
        finally:
            self.sending -= 1

    async def get_sending(self, request):
        await request.whole(str(self.sending).encode())

    async def nothing(self, request):
        await request.whole(b"", status=404)


class Request:
    """A request, and the words to answer it."""

    def __init__(self, scope, receive, send):
        self.scope, self.receive, self.send = scope, receive, send

    def get(self, name):
        return dict(self.scope["headers"]).get(name)

    async def whole(self, body, *fields, status=200):
        """An answer of a known length."""
        await self.answer(status, body, (b"content-length", str(len(body)).encode()), *fields)

    async def answer(self, status, body, *fields):
        await self.begin(status, *fields)
        await self.more(body, last=True)

    async def begin(self, status, *fields):
        await self.send({"type": "http.response.start", "status": status, "headers": fields})

    async def more(self, body, last=False):
        await self.send({"type": "http.response.body", "body": body, "more_body": not last})

    async def gone(self):
        """Return when the client has left."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


async def echo(scope, receive, send):
    """Accept with the first protocol that is offered, and say every message again."""
    await receive()
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
    while (message := await receive())["type"] == "websocket.receive":
        said = {kind: message[kind] for kind in ("text", "bytes") if message.get(kind) is not None}
        await send({"type": "websocket.send", **said})


application = Origin()
