"""The event clock: how far the log has come, which lines are late, and which times cannot be true."""

from itertools import pairwise
from typing import NamedTuple

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heeler.rules.event_time import FURTHEST_AHEAD_US, EventClock
from heeler.units import SECOND_US

DAY = 86_400 * SECOND_US
YEAR_1, YEAR_9999 = -62_135_596_800 * SECOND_US, 253_402_300_799 * SECOND_US


class Admitted(NamedTuple):
    """What is known of one line behind the clock."""

    line: int
    newest: int | None
    zone: int


def records(stamps: list[int | None], zones: list[int] | None = None, first: int = 0) -> pl.DataFrame:
    zones = zones or [0] * len(stamps)
    rows = [
        (stamp, zone if stamp is not None else None, first + number)
        for number, (stamp, zone) in enumerate(zip(stamps, zones, strict=True))
    ]
    frame = pl.DataFrame(rows, {"time": pl.Int64, "zone": pl.Int16, "line": pl.Int64}, orient="row")
    return frame.cast({"time": pl.Datetime("us")})


def admitted(clock: EventClock, frame: pl.DataFrame) -> list[Admitted]:
    counted = clock.admit(frame)
    assert counted.select(frame.columns).schema == frame.schema
    return [Admitted(*row) for row in counted.select("line", "newest", "newest_zone").iter_rows()]


def by_definition(stamps: list[int | None], zones: list[int]) -> tuple[list[Admitted], int]:
    """Go through the lines one by one, as the issue tells it."""
    found: list[Admitted] = []
    newest: int | None = None
    zone, skewed = 0, 0
    held: int | None = None

    def take(line: int) -> None:
        nonlocal newest, zone
        stamp = stamps[line]
        if stamp is not None and (newest is None or stamp >= newest):
            newest, zone = stamp, zones[line]
        found.append(Admitted(line, newest, zone))

    for line, stamp in enumerate(stamps):
        if stamp is None:
            take(line)
            continue
        if held is not None:
            if stamp >= (stamps[held] or 0) - DAY:
                take(held)
            else:
                skewed += 1
            held = None
        if newest is not None and stamp > newest + DAY:
            held = line
        else:
            take(line)
    return found, skewed + (held is not None)


STAMPS = st.lists(
    st.none() | st.integers(-5, 5) | st.sampled_from([DAY, DAY + 1, 2 * DAY, 3 * DAY + 2, YEAR_1, YEAR_9999, -DAY]),
    max_size=14,
)


@settings(max_examples=100)
@given(stamps=STAMPS, cuts=st.lists(st.integers(0, 14)), zones=st.lists(st.integers(-720, 840), min_size=14))
def test_the_clock_says_the_same_however_the_lines_are_cut(
    stamps: list[int | None], cuts: list[int], zones: list[int]
) -> None:
    zones = zones[: len(stamps)]
    clock = EventClock()
    found: list[Admitted] = []
    edges = [0, *sorted(min(cut, len(stamps)) for cut in cuts), len(stamps)]
    for begin, end in pairwise(edges):
        found += admitted(clock, records(stamps[begin:end], zones[begin:end], begin))
    clock.finish()
    assert (found, clock.skewed) == by_definition(stamps, zones)


