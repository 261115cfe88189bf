"""A report as one HTML file: it loads nothing, runs nothing, and can be mailed or kept.

The policy in it forbids scripts and everything from elsewhere, and allows its own style by its hash, so that text of
a log that got past the escaping could still do nothing.
"""

import base64
import hashlib
from collections.abc import Iterator
from html import escape

import polars as pl

from heeler.views import results
from heeler.views.escape import printable
from heeler.views.report.chart import STYLE, error_chart, traffic_chart
from heeler.views.report.model import TABLES, Report

_STYLE = (
    STYLE
    + """\
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 64rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin-top: 2rem; }
dl { display: flex; flex-wrap: wrap; gap: 2rem; } dt { color: var(--muted); } dd { font-size: 1.4rem; margin: 0; }
svg { display: block; margin: 1rem 0; max-width: 100%; }
table { border-collapse: collapse; width: 100%; } th { color: var(--muted); font-weight: 600; }
td, th { border-bottom: 1px solid var(--line); overflow-wrap: anywhere; padding: .25rem .5rem; text-align: left;
  vertical-align: top; }
.number { text-align: right; white-space: nowrap; }
"""
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"


def as_html(report: Report) -> str:
    """Return the page."""
    return "".join(_parts(report))


def _parts(report: Report) -> Iterator[str]:
    title = _text(report.title)
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<dl>\n"
    for name, figure in report.figures:
        yield f"<div><dt>{_text(name)}</dt><dd>{_text(figure)}</dd></div>\n"
    yield f"</dl>\n{traffic_chart(report)}\n{error_chart(report)}\n"
    for name, heading in TABLES.items():
        if report.tables[name].height:
            yield f'<h2 id="{name}">{heading}</h2>\n'
            yield from _table(report.tables[name])
    yield "</body>\n</html>\n"


def _table(frame: pl.DataFrame) -> Iterator[str]:
    columns, rows = results.plain(frame)
    marks = [' class="number"' if dtype.is_numeric() else "" for dtype in frame.dtypes]
    yield "<table>\n<thead><tr>"
    yield from (f"<th{mark}>{_text(name)}</th>" for name, mark in zip(columns, marks, strict=True))
    yield "</tr></thead>\n<tbody>\n"
    for row in rows:
        cells = (f"<td{mark}>{_text(value)}</td>" for value, mark in zip(row, marks, strict=True))
        yield f"<tr>{''.join(cells)}</tr>\n"
    yield "</tbody>\n</table>\n"


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else escape(printable(str(value)))
