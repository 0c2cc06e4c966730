"""A replica that does what a test tells it, one request at a time, and remembers what it was sent."""

import socket
from collections import deque
from contextlib import suppress
from threading import Event, Thread

from strict import PATIENCE, Malformed, Stream

from wire import LOOPBACK

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Puppet:
    """Serves on loopback; each request meets the steps planned for it, or is taken and answered with `OK`.

    A step is a callable of (stream, stopped); those of `wire` (`send`, `pause`, `hang`, `reset`) are of the kind.
    taken: every whole request, in order.  faults: what came that was no HTTP, which nothing excuses.
    opened: connections so far.
    """

    def __init__(self, port=0):
        self.taken, self.faults, self.opened = [], [], 0
        self.answer = OK
        self._plans, self._streams, self._threads, self._stopped = deque(), [], [], Event()
        self._listening = socket.create_server((LOOPBACK, port), backlog=4096)
        self.port = self._listening.getsockname()[1]
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._run(self._accept)

    def next(self, *steps):
        """What the next request meets, in place of the usual; several calls are for several requests."""
        self._plans.append(steps)

    def replies(self, data):
        """The next request is taken and gets these bytes."""
        self.next(self.take, lambda stream, stopped: stream.send(data))

    def forget(self):
        """Begin anew, for the next test."""
        self._plans.clear()
        self.taken, self.faults, self.answer = [], [], OK

    def close(self):
        self._stopped.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()
        for thread in self._threads:
            thread.join(PATIENCE)

    def cut(self):
        """End every connection."""
        for stream in self._streams:
            with suppress(OSError):
                stream.sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    # Steps

    def take(self, stream, stopped):
        """Read a whole request."""
        self.taken.append(stream.request())

    def read_head(self, stream, stopped):
        """Read the head of a request, whose body is left for later."""
        stream.begun = stream.request_head()

    def read_body(self, stream, stopped):
        """Read the rest of the request that `read_head` began."""
        self.taken.append(stream.whole_request(stream.begun))

    def usual(self, stream, stopped):
        self.take(stream, stopped)
        stream.send(self.answer)

    # Serving

    def _run(self, work, *args):
        self._threads.append(Thread(target=work, args=args, daemon=True))
        self._threads[-1].start()

    def _accept(self):
        with suppress(OSError):
            while not self._stopped.is_set():
                sock = self._listening.accept()[0]
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.opened += 1
                self._streams.append(Stream(sock, timeout=None))
                self._run(self._serve, self._streams[-1])

    def _serve(self, stream):
        try:
            while stream.waiting():
                for step in self._plans.popleft() if self._plans else (self.usual,):
                    step(stream, self._stopped)
        except Malformed as fault:
            self.faults.append(fault)
        except (OSError, EOFError, ValueError):
            pass  # the other side is gone, or a step closed the connection
        stream.close()


def ends(stream, stopped):
    """A step: close the connection in order."""
    stream.close()
