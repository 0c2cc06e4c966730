"""curl, the command."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from clients import Answer, Download, Session
from wire import PATIENCE

#: No settings of the person's, no progress, no proxy, and targets as they stand.
PLAIN = [*"--disable --silent --show-error --noproxy * --path-as-is --globoff --max-time".split(), str(PATIENCE)]
CHUNK = 64 * 1024


class Curl(Session):
    """One run of curl for each `ask`, which keeps its connection from one request to the next."""

    def __init__(self, port):
        super().__init__(port)
        self._program = shutil.which("curl") or pytest.skip("curl is not installed")
        self._folder = tempfile.TemporaryDirectory()
        self._directory = Path(self._folder.name)

    def answers(self, asks):
        command = [self._program]
        for number, ask in enumerate(asks):
            command += ["--next"] * (number > 0) + self._arguments(number, ask)
        subprocess.run(command, check=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
        return [self._answer(number) for number in range(len(asks))]

    def _arguments(self, number, ask):
        head, body, sent = (str(self._directory / f"{kind}{number}") for kind in ("head", "body", "sent"))
        Path(body).write_bytes(b"")
        arguments = [*PLAIN, "--dump-header", head, *method(ask.method, body)]
        fields = {"Expect": "", **ask.fields}
        if ask.body or ask.chunked:
            Path(sent).write_bytes(ask.body)
            arguments += ["--upload-file", sent]
            fields |= {"Transfer-Encoding": "chunked"} if ask.chunked else {}
        for name, value in fields.items():
            arguments += ["--header", f"{name}: {value}" if value else f"{name}:"]
        return [*arguments, self.url(ask.target)]

    def _answer(self, number):
        heads = (self._directory / f"head{number}").read_bytes().decode("latin-1").split("\r\n\r\n")[:-1]
        *interim, (status, fields) = map(parsed, heads)
        body = (self._directory / f"body{number}").read_bytes()
        return Answer(status, fields, body, tuple(status for status, _ in interim))

    def download(self, target):
        return CurlDownload([self._program, *PLAIN, "--no-buffer", self.url(target)])

    async def close(self):
        self._folder.cleanup()


class CurlDownload(Download):
    def __init__(self, command):
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0)

    def read(self):
        return os.read(self._process.stdout.fileno(), CHUNK)

    def leave(self):
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._process.stdout.close()


def method(name, body):
    """body: path of the file that takes it. For HEAD, curl would write the head there."""
    return ["--head", "--output", os.devnull] if name == "HEAD" else ["--request", name, "--output", body]


def parsed(head):
    """(status, fields) of a head."""
    first, *lines = head.split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split()[1]), tuple((name.lower(), value.strip()) for name, _, value in pairs)
