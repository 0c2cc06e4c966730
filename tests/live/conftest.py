"""What the live tests share: a Vestri with scripted replicas behind it, started once for the tests of a module."""

from contextlib import ExitStack

import pytest
from puppet import Puppet
from stage import Stage


@pytest.fixture(scope="module")
def staged(request, tmp_path_factory):
    """The `Stage` of a module: its `CONFIG`, and what its `PUPPETS` make."""
    module = request.module
    with ExitStack() as open_puppets:
        puppets = [open_puppets.enter_context(make()) for make in getattr(module, "PUPPETS", (Puppet,))]
        with Stage(tmp_path_factory.mktemp("stage"), module.CONFIG, puppets) as stage:
            yield stage
            stage.check_descriptors()


@pytest.fixture
def stage(staged):
    """The module's `Stage`, with nothing planned and nothing remembered."""
    staged.forget()
    yield staged
    faults = [fault for puppet in staged.puppets for fault in puppet.faults]
    assert not faults, f"a replica got what is no HTTP: {faults}"
