"""Try again? A pure answer from what is known about the attempt that failed."""

#: Methods whose repetition changes nothing (RFC 9110 section 9.2.2).
IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
#: Attempts at one request in all.
ATTEMPTS = 3
#: Bytes of a request's body that are kept to be sent again.
REPLAYED = 64 * 1024


def harmless(*, reason, answered, repeatable):
    """Whether a request that a replica broke off on can be sent again (RFC 9110 section 9.2.2).

    answered: bytes of an answer came.  repeatable: the method is idempotent and the body is still at hand.
    """
    return reason == "upstream_reset" and repeatable and not answered


def elsewhere(*, sent, again, attempts):
    """Whether another replica may be asked: when no byte of the request was written, or it is `harmless`."""
    return (again or not sent) and attempts < ATTEMPTS


def afresh(*, again, reused):
    """Whether the same replica may be asked again, over a fresh connection.

    An idle connection that its replica closes just as we use it is no fault of the replica, and
    nobody's request was begun (RFC 9112 section 9.3.1). reused: the connection had served before.
    """
    return again and reused
