"""What a chunk of lines adds to the windows of rules: sums by second, made beside the event loop.

Records are looked at by few at a time. Most conditions need a text in the line or a value in a column; for all of
them together it is found in one pass which of these occur and where, and only those records are looked at closer. So a
thousand rules cost little more than those whose lines come.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heeler.formats import Format
from heeler.formats.section import sections
from heeler.query import conditions, tree
from heeler.query.conditions import Scope, Test, compiled
from heeler.query.fields import FIELDS, Kind
from heeler.query.frame import FrameTests
from heeler.query.tree import Condition
from heeler.rules.aggregate import WHOLE, Aggregate, column_of
from heeler.rules.rule import OTHER, Rule
from heeler.runs import Integers, runs_of
from heeler.store.schema import FROM_LINE, RECORD_TABLES
from heeler.units import SECOND_US

MOST_KEYS_AT_ONCE = 2_000
"""Groups that one chunk can bring to one rule; the lines of further ones count as those of `OTHER`."""

MOST_BUCKETS_AT_ONCE = 20_000
"""Buckets that one chunk can bring to one rule: different values, above all."""

LONGEST_KEY = 200
NO_WEIGHT = -(1 << 63)
"""Stands for the weight of a record that has no value."""

Rows = pl.Series
"""Numbers of records (UInt32), rising."""


class PartialRow(NamedTuple):
    """Lines of one second, group and bucket, read while the clock of their own chunk stood at ``clock_s``."""

    stamped_s: int
    clock_s: int
    key: str
    bucket: int
    weight: int
    hits: int


@dataclass(frozen=True, slots=True)
class Partial:
    """What a chunk adds to the windows of one rule; the rest is about its newest line."""

    rows: Sequence[PartialRow] = ()
    zone_minutes: int = 0
    received_s: float = 0.0


NOTHING = Partial()


@dataclass(frozen=True, slots=True)
class Seen:
    """Records of a chunk, and the text of each line; ``records`` have the columns of `heeler.store.schema`."""

    records: pl.DataFrame
    lines: pl.Series
    formats: Mapping[int, Format]


class Partials:
    """Makes partials for some rules. Belongs to no thread."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self.failed: dict[str, str] = {}
        """By rule, why lines could not be looked at: a fault of Heeler's that must not keep lines from being stored."""
        self._conditions = tuple(dict.fromkeys(one for rule in rules for one in rule.conditions if one != tree.ALL))
        self._needs = {one: _need(one) for one in self._conditions}
        self._columns: dict[str, set[str]] = {}
        for need in self._needs.values():
            if need is not None and need.column:
                self._columns.setdefault(need.column, set()).add(need.text)
        self._texts = sorted({one.text.lower() for one in self._needs.values() if one is not None and not one.column})

    def of(self, seen: Seen) -> dict[int, Partial]:
        """Return what records add to each rule, by its number; rules to which they add nothing are left out."""
        if not seen.records.height or not self._rules:
            return {}
        try:
            chunk = _Chunk(seen)
            matching = self._matching(chunk)
        except Exception as error:  # noqa: BLE001 - lines are stored whatever happens here, and `failed` is told
            self.failed |= {rule.name: repr(error) for rule in self._rules}
            return {}
        found = {}
        for number, rule in enumerate(self._rules):
            try:
                rows = _rows_of(rule, chunk, matching)
                partial = _partial(rule, chunk, matching, rows) if rows is None or len(rows) else NOTHING
            except Exception as error:  # noqa: BLE001 - as above
                self.failed[rule.name] = repr(error)
            else:
                if partial.rows:
                    found[number] = partial
        return found

    def _matching(self, chunk: "_Chunk") -> dict[Condition, Rows]:
        """Return for each condition the numbers of the records that match."""
        occurring = {None: self._occurring(chunk)}
        found: dict[Condition, Rows] = {}
        everywhere: list[Condition] = []
        for condition, need in self._needs.items():
            if need is None:
                everywhere.append(condition)
                continue
            rows = occurring[None].get((need.column, need.text if need.column else need.text.lower()))
            if rows is None:
                found[condition] = chunk.none
            elif need.suffices:
                found[condition] = rows
            else:
                found[condition] = chunk.among(condition, need, rows)
        found.update(chunk.everywhere(everywhere))
        return found

    def _occurring(self, chunk: "_Chunk") -> dict[tuple[str, str], Rows]:
        found: dict[tuple[str, str], Rows] = {}
        for column, wanted in self._columns.items():
            if column in chunk.records.columns:
                found |= {(column, str(value)): rows for value, rows in chunk.where_is(column, wanted)}
        found |= {("", text): rows for text, rows in chunk.where_stands(self._texts)}
        return found


