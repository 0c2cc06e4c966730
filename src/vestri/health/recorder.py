"""What the answers of the probes amount to: which replicas are up."""

import attrs
from twisted.logger import Logger

from vestri.errors import UnknownReplica
from vestri.events import HealthChanged

log = Logger()


@attrs.frozen
class Health:
    """What the probes have found of one replica so far.

    up: whether it takes requests; None while starting.  streak: consecutive probes that disagree
    with `up`; while there are any it is in doubt.  cause: what the last probe found, in words.

        starting --passed once--> up --failed `fall` times--> down --passed `rise` times--> up
        starting --failed `fall` times--> down
    """

    up: bool | None = None
    streak: int = 0
    cause: str = ""

    def after(self, outcome, *, rise, fall):
        """The health after one more probe."""
        if outcome.passed == self.up:
            return Health(self.up, 0, outcome.cause)
        streak = self.streak + 1
        if streak >= self._needed(outcome.passed, rise, fall):
            return Health(outcome.passed, 0, outcome.cause)
        return Health(self.up, streak, outcome.cause)

    def _needed(self, passed, rise, fall):
        if not passed:
            return fall
        return 1 if self.up is None else rise


@attrs.define(eq=False)
class Watched:
    """A member that is probed."""

    pool: object
    check: object
    health: Health


class Recorder:
    """Turns outcomes into `Member.up`, and tells the observers what changed.

    checked: (pool, `model.HealthCheck`) for each service that is probed.
    observers: each is called with every `HealthChanged`.
    """

    def __init__(self, checked, observers=()):
        self._observers = tuple(observers)
        self._watched = {
            (pool.service, member.replica.id): Watched(pool, check, Health(member.up))
            for pool, check in checked
            for member in pool.members
        }

    def record(self, service, replica, outcome):
        """One probe of a replica was answered. Returns whether it is in doubt: to be asked again soon."""
        watched = self._find(service, replica)
        check, before = watched.check, watched.health
        after = watched.health = before.after(outcome, rise=check.rise, fall=check.fall)
        if after.up is not before.up:
            self._change(watched, HealthChanged(service, replica, after.up, after.cause, before.streak + 1))
        return after.streak > 0

    def adopt(self, change):
        """Take over what another process found out. change: its `HealthChanged`."""
        watched = self._find(change.service, change.replica)
        before, watched.health = watched.health, Health(change.up, 0, change.cause)
        if change.up is not before.up:
            self._change(watched, change)

    def health(self, service, replica):
        """The `Health` of a replica that is probed. Raises UnknownReplica."""
        return self._find(service, replica).health

    def changes(self):
        """A `HealthChanged` for each replica that is not starting: what a process that starts now has to adopt."""
        return [
            HealthChanged(service, replica, watched.health.up, watched.health.cause)
            for (service, replica), watched in self._watched.items()
            if watched.health.up is not None
        ]

    def _find(self, service, replica):
        watched = self._watched.get((service, replica))
        if watched is None:
            raise UnknownReplica(service, replica, [name for known, name in self._watched if known == service])
        return watched

    def _change(self, watched, change):
        watched.pool.set_up(change.replica, change.up)
        for observer in self._observers:
            try:
                observer(change)
            except Exception:
                log.failure("{change}: a fault in {observer!r}", change=change, observer=observer)


def log_change(change):
    """The observer that writes a line to the log."""
    if change.up:
        log.info("{change}", change=change)
    else:
        log.warn("{change}", change=change)
