"""The processes of a soak: replicas that can be broken, a Vestri that can be looked into, and crowds of clients."""

import json
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

from support import Vestri, free_port, wait_until
from wire import LOOPBACK

HERE = Path(__file__).parent


class Replica:
    """A process of soak_replica.py, always at the same port. begun: file of the uploads that it began with."""

    def __init__(self, directory):
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.begun = directory / f"begun-{self.port}"
        self._log = directory / f"replica-{self.port}.log"

    def start(self):
        command = [sys.executable, str(HERE / "soak_replica.py"), str(self.port), str(self.begun)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Trouble:
    """While the context lasts, replicas are killed and started again, or stand still for a while."""

    def __init__(self, replicas, seed):
        self._replicas, self._random, self._over = replicas, random.Random(seed), Event()
        self._thread = Thread(target=self._run, daemon=True)
        self.kills = self.stops = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._over.set()
        self._thread.join()

    def _run(self):
        while not self._over.wait(self._random.uniform(0.3, 2)):
            replica = self._random.choice(self._replicas)
            if self._random.random() < 0.6:
                self._kill(replica)
            else:
                self._stop(replica)

    def _kill(self, replica):
        self.kills += 1
        replica.kill()
        self._over.wait(self._random.uniform(0, 1.5))
        replica.start()

    def _stop(self, replica):
        self.stops += 1
        replica.process.send_signal(signal.SIGSTOP)
        self._over.wait(self._random.uniform(0.1, 3))
        replica.process.send_signal(signal.SIGCONT)


class WatchedVestri(Vestri):
    """Vestri under witness.py. options: of twistd."""

    def __init__(self, directory, config, *options):
        super().__init__(directory, config)
        self._told = directory / "told.json"
        self._command[:1] = [sys.executable, str(HERE / "witness.py"), str(self._told), *options]

    def held(self):
        """What it holds.

        objects: kind -> count.  in_flight: replica -> requests.  visits: objects of visits, each in words.
        descriptors: so many are open.
        """
        with suppress(FileNotFoundError):
            self._told.unlink()
        self.process.send_signal(signal.SIGUSR2)
        wait_until(self._told.exists, "Vestri tells what it holds")
        return {**json.loads(self._told.read_text()), "descriptors": len(os.listdir(f"/proc/{self.process.pid}/fd"))}

    def memory(self):
        """Resident bytes (VmRSS of proc(5))."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024


class Crowd:
    """A process of crowd.py."""

    def __init__(self, port, service, visitors, seconds, seed):
        arguments = [str(HERE / "crowd.py"), *map(str, (port, service, visitors, seconds, seed))]
        self._process = subprocess.Popen([sys.executable, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

    def result(self):
        """What it says when it is done: `requests`, `counts` and `faults`."""
        said, _ = self._process.communicate()
        assert self._process.returncode == 0
        return json.loads(said)