@dataclass(frozen=True, slots=True)
class _Need:
    """What a record must have to match: a text in its line, or a value in a column.

    ``part`` is the part of the condition that says so; ``suffices_part`` if nothing more is in that, ``suffices`` if
    nothing more is in the condition.
    """

    text: str
    part: Condition
    column: str = ""
    suffices_part: bool = True
    suffices: bool = False


def _need(condition: Condition) -> _Need | None:
    """Return the rarest thing that a condition needs, as far as can be told without looking."""
    parts = condition.parts if isinstance(condition, tree.And) else (condition,)
    alone = len(parts) == 1
    values = [
        _Need(part.value, part, FIELDS[part.field].column, suffices=alone)
        for part in parts
        if isinstance(part, tree.Equal) and part.field in FIELDS and FIELDS[part.field].kind is Kind.WHOLE
    ]
    texts = [
        _Need(
            part.value,
            part,
            suffices_part=isinstance(part, tree.Text),
            suffices=alone and isinstance(part, tree.Text),
        )
        for part in parts
        if isinstance(part, tree.Text | tree.Token) and part.value.isascii()
    ]
    by_field = [one for one in values if one.column not in ("log_group", "log_stream", "method", "protocol")]
    return next(iter([*by_field, *sorted(texts, key=lambda one: -len(one.text)), *values]), None)


def _is_cheap(part: Condition) -> bool:
    """Tell whether a condition looks at a column that every record has ready."""
    return isinstance(part, tree.Equal | tree.Compare | tree.Range) and part.field in FIELDS


