"""The guide to following files names a test for each fault, and there is no name without a test."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) \| [^|]+ \| (.+) \|$", re.MULTILINE)
FAULTS = 44


def rows() -> dict[int, str]:
    return {int(number): tests for number, tests in ROW.findall((ROOT / "docs/following.md").read_text())}


def test_each_fault_has_a_row_in_its_order() -> None:
    assert list(rows()) == list(range(1, FAULTS + 1))


def test_each_row_names_tests_that_there_are() -> None:
    for number, cell in rows().items():
        named = re.findall(r"`(\w+\.py)::(\w+)`", cell)
        assert named, number
        for file, test in named:
            assert f"\ndef {test}(" in (ROOT / "tests/scenarios" / file).read_text(), (number, file, test)
