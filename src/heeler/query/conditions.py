"""What a query asks of columns: the step between its tree and the engines, the same for all of them.

Each field is looked up here once, and here it is decided what is compared with what. An engine only has to say these
few tests in its own words. No test is ever unknown: what is missing is false.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from heeler.formats import Format
from heeler.query import regex, tree
from heeler.query.fields import Field, Kind, field_named
from heeler.query.network import address_pattern
from heeler.query.period import moment_us
from heeler.query.regex import Pattern
from heeler.query.values import micros, severity_numbers


@dataclass(frozen=True, slots=True)
class Column:
    """A column of text."""

    name: str


@dataclass(frozen=True, slots=True)
class Digits:
    """A column of whole numbers, as they are written in decimal."""

    name: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute, as `heeler.query.attributes` finds it."""

    name: str


@dataclass(frozen=True, slots=True)
class Line:
    """The text of the whole line."""


@dataclass(frozen=True, slots=True)
class Raw:
    """The text of the column ``raw``, null where the columns hold the line."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a field of a format writes of ``columns`` that are no text. ``key`` tells it from others.

    ``width`` is the length of what it writes, where that never changes.
    """

    key: str
    columns: tuple[str, ...]
    width: int | None = None


Source = Column | Digits | Attribute | Line | Raw | Written


@dataclass(frozen=True, slots=True)
class Contains:
    """The text is part of the source, in any case of A to Z."""

    source: Source
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """The pattern is found in the source."""

    source: Source
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Same:
    """The source is this text."""

    source: Source
    text: str


@dataclass(frozen=True, slots=True)
class Begins:
    """The source begins with this text."""

    source: Source
    text: str


@dataclass(frozen=True, slots=True)
class Present:
    """The source is there."""

    source: Source


