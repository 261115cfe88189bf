r"""The regexes of a query: one subset, which takes linear time and means the same in Rust, RE2 and Python.

============================  ====================================================================================
``a`` ``é`` ``\.`` ``\t``      the character; ``\t \n \r \f \v \xHH`` as usual; a backslash before a sign makes it plain
``.``                         any character but a newline
``[a-z]`` ``[^a-z]``          one of these, or none of these
``\d \w \s``                  a digit, one of ``[A-Za-z0-9_]``, one of ``[ \t\n\r\f\v]``: ASCII, always
``\D \W \S``                  all else
``^`` ``$`` ``\b`` ``\B``      where the text begins and ends; where a word of ``\w`` begins or ends, and where not
``x|y`` ``(x)`` ``(?:x)``     one of them; together
``* + ? {2} {2,} {2,5}``      how often, at most 1000; with ``?`` behind, the same
``(?i)``                      at the beginning: A to Z match both cases, and no other letter does
============================  ====================================================================================

Look-around, back-references, possessive and atomic groups, Unicode classes and other flags are refused, with the place.
A pattern is read into a tree and written again for the engines, so that nothing is left to what they make of a text.
"""

import string
from dataclasses import dataclass
from typing import Literal

from heeler.errors import QueryError

MOST_REPEATS = 1000
MOST_STEPS = 5000
"""Steps of the machine that an engine makes of a pattern; repeats of repeats multiply."""

DEEPEST = 40

_CLASSES = {
    "d": [("0", "9")],
    "w": [("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")],
    "s": [("\t", "\r"), (" ", " ")],
}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_LAST = "\U0010ffff"

Span = tuple[str, str]
"""The first and the last character of a range."""


