"""A query as SQL: a sqlglot tree for DuckDB or PostgreSQL, in which every value is a literal that sqlglot escapes.

What it is asked of must have, beside the columns of the table, a column ``line`` where `needs_line` says so: the text
of the whole line. Attributes are looked up by the function ``heeler_attribute(attributes, name)``, which is
`heeler.query.attributes.attribute`; `add_functions` makes it known to DuckDB.

In DuckDB the condition is exact. PostgreSQL's regexes may take exponential time, so there the condition only asks for
the literals of a regex: it finds all records that match and maybe more, `is_exact` says so, and those that are found
have to be looked at again.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from sqlglot import exp

from heeler.query import regex
from heeler.query.attributes import attribute
from heeler.query.conditions import (
    All,
    Any,
    Attribute,
    Begins,
    Between,
    Column,
    Contains,
    Digits,
    Found,
    Is,
    Line,
    Measured,
    Negated,
    OneOf,
    Present,
    Same,
    Source,
    Test,
)

if TYPE_CHECKING:
    import duckdb

Dialect = Literal["duckdb", "postgres"]

ATTRIBUTE = "heeler_attribute"
LINE = "line"

_NUMBER = r"^-?[0-9]{1,15}(\.[0-9]{1,15})?$"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES_US = (-62_135_596_800_000_000, 253_402_300_799_999_999)
"""The first and last moment that has a year of four digits."""

_OPERATORS: Mapping[str, type[exp.Binary]] = {"<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE}
_LARGEST = (1 << 63) - 1


def needs_line(test: Test) -> bool:
    """Tell whether a test looks at the whole line."""
    if isinstance(test, All | Any):
        return any(map(needs_line, test.parts))
    if isinstance(test, Negated):
        return needs_line(test.part)
    return isinstance(getattr(test, "source", None), Line)


def is_exact(test: Test, dialect: Dialect) -> bool:
    """Tell whether the condition of a test finds what the test finds, and not more."""
    if dialect == "duckdb":
        return True
    if isinstance(test, All | Any):
        return all(is_exact(part, dialect) for part in test.parts)
    return is_exact(test.part, dialect) if isinstance(test, Negated) else not isinstance(test, Found)


def as_sql(test: Test, dialect: Dialect) -> exp.Expr:
    """Return the condition of a test; never null."""
    return _Writer(dialect).written(test, more=True)


def add_functions(connection: "duckdb.DuckDBPyConnection") -> None:
    """Make the functions that a condition may call known to DuckDB."""
    # They take a while to import, and only this needs them.
    import pyarrow as pa  # noqa: PLC0415 - see above
    from duckdb.func import FunctionNullHandling, PythonUDFType  # noqa: PLC0415 - see above
    from duckdb.sqltypes import VARCHAR  # noqa: PLC0415 - see above

    def looked_up(texts: pa.ChunkedArray, names: pa.ChunkedArray) -> pa.Array:
        pairs = zip(texts.to_pylist(), names.to_pylist(), strict=True)
        return pa.array([attribute(text, name) for text, name in pairs], pa.string())

    how, nulls = PythonUDFType.ARROW, FunctionNullHandling.SPECIAL
    connection.create_function(ATTRIBUTE, looked_up, [VARCHAR, VARCHAR], VARCHAR, type=how, null_handling=nulls)


class _Writer:
    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def written(self, test: Test, *, more: bool) -> exp.Expr:
        """Return the condition of a test. Where it cannot be exact it finds ``more``, or else fewer."""
        if isinstance(test, All | Any):
            joined: type[exp.Connector] = exp.And if isinstance(test, All) else exp.Or
            parts = [self.written(part, more=more) for part in test.parts]
            return _balanced(joined, parts) if parts else exp.Boolean(this=isinstance(test, All))
        if isinstance(test, Negated):
            return exp.Not(this=exp.Paren(this=self.written(test.part, more=not more)))
        return exp.Coalesce(this=self._single(test, more=more), expressions=[exp.false()])

    def _single(self, test: Test, *, more: bool) -> exp.Expr:  # noqa: PLR0911 - one answer for each kind of test
        if isinstance(test, Between):
            return _between(test)
        if isinstance(test, OneOf):
            numbers = [exp.Literal.number(number) for number in test.numbers]
            return exp.In(this=_column(test.column), expressions=numbers)
        if isinstance(test, Is):
            return exp.EQ(this=_column(test.column), expression=exp.Boolean(this=test.value))
        if isinstance(test, Present):
            return exp.Not(this=exp.Is(this=self._text(test.source), expression=exp.null()))
        if isinstance(test, Contains):
            return self._contains(self._text(test.source), test.text)
        if isinstance(test, Found):
            return self._found(test, more=more)
        if isinstance(test, Same):
            return exp.EQ(this=self._text(test.source), expression=exp.Literal.string(test.text))
        if isinstance(test, Begins):
            return _call("starts_with", self._text(test.source), exp.Literal.string(test.text))
        if isinstance(test, Measured):
            return self._measured(test)
        raise TypeError(test)

    def _text(self, source: Source) -> exp.Expr:
        if isinstance(source, Line):
            return _column(LINE)
        if isinstance(source, Attribute):
            return _call(ATTRIBUTE, _column("attributes"), exp.Literal.string(source.name))
        if isinstance(source, Digits):
            return exp.cast(_column(source.name), "varchar")
        if isinstance(source, Column):
            return _column(source.name)
        raise TypeError(source)

    def _contains(self, text: exp.Expr, part: str) -> exp.Expr:
        if self._dialect == "postgres":
            # The collation C folds A to Z and nothing else.
            folded = exp.Lower(this=exp.Collate(this=text, expression=exp.to_identifier("C", quoted=True)))
            found = exp.StrPosition(this=folded, substr=exp.Literal.string(_folded(part)))
            return exp.GT(this=found, expression=exp.Literal.number(0))
        plain = _call("contains", exp.Lower(this=text.copy()), exp.Literal.string(_folded(part)))
        exact = exp.RegexpLike(this=text, expression=exp.Literal.string(regex.literal(part, folds=True)))
        if not part.isascii():
            return exact
        # Lower turns two characters that are not ASCII into these: the Kelvin sign, and an I with a dot.
        return exp.and_(plain, exact) if set(_folded(part)) & {"k", "i"} else plain

    def _found(self, test: Found, *, more: bool) -> exp.Expr:
        text = self._text(test.source)
        needed = [self._contains(text, literal) for literal in test.pattern.literals]
        if self._dialect == "duckdb":
            needed.append(exp.RegexpLike(this=text, expression=exp.Literal.string(test.pattern.engine)))
        elif not more:
            return exp.false()
        else:
            needed.append(exp.Not(this=exp.Is(this=text, expression=exp.null())))
        return _balanced(exp.And, needed)

    def _measured(self, test: Measured) -> exp.Expr:
        text = self._text(test.source)
        is_number = exp.RegexpLike(this=text, expression=exp.Literal.string(_NUMBER))
        number = exp.Case().when(is_number, exp.cast(text.copy(), "double"))
        limits: list[exp.Expr] = [
            _OPERATORS[operator](this=number.copy(), expression=exp.cast(exp.Literal.string(repr(limit)), "double"))
            for operator, limit in test.limits
        ]
        return _balanced(exp.And, limits)


def _between(test: Between) -> exp.Expr:
    column = _column(test.column)
    literal: Callable[[int], exp.Expr] = _moment if test.column == "time" else _number
    parts: list[exp.Expr] = []
    if test.low is not None:
        parts.append(exp.GTE(this=column, expression=literal(test.low)))
    if test.high is not None:
        parts.append(exp.LTE(this=column.copy(), expression=literal(test.high)))
    return _balanced(exp.And, parts)


def _moment(us: int) -> exp.Expr:
    first, last = _TIMES_US
    moment = _EPOCH + timedelta(microseconds=min(max(us, first), last))
    return exp.cast(exp.Literal.string(moment.replace(tzinfo=None).isoformat(" ")), "timestamp")


def _number(number: int) -> exp.Expr:
    bounded = min(max(number, -_LARGEST), _LARGEST)
    literal = exp.Literal.number(abs(bounded))
    return exp.cast(exp.Neg(this=literal) if bounded < 0 else literal, "bigint")


def _balanced(joined: type[exp.Connector], parts: list[exp.Expr]) -> exp.Expr:
    """Join conditions two by two: engines limit how deep an expression is, and a chain of them is that deep."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    left, right = (exp.Paren(this=_balanced(joined, some)) for some in (parts[:half], parts[half:]))
    return joined(this=left, expression=right)


def _folded(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)


def _column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))
