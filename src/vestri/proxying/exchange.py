"""One request's life: acquire, send, relay, release; the only place that decides on failure."""

from twisted.logger import Logger

from vestri.errors import NoReplicaAvailable, RequestError
from vestri.http1 import CHUNKED, chunk, last_chunk, request_head
from vestri.http1.fields import members
from vestri.proxying import retries
from vestri.proxying.own_answer import own_answer
from vestri.proxying.sweep import NEVER
from vestri.proxying.tunnel import Tunnel
from vestri.routing import join

#: Methods that are for the proxy itself: what is said to them (RFC 9110 sections 9.3.6 and 9.3.8).
NOT_RELAYED = {b"CONNECT": ("CONNECT is not implemented", 501), b"TRACE": ("TRACE is not allowed", 405)}
CONTINUE = 100

log = Logger()


class Exchange:
    """A request, from its head to the end of its answer.

    It stands between a client (`ClientConnection`, or whatever has its methods) and the connections
    to replicas, and is the record of what happened: observers get it when it has finished.

    Times are seconds of the sweep's clock, None until reached: `started` (first byte), `t_head` (head
    complete), `t_granted` (replica chosen), `t_sent` (sent to a connected replica), `t_first_byte` (head
    of the answer), `ended`; `ends` is when it must be over.  bytes_in, bytes_out: of the bodies.  status:
    what the client got, 499 when it left before; upstream_status: what the replica said.  reason: a word of
    `errors.STATUS`, "" where the replica's answer was relayed whole.
    """

    __slots__ = (
        "_continued",
        "_failure",
        "_finished",
        "_kept",
        "_kept_size",
        "_upload_held",
        "answered",
        "attempts",
        "bytes_in",
        "bytes_out",
        "careful",
        "client",
        "client_ip",
        "connecting",
        "connection",
        "destination",
        "ended",
        "ends",
        "head",
        "lease",
        "member",
        "origin_lines",
        "reason",
        "request_id",
        "reusable",
        "started",
        "status",
        "t_first_byte",
        "t_granted",
        "t_head",
        "t_sent",
        "timeouts",
        "tried",
        "uploaded",
        "upstream_status",
    )

    def __init__(self, client, head, started, t_head):
        self.client, self.head, self.started, self.t_head = client, head, started, t_head
        self.ends = NEVER
        self.connection = self.connecting = self.lease = self.member = self.destination = None
        self.t_granted = self.t_sent = self.t_first_byte = self.ended = None
        self.attempts = self.bytes_in = self.bytes_out = self._kept_size = 0
        self.status = self.upstream_status = self._failure = self._kept = None
        self.answered = self.uploaded = self._upload_held = self._continued = self._finished = False
        self.tried: tuple = ()
        self.reason, self.client_ip, self.request_id, self.origin_lines = "", "", b"", b""

    # What it says of itself

    peer = property(lambda self: self.client.peer)
    service = property(lambda self: self.destination and self.destination.service.name)
    matcher = property(lambda self: self.destination and self.destination.service.matcher.path)
    strategy = property(lambda self: self.destination and self.destination.service.strategy.name)
    replica = property(lambda self: self.member and self.member.replica.id)

    # From the client

    def begin(self, relay, payload, uploaded, trailers=b""):
        """Take the request to where `relay` sends it. payload: what of its body came with its head."""
        self.uploaded = uploaded
        if payload or uploaded and self.head.framing == CHUNKED:
            self.bytes_in = len(payload)
            self._kept = [self._framed(payload, uploaded, trailers)]
            self._kept_size = len(payload)
        elif not uploaded:
            self._kept = []
        try:
            if self.head.method in NOT_RELAYED:
                detail, status = NOT_RELAYED[self.head.method]
                raise RequestError("method_refused", detail, status=status)
            relay(self)
        except RequestError as error:
            self.refuse(error)
        except Exception:
            log.failure("request {request_id} failed by a fault of ours", request_id=self.request_id.decode("latin-1"))
            self.fail(RequestError("internal_error"))

    def relay(self, destination):
        """Send the request to one of the destination's replicas."""
        self.destination = destination
        timeouts = self.timeouts = destination.service.timeouts
        if timeouts.total is not None:
            self.ends = self.started + timeouts.total
        self.careful = self.head.method not in retries.IDEMPOTENT or not self.uploaded
        self._attempt(self.t_head)

    def upload(self, payload, done, trailers):
        """More of the request's body came."""
        self.bytes_in += len(payload)
        self.uploaded = done
        data = self._framed(payload, done, trailers)
        if self._kept is not None:
            self._keep(data)
        if self.connection is not None:
            self.connection.send_more(data, done)

    def upload_straight(self, source, most):
        """Let what lies ready of the body in a client's transport go to the replica, unread. Returns how many bytes."""
        if self.connection is None or self._kept is not None:
            return 0
        passed = source.pass_on(self.connection.transport, most)
        self.bytes_in += passed
        return passed

    def client_full(self):
        """The client takes no more for now."""
        if self.connection is not None:
            self.connection.pause()

    def client_drained(self):
        if self.connection is not None:
            self.connection.resume()

    def client_left(self, reason="client_abort"):
        """The client is gone: so is the reason for the replica's work."""
        self._stop_replica()
        if not self.answered:
            self.status = 499
        self.finish(reason)

    def fail(self, error):
        """End the exchange early for a reason on the client's side or of our own."""
        self._stop_replica()
        if self.answered:
            self.finish(error.reason)
            self.client.abort()
        else:
            self.refuse(error)

    # From the replica

    def replica_ready(self, connection):
        """A connection is there: send what we have of the request."""
        self.connection = connection
        self.t_sent = self.client.seconds()
        data = self._request()
        if self._kept:
            data += b"".join(self._kept)
        if self.head.method not in retries.IDEMPOTENT or self._kept_size > retries.REPLAYED:
            self._kept = None
        if self._upload_held:
            self._upload_held = False
            self.client.resume_upload()  # first, for what is sent may fill the replica, which pauses it again
        connection.send(self, data, self.t_sent)

    def replica_failed(self, reason, detail):
        """The attempt came to nothing, or broke off; `detail` says why in words."""
        connection, self.connection = self.connection, None
        if self.answered:
            self.member.connections.complain(self, reason, detail)
            self.finish(reason)
            self.client.abort()
            return
        again = self._is_harmless(connection, reason)
        if retries.afresh(again=again, reused=connection is not None and connection.reused):
            self.attempts += 1
            self._checkout(fresh=True)
            return
        self.member.connections.complain(self, reason, detail)
        self.lease.release(reason, self.client.seconds() - self.t_granted)
        self._failure = RequestError(reason, detail)
        if retries.elsewhere(sent=connection is not None, again=again, attempts=self.attempts):
            self.tried += (self.member,)
            self._attempt(self.client.seconds())
            return
        self.refuse(self._failure)

    def interim(self, head):
        """An interim answer: 100 is for the client only while it waits for it (RFC 9110 section 15.2)."""
        if head.status == CONTINUE:
            self.invite_upload()
        elif self.head.version == 11:
            self.client.interim(head)

    def invite_upload(self):
        """Say 100 (Continue), once, to a client that asked for it, has sent no body yet and has no answer."""
        if self.head.expects_continue and not (self._continued or self.bytes_in or self.uploaded or self.answered):
            self._continued = True
            self.client.invite_upload()

    def answer(self, head, payload, done, trailers):
        """The head of the final answer, with what of its body came along."""
        self.t_first_byte = self.client.seconds()
        self.status = self.upstream_status = head.status
        self.reusable, self.answered, self._kept = head.keep_alive, True, None
        self.bytes_out = len(payload)
        if done:
            self._finish("", self.t_first_byte)
        self.client.answer(self, head, payload, done, trailers)

    def answer_body(self, payload):
        self.bytes_out += len(payload)
        self.client.answer_body(payload)

    def answer_straight(self, source, most):
        """Let what lies ready of the body in a replica's transport go to the client, unread. Returns how many bytes."""
        passed = self.client.answer_straight(source, most)
        self.bytes_out += passed
        return passed

    def answer_end(self, trailers):
        self.finish()
        self.client.answer_end(self, trailers)

    def upgraded(self, head, rest):
        """The replica answered 101: from here on the two sockets are one."""
        connection = self.connection
        if not self._may_switch(head):
            connection.abort()
            self.replica_failed("bad_response", "it switched protocols though nobody had asked for that")
            return
        self.t_first_byte = self.client.seconds()
        self.status = self.upstream_status = head.status
        self.answered = True
        Tunnel(self, self.client, connection, self.timeouts.tunnel, self.client.sweep).join(head, rest)

    def _may_switch(self, head):
        """Whether a 101 names protocols, and only such as the client has offered (RFC 9110 section 7.8)."""
        offered, named = members(self.head.upgrade or b""), members(head.upgrade or b"")
        return self.uploaded and bool(named) and {*named} <= {*offered}

    def replica_full(self):
        """The replica takes no more of the upload for now."""
        if not self.uploaded:
            self.client.pause_upload()

    def replica_drained(self):
        if not self.uploaded:
            self.client.resume_upload()

    # Ends

    def refuse(self, error):
        """Answer for the replica."""
        answer = own_answer(error, self.request_id, self.head)
        self.status, self.bytes_out = error.status, len(answer.content)
        self.finish(error.reason)
        self.client.refuse(self, answer)

    def finish(self, reason=""):
        """Once, however it ends: frees the lease, then tells the observers."""
        if not self._finished:
            self._finish(reason, self.client.seconds())

    def _finish(self, reason, now):
        self._finished, self.ended, self.reason = True, now, reason
        if self.lease is not None:
            self.lease.release(reason or "answered", now - self.t_granted)
        self.client.finished(self)

    # Attempts

    def _attempt(self, now):
        try:
            self.lease = self.destination.selector.acquire(None, self.tried)
        except NoReplicaAvailable as error:
            self.refuse(self._failure or error)
            return
        self.attempts += 1
        self.member = self.lease.member
        self.t_granted = now
        self._checkout()

    def _checkout(self, *, fresh=False):
        self.member.connections.checkout(self, fresh=fresh)
        if self.connection is None and not (self.uploaded or self._finished):
            self._upload_held = True
            self.client.pause_upload()

    def _request(self):
        head, replica = self.head, self.member.replica
        target = join(replica.base_path.encode("ascii"), head.target) if replica.base_path else head.target
        lines = self.origin_lines
        if self.attempts > 1:
            lines += b"X-Vestri-Attempt: %d\r\n" % self.attempts
        return request_head(head, target, self.destination.host_for(head, replica), lines)

    def _is_harmless(self, connection, reason):
        return retries.harmless(
            reason=reason,
            answered=self._continued or (connection is not None and connection.spoke),
            repeatable=self.head.method in retries.IDEMPOTENT and (self._kept is not None or not self.bytes_in),
        )

    def _framed(self, payload, done, trailers):
        if self.head.framing != CHUNKED:
            return payload
        if not done:
            return chunk(payload)
        return chunk(payload) + last_chunk(trailers)

    def _keep(self, data):
        """Keep what was sent for another attempt, while it is little enough."""
        self._kept.append(data)
        self._kept_size += len(data)
        if self._kept_size > retries.REPLAYED and self.connection is not None:
            self._kept = None

    def _stop_replica(self):
        connection, self.connection = self.connection, None
        connecting, self.connecting = self.connecting, None
        if connecting is not None:
            connecting.cancel()
        if connection is not None:
            connection.abort()

    def __repr__(self):
        return f"<Exchange {self.request_id!r} {self.head.method!r} status={self.status}>"
