"""The query language: blank-separated ``field:value``, all of which must hold.

A value with blanks or quotes stands in double quotes, where a backslash escapes.
"""

import difflib
import re

from heeler.errors import QueryError
from heeler.query.tree import Equals, Query

FIELDS = {
    "group": "log_group",
    "stream": "log_stream",
    "user": "remote_user",
    "severity": "severity",
    "zone": "zone",
    "parsed": "parsed",
    "seq": "seq",
    "client": "client",
    "ident": "ident",
    "method": "method",
    "path": "path",
    "protocol": "protocol",
    "status": "status",
    "bytes": "bytes",
    "referer": "referer",
    "agent": "agent",
    "host": "host",
    "program": "program",
    "pid": "pid",
    "message": "message",
}
"""The fields of a query, and the columns that hold them."""

_TERM = re.compile(r'(?P<field>[A-Za-z_][\w.]*):(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s"]+))(?=\s|$)')


def parse(text: str) -> Query:
    """Read a query. Raises `QueryError`, with the place, for what is none."""
    at, conditions = 0, []
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        term = _TERM.match(text, at)
        if term is None:
            raise QueryError("A query is made of field:value, such as stream:web.1 status:404.", text, at)
        field = term["field"]
        if field not in FIELDS:
            close = difflib.get_close_matches(field, FIELDS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else f" Known are {', '.join(FIELDS)}."
            raise QueryError(f"There is no field named {field!r}.{hint}", text, at)
        value = term["bare"] if term["quoted"] is None else re.sub(r"\\(.)", r"\1", term["quoted"])
        conditions.append(Equals(field, value))
        at = term.end()
    return Query(tuple(conditions))
