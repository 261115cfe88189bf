"""Times of stamps: what each family reads, what is inferred, what is absurd, and the same text back."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.formats.stamps import FAMILIES, ZONES, layout_of, rendered, zone_minutes
from heeler.formats.timestamps import Receipt, times

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def receipt(received: datetime = NOW, written: datetime | None = None) -> Receipt:
    return Receipt(micros(received), None if written is None else micros(written))


def read(family: str, *stamps: str, at: Receipt | None = None) -> list[datetime | None]:
    found = times(family, pl.Series(stamps, dtype=pl.String), at or receipt())
    return [None if one is None else one.replace(tzinfo=UTC) for one in found["time"].to_list()]


@pytest.mark.parametrize(
    ("family", "stamp", "expected"),
    [
        ("iso", "2026-11-22T10:15:40", "2026-11-22T10:15:40"),
        ("iso", "2026-11-22 10:15:40,123", "2026-11-22T10:15:40.123"),
        ("iso", "2026-11-22T10:15:40.123456789Z", "2026-11-22T10:15:40.123456"),
        ("iso", "2026-11-22T10:15:40+0530", "2026-11-22T04:45:40"),
        ("iso", "2026-11-22 10:15:40.5 -01", "2026-11-22T11:15:40.5"),
        ("iso", "2026-11-22 10:15:40 CET", "2026-11-22T09:15:40"),
        ("iso", "2016-12-31T23:59:60Z", "2017-01-01T00:00:00"),
        ("padded", "2026-11-22  8:15:40", "2026-11-22T08:15:40"),
        ("slash", "2026/11/22 10:15:40", "2026-11-22T10:15:40"),
        ("clf", "22/Nov/2026:10:15:40 +0100", "2026-11-22T09:15:40"),
        ("clf", "22/Nov/2026:10:15:40.655", "2026-11-22T10:15:40.655"),
        ("bsd", "Nov 22 10:15:40", "2026-11-22T10:15:40"),
        ("bsd", "Nov  2 10:15:40", "2026-11-02T10:15:40"),
        ("bsd", "Nov 2 2024 10:15:40", "2024-11-02T10:15:40"),
        ("ctime", "Sun Nov 22 10:15:40.880562 2026", "2026-11-22T10:15:40.880562"),
        ("ctime", "Tue Jul 14 11:01:17:259149 2020", "2020-07-14T11:01:17.259149"),
        ("klog", "1122 10:15:40.619632", "2026-11-22T10:15:40.619632"),
        ("month_day", "11-22 10:15:40.808", "2026-11-22T10:15:40.808"),
        ("day_month", "22 Nov 2026 10:15:40.984", "2026-11-22T10:15:40.984"),
        ("day_month", "22-Nov-2026 10:15:40 UTC", "2026-11-22T10:15:40"),
        ("compact", "20261122 10:15:40.908", "2026-11-22T10:15:40.908"),
        ("compact", "20261122T101540Z", "2026-11-22T10:15:40"),
        ("w3c", "2026-11-22\t10:15:40", "2026-11-22T10:15:40"),
        ("epoch", "1795342540", "2026-11-22T10:15:40"),
        ("epoch", "1795342540.25", "2026-11-22T10:15:40.25"),
        ("epoch", "1795342540123", "2026-11-22T10:15:40.123"),
        ("epoch", "1795342540123456", "2026-11-22T10:15:40.123456"),
        ("epoch", "1795342540123456789", "2026-11-22T10:15:40.123456"),
    ],
)
def test_a_family_reads_every_way_of_writing_a_time(family: str, stamp: str, expected: str) -> None:
    assert read(family, stamp) == [datetime.fromisoformat(expected).replace(tzinfo=UTC)]


@pytest.mark.parametrize(
    ("stamp", "now", "expected"),
    [
        ("Nov 22 10:00:00", "2026-11-22T12:00:00", 2026),
        ("Nov 23 10:00:00", "2026-11-22T12:00:00", 2026),  # a clock that is ahead, by less than a day
        ("Nov 23 13:00:00", "2026-11-22T12:00:00", 2025),
        ("Dec 31 23:59:59", "2026-01-01T00:00:10", 2025),
        ("Jan  1 00:00:05", "2025-12-31T23:59:50", 2026),
        ("Feb 29 10:00:00", "2026-11-22T12:00:00", 2024),
        ("Feb 29 10:00:00", "2024-02-29T12:00:00", 2024),
        ("Feb 29 10:00:00", "2024-02-27T09:00:00", 2020),
        ("Feb 29 10:00:00", "2003-01-01T00:00:00", 2000),
    ],
)
def test_a_year_is_the_latest_that_is_no_more_than_a_day_ahead(stamp: str, now: str, expected: int) -> None:
    (found,) = read("bsd", stamp, at=receipt(datetime.fromisoformat(now).replace(tzinfo=UTC)))
    assert found is not None
    assert found.year == expected


def test_a_long_silence_within_a_day_is_no_midnight() -> None:
    first, last = read("clock", "08:00:00", "23:30:00", at=receipt(datetime(2026, 11, 22, 23, 40, tzinfo=UTC)))
    assert (first, last) == (datetime(2026, 11, 22, 8, tzinfo=UTC), datetime(2026, 11, 22, 23, 30, tzinfo=UTC))


def test_a_file_that_was_last_written_long_ago_tells_the_year_and_the_day() -> None:
    at = receipt(written=datetime(2019, 3, 4, 10, tzinfo=UTC))
    assert read("bsd", "Mar  4 09:00:00", "Dec 24 09:00:00", at=at) == [
        datetime(2019, 3, 4, 9, tzinfo=UTC),
        datetime(2018, 12, 24, 9, tzinfo=UTC),
    ]
    assert read("clock", "09:59:59", at=at) == [datetime(2019, 3, 4, 9, 59, 59, tzinfo=UTC)]


def test_a_step_back_of_more_than_twelve_hours_is_midnight() -> None:
    found = read("clock", "21:00:00", "23:59:59", "00:00:01", "00:00:00", "11:00:00")
    assert [one.isoformat()[8:19] for one in found if one] == [
        *("21T21:00:00", "21T23:59:59", "22T00:00:01", "22T00:00:00", "22T11:00:00"),
    ]


def test_a_line_that_is_late_over_midnight_belongs_to_the_day_before() -> None:
    found = read("clock", "23:59:59", "00:00:00", "23:59:58", "00:00:01", at=receipt(NOW.replace(hour=0, second=2)))
    assert [one.day for one in found if one] == [21, 22, 21, 22]


@pytest.mark.parametrize(
    ("family", "stamp"),
    [
        *(("iso", stamp) for stamp in ("1969-12-31 00:00:00", "1970-01-01 10:00:00", "9999-01-01 00:00:00")),
        *(("iso", stamp) for stamp in ("2026-02-29 00:00:00", "2026-04-31 00:00:00", "2026-13-01 00:00:00")),
        *(("iso", stamp) for stamp in ("2026-11-22 24:00:00", "2026-11-22 10:60:00", "2026-11-23 12:00:01")),
        *(("epoch", stamp) for stamp in ("000000001", "9999999999", "9999999999999999999")),
        ("rfc5424", "-"),
    ],
)
def test_a_time_that_cannot_be_is_absurd(family: str, stamp: str) -> None:
    found = times(family, pl.Series([stamp]), receipt())
    assert found.rows() == [(None, None, True)]


def test_where_there_is_no_stamp_nothing_is_absurd() -> None:
    assert times("iso", pl.Series([None], dtype=pl.String), receipt()).rows() == [(None, None, False)]


MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2026, 11, 22), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
ZONE_TEXTS = st.one_of(
    st.integers(-23 * 60 - 59, 23 * 60 + 59).map(
        lambda m: f"{'-' if m < 0 else '+'}{abs(m) // 60:02}:{abs(m) % 60:02}"
    ),
    st.sampled_from(["", "Z", " UTC", "+00", "-0330", " CEST"]),
)


@given(st.lists(st.tuples(MOMENTS, ZONE_TEXTS, st.integers(0, 9), st.sampled_from(",.")), min_size=1, max_size=8))
def test_a_time_is_what_datetime_says_it_is(parts: list[tuple[datetime, str, int, str]]) -> None:
    stamps, expected = [], []
    for moment, zone, digits, sign in parts:
        fraction = f"{moment.microsecond:06}000"[:digits]
        stamps.append(f"{moment:%Y-%m-%dT%H:%M:%S}" + (sign + fraction if digits else "") + zone)
        told = moment.replace(microsecond=int(fraction[:6].ljust(6, "0")) if digits else 0)
        expected.append(told - timedelta(minutes=zone_minutes(zone.strip()) or 0))
    assert read("iso", *stamps) == [one if one >= datetime(1970, 1, 2, tzinfo=UTC) else None for one in expected]


@given(
    st.lists(MOMENTS, min_size=1, max_size=8),
    st.sampled_from(["+01:00", "-0330", "Z", " UTC", "", "+05"]),
    st.integers(0, 6),
)
def test_times_are_written_as_the_stamps_were_that_they_are_of(moments: list[datetime], zone: str, digits: int) -> None:
    for family, layout in (("iso", "%Y-%m-%d %H:%M:%S"), ("slash", "%Y/%m/%d %H:%M:%S"), ("clf", "%d/%b/%Y:%H:%M:%S")):
        fractions = [f".{one.microsecond:06}"[: digits + 1] if digits else "" for one in moments]
        stamps = [f"{one:{layout}}{fraction}{zone}" for one, fraction in zip(moments, fractions, strict=True)]
        found = times(family, pl.Series(stamps), receipt(NOW + timedelta(days=2)))
        written = found.select(rendered(layout_of(family, stamps))).to_series().to_list()
        assert written == [stamp if time else None for stamp, time in zip(stamps, found["time"], strict=True)]


@given(st.integers(100_000_000, 2_000_000_000), st.integers(0, 999_999))
def test_seconds_since_1970_are_written_back_in_their_unit(second: int, micro: int) -> None:
    for stamp in (
        f"{second}",
        f"{second}.{micro:06}",
        f"{second}{micro // 1000:03}",
        f"{second}{micro:06}",
        f"{second}{micro:06}000",
    ):
        found = times("epoch", pl.Series([stamp]), receipt(NOW + timedelta(days=9000)))
        if found["time"][0] is not None and len(stamp.partition(".")[0]) != 11:
            assert found.select(rendered(layout_of("epoch", [stamp]))).to_series()[0] == stamp


def test_days_padded_with_blanks_are_written_so() -> None:
    stamps = ["Nov  3 10:15:40", "Nov 22 10:15:40"]
    assert layout_of("bsd", stamps) == "{MON} {_D} {hh}:{mm}:{ss}"
    found = times("bsd", pl.Series(stamps), receipt())
    assert found.select(rendered(layout_of("bsd", stamps))).to_series().to_list() == stamps


def test_every_family_has_a_layout_and_every_zone_a_number() -> None:
    assert [name for name in FAMILIES if not layout_of(name)] == []
    assert {zone_minutes(name) is None for name in ZONES} == {False}
    assert [zone_minutes(text) for text in ("+24:00", "+00:60", "XYZ", "-0330")] == [None, None, None, -210]
