"""A report as text: first the few lines that a log of reports is made of, and under them, where wanted, everything."""

import math
from collections.abc import Iterator, Sequence

import polars as pl

from heeler.views import results
from heeler.views.escape import printable
from heeler.views.report.model import TABLES, Report

COW = r"""         (__)
         (oo)
   /------\/
  / |    ||
 *  /\---/\
    ~~   ~~
"""

_RULE = "-" * 68 + "\n"
_COUNT_AT = 32
"""The column of the counts."""

_WIDEST_PATH = 120
_CHART_WIDTH, _CHART_HEIGHT = 60, 6


BRIEF = ("paths",)
"""The tables that a short report is made of."""


def as_text(report: Report, *, short: bool = False, cow: bool = False) -> str:
    """Return a report as text, safe for a terminal; ``short`` leaves out all but paths and error rate."""
    return "".join([*brief(report, cow=cow), *([] if short else _rest(report))])


def brief(report: Report, *, cow: bool = False) -> Iterator[str]:
    """Yield the lines of the short report: paths without their queries, their counts, and the share of errors.

    The date is the end of the period, UTC.
    """
    if cow:
        yield COW
    yield _RULE
    yield f"                Report for DATE: {report.until:%Y-%m-%d %H:%M:%S}\n"
    yield _RULE
    yield "PATH                    COUNT\n"
    yield _RULE
    for path, count in report.tables["paths"].iter_rows():
        shown = "-" if path is None else printable(path)
        shown = shown if len(shown) <= _WIDEST_PATH else shown[: _WIDEST_PATH - 1] + "…"
        yield f"{shown:<{_COUNT_AT - 1}} {count}\n"
    yield f"\n---ERROR RATE: {report.error_rate:.2%}----\n"


def _rest(report: Report) -> Iterator[str]:
    yield f"\n{printable(report.title)}\n\n"
    width = max(len(name) for name, _ in report.figures)
    for name, figure in report.figures:
        yield f"{name:<{width}}  {figure:>15}\n"
    if report.requests:
        yield "\nRequests a second\n"
        yield from chart(report.tables["traffic"]["requests_per_s"].to_list())
    for name, title in TABLES.items():
        frame = report.tables[name]
        if frame.height and name != "traffic":
            yield f"\n{title}\n"
            yield from _table(frame)


def _table(frame: pl.DataFrame) -> Iterator[str]:
    return results.as_table(*results.plain(frame))


def chart(rates: Sequence[float]) -> Iterator[str]:
    """Yield the rows of a chart of rates, oldest first; several share a column where there are many."""
    from heeler.views.tui.traffic import chart as drawn  # noqa: PLC0415 - Textual takes a while to import

    step = math.ceil(len(rates) / _CHART_WIDTH)
    means = [sum(rates[at : at + step]) / len(rates[at : at + step]) for at in range(0, len(rates), step)]
    for row in drawn(means, 0, len(means), _CHART_HEIGHT):
        yield "".join(text for text, _ in row).rstrip() + "\n"
