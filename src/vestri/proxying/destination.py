"""Where the requests of one service go."""

import attrs

from vestri.model import Service


@attrs.define(eq=False)
class Destination:
    """One service, alive: its replicas, and the choice among them.

    pool: its `Pool`; every member's `connections` is a `Shelf`.  selector: a `Selector`, which leases members.
    """

    service: Service
    pool: object
    selector: object
    host: bytes | None = attrs.field(init=False)
    passes_host: bool = attrs.field(init=False)

    def __attrs_post_init__(self):
        said = self.service.host
        self.passes_host = said == "pass"
        self.host = None if said in ("pass", "replica") else said.encode("ascii")

    members = property(lambda self: self.pool.members)

    def host_for(self, head, replica):
        """The Host that the replica sees (RFC 9112 section 3.2: a request in HTTP/1.1 always has one)."""
        if self.passes_host and head.host:
            return head.host
        return replica.authority.encode("ascii") if self.host is None else self.host
