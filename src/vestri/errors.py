"""Every error that Vestri raises on purpose.

One family. A configuration error knows its place in the file, a request error its status.
"""

import attrs

#: Reason word -> status code of the answer that Vestri itself gives. The words are the
#: machine-readable causes of the access log and of the ``Vestri-Reason`` field; the status
#: codes are those of RFC 9110 section 15 (431: RFC 6585 section 5). 499 is logged, never sent.
STATUS = {
    "bad_request": 400,
    "no_route": 404,
    "method_refused": 405,
    "header_timeout": 408,
    "body_timeout": 408,
    "body_too_large": 413,
    "uri_too_long": 414,
    "misdirected": 421,
    "rate_limited": 429,
    "header_too_large": 431,
    "client_abort": 499,
    "client_too_slow": 499,
    "internal_error": 500,
    "connect_refused": 502,
    "tls_failure": 502,
    "upstream_reset": 502,
    "bad_response": 502,
    "no_replica": 503,
    "queue_full": 503,
    "queue_timeout": 503,
    "breaker_open": 503,
    "shutting_down": 503,
    "connect_timeout": 504,
    "response_timeout": 504,
    "total_timeout": 504,
    "loop": 508,
}


class VestriError(Exception):
    """The root of the family."""


class RequestError(VestriError):
    """Why a request cannot be answered by a replica.

    reason: a word of `STATUS`.  detail: a sentence for the person who reads the log or the
    answer; never holds bytes that a client sent.  status: the code to answer with, when it is
    not the reason's own (CONNECT is `method_refused` with 501).  retry_after: whole seconds
    for the ``Retry-After`` field, or None.
    """

    def __init__(self, reason, detail="", *, status=None, retry_after=None):
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail
        self.status = status or STATUS[reason]
        self.retry_after = retry_after

    def __repr__(self):
        return f"<{type(self).__name__} {self.status} {self.reason}: {self.detail}>"


class NoReplicaAvailable(RequestError):
    """None of a service's replicas may take a request now."""

    def __init__(self, service, members, *, retry_after=1):
        which = "its only replica is not" if members == 1 else f"none of its {members} replicas is"
        super().__init__("no_replica", f"service '{service}': {which} available", retry_after=retry_after)


class CannotServe(VestriError):
    """This process cannot begin to serve; the message says why."""


class TLSFailed(VestriError):
    """A replica was reached, but not securely; the message says why, such as what is wrong with its certificate."""


class UnknownReplica(VestriError):
    """A verb named a replica that the service does not have."""

    def __init__(self, service, name, known):
        super().__init__(f"service '{service}' has no replica '{name}'; it has {', '.join(known)}")


@attrs.frozen
class Problem:
    """One fault of a configuration file, at its place.

    line, column: from 1.  path: of the key, such as ``services[0].strategy``; empty for a fault
    of the file as a whole.  message: what was expected and what came.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self):
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class InvalidConfiguration(VestriError):
    """A configuration file that cannot be served; `problems` holds every fault, in file order."""

    def __init__(self, problems):
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
