"""HTTP/1.1 byte by byte over blocking sockets: clients that send what they like, replicas that follow a script."""

import io
import socket
import struct
from contextlib import suppress
from threading import Event, Thread
from typing import NamedTuple

#: Seconds after which something that should have happened long ago is given up.
PATIENCE = 20.0
LOOPBACK = "127.0.0.1"


class Message(NamedTuple):
    """A request or an answer. start: its first line.  fields: (lower-case name, value) as they came."""

    start: bytes
    fields: tuple
    body: bytes

    @property
    def status(self):
        return int(self.start.split()[1])

    def values(self, name):
        """Every value of a field, in order."""
        return [value for field, value in self.fields if field == name]

    def get(self, name):
        """The last value of a field, or None."""
        return dict(self.fields).get(name)


class Connection:
    """A connection that is read message by message. received: every byte that came so far."""

    def __init__(self, sock, timeout=PATIENCE):
        sock.settimeout(timeout)
        self.sock, self.received = sock, bytearray()
        self._file = io.BufferedReader(_Recorder(sock, self.received))

    def send(self, data):
        self.sock.sendall(data)

    def request(self):
        """The next whole request. Raises EOFError when it does not come."""
        return self._message(to=None)

    def answer(self, to=b"GET"):
        """The next whole answer, 1xx too. to: the request's method.  Raises EOFError when it does not come."""
        return self._message(to)

    def final_answer(self, to=b"GET"):
        """The next answer that is not informational (RFC 9110 section 15.2)."""
        while (answer := self.answer(to)).status < 200 and answer.status != 101:
            pass
        return answer

    def rest(self):
        """All that comes until the other side ends."""
        return self._file.read()

    def close(self):
        self._file.close()
        self.sock.close()

    def reset(self):
        """Close with RST in place of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def _message(self, to):
        start, fields = self._line(), tuple(self._fields())
        return Message(start, fields, self._body(start, dict(fields), to))

    def _fields(self):
        while line := self._line():
            name, _, value = line.partition(b":")
            yield name.lower(), value.strip()

    def _body(self, start, fields, to):
        """By the rules of RFC 9112 section 6.3."""
        if to is not None and (to == b"HEAD" or start.split()[1].startswith((b"1", b"204", b"304"))):
            return b""
        if fields.get(b"transfer-encoding") == b"chunked":
            return b"".join(self._chunks())
        if b"content-length" in fields:
            return self._exactly(int(fields[b"content-length"]))
        return b"" if to is None else self.rest()

    def _chunks(self):
        while size := int(self._line().partition(b";")[0], 16):
            yield self._exactly(size)
            self._line()
        list(self._fields())

    def _line(self):
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(f"ended after {line!r}")
        return line[:-2]

    def _exactly(self, size):
        data = self._file.read(size)
        if len(data) < size:
            raise EOFError(f"ended after {len(data)} of {size} bytes")
        return data


class _Recorder(socket.SocketIO):
    """Keeps a copy of what it reads."""

    def __init__(self, sock, record):
        super().__init__(sock, "rb")
        self._record = record

    def readinto(self, buffer):
        size = super().readinto(buffer)
        self._record += buffer[:size]
        return size


def connect(port, timeout=PATIENCE):
    """A client's Connection to loopback. timeout: seconds that one read or write may take."""
    return Connection(socket.create_connection((LOOPBACK, port), timeout), timeout)


def talk(port, data, *methods):
    """Send bytes on a connection of their own. Returns the final answers, as many as `methods` (default: one GET)."""
    client = connect(port)
    try:
        client.send(data)
        return [client.final_answer(to=method) for method in methods or (b"GET",)]
    finally:
        client.close()


class Replica:
    """A server on loopback that takes every connection through the same steps, then closes it.

    steps: callables of (connection, stopped), made by the functions below.  forever: begin again after the last.
    connections: the Connection of each that was accepted, in order.
    """

    def __init__(self, *steps, forever=False):
        self._steps, self._forever = steps, forever
        self.connections, self._threads, self._stopped = [], [], Event()
        self._listening = socket.create_server((LOOPBACK, 0), backlog=128)
        self.port = self._listening.getsockname()[1]
        self.url = f"http://{LOOPBACK}:{self.port}"

    def __enter__(self):
        self._run(self._accept)
        return self

    def __exit__(self, *exc_info):
        self._stopped.set()
        for sock in (self._listening, *(connection.sock for connection in self.connections)):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listening.close()

    def _run(self, work, *args):
        self._threads.append(Thread(target=work, args=args, daemon=True))
        self._threads[-1].start()

    def _accept(self):
        with suppress(OSError):
            while not self._stopped.is_set():
                self.connections.append(Connection(self._listening.accept()[0]))
                self._run(self._serve, self.connections[-1])

    def _serve(self, connection):
        with suppress(OSError, EOFError, ValueError):  # the other side is gone, or we closed
            self._walk(connection)
            while self._forever and not self._stopped.is_set():
                self._walk(connection)
        connection.close()

    def _walk(self, connection):
        for step in self._steps:
            step(connection, self._stopped)


def request(connection, stopped):
    """A step: read a whole request."""
    connection.request()


def send(data):
    """A step: send bytes as they are."""
    return lambda connection, stopped: connection.send(data)


def pause(seconds):
    """A step: wait."""
    return lambda connection, stopped: stopped.wait(seconds)


def hang(connection, stopped):
    """A step: do nothing until the replica is stopped."""
    stopped.wait()


def reset(connection, stopped):
    """A step: end with RST."""
    connection.reset()
