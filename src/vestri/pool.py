"""The live replicas of one service: who may take a request now, and who has one."""

import attrs
from twisted.logger import Logger

from vestri import model
from vestri.errors import UnknownReplica

#: The largest weight of a replica.
HEAVIEST = 1000

log = Logger()


@attrs.define(eq=False, repr=False)
class Member:
    """A replica and its live facts within one service.

    up: None until the first probes have told.  draining: the operator wants no new requests there.
    weight: its share of the requests; 0 takes no new ones.  in_flight: requests it has now.
    selected: leases granted so far.  connections: the shelf of connections to it.

    One fact, one writer: `Pool.set_up` and the operator's verbs write the first three, leases the counts.
    """

    replica: model.Replica
    weight: int = 1
    up: bool | None = None
    draining: bool = False
    in_flight: int = 0
    selected: int = 0
    connections: object = None

    @property
    def state(self):
        """One word: starting, up, down or, whatever health says, draining."""
        return "draining" if self.draining else {None: "starting", True: "up", False: "down"}[self.up]

    def __repr__(self):
        return f"<Member {self.replica.id}: {self.state}, weight {self.weight}, {self.in_flight} in flight>"


class Lease:
    """One request's use of a member, from the choice of it to `release`."""

    __slots__ = ("_listeners", "member")

    def __init__(self, member, listeners):
        self.member, self._listeners = member, listeners
        member.in_flight += 1
        member.selected += 1

    def release(self, outcome, seconds):
        """Give the member back; once, however often it is called.

        outcome: "answered", or the word of `errors.STATUS` for what went wrong.
        seconds: from the grant to the end.
        """
        listeners = self._listeners
        if listeners is None:
            return
        self._listeners = None
        self.member.in_flight -= 1
        for settled in listeners:
            try:
                settled(self.member, outcome, seconds)
            except Exception:
                log.failure("a fault in {settled!r} after a request", settled=settled)


class Pool:
    """The members of one service.

    candidates: the members that may take a request: those that are up, have a weight and are not
    draining; if there are none, those of which health knows nothing yet. A ready tuple, made anew
    when a fact changes.
    """

    def __init__(self, service, members):
        self.service = service
        self.members = tuple(members)
        self.candidates = candidates(self.members)
        self._by_name = {member.replica.id: member for member in self.members}
        self._subscribers = []
        self._listeners: tuple = ()

    @classmethod
    def of(cls, service):
        """The pool of a configured service. A replica that is never probed counts as up."""
        up = True if service.health is None else None
        return cls(service.name, [Member(replica, replica.weight, up) for replica in service.replicas])

    def subscribe(self, update):
        """Call `update(candidates)` now and whenever a fact about them changed, unless there are none."""
        self._subscribers.append(update)
        self._tell(update)

    def listen(self, settled):
        """Call `settled(member, outcome, seconds)` when a lease is released."""
        self._listeners += (settled,)

    def lease(self, member):
        """A `Lease` of a member for one request."""
        return Lease(member, self._listeners)

    def set_up(self, name, up):
        """Health found a replica up or down. Raises UnknownReplica."""
        self._change(name, "up", up)

    def drain(self, name):
        """Give a replica no new requests; those it has go on. Raises UnknownReplica."""
        self._change(name, "draining", True)

    def ready(self, name):
        """End the draining of a replica. Raises UnknownReplica."""
        self._change(name, "draining", False)

    def set_weight(self, name, weight):
        """weight: whole number from 0 to 1000. Raises UnknownReplica, or ValueError, before changing anything."""
        if not (type(weight) is int and 0 <= weight <= HEAVIEST):
            raise ValueError(f"expected a whole number 0..{HEAVIEST}, got {weight!r}")
        self._change(name, "weight", weight)

    def _change(self, name, fact, value):
        member = self._by_name.get(name)
        if member is None:
            raise UnknownReplica(self.service, name, self._by_name)
        if getattr(member, fact) == value:
            return
        setattr(member, fact, value)
        self.candidates = candidates(self.members)
        for update in self._subscribers:
            self._tell(update)

    def _tell(self, update):
        if not self.candidates:
            return
        try:
            update(self.candidates)
        except Exception:
            log.failure("{pool!r} changed: a fault in {update!r}", pool=self, update=update)

    def __repr__(self):
        count, in_flight = len(self.members), sum(member.in_flight for member in self.members)
        members = f"{count} member" if count == 1 else f"{count} members"
        return f"<Pool {self.service}: {members}, {len(self.candidates)} available, {in_flight} in flight>"


def candidates(members):
    """Those of the members that may take a request, in their order; a tuple."""
    ready = [member for member in members if member.weight and not member.draining]
    return tuple(member for member in ready if member.up) or tuple(member for member in ready if member.up is None)
