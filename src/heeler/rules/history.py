"""Rules over what is stored: what would have fired, and the windows as they stood when the last tick was committed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from heeler.query.tree import And, Query, any_of
from heeler.rules.engine import Changes, Engine
from heeler.rules.partial import Partial, seen_of
from heeler.rules.rule import Rule
from heeler.store.reading import LakeReader
from heeler.store.schema import RECORD_TABLES
from heeler.store.searching import LINE, Search, Wanted
from heeler.units import SECOND_US


def replayed(
    engine: Engine, reader: LakeReader, since_us: int, until_us: int, keep: Callable[[], None] = lambda: None
) -> Iterator[Changes]:
    """Run rules over the records from one time to another, in the order of their times; yield what follows.

    ``keep`` is called often and raises when it shall end.
    """
    wheres = [condition for rule in engine.rules for condition in rule.conditions]
    everything = any(one == And() for one in wheres) or not wheres
    query = Query() if everything else Query(any_of(dict.fromkeys(wheres)))
    found = Search(reader, Wanted(query, until_us, since_us, until_us), keep)
    for records in found.oldest_first():
        for table, columns in RECORD_TABLES.items():
            own = records.filter(pl.col("table") == table) if "table" in records.columns else records
            if own.height:
                yield engine.feed(_partials(engine, own, list(columns), found))


def _partials(engine: Engine, records: pl.DataFrame, columns: list[str], found: Search) -> Mapping[int, Partial]:
    lines = records[LINE].to_list()
    texts = pl.Series([line.rstrip(b"\r\n").decode("utf-8", "replace") for line in lines], dtype=pl.String)
    return engine.partials.of(seen_of(records.select(columns), texts, found.formats))


@dataclass(frozen=True, slots=True)
class Stood:
    """What a store says of where rules stood: times in UTC microseconds, of its newest record and of the last receipt.

    ``starts_s`` has by rule and group the second in which each open alert was triggered, ``last_s`` by rule the second
    of its last transition.
    """

    newest_us: int
    received_us: int
    starts_s: Mapping[str, Mapping[str, int]]
    last_s: Mapping[str, int]


def restored(rules: Sequence[Rule], reader: LakeReader, stood: Stood, now: float) -> Engine:
    """Return an engine whose windows and alerts stand where the store ended; ``now`` is in monotonic seconds.

    Rules read the last records of the store as far back as their windows reach. What these lead to was told before and
    is not told again.
    """
    engine = Engine(rules)
    newest_s, received_s = stood.newest_us // SECOND_US, stood.received_us / SECOND_US
    for reach_s, some in _by_reach(engine).items():
        part = Engine([engine.rules[number] for number in some])
        for one in part.evaluations:
            one.start(newest_s - reach_s, received_s - reach_s)
        for _ in replayed(part, reader, (newest_s - reach_s) * SECOND_US, stood.newest_us + 1):
            pass
        for number, one in zip(some, part.evaluations, strict=True):
            engine.put(number, one)
    for one in engine.evaluations:
        one.advance(received_s)
        if one.rule.name in stood.last_s:
            one.advance_to(stood.last_s[one.rule.name])
        one.restore(stood.starts_s.get(one.rule.name, {}))
        one.start(newest_s, now)
    return engine


def _by_reach(engine: Engine) -> Mapping[int, Sequence[int]]:
    """Return the numbers of rules by how many seconds of the past they must know; reaches are rounded up."""
    found: dict[int, list[int]] = {}
    for number, rule in enumerate(engine.rules):
        needed = rule.window_s * 2 + rule.lateness_s + max(rule.limit.for_s, rule.limit.keep_s)
        found.setdefault(1 << max(needed - 1, 1).bit_length(), []).append(number)
    return found
