"""The sentences about alerts, letter by letter."""

import pytest

from heeler.units import zoned
from heeler.views.sentences import alert_sentence
from heeler.views.snapshot import AlertLine


def test_the_two_sentences_are_those_of_the_command_line() -> None:
    assert (
        alert_sentence(AlertLine("high traffic", "triggered", 1342, 1_795_342_540, 0))
        == "High traffic generated an alert - hits = 1342, triggered at 2026-11-22 10:15:40 +0000"
    )
    assert (
        alert_sentence(AlertLine("high traffic", "recovered", 1187, 1_795_342_750, 0))
        == "High traffic alert recovered - hits = 1187, recovered at 2026-11-22 10:19:10 +0000"
    )


def test_only_the_first_letter_of_a_name_changes() -> None:
    assert alert_sentence(AlertLine("5xx on API", "triggered", 1, 0, 0)).startswith("5xx on API generated an alert")
    assert alert_sentence(AlertLine("slow API", "recovered", 1, 0, 0)).startswith("Slow API alert recovered")


@pytest.mark.parametrize(
    ("time_s", "zone_minutes", "expected"),
    [
        (0, 0, "1970-01-01 00:00:00 +0000"),
        (0, 330, "1970-01-01 05:30:00 +0530"),
        (0, -210, "1969-12-31 20:30:00 -0330"),
        (-1, 0, "1969-12-31 23:59:59 +0000"),
        (10**15, 0, "@1000000000000000"),
        (10**30, 0, "@1000000000000000000000000000000"),
    ],
)
def test_a_time_is_written_in_the_zone_of_the_log(time_s: int, zone_minutes: int, expected: str) -> None:
    assert zoned(time_s, zone_minutes) == expected
