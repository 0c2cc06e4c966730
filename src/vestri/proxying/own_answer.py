"""The answers that Vestri makes itself: small pages that say what happened, in text or JSON."""

import json
from email.utils import formatdate
from http import HTTPStatus

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


def body(error, request_id, accept):
    """What a self-made answer says. Returns (content type, bytes).

    error: RequestError.  request_id: text by which the operator finds the request in the log.
    accept: the request's Accept field as bytes, or None; JSON is given where it names it.
    """
    sentence = SENTENCES[error.reason]
    if accept is not None and b"json" in accept.lower():
        said = {"status": error.status, "reason": error.reason, "message": sentence, "request_id": request_id}
        return "application/json", (json.dumps(said) + "\n").encode("ascii")
    lines = f"{error.status} {phrase(error.status)}\n\n{sentence}\n\nreason: {error.reason}\nrequest: {request_id}\n"
    return "text/plain; charset=utf-8", lines.encode("ascii")


def fields(error, content_type, length):
    """The fields of a self-made answer as (name, value) pairs of text, but for the Connection field."""
    yield "Date", formatdate(usegmt=True)
    yield "Content-Type", content_type
    yield "Content-Length", str(length)
    yield "Cache-Control", "no-store"
    yield "Vestri-Reason", error.reason
    if error.retry_after is not None:
        yield "Retry-After", str(error.retry_after)
    if error.status == 405:
        yield "Allow", ALLOWED


def render(error, request_id, head, *, keep_alive):
    """A whole self-made answer as bytes.

    request_id: bytes.  head: the request's head, or None when it could not be read.  Answers to HEAD have no body
    (RFC 9110 section 9.3.2).
    """
    content_type, content = body(error, request_id.decode("latin-1"), head.get(b"accept") if head else None)
    lines = [f"HTTP/1.1 {error.status} {phrase(error.status)}"]
    lines += [f"{name}: {value}" for name, value in fields(error, content_type, len(content))]
    if not keep_alive:
        lines.append("Connection: close")
    elif head.version == 10:
        lines.append("Connection: keep-alive")
    start = ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
    return start if head is not None and head.method == b"HEAD" else start + content
