"""Logs that name their own fields in a line that begins with ``#Fields:``: IIS and other W3C logs, CloudFront.

Source: W3C, "Extended Log File Format", WD-logfile-960323; AWS, "Standard logging reference". The fields may change in
the middle of a file; lines after that are read by the new ones.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

import polars as pl

from heeler.formats.lines import Lines
from heeler.formats.patterns import Pattern
from heeler.formats.text import kept, text_of
from heeler.formats.timestamps import Receipt

_HEADER: Final = re.compile(rb"^#Fields:[ \t]*([^\r\n]+)", re.MULTILINE)
_COLUMNS: Final = {
    "c-ip": "client",
    "cs-username": "remote_user",
    "cs-method": "method",
    "cs-uri-stem": "path",
    "sc-status": "status",
    "sc-bytes": "bytes",
    "cs(User-Agent)": "agent",
    "cs(Referer)": "referer",
    "cs-version": "protocol",
    "cs-protocol-version": "protocol",
    "time-taken": "duration",
    "cs-host": "host",
    "x-host-header": "host",
    "cs(Host)": "host",
}
"""The columns of fields, as IIS and CloudFront name these. Other fields go into ``attributes``."""


_MOST_FIELDS: Final = 100
_MOST_HEADERS: Final = 8
"""A chunk with more different headers is no log; the lines under the others do not parse."""


class W3c:
    """A log by its ``#Fields``; ``definition`` has ``fields``, the text behind them. See `heeler.formats.Format`."""

    kind = "w3c"

    def __init__(self, name: str, definition: Mapping[str, Any], table: str = "access") -> None:
        self.name = name
        self.table = table
        self.fields: str = definition["fields"]
        self.text = json.dumps({"kind": self.kind, "fields": self.fields}, ensure_ascii=False)
        self._pattern = Pattern(name, pattern_of(self.fields), table)
        self.columns = self._pattern.columns
        self.offers = self._pattern.offers

    def parse(
        self, lines: Lines, columns: Collection[str] | None = None, receipt: Receipt | None = None
    ) -> pl.DataFrame:
        """See `heeler.formats.Format.parse`."""
        receipt = receipt and replace(receipt, zone=None)  # these logs are in GMT, whatever a machine's zone is
        frame = self._pattern.parse(lines, columns, receipt)
        if all(header == self.fields for header in _headers(lines.data)):
            return frame
        # Each line belongs to the header above it. What other fields than ours tell, ours cannot write: it is kept.
        text = text_of(lines.readable())
        header = text.str.extract(r"^#Fields:[ \t]*(.+?)[ \t]*$").forward_fill().fill_null(self.fields)
        rows = pl.Series("row", range(len(lines)), pl.UInt32)
        original = kept(lines, pl.Series([True]).new_from_index(0, len(lines)), text)
        pieces = [frame.with_columns(rows).filter(header == self.fields)]
        for fields in header.unique(maintain_order=True).to_list()[:_MOST_HEADERS]:
            mine = header == fields
            other = with_fields(self.name, fields)
            if fields != self.fields and other is not None and other.table == self.table:
                part = other.parse(lines.take(mine.to_numpy()), columns, receipt)
                part = part.select(name for name in part.columns if name in frame.columns and name != "attributes")
                pieces.append(part.with_columns(rows.filter(mine), original.filter(mine)))
        read = pl.concat(pieces, how="diagonal")
        rest = ~rows.is_in(read["row"].implode())
        left = frame.select("ending").with_columns(
            rows, original, parsed=pl.lit(value=False), continues=pl.lit(value=False)
        )
        return pl.concat([read, left.filter(rest)], how="diagonal").sort("row").select(frame.columns)

    def following(self, data: bytes) -> "W3c":
        """Return the format of lines that come after ``data``."""
        fields = (_headers(data) or [self.fields])[-1]
        return self if fields == self.fields else with_fields(self.name, fields) or self

    def rendered(self) -> pl.Expr:
        """See `heeler.formats.Format.rendered`."""
        return self._pattern.rendered()


def from_header(data: bytes) -> W3c | None:
    """Return the format that the first ``#Fields`` line in ``data`` tells, or None where there is none."""
    headers = _headers(data)
    return (
        with_fields("cloudfront" if "x-edge-location" in headers[0].split() else "w3c", headers[0]) if headers else None
    )


def with_fields(name: str, fields: str) -> W3c | None:
    """Return the format of lines with these fields, or None where they are more than any log has."""
    return W3c(name, {"fields": fields}, table_of(fields)) if len(fields.split()) <= _MOST_FIELDS else None


def _headers(data: bytes) -> list[str]:
    return [header.strip().decode("utf-8", "replace") for header in _HEADER.findall(data)]


def table_of(fields: str) -> str:
    """Return the table of records with these fields: of requests, or any."""
    return "access" if {"cs-method", "cs-uri-stem"} <= set(fields.split()) else "log"


def pattern_of(fields: str) -> dict[str, Any]:
    """Return the definition of the pattern that reads lines with these fields. A field named twice is read once."""
    names = fields.split()
    is_cloudfront = "x-edge-location" in names
    gap, value = ("\\t", "[^\\t]*") if is_cloudfront else (" ", "[^ ]*")
    parts, seen = [], set[str]()
    types = {"time": "w3c", "duration": "s" if is_cloudfront else "ms"}
    at = 0
    while at < len(names):
        if names[at : at + 2] == ["date", "time"] and "time" not in seen:
            group, at = "time", at + 1
        else:
            is_access = table_of(fields) == "access"
            group = _COLUMNS.get(names[at], "") if is_access else ""
            group = group or re.sub("[^a-z0-9]+", "_", names[at].lower()).strip("_") or "field"
        if group == "time" and names[at - 1 : at] != ["date"]:
            group = "time_of_day"
        if not group[0].isalpha():
            group = "x_" + group
        while group in seen:
            group += "_"
        seen.add(group)
        empty = group in {"time", "duration", "status", "bytes"}
        parts.append(f"(?<{group}>{'' if empty else value})")
        at += 1
    written = {"time": "{YYYY}-{MM}-{DD}" + ("\t" if is_cloudfront else " ") + "{hh}:{mm}:{ss}"}
    written |= {"duration": "3"} if is_cloudfront else {}
    return {
        "pattern": gap.join(parts),
        "types": {name: kind for name, kind in types.items() if name in seen},
        "written": {name: how for name, how in written.items() if name in seen},
        "skip": "^#",
    }
