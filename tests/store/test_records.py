"""What is counted of records, and the times of those that tell none."""

from datetime import UTC, datetime, timedelta

import polars as pl

from heeler.store.records import MOST_SECTIONS, OTHER, capped, hits_of, numbered, rollup_of
from heeler.store.schema import ROLLUP

START = datetime(2026, 3, 1, tzinfo=UTC).replace(tzinfo=None)


def rollup(*rows: tuple[int, str, str, int]) -> pl.DataFrame:
    """Return a rollup of (ten seconds, group, section, hits); every hit has a byte."""
    times = [START + timedelta(seconds=10 * row[0]) for row in rows]
    columns = [times, [r[1] for r in rows], [r[2] for r in rows], [2] * len(rows), [r[3] for r in rows]]
    return pl.DataFrame([*columns, columns[-1]], schema=dict(ROLLUP))


def test_only_the_sections_with_most_hits_keep_their_name() -> None:
    """The sum stays; what is cut becomes one row for each bucket, group and class."""
    many = [(0, "g", f"/{number:04}", 1 + (number >= 5)) for number in range(MOST_SECTIONS + 5)]
    found = capped(rollup(*many, (1, "g", "/0000", 1), (0, "h", "/0001", 1)))
    assert found["hits"].sum() == sum(row[3] for row in many) + 2
    assert found.filter(pl.col("section") == OTHER).select("log_group", "hits", "bytes").rows() == [("g", 5, 5)]
    first = found.filter(time=START, log_group="g")
    assert sorted(first["section"]) == [OTHER, *(f"/{number:04}" for number in range(5, MOST_SECTIONS + 5))]


def test_as_many_sections_as_are_kept_keep_their_names() -> None:
    found = capped(rollup(*((0, "g", f"/{number}", 1) for number in range(MOST_SECTIONS))))
    assert OTHER not in found["section"]
    assert found.height == MOST_SECTIONS


def test_the_same_section_twice_is_summed() -> None:
    assert capped(rollup((0, "g", "/a", 3), (0, "g", "/a", -1))).select("section", "hits").rows() == [("/a", 2)]


def test_only_parsed_requests_are_counted_by_second_and_by_ten() -> None:
    seconds, parsed = [0.0, 0.9, 1.0, 10.0, 11.0], [True, True, True, False, True]
    records = pl.DataFrame(
        {
            "time": [START + timedelta(seconds=second) for second in seconds],
            "parsed": parsed,
            "section": ["/a", "/a", "/b", "/a", "/a"],
            "status": [200, 404, 200, 200, None],
            "bytes": [1, 2, 4, 8, None],
        }
    )
    hits = hits_of("g", records).sort("time")
    assert hits.rows() == [(START + timedelta(seconds=n), "g", count) for n, count in ((0, 2), (1, 1), (11, 1))]
    found = rollup_of("g", records).sort("time", "section", "class").rows()
    ten = START + timedelta(seconds=10)
    assert found == [
        (START, "g", "/a", 2, 1, 1),
        (START, "g", "/a", 4, 1, 2),
        (START, "g", "/b", 2, 1, 4),
        (ten, "g", "/a", 0, 1, 0),
    ]


def test_times_before_1970_fall_into_the_second_they_are_in() -> None:
    records = pl.DataFrame({"time": [datetime(1969, 12, 31, 23, 59, 59, 500_000)], "parsed": [True]})  # noqa: DTZ001 - UTC
    assert hits_of("g", records)["time"].to_list() == [datetime(1969, 12, 31, 23, 59, 59)]  # noqa: DTZ001 - the same


def test_rows_without_a_time_take_the_one_told_before_else_when_they_were_received() -> None:
    rows = pl.DataFrame(
        {"time": [None, None, START], "received": [START + timedelta(days=1)] * 3, "time_from": [2, 2, 0]},
        schema_overrides={"time": pl.Datetime("us"), "received": pl.Datetime("us"), "time_from": pl.UInt8},
    )
    alone = numbered(rows, (5, 9), None)
    assert alone["time"].to_list() == [START + timedelta(days=1)] * 2 + [START]
    assert alone["time_from"].to_list() == [2, 2, 0]
    assert alone["seq"].to_list() == [5, 9, 10]
    behind = numbered(rows, (1, 2), 7_000_000)
    assert behind["time"].to_physical().to_list()[:2] == [7_000_000] * 2
    assert behind["time_from"].to_list() == [1, 1, 0]
