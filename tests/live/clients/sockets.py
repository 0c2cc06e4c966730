"""Clients that open a WebSocket, say something and hear it again."""

import asyncio

from wire import PATIENCE

#: What is offered; the servers take the first.
PROTOCOLS = ("second", "first")


def run(conversation):
    return asyncio.run(asyncio.wait_for(conversation, PATIENCE))


async def by_websockets(url, messages):
    from websockets.asyncio.client import connect

    async with connect(url, subprotocols=PROTOCOLS, proxy=None) as socket:
        heard = []
        for message in messages:
            await socket.send(message)
            heard.append(await socket.recv())
        return socket.subprotocol, heard


async def by_aiohttp(url, messages):
    import aiohttp

    async with aiohttp.ClientSession() as session, session.ws_connect(url, protocols=PROTOCOLS) as socket:
        heard = []
        for message in messages:
            await (socket.send_str if isinstance(message, str) else socket.send_bytes)(message)
            heard.append((await socket.receive()).data)
        return socket.protocol, heard


#: Package -> (subprotocol, messages heard) of a conversation at a URL.
ECHOES = {
    "websockets": lambda url, messages: run(by_websockets(url, messages)),
    "aiohttp": lambda url, messages: run(by_aiohttp(url, messages)),
}
