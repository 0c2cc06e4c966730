"""A WebSocket with the `websockets` package at both ends, with Vestri between them and without."""

import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from wire import LOOPBACK, PATIENCE

#: Neither end says anything by itself.
QUIET = {"ping_interval": None, "max_size": None, "close_timeout": PATIENCE}


class BothEnds:
    """vestri: its process.  port: where its only replica is, while a test has one."""

    def __init__(self, vestri, port):
        self.vestri, self.port = vestri, port

    def alike(self, server, client, **options):
        """What both ends saw through Vestri, which is what they see without it.

        server, client: coroutine functions of the open connection.  options: see `conversation`.
        Returns (what `client` returned, what `server` returned).
        """
        direct = run(conversation(self.port, self.port, server, client, **options))
        through = run(conversation(self.vestri.port, self.port, server, client, **options))
        assert through == direct
        return through

    def through(self, server, client, **options):
        """The same through Vestri alone."""
        return run(conversation(self.vestri.port, self.port, server, client, **options))


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE))


async def conversation(port, replica, server, client, path="/", serving=None, connecting=None):
    """Connect to `port`, with a server listening at `replica`, and return what both saw.

    serving, connecting: options for `websockets`' functions.
    """
    seen = asyncio.get_running_loop().create_future()

    async def handle(socket):
        try:
            seen.set_result(await server(socket))
        except Exception as error:
            seen.set_exception(error)

    async with listening(handle, replica, **(serving or {})):
        async with connecting_to(port, path, **(connecting or {})) as socket:
            said = await client(socket)
        return said, await seen


def listening(handle, port, **options):
    return serve(handle, LOOPBACK, port, **{**QUIET, **options})


def connecting_to(port, path="/", **options):
    return connect(f"ws://{LOOPBACK}:{port}{path}", **{**QUIET, "proxy": None, **options})


async def echo(socket):
    """Say everything again until the connection ends, and how it did."""
    try:
        while True:
            await socket.send(await socket.recv())
    except ConnectionClosed:
        return await closing(socket)


async def closing(socket):
    """(code, reason) of the close, once the connection has ended: 1005 without a code, 1006 without a close."""
    await socket.wait_closed()
    return socket.close_code, socket.close_reason


async def linger(socket):
    """Do nothing until the other end closes."""
    return await closing(socket)
