"""A Vestri as a real process, with scripted replicas behind it."""

import os

from strict import connect

from support import Vestri, wait_until

#: One service and its replicas, unprobed, so that nothing comes to them but what a test sends.
PLAIN = """
services:
  - {{name: web, health: off, replicas: [{replicas}]}}
timeouts: {{response: 2s, idle: 2s}}
access_log: {{format: off}}
"""
HOST, CHUNKED = b"Host: a.example\r\n", b"Transfer-Encoding: chunked\r\n"
#: Descriptors that a Vestri needs for itself, and those of idle connections that it keeps for each replica.
BASE, IDLE = 24, 32


def head(method=b"GET", target=b"/", version=b"1.1", lines=b""):
    """The head of a request. lines: of its fields, besides Host, each with its line end."""
    return b"%b %b HTTP/%b\r\n%b%b\r\n" % (method, target, version, HOST, lines)


class Stage:
    """puppets: the replicas, in the order of the configuration, where `{replicas}` stands for them all.

    config: text with `{replicas}`, or `{0}`, `{1}` … for the address of a single one.
    """

    def __init__(self, directory, config, puppets):
        self.puppets = puppets
        urls = [puppet.url for puppet in puppets]
        replicas = ", ".join(f'{{url: "{url}"}}' for url in urls)
        self.vestri = Vestri(directory, config.format(*urls, replicas=replicas))

    def __enter__(self):
        self.vestri.__enter__()
        return self

    def __exit__(self, kind, *exc_info):
        self.vestri.__exit__(kind, *exc_info)
        if kind is None:
            self.check_log()

    def check_log(self):
        """Whatever came from outside, it was no fault of Vestri's own."""
        log = self.vestri.log.read_text()
        faults = [word for word in ("Traceback", "Unhandled", "#critical") if word in log]
        assert not faults, f"{faults} in its log:\n{log[-4000:]}"

    def check_descriptors(self):
        """Everything that was opened is closed again, but for a connection to a replica now and then that is kept."""
        few = BASE + IDLE * len(self.puppets)
        wait_until(lambda: self.descriptors() <= few, f"at most {few} descriptors are open")

    def descriptors(self):
        """How many Vestri has open."""
        return len(os.listdir(f"/proc/{self.vestri.process.pid}/fd"))

    puppet = property(lambda self: self.puppets[0])

    def forget(self):
        """Begin anew, for the next test."""
        for puppet in self.puppets:
            puppet.forget()

    def connect(self):
        """A client's connection."""
        return connect(self.vestri.port)

    def ask(self, data, to=b"GET"):
        """The final answer to a request on a connection of its own."""
        with self.connect() as client:
            client.send(data)
            return client.final_answer(to)

    def turn(self):
        """Return when Vestri has read everything that had come to it before, from whatever side."""
        assert self.ask(b"no request\r\n\r\n").status == 400

    def settle(self):
        """Return when everything that Vestri had read before has reached a replica, or never will."""
        assert self.ask(b"GET /settle HTTP/1.1\r\n" + HOST + b"\r\n").status == 200, "Vestri does not serve any more"

    @property
    def taken(self):
        """What the replicas took, but for `settle`."""
        return [each for puppet in self.puppets for each in puppet.taken if each.target != b"/settle"]