class _Chunk:
    """The records of one chunk, and what is asked of them by more than one rule."""

    def __init__(self, seen: Seen) -> None:
        self.records = seen.records.with_columns(raw=seen.lines.cast(pl.Binary))
        self._lines = seen.lines
        self._formats = seen.formats
        self._masks: dict[Condition, NDArray[np.bool_]] = {}
        self._weights: dict[Aggregate, tuple[Integers, Integers]] = {}
        self.none = pl.Series([], dtype=pl.UInt32)
        received = pl.col("received").dt.epoch("us")
        # A time ahead of receiving cannot be: it would be a clock that is wrong, and would push all others aside.
        stamped = pl.min_horizontal(pl.col("time").dt.epoch("us").fill_null(received), received) // SECOND_US
        self.stamped_s: Integers = self.records.select(stamped.cast(pl.Int64)).to_series().to_numpy()

    def received_s(self, row: int) -> float:
        """Return when a record was received, in seconds since 1970."""
        return float(self._received_us[row]) / SECOND_US

    @cached_property
    def _received_us(self) -> Integers:
        return self.records["received"].to_physical().to_numpy()

    @cached_property
    def zones(self) -> Integers:
        """The zone of each record, in minutes."""
        return self.records["zone"].fill_null(0).to_numpy()

    @cached_property
    def section(self) -> pl.Series:
        """The section of each record; null where it is no request."""
        if not {"method", "path"} <= set(self.records.columns):
            return pl.Series("section", [None], pl.String).new_from_index(0, self.records.height)
        return sections(self.records)

    @cached_property
    def requests(self) -> Rows:
        """The parsed requests with a time of their own."""
        if "method" not in self.records.columns:
            return self.none
        is_request = pl.col("parsed") & (pl.col("time_from") == FROM_LINE)
        tables = {key for key, known in self._formats.items() if known.table == "access"}
        is_request &= pl.col("format").is_in(sorted(tables))
        return self.records.select(is_request.arg_true()).to_series().cast(pl.UInt32)

    def where_is(self, column: str, values: set[str]) -> Iterator[tuple[str, Rows]]:
        """Yield the records of each of some values that occur in a column."""
        numbered = self.records.select(pl.col(column), at=pl.int_range(pl.len(), dtype=pl.UInt32))
        if numbered[column].dtype != pl.String:
            return
        found = numbered.filter(pl.col(column).is_in(list(values))).group_by(column, maintain_order=True).agg("at")
        yield from zip(found[column].to_list(), found["at"], strict=True)

    def where_stands(self, texts: Sequence[str]) -> Iterator[tuple[str, Rows]]:
        """Yield the records of each of some texts (in lower case) that occur in a line, in any case of A to Z."""
        if not texts:
            return
        some = self._lines.str.contains_any(list(texts), ascii_case_insensitive=True).arg_true()
        if not len(some):
            return
        found = self._lines.gather(some).str.extract_many(list(texts), ascii_case_insensitive=True, overlapping=True)
        pairs = pl.DataFrame({"at": some.cast(pl.UInt32), "text": found}).explode("text")
        pairs = pairs.with_columns(pl.col("text").str.to_lowercase()).unique(maintain_order=True)
        grouped = pairs.group_by("text", maintain_order=True).agg("at")
        yield from zip(grouped["text"].to_list(), grouped["at"], strict=True)

    def among(self, condition: Condition, need: "_Need", rows: Rows) -> Rows:
        """Return those of some records, which have what is needed, that match as a whole."""
        parts = condition.parts if isinstance(condition, tree.And) else (condition,)
        rest = [part for part in parts if part != need.part or not need.suffices_part]
        shared = [part for part in rest if _is_cheap(part)]
        at = rows.to_numpy()
        for part in shared:
            at = at[self._mask(part)[at]]
        others = [part for part in rest if part not in shared]
        if not others or not len(at):
            return pl.Series(at, dtype=pl.UInt32)
        expression = self._expression(tree.all_of(others))
        if expression is None:
            return self.none
        rows = pl.Series(at, dtype=pl.UInt32)
        names = expression.meta.root_names()
        if not names:  # what holds for all of this table
            return rows
        some = self.records.select(list(dict.fromkeys(names)))[rows]
        return rows.filter(some.select(expression.alias("found"))["found"])

    def _mask(self, part: Condition) -> NDArray[np.bool_]:
        """Return which of all records match a condition that many rules have."""
        if part not in self._masks:
            expression = self._expression(part)
            found = pl.lit(value=False) if expression is None else expression
            self._masks[part] = self.records.select(pl.repeat(value=True, n=pl.len()) & found).to_series().to_numpy()
        return self._masks[part]

    def weights(self, computed: Aggregate, rows: Rows | None) -> tuple[Integers, Integers]:
        """Return bucket and weight of some records; a weight of `NO_WEIGHT` is of one that has no value."""
        if computed.field and computed.field not in FIELDS:  # attributes are dear, so only where they are wanted
            wanted = self.records.select("attributes")
            return _weights(computed, wanted if rows is None else wanted[rows])
        if computed not in self._weights:
            self._weights[computed] = _weights(computed, self.records)
        found = self._weights[computed]
        return found if rows is None else (found[0][rows.to_numpy()], found[1][rows.to_numpy()])

    def everywhere(self, wanted: Sequence[Condition]) -> dict[Condition, Rows]:
        """Return for each of some conditions the records that match."""
        expressions = {str(at): self._expression(one) for at, one in enumerate(wanted)}
        every = pl.repeat(value=True, n=pl.len())  # what holds for all of this table has no length of its own
        known = {
            name: (every & one).arg_true().cast(pl.UInt32).implode()
            for name, one in expressions.items()
            if one is not None
        }
        answers = self.records.select(**known) if known else pl.DataFrame()
        return {one: answers[str(at)][0] if str(at) in known else self.none for at, one in enumerate(wanted)}

    def _expression(self, condition: Condition) -> pl.Expr | None:
        test = _of_raw(compiled(condition, Scope(set(self.records.columns), self._formats)))
        return None if test == conditions.NEVER else self._engine.expression(test)

    @cached_property
    def _engine(self) -> FrameTests:
        return FrameTests(self._formats, "log")


def _of_raw(test: Test) -> Test:
    """Return a test that looks for the line in the column ``raw``, which has all of them here."""
    if isinstance(test, conditions.All | conditions.Any):
        return replace(test, parts=tuple(map(_of_raw, test.parts)))
    if isinstance(test, conditions.Negated):
        return conditions.negated(_of_raw(test.part))
    source: Any = getattr(test, "source", None)
    return replace(test, source=conditions.Raw()) if isinstance(source, conditions.Line) else test  # type: ignore[arg-type]


