"""A replica that does what a request's target says, well or badly: python soak_replica.py PORT FILE.

Every POST that it begins with is a line of FILE, so that one that was begun twice can be found out.
"""

import asyncio
import random
import socket
import struct
import sys
from contextlib import suppress

from agreed import content, digest

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
#: SO_LINGER with no time: close with a reset (socket(7)).
RESET = struct.pack("ii", 1, 0)


class Connection:
    """Serves one request after the other. begun: file of the names of uploads."""

    def __init__(self, reader, writer, begun):
        self._reader, self._writer, self._begun = reader, writer, begun

    async def serve(self):
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await self._once()
        self._writer.close()

    async def _once(self):
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        _, _, act, name, size = target.split("/") if target.count("/") == 4 else (None, None, "health", "", "0")
        if method == "POST":
            self._begun.write(f"{name}\n")
        await getattr(self, act)(name, int(size), fields)

    # Answers as they should be

    async def health(self, name, size, fields):
        await self._whole(b"up")

    async def length(self, name, size, fields):
        await self._whole(content(name, size))

    async def chunks(self, name, size, fields):
        await self._send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await self._chunks(content(name, size))
        await self._send(b"0\r\n\r\n")

    async def until_close(self, name, size, fields):
        await self._send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + content(name, size))
        raise ConnectionError

    async def slow(self, name, size, fields):
        await asyncio.sleep(random.uniform(0, 0.3))
        body = content(name, size)
        await self._send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for at in range(0, size, 8192):
            await self._send(body[at : at + 8192])
            await asyncio.sleep(0.005)

    async def upload(self, name, size, fields):
        if "expect" in fields:
            await self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await (self._read_chunks() if "transfer-encoding" in fields else self._reader.readexactly(size))
        await self._whole(digest(body))

    async def tunnel(self, name, size, fields):
        """Say everything again; after `size` bytes, if that is not 0, go."""
        await self._send(SWITCH)
        said = 0
        while data := await self._reader.read(65536):
            await self._send(data)
            said += len(data)
            if 0 < size <= said:
                self._reset()
        raise ConnectionError

    # And as they should not be

    async def cut(self, name, size, fields):
        await self._send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + content(name, size)[: size // 2])
        await self._go(name)

    async def cut_chunks(self, name, size, fields):
        await self._send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await self._chunks(content(name, size // 2))
        await self._go(name)

    async def silent(self, name, size, fields):
        await self._go(name)

    async def nonsense(self, name, size, fields):
        await self._send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")
        await asyncio.sleep(0.05)
        await self._go(name)

    async def _go(self, name):
        """Close without a word, or with a reset; which of the two, the request's name says."""
        await asyncio.sleep(0.01)
        if len(name) % 2:
            self._reset()
        raise ConnectionError

    def _reset(self):
        with suppress(OSError):  # it may be closed already
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._writer.transport.abort()
        raise ConnectionError

    # Bytes

    async def _send(self, data):
        self._writer.write(data)
        await self._writer.drain()

    async def _whole(self, body):
        await self._send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async def _chunks(self, body):
        for at in range(0, len(body), 5000):
            piece = body[at : at + 5000]
            await self._send(b"%x\r\n%b\r\n" % (len(piece), piece))

    async def _read_chunks(self):
        body = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            body += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)
        return body


async def main(port, path):
    with open(path, "a", buffering=1) as begun:
        server = await asyncio.start_server(lambda *ends: Connection(*ends, begun).serve(), "127.0.0.1", port)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
