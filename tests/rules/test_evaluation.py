"""A rule over lines in any order and any pieces, against one that looks at every second by itself."""

import itertools
from collections.abc import Iterator
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.ingest.alerts import TrafficAlert
from heeler.rules.aggregate import Aggregate
from heeler.rules.alert import HighTraffic
from heeler.rules.evaluation import Change, Evaluation
from heeler.rules.limit import QUIET, Limit, evaluate
from heeler.rules.partial import Partial, PartialRow
from heeler.rules.rule import MOST_KEYS, OTHER, Rule

RATE = Aggregate("rate")


def rows(stamps: list[int], keys: list[str] | None = None) -> list[PartialRow]:
    clock = stamps[0] if stamps else 0
    made = []
    for at, stamp in enumerate(stamps):
        clock = max(clock, stamp)
        made.append(PartialRow(stamp, clock, keys[at] if keys else "", 0, 0, 1))
    return made


def run(rule: Rule, stamps: list[int], cuts: list[int]) -> list[Change]:
    one = Evaluation(rule)
    changes: list[Change] = []
    edges = [0, *sorted({cut % (len(stamps) + 1) for cut in cuts}), len(stamps)]
    for begin, end in itertools.pairwise(edges):
        changes += one.feed(Partial(rows(stamps[begin:end])), 0.0)
    return changes


def oracle(rule: Rule, stamps: list[int]) -> Iterator[tuple[int, str]]:
    """Look at each second by itself: who has been read by then and is in its window."""
    clock, read = stamps[0], []
    for stamp in stamps:
        clock = max(clock, stamp)
        read.append((max(stamp, clock - rule.lateness_s), stamp))
    state = QUIET
    for second in range(stamps[0] - rule.lateness_s, clock - rule.lateness_s):
        hits = sum(since <= second < stamp + rule.window_s for since, stamp in read)
        if not rule.limit.above and second < min(stamps[0] - rule.lateness_s, stamps[0]) + rule.window_s - 1:
            continue
        state, transition = evaluate(second, Fraction(hits, rule.window_s), state, rule.limit)
        if transition:
            yield second, transition


stamped = st.lists(st.integers(0, 60).flatmap(lambda at: st.just(1_000 + at)), min_size=1, max_size=60)
limits = st.builds(
    Limit,
    st.sampled_from([Fraction(1, 2), Fraction(1), Fraction(3)]),
    st.booleans(),
    st.none(),
    st.integers(0, 5),
    st.integers(0, 5),
)


@given(stamped, limits, st.integers(1, 12), st.integers(0, 6), st.lists(st.integers(0, 60), max_size=5))
def test_it_says_the_same_as_looking_at_every_second_however_lines_are_cut(
    stamps: list[int], limit: Limit, window_s: int, lateness_s: int, cuts: list[int]
) -> None:
    rule = Rule("rule", limit, window_s, aggregate=RATE, lateness_s=lateness_s)
    found = [(change.time_s, change.state) for change in run(rule, stamps, cuts)]
    assert found == list(oracle(rule, stamps))


@given(stamped, st.integers(1, 12), st.sampled_from([Fraction(1, 2), Fraction(1), Fraction(2)]))
def test_the_built_in_rule_says_what_it_says_when_files_are_taken_in(
    stamps: list[int], window_s: int, threshold: Fraction
) -> None:
    ingest = TrafficAlert(HighTraffic(threshold, window_s))
    times = pl.Series([stamp * 1_000_000 for stamp in stamps]).cast(pl.Datetime("us"))
    records = pl.DataFrame({"time": times, "zone": pl.Series([60] * len(stamps), dtype=pl.Int16)})
    expected = [(row.time_us // 1_000_000, row.state, row.hits) for row in ingest.feed(records)]
    found = run(Rule("rule", Limit(threshold), window_s), stamps, [])
    assert [(change.time_s, change.state, change.hits) for change in found] == expected


def test_it_recovers_by_the_clock_when_lines_stop() -> None:
    one = Evaluation(Rule("rule", Limit(Fraction(1, 100)), 120))
    one.start(1_000, 50.0)
    assert one.feed(Partial(rows([1_000] * 5)), 50.0) == []
    assert [(change.state, change.time_s) for change in one.advance(51.0)] == [("triggered", 1_000)]
    assert one.advance(170.0) == []
    assert [(change.state, change.time_s) for change in one.advance(171.0)] == [("recovered", 1_120)]


def test_silence_itself_is_an_alert_that_ends_with_the_first_line() -> None:
    one = Evaluation(Rule("rule", Limit(Fraction(1, 2), above=False), 300, aggregate=Aggregate("count")))
    one.start(1_000, 0.0)
    assert one.advance(299.0) == []
    assert [(change.state, change.time_s) for change in one.advance(301.0)] == [("triggered", 1_299)]
    one.feed(Partial(rows([1_400])), 400.0)
    assert [(change.state, change.start_s) for change in one.advance(402.0)] == [("recovered", 1_299)]


def test_a_silence_of_years_costs_nothing() -> None:
    one = Evaluation(Rule("rule", Limit(Fraction(0)), 120))
    one.feed(Partial(rows([0])), 0.0)
    changes = one.feed(Partial(rows([10**9])), 0.0)
    assert [(change.state, change.time_s) for change in changes] == [("triggered", 0)]


def test_groups_beyond_the_limit_are_one_and_quiet_ones_are_forgotten() -> None:
    one = Evaluation(Rule("rule", Limit(Fraction(2)), 10, aggregate=Aggregate("count"), by="client"))
    keys = [f"key {number}" for number in range(MOST_KEYS + 5)]
    one.feed(Partial(rows([1_000] * len(keys), keys)), 0.0)
    changes = one.feed(Partial(rows([1_001], ["key 1"])), 0.0)
    assert [(change.key, change.hits) for change in changes] == [(OTHER, 5)]
    one.feed(Partial(rows([2_000], ["key 1"])), 0.0)
    assert len(one._groups) == 1


def test_an_open_alert_goes_on_after_a_restart_and_is_not_opened_twice() -> None:
    one = Evaluation(Rule("rule", Limit(Fraction(1, 100)), 10))
    one.feed(Partial(rows([1_000])), 0.0)
    one.restore({"": 990})
    assert one.open_keys == [""]
    assert one.advance(9.0) == []
    assert [(change.state, change.start_s, change.time_s) for change in one.advance(11.0)] == [
        ("recovered", 990, 1_010)
    ]


@pytest.mark.parametrize("lateness_s", [0, 30])
def test_lines_that_no_open_window_holds_are_counted_as_late(lateness_s: int) -> None:
    one = Evaluation(Rule("rule", Limit(Fraction(5)), 10, lateness_s=lateness_s))
    one.feed(Partial(rows([1_000, 900])), 0.0)
    assert one.late == 1
