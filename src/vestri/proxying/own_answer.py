"""The answers that Vestri makes itself: small pages that say what happened, in text or JSON."""

import json
from email.utils import formatdate
from http import HTTPStatus

import attrs

from vestri.errors import RequestError

#: What the person in front of the browser may know, by reason word. Addresses of replicas and bytes
#: that a client sent are never part of it; the access log and the event log have the detail.
SENTENCES = {
    "bad_request": "The request is not well-formed HTTP.",
    "no_route": "No service is configured for this address.",
    "method_refused": "This method is not served.",
    "header_timeout": "The head of the request did not arrive in time.",
    "body_timeout": "The body of the request did not arrive in time.",
    "body_too_large": "The body of the request is larger than is allowed.",
    "uri_too_long": "The request line is longer than is allowed.",
    "misdirected": "This host is not served on this connection.",
    "rate_limited": "Too many requests; please try again later.",
    "header_too_large": "The head of the request is larger than is allowed.",
    "internal_error": "Something went wrong in the load balancer.",
    "connect_refused": "The service could not be reached.",
    "tls_failure": "The service could not be reached securely.",
    "upstream_reset": "The service broke off before it answered.",
    "bad_response": "The service gave an answer that is not well-formed HTTP.",
    "no_replica": "The service is not available right now.",
    "queue_full": "The service is busy; please try again later.",
    "queue_timeout": "The service is busy; please try again later.",
    "breaker_open": "The service is recovering; please try again later.",
    "shutting_down": "The load balancer is shutting down; please try again.",
    "connect_timeout": "The service could not be reached in time.",
    "response_timeout": "The service did not answer in time.",
    "total_timeout": "The request took longer than is allowed.",
    "loop": "The request came back to the load balancer that had sent it on.",
}
#: Phrases that Python has by their older names before 3.13.
RENAMED = {413: "Content Too Large", 414: "URI Too Long"}
ALLOWED = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


def phrase(status):
    """The reason phrase of a status code in RFC 9110 section 15."""
    return RENAMED.get(status) or HTTPStatus(status).phrase


@attrs.frozen
class OwnAnswer:
    """What Vestri says in place of a replica. content: the body, b"" in answer to HEAD (RFC 9110 section 9.3.2).

    length: of the body that a GET would have got.  content_type: of it.
    """

    error: RequestError
    content_type: str
    content: bytes
    length: int

    def fields(self):
        """The fields as (name, value) pairs of text, but for the Connection field."""
        yield "Date", formatdate(usegmt=True)
        yield "Content-Type", self.content_type
        yield "Content-Length", str(self.length)
        yield "Cache-Control", "no-store"
        yield "Vestri-Reason", self.error.reason
        if self.error.retry_after is not None:
            yield "Retry-After", str(self.error.retry_after)
        if self.error.status == 405:
            yield "Allow", ALLOWED

    def render(self, head, *, keep_alive):
        """All of it as bytes. head: of the request, or None when it could not be read."""
        lines = [f"HTTP/1.1 {self.error.status} {phrase(self.error.status)}"]
        lines += [f"{name}: {value}" for name, value in self.fields()]
        if not keep_alive:
            lines.append("Connection: close")
        elif head.version == 10:
            lines.append("Connection: keep-alive")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + self.content


def own_answer(error, request_id, head):
    """The `OwnAnswer` for a RequestError, in JSON where the request's Accept field names that, else in text.

    request_id: bytes by which the operator finds the request in the log.  head: of the request, or None.
    """
    accept = head.get(b"accept") if head is not None else None
    say = _json if accept is not None and b"json" in accept.lower() else _text
    content_type, content = say(error, request_id.decode("latin-1"))
    to_head = head is not None and head.method == b"HEAD"
    return OwnAnswer(error, content_type, b"" if to_head else content, len(content))


def _json(error, request_id):
    said = {
        "status": error.status,
        "reason": error.reason,
        "message": SENTENCES[error.reason],
        "request_id": request_id,
    }
    return "application/json", (json.dumps(said) + "\n").encode("ascii")


def _text(error, request_id):
    title = f"{error.status} {phrase(error.status)}"
    lines = f"{title}\n\n{SENTENCES[error.reason]}\n\nreason: {error.reason}\nrequest: {request_id}\n"
    return "text/plain; charset=utf-8", lines.encode("ascii")
