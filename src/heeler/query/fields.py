"""The fields of the query language: names, the columns that hold them, how they compare. The only such list."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How a field compares; `heeler.query.tree` says what that means."""

    WHOLE = "whole value"
    TEXT = "tokens of a text"
    NUMBER = "number"
    SEVERITY = "level"
    DURATION = "duration"
    TRUTH = "true or false"
    FORMAT = "name of a format"
    ATTRIBUTE = "attribute"


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``table`` is the only table that has it, empty for every record."""

    name: str
    column: str
    kind: Kind
    table: str = ""


FIELDS: Mapping[str, Field] = {
    one.name: one
    for one in (
        Field("group", "log_group", Kind.WHOLE),
        Field("stream", "log_stream", Kind.WHOLE),
        Field("format", "format", Kind.FORMAT),
        Field("severity", "severity", Kind.SEVERITY),
        Field("zone", "zone", Kind.NUMBER),
        Field("parsed", "parsed", Kind.TRUTH),
        Field("seq", "seq", Kind.NUMBER),
        Field("host", "host", Kind.WHOLE),
        Field("client", "client", Kind.WHOLE, "access"),
        Field("ident", "ident", Kind.WHOLE, "access"),
        Field("user", "remote_user", Kind.WHOLE, "access"),
        Field("method", "method", Kind.WHOLE, "access"),
        Field("path", "path", Kind.WHOLE, "access"),
        Field("protocol", "protocol", Kind.WHOLE, "access"),
        Field("status", "status", Kind.NUMBER, "access"),
        Field("bytes", "bytes", Kind.NUMBER, "access"),
        Field("duration", "duration", Kind.DURATION, "access"),
        Field("referer", "referer", Kind.TEXT, "access"),
        Field("agent", "agent", Kind.TEXT, "access"),
        Field("program", "program", Kind.WHOLE, "log"),
        Field("pid", "pid", Kind.WHOLE, "log"),
        Field("message", "message", Kind.TEXT, "log"),
    )
}
"""The fields with a column of their own. Every other name is an attribute."""

SEVERITIES: Mapping[str, tuple[int, int]] = {
    "trace": (1, 4),
    "debug": (5, 8),
    "info": (9, 12),
    "warn": (13, 16),
    "warning": (13, 16),
    "error": (17, 20),
    "fatal": (21, 24),
}
"""Names of levels, and the first and last number of each (OpenTelemetry log data model, SeverityNumber)."""

DERIVED = ("section", "stem", "class")
"""What can be counted by beside fields: the section of a request, its path without the query (the stem of W3C's
``cs-uri-stem``), and the hundreds of its status."""


def field_named(name: str) -> Field:
    """Return the field called ``name``, which is an attribute where no column has it."""
    return FIELDS.get(name) or Field(name, "attributes", Kind.ATTRIBUTE)


def meant(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the names nearest to ``name``, empty where none is near; begins with a blank."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    if not close:
        return ""
    names = [repr(one) for one in close]
    return f" Did you mean {' or '.join([', '.join(names[:-1]), names[-1]] if len(names) > 1 else names)}?"
