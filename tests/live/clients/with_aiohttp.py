"""aiohttp's client, on an event loop of its own."""

import asyncio
from io import BytesIO

import aiohttp
from yarl import URL

from clients import Answer, Download, Session
from wire import PATIENCE


class Aiohttp(Session):
    def __init__(self, port):
        super().__init__(port)
        self._loop = asyncio.new_event_loop()
        self._session = self.run(self._begin())

    async def _begin(self):
        return aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(PATIENCE))

    def run(self, coroutine):
        return self._loop.run_until_complete(asyncio.wait_for(coroutine, PATIENCE))

    def answers(self, asks):
        return [self.run(self._answer(each)) for each in asks]

    async def _answer(self, ask):
        data, chunked = BytesIO(ask.body) if ask.body else None, ask.chunked or None
        async with self._session.request(
            ask.method, self._exactly(ask.target), data=data, chunked=chunked, headers=ask.fields, allow_redirects=False
        ) as answer:
            named = tuple((name.decode().lower(), value.decode("latin-1")) for name, value in answer.raw_headers)
            return Answer(answer.status, named, await answer.read())

    def download(self, target):
        return AiohttpDownload(self, self.run(self._open(target)))

    async def _open(self, target):
        return await self._session.get(self._exactly(target))

    def _exactly(self, target):
        return URL(self.url(target), encoded=True)

    async def close(self):
        self.run(self._session.close())
        self._loop.close()


class AiohttpDownload(Download):
    def __init__(self, session, answer):
        self._session, self._answer = session, answer

    def read(self):
        return self._session.run(self._answer.content.readany())

    def leave(self):
        self._answer.close()
        self._session.run(asyncio.sleep(0))  # it closes at the loop's next turn
