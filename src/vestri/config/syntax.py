"""What YAML itself refuses, told so that a person finds the line to mend.

PyYAML, with libyaml or without, marks where it gave up. The mistake often stands before that, and
the text around the mark tells where.
"""

import re

#: Fragment of what PyYAML says (libyaml's words, or its own) -> what a person can act on.
#: {line}: where the thing began.  {character}: what stands at the mark.
AT_PROBLEM = (
    ("',' or ']'", "the list opened by '[' on line {line} is not closed before this; expected ',' or ']'"),
    ("',' or '}'", "the mapping opened by '{{' on line {line} is not closed before this; expected ',' or '}}'"),
    ("unknown escape character", 'an unknown escape in "..."; write \\\\ for a backslash, or use single quotes'),
    ("sequence entries are not allowed", "a list cannot begin here; put its first '- ' on the next line"),
    ("mapping keys are not allowed", "a value cannot begin with '?'; put it in quotes"),
    ("mapping values are not allowed", "a ':' where no key can stand; put the text in quotes"),
    ("cannot start any token", "a value cannot begin with {character}; put it in quotes"),
    ("<document start>", "the configuration ends before this; indent it like the first key, or take it out"),
    ("nesting depth", "lists and mappings stand too deep in each other here"),
)
#: The same, of what is better marked where the thing began.
AT_CONTEXT = (
    ("could not find expected ':'", "this line has no ':' after its key"),
    ("unexpected end of stream", "this quoted text is not closed"),
    ("scanning an alias", "a value cannot begin with '*'; put it in quotes"),
    ("scanning an anchor", "a value cannot begin with '&'; put it in quotes"),
    ("scanning a block scalar", "a value cannot begin with {character}; put it in quotes"),
    ("scanning a directive", "a line cannot begin with '%'; put it in quotes"),
    ("parsing a tag", "a value cannot begin with '!'; put it in quotes"),
)
#: What is said of a line that does not fit the block above it.
MISFIT = ("did not find expected key", "did not find expected '-' indicator", "expected <block end>")

CONFLICT = re.compile(r"(?:<<<<<<<|=======|>>>>>>>)(?: |$)")
SEPARATOR = re.compile(r":(?:\s|$)")
COMMENT = re.compile(r"(?:^|\s)#.*")
DASHES = re.compile(r"\s*(?:-\s+)*")


class Unreadable(Exception):
    """The text is no YAML, or no YAML that a configuration needs. line, column: from 1."""

    def __init__(self, line, column, message):
        super().__init__(message)
        self.line, self.column, self.message = line, column, message


def unreadable(text, error, quoted=None):
    """The `Unreadable` that an error of PyYAML stands for.

    error: a yaml.MarkedYAMLError.  quoted: the event of the last text in quotes before it, or None.
    """
    scene = _Scene(text, error, quoted)
    looks = (scene.conflict, scene.tab, scene.after_quotes, scene.colon, scene.misfit, scene.in_words)
    return next(found for look in looks if (found := look()))


class _Scene:
    """The text around the place where PyYAML gave up. Each look finds one kind of mistake, or None.

    Lines and columns count from 0 here, as PyYAML's do.
    """

    def __init__(self, text, error, quoted):
        self._lines = [*text.splitlines(), ""]
        self._said = ": ".join(filter(None, (error.context, error.problem)))
        self._mark = error.problem_mark or error.context_mark
        self._began = error.context_mark or self._mark
        self._quoted = quoted
        self._line = self._lines[self._mark.line]
        self._indentation = len(self._line) - len(self._line.lstrip())
        self._misfits = any(words in self._said for words in MISFIT)

    def conflict(self):
        """A merge that was not finished."""
        marked = (number for number, line in enumerate(self._lines) if CONFLICT.match(line))
        number = next(marked, None)
        return None if number is None else _at(number, 0, "a merge conflict is left in the file here")

    def tab(self):
        column = self._line.find("\t", 0, self._indentation)
        if column >= 0:
            return _at(self._mark.line, column, "a tab cannot indent; use spaces")
        if self._character(self._mark) == "\t":
            return self._here("a tab cannot stand here; use spaces")
        return None

    def after_quotes(self):
        """Text after a closing quote, which may have been meant as the opening one of another text."""
        if self._quoted is None or not self._touches(self._quoted.end_mark):
            return None
        start, end = self._quoted.start_mark, self._quoted.end_mark
        if start.line < end.line:
            message = f"this quoted text ends on line {end.line + 1} only; is its closing quote missing?"
            return _at(start.line, start.column, message)
        if self._character(self._mark) == ":":
            return self._here("expected a space after this ':'")
        return self._here("text after a closing quote; put the whole value in quotes") if self._misfits else None

    def _touches(self, end):
        return end.line == self._mark.line and not self._line[end.column : self._mark.column].strip()

    def colon(self):
        """A ': ' where none can stand; often it is the line above that is to be mended."""
        if "mapping values are not allowed" not in self._said:
            return None
        if SEPARATOR.search(self._line[: self._mark.column]):
            return self._here("a second ': ' in one value; put the value in quotes")
        above = self._number_above()
        return None if above is None else self._fault_of(above) or self._deeper()

    def _number_above(self):
        """Of the last line before the mark that holds more than a comment; None where there is none."""
        numbers = range(self._mark.line - 1, -1, -1)
        return next((number for number in numbers if self._content(number)[1]), None)

    def _content(self, number):
        """(column where the line begins after its dashes, what stands there, without a comment)."""
        line = COMMENT.sub("", self._lines[number]).rstrip()
        start = DASHES.match(line).end()
        return start, line[start:]

    def _fault_of(self, number):
        """What is wrong with a line that should hold a key."""
        start, content = self._content(number)
        if content.startswith("-"):
            return _at(number, start, "expected a space after this '-'")
        if SEPARATOR.search(content):
            return None
        if ":" in content:
            return _at(number, start + content.index(":"), "expected a space after this ':'")
        return _at(number, start, "this line has no ':' after its key")

    def _deeper(self):
        above = self._number_above()
        if above is None or self._indentation <= self._content(above)[0]:
            return None
        message = "this line is indented deeper than the one above, which has its value already"
        return _at(self._mark.line, self._indentation, message)

    def misfit(self):
        """A line that does not fit the block above it."""
        if not self._misfits:
            return None
        if self._indentation < self._mark.column:
            return self._here(f"expected a new line, got {self._character(self._mark)!r}")
        if self._mark.column != self._began.column:
            return self._deeper() or self._here("this line is indented like none above it")
        kind = "'- ', as in the list" if "block collection" in self._said else "a key, as in the mapping"
        return self._here(f"expected {kind} that begins on line {self._began.line + 1}")

    def in_words(self):
        """The words of the tables, or PyYAML's own."""
        for mark, table in ((self._began, AT_CONTEXT), (self._mark, AT_PROBLEM)):
            for fragment, words in table:
                if fragment in self._said:
                    return _at(mark.line, mark.column, self._filled(words, mark))
        return self._here(f"not YAML: {self._said}")

    def _filled(self, words, mark):
        return words.format(line=self._began.line + 1, character=repr(self._character(mark)))

    def _character(self, mark):
        return self._lines[mark.line][mark.column : mark.column + 1]

    def _here(self, message):
        return _at(self._mark.line, self._mark.column, message)


def _at(line, column, message):
    return Unreadable(line + 1, column + 1, message)
