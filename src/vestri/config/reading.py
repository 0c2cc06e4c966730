"""One reading of one file: where each value stands, and what was found wrong on the way."""

import difflib
import re

from vestri.errors import Problem

#: Characters of a value that a message shows.
SHOWN = 40
#: How alike two names must be for one to be meant by the other; 1 is equal (difflib).
CLOSE = 0.7

PLAIN_STEP = re.compile(r"[\w<-]{1,40}")
VARIABLE = re.compile(r"\$(\$?)\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")

#: What a kind answers for a value that it could not read; the problem is reported already.
INVALID = object()

#: What is said of everything whose behaviour is not there yet.
NOT_YET = "not supported yet"


class Place:
    """Where a value stands: its node, and the steps from the root of the file to it."""

    __slots__ = ("node", "parent", "step")

    def __init__(self, node, parent=None, step=None):
        self.node, self.parent, self.step = node, parent, step

    def inner(self, step, node):
        """step: a key, or the index in a list."""
        return Place(node, self, step)

    @property
    def path(self):
        """Such as ``services[0].replicas[1].metadata.weight``; empty for the root."""
        if self.parent is None:
            return ""
        before = self.parent.path
        if isinstance(self.step, int):
            return f"{before}[{self.step}]"
        step = self.step if PLAIN_STEP.fullmatch(self.step) else shown(self.step)
        return f"{before}.{step}" if before else step


class Reading:
    """Collects the problems and warnings of a file while the schema and the checks walk it.

    file: its name in messages.  environ: what ``${NAME}`` reads.  strategies: name -> class.
    """

    def __init__(self, file, environ, strategies):
        self.file, self.environ, self.strategies = file, environ, strategies
        self._problems, self._warnings = [], []

    @property
    def problems(self):
        """In file order."""
        return _in_file_order(self._problems)

    @property
    def warnings(self):
        """As lines, in file order."""
        return tuple(str(warning) for warning in _in_file_order(self._warnings))

    def refuse(self, place, message):
        """Report a problem. Returns INVALID."""
        self._problems.append(self._problem(place, message))
        return INVALID

    def warn(self, place, message):
        """Report what the person should know, and what does not stop the file from being served."""
        self._warnings.append(self._problem(place, message))

    def _problem(self, place, message):
        return Problem(self.file, place.node.line, place.node.column, place.path, message)

    def text(self, place):
        """A scalar's text with its ``${NAME}`` and ``${NAME:-default}`` replaced, or INVALID.

        As in a shell, the default serves a variable that is unset or empty, and what a variable holds
        is text, whatever it looks like in YAML. ``$${`` stands for ``${``.
        """
        text = place.node.text
        if "${" not in text:
            return text
        try:
            return VARIABLE.sub(self._value, text)
        except ValueError as error:
            return self.refuse(place, str(error))

    def _value(self, found):
        escaped, name, default = found.groups()
        if escaped:
            return found[0][1:]
        if name is None:
            raise ValueError(f"expected ${{NAME}} or ${{NAME:-default}}, got {shown(found.string[found.start() :])}")
        value = self.environ.get(name)
        if default is not None:
            return value or default
        if value is None:
            raise ValueError(f"environment variable {name} is not set; set it, or write ${{{name}:-default}}")
        return value


def _in_file_order(problems):
    return sorted(problems, key=lambda problem: (problem.line, problem.column))


def shown(text):
    """A value as a message shows it: quoted, on one line, cut where it is long."""
    return repr(text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}...")


def came(node):
    """What stands at a node, for the end of `expected ..., got ...`."""
    if node.absent:
        return "nothing"
    if hasattr(node, "text"):
        return shown(node.text)
    return "a list" if hasattr(node, "items") else "a mapping"


def closest(text, names):
    """The name that the text is close to, in whatever case; None where none is."""
    folded = {name.lower(): name for name in names}
    close = difflib.get_close_matches(text[:SHOWN].lower(), folded, n=1, cutoff=CLOSE)
    return folded[close[0]] if close else None


def did_you_mean(text, names):
    """``; did you mean X?`` where one of the names is close to the text, else nothing."""
    name = closest(text, names)
    return f"; did you mean {name}?" if name else ""
