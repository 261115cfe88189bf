"""The ways in which a report can be written."""

from collections.abc import Callable, Mapping

from heeler.views.report.chart import as_svg
from heeler.views.report.data import as_csv, as_json
from heeler.views.report.model import Report
from heeler.views.report.page import as_html
from heeler.views.report.text import as_text


def _as_xlsx(report: Report) -> bytes:
    from heeler.views.report.workbook import as_xlsx  # noqa: PLC0415 - takes a while to import, and the rest needs none

    return as_xlsx(report)


FORMATS: Mapping[str, Callable[[Report], str | bytes]] = {
    "text": as_text,
    "csv": as_csv,
    "json": as_json,
    "html": as_html,
    "xlsx": _as_xlsx,
    "svg": as_svg,
}
"""By name. The name is also how a file of it ends, but for text."""
