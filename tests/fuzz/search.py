"""Search for bytes that break a promise of `vestri.http1`, for a bounded time.

    python tests/fuzz/search.py requests --seconds 600

Coverage guides the search where atheris can be imported; else hypothesis looks in what is nearly HTTP. Bytes that break
a promise are left in the directory of findings, and the exit status is not 0. A fault, once mended, leaves its
bytes behind as a row of `tests/corpus`.
"""

import argparse
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]
#: Longer input finds nothing that shorter does not, only later.
LONGEST = 4096
#: Examples that hypothesis tries between two looks at the clock.
BATCH = 200


def guided(name, seconds, findings):
    """Let libFuzzer search. It ends the process, with a status that is 0 if nothing was found."""
    import atheris

    with atheris.instrument_imports(include=["vestri.http1"]):
        from targets import TARGETS
    target, seeds, _ = TARGETS[name]
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds()):
            Path(corpus, str(number)).write_bytes(seed[:LONGEST])
        options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=10", f"-dict={HERE / 'http.dict'}"]
        atheris.Setup([name, *options, f"-artifact_prefix={findings}{os.sep}", corpus], target)
        atheris.Fuzz()


def unguided(target, strategy, seconds, findings, clock=time.monotonic):
    """Let hypothesis search. Returns the exit status: 0 if nothing was found."""
    from hypothesis import HealthCheck, given, settings

    broken = {}

    @settings(max_examples=BATCH, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def attempt(data):
        try:
            target(data)
        except Exception:
            broken["bytes"] = data  # the last is the smallest
            raise

    until = clock() + seconds
    while clock() < until:
        try:
            attempt()
        except Exception as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            return keep(broken["bytes"], findings)
    return 0


def keep(data, findings):
    """Leave the bytes among the findings. Returns an exit status."""
    path = Path(findings, "crash-" + hashlib.sha1(data).hexdigest())
    path.write_bytes(data)
    sys.stderr.write(f"{path}: {data!r}\n")
    return 1


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", choices=("requests", "chunked_bodies", "answers"))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--findings", type=Path, default=HERE / "findings")
    options = parser.parse_args(arguments)
    options.findings.mkdir(parents=True, exist_ok=True)
    try:
        guided(options.target, options.seconds, options.findings)
    except ImportError:
        from targets import TARGETS

        target, _, strategy = TARGETS[options.target]
        return unguided(target, strategy, options.seconds, options.findings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
