"""Durations and rates: what is read, and what is refused in a sentence."""

from fractions import Fraction

import pytest

from heeler.errors import UsageError
from heeler.units import duration_s, rate_per_s, whole_seconds

NO_DURATIONS = [
    "",
    "10",
    "s",
    "abc",
    "-1s",
    "1 s",
    "1s2",
    "1.s",
    ".5s",
    "1e3s",
    "1S",
    "\N{ARABIC-INDIC DIGIT ONE}s",
    "9" * 5000 + "s",
    "1s\n2",
]
NO_RATES = [
    "",
    "abc",
    "-1",
    "+1",
    "1,5",
    "1e9",
    "10/d",
    "10/",
    "/s",
    "nan",
    "inf",
    "\N{ARABIC-INDIC DIGIT ONE}",
    "9" * 5000,
    "1/2",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1ms", Fraction(1, 1000)),
        ("10s", 10),
        ("0s", 0),
        ("1.5m", 90),
        ("0.1s", Fraction(1, 10)),
        ("2h", 7200),
        ("1d", 86_400),
        (" 2m ", 120),
        ("010s", 10),
    ],
)
def test_a_duration_is_a_number_with_a_unit_and_exact(text: str, expected: Fraction | int) -> None:
    assert duration_s(text, "The window") == expected


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_what_is_no_duration_is_named_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"^The window .* is no duration; .*, such as 10s\.$"):
        duration_s(text, "The window")


@pytest.mark.parametrize(
    ("text", "expected"), [("1s", 1), ("1000ms", 1), ("0.5m", 30), ("2m", 120), ("3660d", 316_224_000)]
)
def test_an_interval_is_whole_seconds(text: str, expected: int) -> None:
    assert whole_seconds(text, "The interval") == expected


@pytest.mark.parametrize("text", ["0s", "0.5s", "999ms", "1.5s", "1ms", "1001ms"])
def test_an_interval_of_part_of_a_second_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=rf"^The interval '{text}' is not a whole number of seconds"):
        whole_seconds(text, "The interval")


@pytest.mark.parametrize("text", ["3661d", "999999999999d"])
def test_a_window_that_would_overflow_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=rf"^The window '{text}' is too long; the longest is 3660d\.$"):
        whole_seconds(text, "The window")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10", 10),
        ("0", 0),
        ("0.1", Fraction(1, 10)),
        ("10/s", 10),
        ("600/m", 10),
        ("1/h", Fraction(1, 3600)),
        (" 5 ", 5),
    ],
)
def test_a_rate_is_exact(text: str, expected: Fraction | int) -> None:
    assert rate_per_s(text, "The threshold") == expected


@pytest.mark.parametrize("text", NO_RATES)
def test_what_is_no_rate_is_named_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match=r"^The threshold .* is no rate; .*, such as 10, 0\.5 or 600/m\.$"):
        rate_per_s(text, "The threshold")