@dataclass(frozen=True, slots=True)
class _One:
    """One character of some ranges, or of none of them."""

    spans: tuple[Span, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class _At:
    """A place: where the text begins or ends, a border of a word or none."""

    place: Literal["^", "$", "b", "B"]


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: "tuple[_Part, ...]"


@dataclass(frozen=True, slots=True)
class _Choice:
    parts: "tuple[_Part, ...]"


@dataclass(frozen=True, slots=True)
class _Repeat:
    part: "_Part"
    least: int
    most: int | None


_Part = _One | _At | _Sequence | _Choice | _Repeat


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regex that was read: ``engine`` is what Rust, RE2 and Python understand alike.

    ``literals`` stand in every text that it matches, in this order and some case of A to Z.
    """

    engine: str
    literals: tuple[str, ...]


def read(text: str, query: str = "", at: int = 0) -> Pattern:
    r"""Read what stands between the slashes of a query, where ``\/`` is a slash.

    Raises `QueryError` with the place in ``query``, in which ``text`` begins at ``at``.
    """
    reader = _Reader(text, query or text, at)
    tree = reader.everything()
    return Pattern(_written(tree), tuple(_literals(tree)))


class _Reader:
    def __init__(self, text: str, query: str, begin: int) -> None:
        self._text = text
        self._query = query
        self._begin = begin
        self._at = 0
        self._depth = 0
        self.folds = text.startswith("(?i)")
        if self.folds:
            self._at = 4

    def everything(self) -> _Part:
        tree = self._choice()
        if self._at < len(self._text):
            raise self._error("The regex has a ')' without its '('.")
        if _steps(tree) > MOST_STEPS:
            raise self._error(f"The regex is too large: its repeats come to more than {MOST_STEPS:,} steps.", 0)
        return tree

    def _error(self, message: str, at: int | None = None) -> QueryError:
        return QueryError(message, self._query, self._begin + (self._at if at is None else at))

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _choice(self) -> _Part:
        parts = [self._sequence()]
        while self._next() == "|":
            self._at += 1
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else _Choice(tuple(parts))

    def _sequence(self) -> _Part:
        parts: list[_Part] = []
        while self._next() not in ("", "|", ")"):
            parts.append(self._repeated())
        return parts[0] if len(parts) == 1 else _Sequence(tuple(parts))

    def _repeated(self) -> _Part:
        begin = self._at
        part = self._single()
        counts = self._counts()
        if counts is None:
            return part
        if isinstance(part, _At):
            raise self._error("In the regex a place is repeated, where nothing is that could be.", begin)
        if self._next() == "?":
            self._at += 1  # which of several matches is found first does not matter
        elif self._next() == "+":
            raise self._error("The regex has a possessive repeat, which not every engine knows; leave out the '+'.")
        if self._counts() is not None:
            raise self._error("The regex has one repeat behind another; put the first one in (…).", self._at - 1)
        return _Repeat(part, *counts)

    def _counts(self) -> tuple[int, int | None] | None:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if self._next() in simple:
            self._at += 1
            return simple[self._text[self._at - 1]]
        if self._next() != "{":
            return None
        begin, end = self._at, self._text.find("}", self._at)
        low, comma, high = self._text[self._at + 1 : end].partition(",")
        if end < 0 or not _is_count(low) or (high and not _is_count(high)):
            raise self._error(r"The regex has a '{' that begins no {2} or {2,5}; '\{' is the character.")
        self._at = end + 1
        least, most = int(low), (int(high) if high else None if comma else int(low))
        if max(least, most or 0) > MOST_REPEATS:
            raise self._error(f"The regex repeats more than {MOST_REPEATS} times.", begin)
        if most is not None and most < least:
            raise self._error("The regex has a range turned round: the smaller number comes first.", begin)
        return least, most

    def _single(self) -> _Part:
        char = self._next()
        if char == "(":
            return self._group()
        if char == "[":
            return self._set()
        if char == "\\":
            return self._escaped()
        if char in "*+?{":
            raise self._error(f"The regex has a {char!r} with nothing before it; '\\{char}' is the character.")
        self._at += 1
        if char == ".":
            return _One((("\n", "\n"),), negated=True)
        if char in "^$":
            return _At("^" if char == "^" else "$")
        return self._plain(char)

    def _plain(self, char: str) -> _One:
        return _One(self._folded([(char, char)]))

    def _group(self) -> _Part:
        begin = self._at
        self._at += 1
        if self._next() == "?":
            if not self._text.startswith("?:", self._at):
                raise self._error(
                    "The regex has (?…), which means look-around, a name or a flag; only (?:…), and (?i) at its "
                    "beginning, are known."
                )
            self._at += 2
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(f"The regex has groups more than {DEEPEST} deep.", begin)
        part = self._choice()
        self._depth -= 1
        if self._next() != ")":
            raise self._error("The regex has a '(' that is not closed.", begin)
        self._at += 1
        return part

    def _escaped(self) -> _Part:
        if self._text[self._at + 1 : self._at + 2] in ("b", "B"):
            self._at += 2
            return _At("b" if self._text[self._at - 1] == "b" else "B")
        spans, negated = self._escape()
        return _One(self._folded(spans), negated)

    def _escape(self) -> tuple[list[Span], bool]:
        """Read a backslash and what it makes of the next character: ranges, and whether all else is meant."""
        begin = self._at
        self._at += 1
        char = self._next()
        self._at += 1
        if char.lower() in _CLASSES and char:
            return _CLASSES[char.lower()], char.isupper()
        if char in _CONTROLS:
            return [(_CONTROLS[char], _CONTROLS[char])], False
        if char == "x":
            digits = self._text[self._at : self._at + 2]
            if len(digits) != 2 or not set(digits) <= set(string.hexdigits):
                raise self._error(r"The regex has a '\x' without two hexadecimal digits.", begin)
            self._at += 2
            return [(chr(int(digits, 16)),) * 2], False
        if not char or char.isalnum() or char == "_":
            raise self._error(
                "The regex has a backslash before a letter or digit that means nothing here, or a back-reference; "
                r"known are \d \w \s \D \W \S \b \B \t \n \r \f \v and \xHH.",
                begin,
            )
        return [(char, char)], False

    def _set(self) -> _One:
        begin = self._at
        self._at += 1
        negated = self._next() == "^"
        self._at += negated
        spans: list[Span] = []
        while self._next() != "]" or not spans:
            if not self._next():
                raise self._error("The regex has a '[' that is not closed.", begin)
            if self._next() == "[":
                raise self._error(r"The regex has a '[' in a set; '\[' is the character.")
            spans += self._range()
        self._at += 1
        return _One(self._folded(spans), negated)

    def _range(self) -> list[Span]:
        begin = self._at
        first = self._member()
        follows = self._text[self._at + 1 : self._at + 2]
        if self._next() != "-" or follows in ("", "]"):
            return first
        self._at += 1
        last = self._member()
        if len(first) != 1 or len(last) != 1 or first[0][0] != first[0][1] or last[0][0] != last[0][1]:
            raise self._error("The regex has a range in a set that does not go from one character to another.", begin)
        if last[0][0] < first[0][0]:
            raise self._error("The regex has a range turned round: the smaller character comes first.", begin)
        return [(first[0][0], last[0][0])]

    def _member(self) -> list[Span]:
        if self._next() == "\\":
            if self._text[self._at + 1 : self._at + 2] == "b":
                raise self._error(r"The regex has '\b' in a set, where there are only characters.")
            spans, negated = self._escape()
            return _others(spans) if negated else spans
        self._at += 1
        return [(self._text[self._at - 1],) * 2]

    def _folded(self, spans: list[Span]) -> tuple[Span, ...]:
        found = list(spans)
        if self.folds:
            for letters, shift in ((string.ascii_lowercase, -32), (string.ascii_uppercase, 32)):
                for first, last in spans:
                    low, high = max(first, letters[0]), min(last, letters[-1])
                    if low <= high:
                        found.append((chr(ord(low) + shift), chr(ord(high) + shift)))
        return tuple(sorted(set(found)))


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6


def _others(spans: list[Span]) -> list[Span]:
    found, begin = [], "\0"
    for first, last in sorted(spans):
        if begin < first:
            found.append((begin, chr(ord(first) - 1)))
        begin = chr(ord(last) + 1)
    return [*found, (begin, _LAST)]


def _steps(part: _Part) -> int:
    if isinstance(part, _Sequence | _Choice):
        return 1 + sum(map(_steps, part.parts))
    if isinstance(part, _Repeat):
        return 1 + _steps(part.part) * max(part.least, part.most or 1, 1)
    return 1


def literal(text: str, *, folds: bool = False) -> str:
    """Return a regex for engines that matches ``text`` and nothing else, with ``folds`` in any case of A to Z."""
    return "".join(
        _written(_One(tuple((one, one) for one in sorted({char, char.swapcase()})))) if folds and _is_letter(char)
        else _char(char)
        for char in text
    )  # fmt: skip


WORD_BORDER = r"\b"
"""A border of ``[A-Za-z0-9_]`` in RE2; see `for_rust` and Python's ``re.ASCII``."""


def for_rust(engine: str) -> str:
    """Return a pattern as the regex engine of Rust has it, where a border is Unicode's unless one says otherwise."""
    return engine.replace(r"\b", r"(?-u:\b)").replace(r"\B", r"(?-u:\B)")


def _is_letter(char: str) -> bool:
    return char.isascii() and char.isalpha()


def _char(char: str) -> str:
    if char.isascii() and not char.isalnum():
        return f"\\x{ord(char):02x}"
    return char


def _written(part: _Part) -> str:
    if isinstance(part, _One):
        first, last = part.spans[0]
        if len(part.spans) == 1 and first == last and not part.negated:
            return _char(first)
        spans = "".join(_char(low) if low == high else f"{_char(low)}-{_char(high)}" for low, high in part.spans)
        return f"[{'^' if part.negated else ''}{spans}]"
    if isinstance(part, _At):
        return {"^": r"\A", "$": r"\z", "b": r"\b", "B": r"\B"}[part.place]
    if isinstance(part, _Sequence):
        return "".join(map(_written, part.parts))
    if isinstance(part, _Choice):
        return f"(?:{'|'.join(map(_written, part.parts))})"
    most = "" if part.most is None else part.most
    counts = f"{{{part.least}}}" if part.least == part.most else f"{{{part.least},{most}}}"
    return f"(?:{_written(part.part)}){counts}"


def _literals(tree: _Part) -> list[str]:
    found = [""]
    for part in tree.parts if isinstance(tree, _Sequence) else (tree,):
        chars = {char for span in part.spans for char in span} if isinstance(part, _One) and not part.negated else set()
        plain = {char.lower() if _is_letter(char) else char for char in chars}
        if len(plain) == 1 and isinstance(part, _One) and all(low == high for low, high in part.spans):
            found[-1] += plain.pop()
        elif not isinstance(part, _At):
            found.append("")
    return [text for text in found if text]
