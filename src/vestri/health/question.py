"""What a replica is asked, and what its answer means: pure."""

import attrs

#: Any answer will do, where the configuration does not say what to ask for.
ANY_STATUS = ((0, 999),)
#: What the log of a replica says about who asks.
USER_AGENT = "Vestri health probe"


@attrs.frozen
class Outcome:
    """What a probe found. cause: why it passed or failed, in words, such as `answered 503`."""

    passed: bool
    cause: str


@attrs.frozen
class Question:
    """What is asked, how often, and which answer passes. Equal questions have equal answers.

    expect: inclusive (low, high) ranges of status codes.  body: bytes that the answer's must contain, or None.
    timeout: seconds for connecting, head and body together.  interval: seconds from one probe to the next.
    """

    url: str
    method: str
    headers: tuple[tuple[str, str], ...]
    expect: tuple[tuple[int, int], ...]
    body: bytes | None
    timeout: float
    interval: float

    @classmethod
    def of(cls, replica, check):
        """The question that a `model.HealthCheck` means for a `model.Replica`."""
        authority = attrs.evolve(replica, port=check.port or replica.port).authority
        named = {name.lower() for name, _ in check.headers}
        return cls(
            url=f"{replica.scheme}://{authority}{replica.base_path}{check.path or '/'}",
            method=check.method,
            headers=check.headers + (() if "user-agent" in named else (("User-Agent", USER_AGENT),)),
            expect=ANY_STATUS if check.path is None else check.expect,
            body=None if check.body is None else check.body.encode(),
            timeout=check.timeout,
            interval=check.interval,
        )

    def judge(self, status, body):
        """The `Outcome` of an answer. body: its first `BODY_READ` bytes."""
        if not any(low <= status <= high for low, high in self.expect):
            return Outcome(False, f"answered {status}")
        if self.body is not None and self.body not in body:
            return Outcome(False, f"answered {status} without {self.body.decode()!r} in its body")
        return Outcome(True, f"answered {status}")
