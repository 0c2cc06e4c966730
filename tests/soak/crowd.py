"""Clients of every kind at once: python crowd.py PORT SERVICE VISITORS SECONDS SEED.

Prints, as JSON, how often each kind of visit came to what: `right`, `cut` (visibly), `refused` (by Vestri), `left`
(by the client itself). Anything else is among the faults, in words.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter

from agreed import content, digest, target
from conversation import CUT, Refused, Wrong, opened

HOST = "Host: a.example\r\n"
#: Seconds after which a visit that goes on is a fault.
STUCK = 30.0


class Visitor:
    """Makes one visit after the other.

    tally: (kind, outcome) -> count.  faults: what else happened.  asked: requests so far.
    """

    def __init__(self, port, service, number, seed, tally, faults):
        self._port, self._service = port, service
        self._random, self._tally, self._faults = random.Random(f"{seed} {number}"), tally, faults
        self._prefix, self.asked = f"{service}.{seed}.{number}", 0

    async def until(self, deadline):
        while time.monotonic() < deadline:
            (kind,) = self._random.choices([*KINDS], KINDS.values())
            await self._visit(kind)
            await asyncio.sleep(self._random.uniform(0, 0.08))

    async def _visit(self, kind):
        conversation = await opened(self._port, slow=kind.startswith("slow"))
        try:
            outcome = await asyncio.wait_for(getattr(self, kind)(conversation), STUCK)
        except CUT:
            outcome = "cut"
        except Refused:
            outcome = "refused"
        except (Wrong, ValueError, asyncio.TimeoutError) as error:
            outcome = "wrong"
            self._faults.append(f"{self._service} {kind} {self._name()}: {error!r}")
        conversation.leave(reset=self._chance(0.2))
        self._tally[kind, outcome] += 1

    # Words of the visits below

    def _chance(self, share):
        return self._random.random() < share

    def _unbounded(self):
        """Acts whose answer only the end of its connection ends: nobody can tell that from a replica that is killed."""
        return ["until_close"] if self._service == "steady" else []

    def _size(self):
        return int(self._random.choice([0, 1, 100, 100, 5000, 20000, 100_000, 400_000]) * self._random.uniform(0.5, 1))

    def _name(self):
        self.asked += 1
        return f"{self._prefix}.{self.asked}"

    def _get(self, act, size, version="1.1"):
        """(bytes of a request, content of its answer)"""
        name = self._name()
        request = f"GET {target(self._service, act, name, size)} HTTP/{version}\r\n{HOST}\r\n"
        return request.encode(), content(name, size)

    def _post(self, size, lines):
        """(head of an upload, its content)"""
        name = self._name()
        head = f"POST {target(self._service, 'upload', name, size)} HTTP/1.1\r\n{HOST}{lines}\r\n".encode()
        return head, content(name, size)

    # Visits that end well where the replica does

    async def ask(self, conversation):
        for _ in range(self._random.randint(1, 6)):
            act = self._random.choice(["length", "length", "chunks", *self._unbounded(), "slow"])
            request, wanted = self._get(act, self._size())
            await conversation.send(request)
            await conversation.expect(wanted)
        return "right"

    async def ask_as_of_old(self, conversation):
        request, wanted = self._get(self._random.choice(["length", "chunks", *self._unbounded()]), self._size(), "1.0")
        await conversation.send(request)
        await conversation.expect(wanted)
        return "right"

    async def pipeline(self, conversation):
        asked = [self._get("chunks" if self._chance(0.3) else "length", self._size() // 8) for _ in range(8)]
        await conversation.send(b"".join(request for request, _ in asked))
        for _, wanted in asked:
            await conversation.expect(wanted)
        return "right"

    async def upload(self, conversation):
        for _ in range(self._random.randint(1, 3)):
            size = self._size()
            head, body = self._post(size, f"Content-Length: {size}\r\n")
            await conversation.send(head + body)
            await conversation.expect(digest(body))
        return "right"

    async def upload_in_chunks(self, conversation):
        head, body = self._post(self._size(), "Transfer-Encoding: chunked\r\n")
        await conversation.send(head)
        for at in range(0, len(body), 30_000):
            piece = body[at : at + 30_000]
            await conversation.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await conversation.send(b"0\r\n\r\n")
        await conversation.expect(digest(body))
        return "right"

    async def upload_when_invited(self, conversation):
        size = self._size() + 1
        head, body = self._post(size, f"Content-Length: {size}\r\nExpect: 100-continue\r\n")
        await conversation.send(head)
        status, fields = await conversation.head()
        if status != 100:
            raise Refused(f"{status} in place of 100: {await conversation.body(fields)}")
        await conversation.send(body)
        await conversation.expect(digest(body))
        return "right"

    async def slow_download(self, conversation):
        request, wanted = self._get("length", self._random.randint(100_000, 400_000))
        await conversation.send(request)
        await conversation.expect(wanted, pace=self._random.uniform(0.005, 0.05))
        return "right"

    async def slow_upload(self, conversation):
        size = self._size() // 4
        head, body = self._post(size, f"Content-Length: {size}\r\n")
        data = head + body
        step = max(1, len(data) // 8)
        for at in range(0, len(data), step):
            await conversation.send(data[at : at + step])
            await asyncio.sleep(self._random.uniform(0, 0.1))
        await conversation.expect(digest(body))
        return "right"

    async def tunnel(self, conversation):
        await self._switch(conversation, 0)
        for _ in range(self._random.randint(1, 10)):
            said = content(self._name(), self._size() // 4)
            await conversation.send(said)
            if await conversation.exactly(len(said)) != said:
                raise Wrong("another echo")
        conversation.end()
        if await conversation.read(1):
            raise Wrong("more than an echo")
        return "right"

    async def _switch(self, conversation, size):
        path = target(self._service, "tunnel", self._name(), size)
        await conversation.send(f"GET {path} HTTP/1.1\r\n{HOST}Connection: upgrade\r\nUpgrade: echo\r\n\r\n".encode())
        status, fields = await conversation.head()
        if status != 101:
            raise Refused(f"{status}: {await conversation.body(fields)}")

    # Visits that the client breaks off; `_visit` closes, now and then with a reset

    async def leave_reading(self, conversation):
        request, _ = self._get(self._random.choice(["length", "chunks", "slow"]), 400_000)
        await conversation.send(request)
        await conversation.read(self._random.randint(1, 50_000))
        return "left"

    async def leave_uploading(self, conversation):
        size = self._random.randint(10, 400_000)
        head, body = self._post(size, f"Content-Length: {size}\r\n")
        await conversation.send(head + body[: self._random.randint(0, size - 1)])
        return "left"

    async def leave_waiting(self, conversation):
        request, _ = self._get("slow", 100)
        await conversation.send(request * self._random.randint(1, 3))
        await asyncio.sleep(self._random.uniform(0, 0.1))
        return "left"

    async def leave_at_once(self, conversation):
        request, _ = self._get("length", 100)
        await conversation.send(request[: self._random.randint(0, len(request) - 1)])
        return "left"

    async def leave_tunnel(self, conversation):
        await self._switch(conversation, 0)
        await conversation.send(bytes(self._random.randint(0, 200_000)))
        return "left"

    # Visits that cannot end well

    async def nonsense(self, conversation):
        await conversation.send(self._random.choice(NONSENSE))
        await conversation.tells_refusal()
        if await conversation.read(1):
            raise Wrong("more than a refusal")
        return "refused"

    async def cut_off(self, conversation):
        act, version = self._random.choice(["cut", "cut_chunks"]), self._random.choice(["1.0", "1.1"])
        request, wanted = self._get(act, self._random.randint(10, 100_000), version)
        await conversation.send(request)
        await conversation.expect(wanted)
        raise Wrong("half an answer as a whole one")

    async def unanswered(self, conversation):
        request, _ = self._get(self._random.choice(["silent", "nonsense"]), 0)
        await conversation.send(request)
        await conversation.tells_refusal()
        return "refused"

    async def cut_tunnel(self, conversation):
        await self._switch(conversation, self._random.randint(1, 50_000))
        await conversation.send(bytes(50_000))
        while await conversation.read(65536):
            pass
        return "cut"


NONSENSE = [b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET /\r\nX\r\n\r\n"]
#: Kind of visit -> its share.
KINDS = {
    "ask": 30, "ask_as_of_old": 4, "pipeline": 6, "upload": 8, "upload_in_chunks": 5, "upload_when_invited": 3,
    "slow_download": 2, "slow_upload": 2, "tunnel": 4,
    "leave_reading": 4, "leave_uploading": 4, "leave_waiting": 3, "leave_at_once": 3, "leave_tunnel": 2,
    "nonsense": 2, "cut_off": 4, "unanswered": 3, "cut_tunnel": 2,
}  # fmt: skip


async def main(port, service, visitors, seconds, seed):
    tally, faults = Counter(), []
    deadline = time.monotonic() + seconds
    crowd = [Visitor(port, service, number, seed, tally, faults) for number in range(visitors)]
    await asyncio.gather(*(visitor.until(deadline) for visitor in crowd))
    counts = {f"{kind} {outcome}": count for (kind, outcome), count in sorted(tally.items())}
    asked = sum(visitor.asked for visitor in crowd)
    print(json.dumps({"requests": asked, "counts": counts, "faults": faults[:50]}))


if __name__ == "__main__":
    port, service, visitors, seconds, seed = sys.argv[1:]
    asyncio.run(main(int(port), service, int(visitors), float(seconds), seed))