def _rows_of(rule: Rule, chunk: _Chunk, matching: Mapping[Condition, Rows]) -> Rows | None:
    """Return the records that a rule is about, None for all."""
    if rule.requests_only:
        return chunk.requests
    wanted = rule.where if rule.of is None else rule.of
    return None if wanted == tree.ALL else matching[wanted]


def _partial(rule: Rule, chunk: _Chunk, matching: Mapping[Condition, Rows], rows: Rows | None) -> Partial:
    stamped = chunk.stamped_s if rows is None else chunk.stamped_s[rows.to_numpy()]
    clock = np.maximum.accumulate(stamped)
    at = int(stamped.argmax()) if rows is None else int(rows[int(stamped.argmax())])
    of_newest = int(chunk.zones[at]), chunk.received_s(at)
    if rule.aggregate.counts and not rule.by:
        heads, counts = runs_of(stamped, clock)
        columns = (stamped[heads].tolist(), clock[heads].tolist(), counts.tolist())
        counted = [PartialRow(t, n, "", WHOLE, 0, hits) for t, n, hits in zip(*columns, strict=True)]
        return Partial(counted, *of_newest)
    if (field := FIELDS.get(rule.aggregate.field)) is not None and field.column not in chunk.records.columns:
        return NOTHING
    buckets, weights = chunk.weights(rule.aggregate, rows)
    has_value = weights != NO_WEIGHT
    hits = has_value.astype(np.int64)
    if rule.of is not None:
        numbers = np.arange(chunk.records.height) if rows is None else rows.to_numpy()
        hits = np.isin(numbers, matching[rule.where].to_numpy()).astype(np.int64) if rule.where != tree.ALL else hits
    if rule.aggregate.counts:
        weights = np.zeros_like(weights)
    keys = _keys(rule.by, chunk, rows) if rule.by else [""] * len(stamped)
    told = (stamped.tolist(), clock.tolist(), keys, buckets.tolist(), weights.tolist(), hits.tolist())
    sums: dict[tuple[int, int, str, int], tuple[int, int]] = {}
    for (t, n, key, bucket, weight, hit), counts in zip(zip(*told, strict=True), has_value.tolist(), strict=True):
        if counts and (len(sums) < MOST_BUCKETS_AT_ONCE or (t, n, key, bucket) in sums):
            before = sums.get((t, n, key, bucket), (0, 0))
            sums[t, n, key, bucket] = before[0] + weight, before[1] + hit
    return Partial([PartialRow(*place, *both) for place, both in sums.items()], *of_newest)


def _weights(computed: Aggregate, records: pl.DataFrame) -> tuple[Integers, Integers]:
    found = computed.weighted(records).with_columns(
        pl.col("weight").fill_null(NO_WEIGHT), pl.col("bucket").fill_null(0)
    )
    return found["bucket"].to_numpy(), found["weight"].to_numpy()


def _keys(by: str, chunk: _Chunk, rows: Rows | None) -> list[str]:
    """Return the group of each record, empty where it has none."""
    if by == "section":
        keys = chunk.section if rows is None else chunk.section.gather(rows)
    elif by in FIELDS and FIELDS[by].column not in chunk.records.columns:
        return [""] * (chunk.records.height if rows is None else len(rows))
    else:
        wanted = chunk.records.select(FIELDS[by].column if by in FIELDS else "attributes")
        keys = (wanted if rows is None else wanted[rows]).select(column_of(by).cast(pl.String)).to_series()
    keys = keys.fill_null("").str.slice(0, LONGEST_KEY).alias("key")
    found: list[str] = keys.to_list()
    if keys.n_unique() > MOST_KEYS_AT_ONCE:
        most = set(keys.value_counts(sort=True).head(MOST_KEYS_AT_ONCE)["key"])
        found = [key if key in most else OTHER for key in found]
    return found


def seen_of(records: pl.DataFrame, lines: pl.Series, formats: Mapping[int, Format]) -> Seen:
    """Return records of any tables, with every column of `heeler.store.schema` that a rule may look at."""
    missing = {
        name: pl.lit(None, dtype)
        for schema in RECORD_TABLES.values()
        for name, dtype in schema.items()
        if name not in records.columns and name in ("zone", "attributes", "severity")
    }
    return Seen(records.with_columns(**missing), lines, formats)
