"""The text of a report: the short one to the letter, and nothing in it that acts on a terminal."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from heeler.views.report.model import Report
from heeler.views.report.text import as_text, chart

Made = Callable[..., Report]

SHORT = """\
--------------------------------------------------------------------
                Report for DATE: 2020-12-31 02:43:37
--------------------------------------------------------------------
PATH                    COUNT
--------------------------------------------------------------------
/report/user                    4
/login/user                     3
/logout/user                    2

---ERROR RATE: 30.00%----
"""
COW = r"""         (__)
         (oo)
   /------\/
  / |    ||
 *  /\---/\
    ~~   ~~
"""


@pytest.fixture
def report(made: Made) -> Report:
    until = datetime(2020, 12, 31, 2, 43, 37, tzinfo=UTC)
    paths = [("/report/user", 4), ("/login/user", 3), ("/logout/user", 2)]
    return made(paths, [(7, 2, 1)], until_us=int(until.timestamp()) * 1_000_000)


def test_the_short_report_is_laid_out_to_the_letter(report: Report) -> None:
    assert as_text(report, short=True) == SHORT


def test_the_cow_stands_before_it_where_it_is_wanted(report: Report) -> None:
    assert as_text(report, short=True, cow=True) == COW + SHORT


def test_the_whole_report_goes_on_below(report: Report) -> None:
    whole = as_text(report)

    assert whole.startswith(SHORT + "\nReport: ")
    assert "Requests                        10\n" in whole
    assert "\nClasses of status\nclass  requests\n1xx           0\n2xx           7\n" in whole
    assert "\nPaths\npath          requests\n/report/user         4\n" in whole
    assert "Agents" not in whole


def test_a_long_path_does_not_run_into_its_count(made: Made) -> None:
    text = as_text(made([("/" + "a" * 40, 12), ("/" + "b" * 400, 3), (None, 2)], [(17, 0, 0)]), short=True)

    assert f"\n/{'a' * 40} 12\n" in text
    assert f"\n/{'b' * 118}… 3\n" in text
    assert f"\n-{' ' * 31}2\n" in text


def test_a_period_without_requests_has_a_report(made: Made) -> None:
    whole = as_text(made([], []))

    assert "\n\n---ERROR RATE: 0.00%----\n" in whole
    assert "Requests                         0\n" in whole


def test_nothing_in_it_acts_on_a_terminal_or_forges_a_line(made: Made) -> None:
    hostile = "/a\x1b]0;t\x07\r\n---ERROR RATE: 0.00%----\u202e"
    report = made([(hostile, 4)], [(4, 0, 0)], query=hostile)
    samples = pl.DataFrame({"time": [datetime(2026, 1, 1)], "line": [hostile]})  # noqa: DTZ001 - as the store has it
    whole = as_text(replace(report, tables={**report.tables, "samples": samples}))

    assert whole.isascii() or not set("\x1b\x07\r\u202e") & set(whole)
    assert not set("\x1b\x07\r\u202e") & set(whole)
    assert whole.count("\n---ERROR RATE") == 1
    assert whole.count("/a\\x1b]0;t\\x07\\x0d\\x0a---ERROR RATE: 0.00%----\\u202e") == 4


def test_many_buckets_share_the_columns_of_the_chart() -> None:
    rows = list(chart([1.0] * 60 + [3.0] * 60))

    assert rows[0].startswith(" " * 30 + "█" * 30 + " 3.0 max")
    assert rows[-1] == "█" * 60 + "\n"
