"""Moments as people write them."""

from datetime import UTC, datetime

import pytest

from heeler.errors import UsageError
from heeler.query.period import moment_us


def us(whole_second: datetime) -> int:
    return round(whole_second.timestamp()) * 1_000_000


NOW_US = us(datetime(2026, 11, 22, 10, 15, 37, tzinfo=UTC)) + 123_456


def read(text: str, step_us: int = 1) -> int:
    return moment_us(text, NOW_US, "The start (--since)", step_us)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("today", datetime(2026, 11, 22, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        (" 2026-11-22T10:00 ", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-22 10:00:05", datetime(2026, 11, 22, 10, 0, 5, tzinfo=UTC)),
        ("2026-11-22T10:00:05Z", datetime(2026, 11, 22, 10, 0, 5, tzinfo=UTC)),
        ("2026-11-22t10:00+01:00", datetime(2026, 11, 22, 9, tzinfo=UTC)),
        ("2026-11-22T10:00-0530", datetime(2026, 11, 22, 15, 30, tzinfo=UTC)),
        ("1969-12-31T23:59:59", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_days_and_times_are_utc_unless_they_say_otherwise(text: str, expected: datetime) -> None:
    assert read(text) == us(expected)


@pytest.mark.parametrize(
    ("text", "seconds"), [("2m", 120), ("1h", 3600), ("1.5s", 1.5), ("250ms", 0.25), ("7d", 604_800)]
)
def test_a_duration_is_a_time_ago(text: str, seconds: float) -> None:
    assert read(text) == NOW_US - round(seconds * 1_000_000)


def test_a_duration_begins_at_a_full_step() -> None:
    assert read("2m", 10_000_000) == us(datetime(2026, 11, 22, 10, 13, 30, tzinfo=UTC))
    assert read("2026-11-22T10:00:05", 10_000_000) == us(datetime(2026, 11, 22, 10, 0, 5, tzinfo=UTC))


def test_now_is_now() -> None:
    assert read("now") == NOW_US


def test_a_number_with_two_points_is_no_duration() -> None:
    with pytest.raises(UsageError, match="is no duration"):
        read("1..2m")


def test_a_fraction_of_a_second_is_kept() -> None:
    assert read("2026-11-22T10:15:37.123456") == NOW_US


@pytest.mark.parametrize(
    "text",
    ["", "2", "2x", "-2m", "noon", "2026", "2026-11", "2026-13-01", "2026-02-30", "2026-11-22T25:00", "22/Nov/2026",
     "m", "0001-01-01T00:00+23:59x", "2026-11-22T10", "٢m"],
)  # fmt: skip
def test_anything_else_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError, match=r"The start \(--since\) .* \(2m, 1h, 7d\)"):
        read(text)
