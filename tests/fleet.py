"""Pools of replicas that nobody has to start, and what a strategy does with them."""

from collections import Counter
from random import Random

from vestri.model import Replica
from vestri.pool import Member, Pool


def replica(name, weight=1):
    return Replica(url=f"http://{name}.test", id=name, scheme="http", host=f"{name}.test", port=80, weight=weight)


def pool(weights, up=True):
    """A Pool 'web'. weights: of each replica by name."""
    return Pool("web", [Member(replica(name, weight), weight, up) for name, weight in weights.items()])


def member(pool, name):
    return next(each for each in pool.members if each.replica.id == name)


def strategy_for(pool, make, seed=1):
    """A strategy that hears of the pool's changes."""
    strategy = make(random=Random(seed))
    pool.subscribe(strategy.update)
    return strategy


def picks(strategy, count, exclude=()):
    """The ids of the next members that it chooses."""
    return [strategy.choose(None, exclude).replica.id for _ in range(count)]


def shares(strategy, count):
    """How often it chooses each id."""
    return Counter(picks(strategy, count))