@pytest.mark.parametrize(
    ("stamps", "lines", "newest", "skewed"),
    [
        pytest.param([], [], [], 0, id="no line"),
        pytest.param([None, None], [0, 1], [None, None], 0, id="no line with a time"),
        pytest.param([None, 5, None], [0, 1, 2], [None, 5, 5], 0, id="a line without time stands where the clock does"),
        pytest.param([5, 3, 4, 6], [0, 1, 2, 3], [5, 5, 5, 6], 0, id="late lines do not turn the clock back"),
        pytest.param([0, DAY], [0, 1], [0, DAY], 0, id="a day ahead is believed"),
        pytest.param([0, DAY + 1, 0], [0, 2], [0, 0], 1, id="more than a day ahead is not, if the next line denies it"),
        pytest.param([0, 2 * DAY, 2 * DAY], [0, 1, 2], [0, 2 * DAY, 2 * DAY], 0, id="two lines agree"),
        pytest.param([0, 2 * DAY, DAY], [0, 1, 2], [0, 2 * DAY, 2 * DAY], 0, id="a day before it still agrees"),
        pytest.param([0, 2 * DAY, DAY - 1], [0, 2], [0, DAY - 1], 1, id="more than a day before it does not"),
        pytest.param([0, 2 * DAY, None, 2 * DAY], [0, 2, 1, 3], [0, 0, 2 * DAY, 2 * DAY], 0, id="a line without time"),
        pytest.param([0, 2 * DAY], [0], [0], 1, id="the end of the input confirms nothing"),
        pytest.param([0, YEAR_9999, 1, YEAR_9999, 2], [0, 2, 4], [0, 1, 2], 2, id="a machine whose clock is wrong"),
        pytest.param([0, 2 * DAY, 9 * DAY, 9 * DAY], [0, 1, 2, 3], [0, 2 * DAY, 9 * DAY, 9 * DAY], 0, id="and further"),
        pytest.param(
            [YEAR_1, YEAR_9999, YEAR_9999], [0, 1, 2], [YEAR_1, YEAR_9999, YEAR_9999], 0, id="from end to end"
        ),
        pytest.param([YEAR_9999, 0], [0, 1], [YEAR_9999, YEAR_9999], 0, id="the first line is believed"),
    ],
)
def test_which_lines_count_and_where_the_clock_stands(
    stamps: list[int | None], lines: list[int], newest: list[int | None], skewed: int
) -> None:
    clock = EventClock()
    found = admitted(clock, records(stamps))
    clock.finish()
    assert [row.line for row in found] == lines
    assert [row.newest for row in found] == newest
    assert clock.skewed == skewed


def test_a_held_line_is_counted_once_and_comes_with_the_call_that_confirms_it() -> None:
    clock = EventClock()
    assert [row.line for row in admitted(clock, records([0, 3 * DAY]))] == [0]
    assert admitted(clock, records([])) == []
    assert [row.line for row in admitted(clock, records([None], first=2))] == [2]
    assert (clock.newest_us, clock.skewed) == (0, 0)
    assert [row.line for row in admitted(clock, records([3 * DAY + 1], first=3))] == [1, 3]
    clock.finish()
    clock.finish()
    assert (clock.newest_us, clock.skewed) == (3 * DAY + 1, 0)


def test_lines_without_a_time_pass_a_held_one_by() -> None:
    clock = EventClock()
    assert [row.line for row in admitted(clock, records([0, 3 * DAY]))] == [0]
    assert [tuple(row)[:2] for row in admitted(clock, records([None, 3 * DAY, None], first=2))] == [
        (2, 0),
        (1, 3 * DAY),
        (3, 3 * DAY),
        (4, 3 * DAY),
    ]


def test_the_zone_is_that_of_the_newest_line() -> None:
    clock = EventClock()
    found = admitted(clock, records([0, 5, 3, 5, 2, None], [60, 120, 180, 240, 300, 0]))
    assert [row.zone for row in found] == [60, 120, 120, 240, 240, 240]
    assert [row.zone for row in admitted(clock, records([1, 9], [-60, -120]))] == [240, -120]
    assert clock.zone_minutes == -120


def test_live_the_clock_runs_on_and_lines_read_then_are_late() -> None:
    clock = EventClock()
    clock.advance(99)
    assert clock.newest_us is None, "without a line there is no event time"
    admitted(clock, records([10], [60]))
    clock.advance(20)
    clock.advance(15)
    assert [tuple(row) for row in admitted(clock, records([12, 20, 21], [0, 120, 180]))] == [
        (0, 20, 0),
        (1, 20, 120),
        (2, 21, 180),
    ]


def test_a_silent_log_starts_at_a_given_time_and_only_once() -> None:
    clock = EventClock()
    clock.start(100, 60)
    clock.start(500, 120)
    assert (clock.newest_us, clock.zone_minutes) == (100, 60)
    assert [tuple(row) for row in admitted(clock, records([None, 50], [0, 0]))] == [(0, 100, 60), (1, 100, 0)]


def test_other_columns_travel_with_their_line() -> None:
    clock = EventClock()
    frame = records([0, 9 * DAY, 9 * DAY]).with_columns(client=pl.Series(["a", "b", "c"]))
    assert clock.admit(frame[:2])["client"].to_list() == ["a"]
    assert clock.admit(frame[2:])["client"].to_list() == ["b", "c"]


def test_a_day_is_a_day() -> None:
    assert FURTHEST_AHEAD_US == DAY