@dataclass(frozen=True, slots=True)
class Between:
    """The whole number in the column (times in microseconds) is from ``low`` to ``high``, both included."""

    column: str
    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class Measured:
    """The source is written as a number, and that compares so with each of the limits."""

    source: Source
    limits: tuple[tuple[tree.Operator, float], ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """The whole number in the column is one of these."""

    column: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Is:
    """The column is true, or false."""

    column: str
    value: bool


@dataclass(frozen=True, slots=True)
class Negated:
    """The test does not hold."""

    part: "Test"


@dataclass(frozen=True, slots=True)
class All:
    """All hold; with no part, always."""

    parts: "tuple[Test, ...]" = ()


@dataclass(frozen=True, slots=True)
class Any:
    """One holds at least; with no part, never."""

    parts: "tuple[Test, ...]" = ()


Single = Contains | Found | Same | Begins | Present | Between | Measured | OneOf | Is
Test = Single | Negated | All | Any
NEVER, ALWAYS = Any(), All()


@dataclass(frozen=True, slots=True)
class Scope:
    """What a query is asked of: the columns that there are, the formats by id, and what time it is."""

    columns: AbstractSet[str]
    formats: Mapping[int, Format] = field(default_factory=dict)
    now_us: int = 0


def compiled(condition: tree.Condition, scope: Scope) -> Test:  # noqa: PLR0911 - one answer for each kind of node
    """Return the tests that a record of ``scope`` must pass. Raises `UsageError` for a time beyond the calendar."""
    if isinstance(condition, tree.And):
        return all_of(compiled(part, scope) for part in condition.parts)
    if isinstance(condition, tree.Or):
        return any_of(compiled(part, scope) for part in condition.parts)
    if isinstance(condition, tree.Not):
        return negated(compiled(condition.part, scope))
    if isinstance(condition, tree.Text):
        return Contains(Line(), condition.value)
    if isinstance(condition, tree.Token):
        return Found(Line(), token_pattern(condition.value))
    if isinstance(condition, tree.Regex):
        return Found(Line(), regex.read(condition.pattern))
    if isinstance(condition, tree.When):
        moment = moment_us(condition.moment, scope.now_us, f"The time ({condition.word}:)")
        after = condition.word in ("since", "from")
        return Between("time", moment if after else None, None if after else moment - 1)
    known = field_named(condition.field)
    return NEVER if known.column not in scope.columns else _of_field(condition, known, scope)


def all_of(parts: Iterable[Test]) -> Test:
    """Return the conjunction, as short as it can be."""
    flat = [one for part in parts for one in (part.parts if isinstance(part, All) else (part,))]
    if NEVER in flat:
        return NEVER
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def any_of(parts: Iterable[Test]) -> Test:
    """Return the disjunction, as short as it can be."""
    flat = [one for part in parts for one in (part.parts if isinstance(part, Any) else (part,))]
    if ALWAYS in flat:
        return ALWAYS
    return flat[0] if len(flat) == 1 else Any(tuple(flat))


def negated(part: Test) -> Test:
    """Return the negation."""
    if part in (NEVER, ALWAYS):
        return ALWAYS if part == NEVER else NEVER
    return part.part if isinstance(part, Negated) else Negated(part)


def token_pattern(text: str) -> Pattern:
    """Return the regex for a text that is made of whole tokens: no word character goes on at its ends."""
    begin, end = (r"\b" if is_word(char) else "" for char in (text[0], text[-1]))
    return Pattern(begin + regex.literal(text, folds=True) + end, (text,))


def is_word(char: str) -> bool:
    """Tell whether a character is one of those that tokens are made of."""
    return char.isascii() and (char.isalnum() or char == "_")


def _of_field(leaf: tree.Leaf, known: Field, scope: Scope) -> Test:
    if known.kind is Kind.FORMAT:
        return _of_format(leaf, scope)
    if isinstance(leaf, tree.Equal | tree.Compare | tree.Range) and known.kind in _NUMBERS:
        return _number_test(leaf, known)
    if isinstance(leaf, tree.Equal):
        return _equal(leaf.value, known)
    return _of_text(leaf, _source(known))


def _equal(value: str, known: Field) -> Test:
    if known.kind is Kind.TRUTH:
        return Is(known.column, value == "true")
    if known.kind is Kind.WHOLE or not value:
        return Same(_source(known), value)
    return Found(_source(known), token_pattern(value))


def _of_text(leaf: tree.Leaf, source: Source) -> Test:
    if isinstance(leaf, tree.Exists):
        return Present(source)
    if isinstance(leaf, tree.Prefix):
        return Begins(source, leaf.value)
    if isinstance(leaf, tree.Match):
        return Found(source, regex.read(leaf.pattern))
    if isinstance(leaf, tree.Network):
        return Found(source, Pattern(address_pattern(leaf.network), ()))
    if isinstance(leaf, tree.Compare):
        return Measured(source, ((leaf.operator, float(leaf.value)),))
    if isinstance(leaf, tree.Range):
        return Measured(source, ((">=", float(leaf.low)), ("<=", float(leaf.high))))
    raise TypeError(leaf)


def _source(known: Field) -> Source:
    if known.kind is Kind.ATTRIBUTE:
        return Attribute(known.name)
    return Column(known.column) if known.kind in (Kind.WHOLE, Kind.TEXT) else Digits(known.column)


_NUMBERS: Mapping[Kind, Callable[[str], tuple[int, int]]] = {
    Kind.NUMBER: lambda text: (int(text), int(text)),
    Kind.SEVERITY: severity_numbers,
    Kind.DURATION: lambda text: (micros(text), micros(text)),
}
"""The whole numbers, first and last, that a value of each kind stands for."""


def _number_test(leaf: tree.Equal | tree.Compare | tree.Range, known: Field) -> Test:
    read = _NUMBERS[known.kind]
    if isinstance(leaf, tree.Equal):
        return Between(known.column, *read(leaf.value))
    if isinstance(leaf, tree.Range):
        return Between(known.column, read(leaf.low)[0], read(leaf.high)[1])
    first, last = read(leaf.value)
    low = {">=": first, ">": last + 1}.get(leaf.operator)
    high = {"<=": last, "<": first - 1}.get(leaf.operator)
    return Between(known.column, low, high)


def _of_format(leaf: tree.Leaf, scope: Scope) -> Test:
    """Return a test of the id of a format; its names are few, so they are compared here."""
    if isinstance(leaf, tree.Equal):
        wanted = [number for number, known in scope.formats.items() if known.name == leaf.value]
    elif isinstance(leaf, tree.Prefix):
        wanted = [number for number, known in scope.formats.items() if known.name.startswith(leaf.value)]
    elif isinstance(leaf, tree.Match):
        pattern = re.compile(regex.read(leaf.pattern).engine.replace(r"\z", r"\Z"), re.ASCII)
        wanted = [number for number, known in scope.formats.items() if pattern.search(known.name)]
    else:
        wanted = list(scope.formats) if isinstance(leaf, tree.Exists) else []
    return OneOf("format", tuple(wanted)) if wanted else NEVER
