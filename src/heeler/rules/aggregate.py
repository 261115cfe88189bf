"""What a rule computes of the lines in its window: from sums that lines add to when they come and take with them.

Every aggregate is made of whole weights by bucket, so a window is the sum of its seconds, exactly, and a second leaves
it by subtraction: a count is the weight of one bucket, a percentile the weights of buckets of values, a distinct count
the number of buckets that have any.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import polars as pl

from heeler.errors import UsageError
from heeler.query.attributes import attribute
from heeler.query.fields import DERIVED, FIELDS, Kind, field_named, meant
from heeler.query.stages import NUMBERS
from heeler.rules.limit import Value

MATCHING = -1
"""The bucket of how many lines matched."""

WHOLE = 0
"""The bucket of what is summed, or of all lines where a share of them is asked for."""

EXACT = 1_000_000
"""Sums are kept as whole millionths, so that what leaves a window takes exactly with it what it brought."""

GROWTH = 1.02
"""Each bucket of a percentile is so much wider than the one before: values are right to 1 %."""

_ZERO, _LEAST = 1, 1e-9  # the bucket of 0 and less, and the smallest value that has its own
_LARGEST = 9e12

_PERCENTILE = re.compile(r"p([0-9]{1,2}(?:\.[0-9]{1,3})?|100)")
_DISTINCT_BITS = 62


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What is computed: the name of it, the field it is of, and for a percentile the share of lines below (0 to 1)."""

    name: str
    field: str = ""
    share: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether lines are only counted, so that nothing of them must be looked at."""
        return self.name in ("rate", "count")

    def weighted(self, records: pl.DataFrame) -> pl.DataFrame:
        """Return ``bucket`` and ``weight`` (Int64) of each record; null where it has no value."""
        return records.with_columns(**_WEIGHTED[self.name](self.field)).select("bucket", "weight")

    def value(self, sums: Mapping[int, int], window_s: int) -> Value | None:
        """Return the value of a window with these sums by bucket; None where there is none."""
        return _VALUES[self.name](sums, window_s, self.share)


def aggregate(text: str) -> Aggregate:
    """Read ``rate``, ``count``, ``sum bytes``, ``p99 duration``, ``distinct client`` or ``ratio``.

    Raises `UsageError` for what is none.
    """
    name, _, field = text.partition(" ")
    name, field = name.strip(), field.strip()
    percentile = _PERCENTILE.fullmatch(name)
    known = "percentile" if percentile else name
    if known not in _VALUES:
        names = ["rate", "count", "sum", "distinct", "ratio", "p99"]
        raise UsageError(f"There is no aggregate {name!r}.{meant(name, names)} There are {', '.join(names)}.")
    needs = known in ("sum", "percentile", "distinct")
    if needs != bool(field):
        raise UsageError(
            f"Behind {name} stands a field, such as {name} bytes." if needs else f"{name} is of no field; leave it out."
        )
    if known in ("sum", "percentile") and (field in DERIVED or (field in FIELDS and field not in NUMBERS)):
        raise UsageError(f"{field} is no number; {', '.join(NUMBERS)} are, and attributes may be.")
    return Aggregate(known, field, float(percentile[1]) / 100 if percentile else 0.0)


def column_of(field: str) -> pl.Expr:
    """Return the values of a field as an expression; an attribute is a text."""
    known = field_named(field)
    if known.kind is not Kind.ATTRIBUTE:
        return pl.col(known.column)
    return pl.col("attributes").map_batches(
        lambda texts: pl.Series([attribute(text, field) for text in texts], dtype=pl.String),
        return_dtype=pl.String,
        is_elementwise=True,
    )


def _number_of(field: str) -> pl.Expr:
    """Return the values of a field as numbers, durations in seconds; null where a text is none."""
    values = column_of(field)
    if field == "duration":
        return values.dt.total_microseconds() / 1e6
    return values.cast(pl.Float64, strict=False)


def _counted(_: str) -> dict[str, pl.Expr]:
    return {"bucket": pl.lit(WHOLE, pl.Int64), "weight": pl.lit(1, pl.Int64)}


def _summed(field: str) -> dict[str, pl.Expr]:
    number = _number_of(field).clip(-_LARGEST, _LARGEST)
    return {"bucket": pl.lit(WHOLE, pl.Int64), "weight": (number * EXACT).round().cast(pl.Int64)}


def _spread(field: str) -> dict[str, pl.Expr]:
    number = _number_of(field)
    steps = (number / _LEAST).log(GROWTH).ceil().cast(pl.Int64, strict=False) + _ZERO + 1
    return {
        "bucket": pl.when(number <= _LEAST).then(_ZERO).otherwise(steps),
        "weight": pl.when(number.is_not_null()).then(pl.lit(1, pl.Int64)),
    }


def _different(field: str) -> dict[str, pl.Expr]:
    value = column_of(field)
    # One bucket for each value: of 62 bits of its hash, 100,000 values share one once in a billion windows.
    return {
        "bucket": (value.cast(pl.String).hash(0) % (1 << _DISTINCT_BITS)).cast(pl.Int64),
        "weight": pl.when(value.is_not_null()).then(pl.lit(1, pl.Int64)),
    }


_WEIGHTED: Mapping[str, Callable[[str], dict[str, pl.Expr]]] = {
    "rate": _counted,
    "count": _counted,
    "ratio": _counted,
    "sum": _summed,
    "percentile": _spread,
    "distinct": _different,
}


def _rate(sums: Mapping[int, int], window_s: int, _: float) -> Value:
    return Fraction(sums.get(MATCHING, 0), window_s)


def _count(sums: Mapping[int, int], _: int, __: float) -> Value:
    return sums.get(MATCHING, 0)


def _sum(sums: Mapping[int, int], _: int, __: float) -> Value:
    return Fraction(sums.get(WHOLE, 0), EXACT)


def _ratio(sums: Mapping[int, int], _: int, __: float) -> Value | None:
    whole = sums.get(WHOLE, 0)
    return Fraction(sums.get(MATCHING, 0), whole) if whole else None


def _percentile(sums: Mapping[int, int], _: int, share: float) -> Value | None:
    """Return the value of the nearest rank, in the middle of its bucket."""
    buckets = sorted((bucket, weight) for bucket, weight in sums.items() if bucket > WHOLE)
    rank = math.ceil(share * sum(weight for _, weight in buckets))
    below = 0
    for bucket, weight in buckets:
        below += weight
        if below >= max(rank, 1):
            return 0.0 if bucket == _ZERO else _LEAST * GROWTH ** (bucket - _ZERO - 1.5)
    return None


def _distinct(sums: Mapping[int, int], _: int, __: float) -> Value:
    return sum(1 for bucket in sums if bucket != MATCHING)


_VALUES: Mapping[str, Callable[[Mapping[int, int], int, float], Value | None]] = {
    "rate": _rate,
    "count": _count,
    "sum": _sum,
    "ratio": _ratio,
    "percentile": _percentile,
    "distinct": _distinct,
}
"""The aggregates: how a value comes from sums. `_WEIGHTED` says what a line adds."""
