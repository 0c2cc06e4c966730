"""A client's connection as the crowd has it: an answer is whole and right, or an exception says what else."""

import asyncio
import socket
import struct
from contextlib import suppress

RESET = struct.pack("ii", 1, 0)
#: What an end looks like that comes too early.
CUT = (asyncio.IncompleteReadError, ConnectionError)


class Wrong(Exception):
    """An answer that is neither right nor visibly cut."""


class Refused(Exception):
    """An answer of Vestri's own."""


class Conversation:
    """An open connection; see `opened`."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer

    async def send(self, data):
        self._writer.write(data)
        await self._writer.drain()

    def end(self):
        """Say that nothing more follows, and go on reading."""
        self._writer.write_eof()

    def leave(self, reset):
        """Close, or break off with a reset, what is still open."""
        if reset:
            with suppress(OSError):
                self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._writer.transport.abort()
        else:
            self._writer.close()

    async def read(self, size):
        return await self._reader.read(size)

    async def exactly(self, size):
        return await self._reader.readexactly(size)

    async def head(self):
        """(status, fields) of the next answer, interim ones too."""
        first, *lines = (await self._reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        version, _, rest = first.partition(" ")
        if version != "HTTP/1.1" or not rest[:3].isdecimal():
            raise Wrong(f"no answer begins like this: {first!r}")
        return int(rest[:3]), {name.lower(): value.strip() for name, _, value in pairs}

    async def body(self, fields, pace=None):
        """pace: seconds to wait between two reads."""
        if "transfer-encoding" in fields:
            return b"".join([piece async for piece in self._chunks()])
        if "content-length" not in fields:
            return await self._reader.read()
        size, body = int(fields["content-length"]), b""
        while pace and len(body) < size:
            await asyncio.sleep(pace)
            body += await self._reader.readexactly(min(16384, size - len(body)))
        return body + await self._reader.readexactly(size - len(body))

    async def _chunks(self):
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            yield await self._reader.readexactly(size)
            await self._end_of_line()
        await self._end_of_line()

    async def _end_of_line(self):
        if await self._reader.readexactly(2) != b"\r\n":
            raise Wrong("a chunk that is longer than it said")

    async def expect(self, wanted, pace=None):
        """Read an answer, which is to have this body. Raises Refused or Wrong where it has another."""
        status, fields = await self.head()
        body = await self.body(fields, pace)
        if "vestri-reason" in fields:
            raise Refused(f"{status} {fields['vestri-reason']}")
        if (status, body) != (200, wanted):
            raise Wrong(f"{status} with {len(body)} bytes for {len(wanted)}: {body[:50]!r} for {wanted[:50]!r}")

    async def tells_refusal(self):
        """Read an answer that can only be a refusal."""
        with suppress(Refused):
            await self.expect(None)


async def opened(port, slow=False):
    """slow: with as little buffer as there can be."""
    sock = socket.socket()
    sock.setblocking(False)
    if slow:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    try:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return Conversation(*await asyncio.open_connection(sock=sock, limit=32768))
