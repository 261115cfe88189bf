"""Samples of a user's formats: each is compared with what becomes of its line, and shown with its place."""

import tomllib

import pytest

from heeler.errors import UsageError
from heeler.formats.choose import formats_with
from heeler.formats.samples import Disagreement, disagreements, line_number

NOW_US = 1_795_348_800_000_000  # 2026-11-22T12:00:00Z
OWN = """\
[formats.shop]
pattern = '(?<time>) (?<level>)/(?<program>[a-z]+) \\[(?<order>\\d+)\\] took (?<duration>)s (?<message>.*)'
types = { duration = "s", time = "bsd" }
levels = { bad = "error", fine = "info" }
[[formats.shop.samples]]
line = 'Nov 22 10:15:40 bad/pay [7] took 1.5s no'
expect = { time = 2026-11-22T10:15:40, severity = 17, program = "pay", "attributes.order" = "7", duration = 1.5 }
[[ formats."shop".samples ]]
line = 'Nov 22 10:15:40 bad/pay [7] took 1.5s no'
received = 2019-11-23T00:00:00Z
expect = { time = 2019-11-22T10:15:40 }
[[formats.shop.samples]]
"""
HOW = "line = 'Nov 22 10:15:40 fine/pay [7] took 2s yes'\nexpect = { %s }\n"


def found(toml: str) -> list[Disagreement]:
    entries = tomllib.loads(toml)["formats"]
    return list(disagreements(entries, formats_with(entries), NOW_US))


@pytest.mark.parametrize(
    ("expected", "difference"),
    [
        ("severity = 9", None),
        ("severity = 10", "severity is 9, not 10."),
        ("time = 2026-11-22T10:15:41", "time is 2026-11-22T10:15:40, not 2026-11-22T10:15:41."),
        ("duration = 2", None),
        ("duration = 2.5", "duration is 2.0, not 2.5."),
        ('"attributes.order" = "8"', "attributes.order is '7', not '8'."),
        ('"attributes.colour" = "8"', "attributes.colour is empty, not '8'."),
        ('host = "web1"', "host is empty, not 'web1'."),
    ],
)
def test_a_sample_that_disagrees_says_how(expected: str, difference: str | None) -> None:
    assert [one.differences for one in found(OWN + HOW % expected)] == ([(difference,)] if difference else [])


def test_a_sample_is_found_in_its_file() -> None:
    (one,) = found(OWN + "line = 'nothing'\n")
    assert one == Disagreement("shop", 3, "nothing", ("It does not parse.",))
    assert [line_number(OWN, "shop", number) for number in (1, 2, 3, 4)] == [5, 8, 12, None]
    assert line_number(OWN, "sho", 1) is None


def test_a_line_that_goes_on_is_no_sample_of_a_record() -> None:
    assert found(OWN + "line = '\tby the bank'\n")[0].differences[0].startswith("It goes on with the record before")


@pytest.mark.parametrize("sample", ["", "line = 5", "line = 'a'\nexpect = 5", "line = 'a'\nreceived = 'now'"])
def test_what_is_no_sample_is_told(sample: str) -> None:
    with pytest.raises(UsageError, match="The samples of the format 'shop' need a line"):
        found(OWN + sample)
