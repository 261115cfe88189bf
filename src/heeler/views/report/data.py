"""A report for other programs: JSON with everything, and CSV."""

import json
from collections.abc import Iterator

from heeler.views import results
from heeler.views.report.model import Report


def as_json(report: Report) -> str:
    """Return one object, in ASCII: the figures of the period, and under ``tables`` a list of rows for each table."""
    told = {
        "query": report.query,
        "since": report.since.isoformat(),
        "until": report.until.isoformat(),
        "every_s": report.every_s,
        "requests": report.requests,
        "requests_per_s": round(report.requests_per_s, 4),
        "bytes": report.bytes,
        "errors": report.errors,
        "error_rate": round(report.error_rate, 4),
        "tables": {name: _rows(report, name) for name in report.tables},
    }
    return json.dumps(told) + "\n"


def _rows(report: Report, table: str) -> list[dict[str, object]]:
    columns, rows = results.plain(report.tables[table])
    return [dict(zip(columns, row, strict=True)) for row in rows]


def as_csv(report: Report, table: str = "", *, for_terminal: bool = False) -> str:
    """Return a table as CSV, in which no text is a formula.

    Without ``table`` all of them: each has a line with its name before its header, and an empty line behind it. For a
    terminal, what could act on it is written out.
    """

    def lines(name: str) -> Iterator[str]:
        return results.as_csv(*results.plain(report.tables[name]), for_terminal=for_terminal)

    if table:
        return "".join(lines(table))
    return "\r\n".join("".join([f"{name}\r\n", *lines(name)]) for name in report.tables)
