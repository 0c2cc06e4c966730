"""The count of connections against the limit of descriptors."""

import os
import resource

import pytest

from vestri.transport.descriptors import RESERVED, Budget


@pytest.fixture
def limit(monkeypatch):
    """Says what the limit is."""
    return lambda soft: monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft, soft))


@pytest.fixture
def others(monkeypatch):
    """Says how many descriptors are open."""
    return lambda count: monkeypatch.setattr(os, "listdir", lambda path: ["0"] * count)


def test_connections_leave_the_reserve_and_what_was_open_before(limit, others):
    limit(200)
    others(10)
    budget = Budget()
    budget.measure()

    budget.taken = 200 - RESERVED - 10 - 1
    assert not budget.spent()
    budget.taken += 1
    assert budget.spent()


def test_connections_that_were_open_before_are_counted_once(limit, others):
    limit(200)
    others(60)
    budget = Budget()
    budget.taken = 50
    budget.measure()

    budget.taken = 200 - RESERVED - 10 - 1
    assert not budget.spent()


def test_a_limit_below_the_reserve_still_serves_one_after_the_other(limit, others):
    limit(32)
    others(10)
    budget = Budget()
    budget.measure()

    assert not budget.spent()
    budget.taken = 1
    assert budget.spent()


def test_without_a_limit_it_is_never_spent(limit, others):
    limit(resource.RLIM_INFINITY)
    others(10)
    budget = Budget()
    budget.measure()

    budget.taken = 10**7
    assert not budget.spent()
