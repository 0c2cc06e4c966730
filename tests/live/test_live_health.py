"""Only replicas that are there get requests: they go down and come back, fall ill, flap and are killed."""

import os
import re
import subprocess
import time
from collections import Counter

import pytest
from load import Load
from puppet import Puppet
from stage import head
from strict import connect

from support import Vestri, free_port, script, wait_until

pytestmark = pytest.mark.live
PUPPETS = (Puppet,) * 3
CONFIG = """
services:
  - name: web
    health: {{path: /health, interval: 250ms, timeout: 250ms, rise: 1, fall: 1}}
    replicas: [{replicas}]
access_log: {{format: off}}
"""
GET = head()
#: Seconds of load; the promise is made for ten.
LASTING = 10 if os.environ.get("VESTRI_FULL") else 2


@pytest.fixture(autouse=True)
def all_up(stage):
    """Each replica answers its number, and is known to be up."""
    for number in range(3):
        heal(stage, number)
    wait_until(lambda: who_answers(stage) == {"0": 4, "1": 4, "2": 4}, "all are up")


def heal(stage, number):
    stage.puppets[number].answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number


def harm(stage, number):
    stage.puppets[number].answer = b"HTTP/1.1 500 Ill\r\nContent-Length: 0\r\n\r\n"


def order(stage, count):
    """Who answered, in order, as a word of digits."""
    with stage.connect() as client:
        answered = []
        for _ in range(count):
            client.send(GET)
            answered.append(client.answer().body.decode())
    return "".join(answered)


def who_answers(stage):
    return Counter(order(stage, 12))


def test_a_replica_that_is_down_gets_nothing_and_one_that_is_back_its_share(stage):
    harm(stage, 1)
    wait_until(lambda: who_answers(stage) == {"0": 6, "2": 6}, "it is down")
    heal(stage, 1)
    wait_until(lambda: who_answers(stage) == {"0": 4, "1": 4, "2": 4}, "it is back")


def test_with_nobody_up_it_is_a_503_and_then_everything_comes_back(stage):
    for number in range(3):
        harm(stage, number)
    wait_until(lambda: stage.ask(GET).get(b"vestri-reason") == b"no_replica", "none is up")
    assert int(stage.ask(GET).get(b"retry-after")) >= 1
    heal(stage, 0)
    wait_until(lambda: who_answers(stage) == {"0": 12}, "one is back")


def test_every_change_is_one_line_with_its_cause(stage):
    before = len(stage.vestri.log.read_text())
    harm(stage, 0)
    wait_until(lambda: who_answers(stage) == {"1": 6, "2": 6}, "it is down")
    lines = stage.vestri.log.read_text()[before:].splitlines()
    (about,) = [line for line in lines if stage.puppets[0].url in line]
    assert re.search("is down: .*500", about)


def test_a_replica_that_flaps_does_not_disturb_the_order_of_the_others(stage):
    for _ in range(3):
        harm(stage, 2)
        answered = order(stage, 60)
        heal(stage, 2)
        others = [pair for pair in zip(answered, answered[1:], strict=False) if "2" not in pair]
        assert sum(one == other for one, other in others) <= 2, answered


class Demo:
    """`vestri replica` as a process, which can be killed and started again at the same port."""

    def __init__(self):
        self.port = free_port()
        self.start()

    def start(self):
        self._process = subprocess.Popen(
            [script("vestri"), "replica", "--port", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._listens, f"the replica listens on {self.port}")
        return time.monotonic()

    def _listens(self):
        try:
            connect(self.port).close()
        except OSError:
            return False
        return True

    def kill(self):
        """End it as a crash would. Returns when it was over."""
        self._process.kill()
        self._process.wait()
        return time.monotonic()


@pytest.fixture
def pair():
    replicas = Demo(), Demo()
    yield replicas
    for replica in replicas:
        replica.kill()


KILLED = """
services:
  - name: web
    health: {{interval: 1s, rise: 1, fall: 1}}
    replicas: [{{url: "http://127.0.0.1:{}"}}, {{url: "http://127.0.0.1:{}"}}]
access_log: {{format: off}}
"""


def test_a_replica_killed_under_load_costs_only_what_was_sent_to_it(tmp_path, pair):
    """And nothing at all from the first failed probe on; started again, it is back within interval and timeout."""
    dying, staying = pair
    with Vestri(tmp_path, KILLED.format(dying.port, staying.port)) as vestri, Load(vestri.port, 50) as load:
        wait_until(lambda: answered_by(load, dying) and answered_by(load, staying), "both answer")
        time.sleep(LASTING / 2)
        dead = dying.kill()
        down = wait_until(lambda: down_in(vestri.log, dying) and time.monotonic(), "the log says that it is down")
        time.sleep(LASTING / 2)
        up = dying.start()
        back = wait_until(lambda: first_answer(load, dying, up), "it answers again")
    failed = [outcome for outcome in load.outcomes if outcome.status != 200]
    assert len(failed) <= 50, "no more than were under way"
    assert [outcome for outcome in failed if outcome.began > dead] == [], (
        "a request that began later was not sent to it"
    )
    assert [outcome for outcome in failed if outcome.began > down] == []
    assert back - up < 1 + 1 + 1, "interval and timeout, and a second for the machine"
    assert len(load.outcomes) > 200


def answered_by(load, demo):
    return [outcome for outcome in load.outcomes if b"%d" % demo.port in outcome.body]


def first_answer(load, demo, since):
    return next((outcome.ended for outcome in answered_by(load, demo) if outcome.began > since), None)


def down_in(log, demo):
    return re.search(rf":{demo.port}\b.* down", log.read_text())
