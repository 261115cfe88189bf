"""The zone of stamps that name none: what clocks there show, and the same text back."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.errors import UsageError
from heeler.formats import render
from heeler.formats.choose import FORMATS, format_of
from heeler.formats.definitions import made
from heeler.formats.lines import split
from heeler.formats.nested import fitted
from heeler.formats.timestamps import Receipt, times
from heeler.formats.zones import Zone, zone_named

NOW_US = 1_795_348_800_000_000  # 2026-11-22T12:00:00Z


def within(zone: str, now_us: int = NOW_US) -> Receipt:
    return Receipt(now_us, zone=zone_named(zone))


@given(
    st.lists(st.datetimes(datetime(1980, 1, 1), datetime(2026, 1, 1)), min_size=1, max_size=5),  # noqa: DTZ001 - local
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
)
def test_clocks_are_where_zoneinfo_says(local: list[datetime], zone: str) -> None:
    expected = [moment.replace(tzinfo=ZoneInfo(zone)).utcoffset() for moment in local]
    found = zone_named(zone).minutes_east(pl.Series(local, dtype=pl.Datetime("us")))
    assert [timedelta(minutes=minutes) for minutes in found.to_list()] == expected


def test_an_hour_that_came_twice_is_the_first_and_one_that_was_left_out_is_read_by_the_clock_before() -> None:
    local = pl.Series(["2026-10-25 02:30:00", "2026-03-29 02:30:00", "2026-10-25 03:00:00"]).str.to_datetime()
    assert zone_named("Europe/Berlin").minutes_east(local).to_list() == [120, 60, 60]


@given(st.integers(0, NOW_US), st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]))
def test_what_a_clock_shows_at_a_moment_is_what_zoneinfo_says(moment_us: int, zone: str) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment_us)
    local = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)
    shown = zone_named(zone).local_us(moment_us)
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=shown) == local


@pytest.mark.parametrize(("text", "minutes"), [("+02:00", 120), ("-0330", -210), ("+05", 300), ("Asia/Tokyo", None)])
def test_a_zone_is_a_name_or_an_offset(text: str, minutes: int | None) -> None:
    assert zone_named(text) == Zone(text, minutes)


@pytest.mark.parametrize("text", ["Europe/Berlni", "+99:00", "+02:60", "Mars", "", "2"])
def test_what_is_no_zone_is_told(text: str) -> None:
    with pytest.raises(UsageError, match=r"There is no zone .*Europe/Berlin, or say"):
        zone_named(text)


@pytest.mark.parametrize(
    ("family", "stamp", "zone", "now", "expected"),
    [
        ("iso", "2026-07-01 10:15:40", "Europe/Berlin", NOW_US, "2026-07-01 08:15:40"),
        ("iso", "2026-11-22 10:15:40", "Europe/Berlin", NOW_US, "2026-11-22 09:15:40"),
        ("iso", "2026-11-22 10:15:40 -0500", "Europe/Berlin", NOW_US, "2026-11-22 15:15:40"),
        ("iso", "2026-11-22 10:15:40Z", "Europe/Berlin", NOW_US, "2026-11-22 10:15:40"),
        ("bsd", "Nov 22 10:15:40", "+02:00", NOW_US, "2026-11-22 08:15:40"),
        ("epoch", "1795342540", "+02:00", NOW_US, "2026-11-22 10:15:40"),
        # Six in the evening of the 31st in New York; there a stamp of the 1st is no more than a day ahead.
        ("bsd", "Jan  1 17:59:00", "America/New_York", 1_798_758_000_000_000, "2027-01-01 22:59:00"),
        ("bsd", "Jan  1 18:01:00", "America/New_York", 1_798_758_000_000_000, "2026-01-01 23:01:00"),
        # Eleven at night of the 21st in New York.
        ("clock", "22:55:00", "America/New_York", 1_795_320_000_000_000, "2026-11-22 03:55:00"),
        ("clock", "11:30:00", "America/New_York", 1_795_320_000_000_000, "2026-11-21 16:30:00"),
    ],
)
def test_a_stamp_without_a_zone_is_in_the_one_that_was_said(
    family: str, stamp: str, zone: str, now: int, expected: str
) -> None:
    assert str(times(family, pl.Series([stamp]), within(zone, now))["time"][0]) == expected


def test_a_line_without_a_zone_renders_back_although_its_time_is_another() -> None:
    raw = b"2026-07-01 10:15:40,123 [main] INFO  a.B - x\n2026-03-29 02:30:00,000 [main] INFO  a.B - y\n"
    known = fitted(FORMATS["java"], split(raw))
    frame = known.parse(split(raw), None, within("Europe/Berlin"))
    assert frame["zone"].to_list() == [120, 60]
    assert frame["raw"].null_count() == 2
    assert b"".join(render(known, frame).to_list()) == raw


ENTRY: dict[str, Any] = {"pattern": "(?<time>) (?<message>.*)", "zone": "+02:00"}


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (ENTRY, b"2026-11-22 10:15:40 x\n"),
        ({"kind": "json", "columns": {"time": ["t"]}, "zone": "+02:00"}, b'{"t":"2026-11-22 10:15:40"}\n'),
        ({"kind": "logfmt", "columns": {"time": ["t"]}, "zone": "+02:00"}, b't="2026-11-22 10:15:40" a=b\n'),
    ],
)
def test_a_format_of_a_user_says_its_zone_and_the_command_line_another(entry: dict[str, Any], line: bytes) -> None:
    known = made(entry, "mine", FORMATS)
    assert str(known.parse(split(line), None, Receipt(NOW_US))["time"][0]) == "2026-11-22 08:15:40"
    assert str(known.parse(split(line), None, within("-01:00"))["time"][0]) == "2026-11-22 11:15:40"


def test_a_zone_that_no_format_can_have_is_told() -> None:
    with pytest.raises(UsageError, match="There is no zone 'Mars'"):
        made(ENTRY | {"zone": "Mars"}, "mine", FORMATS)
    with pytest.raises(UsageError, match="cannot be understood"):
        made(ENTRY | {"zone": 2}, "mine", FORMATS)
    with pytest.raises(UsageError, match="times of a template name their zone"):
        made({"template": "{time} {client}", "zone": "+02:00"}, "mine", FORMATS)


def test_logs_that_are_in_gmt_stay_so() -> None:
    raw = b"#Fields: date time c-ip cs-method cs-uri-stem\n2026-11-22 10:15:40 192.0.2.7 GET /a\n"
    assert str(format_of(raw).parse(split(raw), None, within("+02:00"))["time"][1]) == "2026-11-22 10:15:40"
