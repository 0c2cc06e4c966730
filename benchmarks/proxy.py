"""A proxy that runs, from its peer's own configuration, until it has been measured."""

import contextlib
import http.client
import ssl
import tempfile
import time
from pathlib import Path

import attrs

from benchmarks import tools
from benchmarks.peers.job import Job, Peer, Setup
from benchmarks.processes import Failed, Process, free_port

#: Seconds that a proxy has to listen, and then to answer 200.
START_TIMEOUT = 60.0
#: Seconds between two questions whether it answers.
ASK_AGAIN = 0.05
CERTIFICATE_DAYS = 2


@attrs.frozen
class Contestant:
    """A peer in one of a scenario's setups. program: path of its program.  setup_name: as in the scenario."""

    peer: Peer
    program: str
    setup_name: str
    setup: Setup


@attrs.frozen
class Proxy:
    """A proxy that answers. start_seconds: from its start until it listened."""

    contestant: Contestant
    job: Job
    process: Process
    start_seconds: float

    @property
    def name(self):
        return self.contestant.peer.name

    @property
    def port(self):
        return self.job.port

    def url(self, path):
        return f"{'https' if self.job.setup.tls else 'http'}://{self.job.address}{path}"


@contextlib.contextmanager
def running(contestant, *, folder, replicas, cores, descriptors):
    """A `Proxy` that runs while entered.

    folder: where it gets a folder of its own.  replicas: addresses, of which it takes as many as its setup
    says.  cores: for its processes.  Raises Failed, tools.Missing or peers.job.Unsupported, with nothing left running.
    """
    own = Path(tempfile.mkdtemp(prefix=f"{contestant.peer.name}-", dir=folder))
    job = _job(contestant, own, replicas, descriptors)
    start = contestant.peer.start(job)
    with Process(start.arguments, cores=cores, log=own / "output", environment=start.environment) as process:
        seconds = process.wait_until_listening(job.port, START_TIMEOUT)
        _wait_until_answering(job)
        yield Proxy(contestant, job, process, seconds)


def _job(contestant, folder, replicas, descriptors):
    setup = contestant.setup
    certificate, key = make_certificate(folder) if setup.tls else (None, None)
    return Job(
        program=contestant.program,
        port=free_port(),
        folder=folder,
        setup=setup,
        replicas=replicas[: setup.replicas],
        descriptors=descriptors,
        certificate=certificate,
        key=key,
    )


def make_certificate(folder):
    """Paths of a new self-signed certificate for 127.0.0.1 and of its key, in PEM."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = [tools.find("openssl"), "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", str(CERTIFICATE_DAYS)]
    tools.run([*command, "-keyout", str(key), "-out", str(certificate)], timeout=30)
    if not certificate.exists():
        raise Failed("openssl made no certificate")
    return certificate, key


def _wait_until_answering(job):
    """Return when the proxy relays, which may be a moment after it listens. Raises Failed if it never does."""
    until = time.monotonic() + START_TIMEOUT
    path = f"{job.prefixes[0]}small"
    while (outcome := _ask(job, path)) != 200:
        if time.monotonic() > until:
            raise Failed(f"answered {outcome} for {START_TIMEOUT:g} s")
        time.sleep(ASK_AGAIN)


def _ask(job, path):
    """The status of an answer, or the error instead of one."""
    connection = http.client.HTTPConnection("127.0.0.1", job.port, timeout=START_TIMEOUT)
    if job.setup.tls:
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", job.port, timeout=START_TIMEOUT, context=context)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    finally:
        connection.close()
