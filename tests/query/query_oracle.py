"""What a query means, said a second time: record by record, on the original line, in plain Python, slowly.

It shares nothing with the engines but the tree.
"""

import ipaddress
import json
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from heeler.query import tree

WORD = set(string.ascii_letters + string.digits + "_")
FOLD = {ord(char): char.lower() for char in string.ascii_uppercase}
WHOLE = {
    "group": "log_group",
    "stream": "log_stream",
    "host": "host",
    "client": "client",
    "ident": "ident",
    "user": "remote_user",
    "method": "method",
    "path": "path",
    "protocol": "protocol",
    "program": "program",
    "pid": "pid",
}
TEXT = {"referer", "agent", "message"}
NUMBER = {"zone", "seq", "status", "bytes", "severity"}
LEVELS = {"debug": (5, 8), "info": (9, 12), "warn": (13, 16), "error": (17, 20)}


@dataclass(frozen=True)
class Record:
    """A line as it came, and what was read from it."""

    line: bytes
    columns: Mapping[str, Any]
    format: str


def holds(condition: tree.Condition, record: Record) -> bool:  # noqa: PLR0911 - one answer for each kind of node
    if isinstance(condition, tree.And):
        return all(holds(part, record) for part in condition.parts)
    if isinstance(condition, tree.Or):
        return any(holds(part, record) for part in condition.parts)
    if isinstance(condition, tree.Not):
        return not holds(condition.part, record)
    text = record.line.decode("utf-8", "replace")
    if isinstance(condition, tree.Text):
        return folded(condition.value) in folded(text)
    if isinstance(condition, tree.Token):
        return has_token(text, condition.value)
    if isinstance(condition, tree.Regex):
        return re.search(condition.pattern, text, re.ASCII) is not None
    if isinstance(condition, tree.When):
        moment = datetime.fromisoformat(condition.moment)
        after = condition.word in {"since", "from"}
        return (record.columns["time"] >= moment) is after
    return of_field(condition, value_of(condition.field, record))


def folded(text: str) -> str:
    return text.translate(FOLD)


def has_token(text: str, token: str) -> bool:
    text, token = folded(text), folded(token)
    for at in range(len(text) - len(token) + 1):
        if text[at : at + len(token)] == token:
            before, after = text[at - 1 : at] if at else "", text[at + len(token) : at + len(token) + 1]
            begins = token[0] not in WORD or before not in WORD
            ends = token[-1] not in WORD or after not in WORD
            if begins and ends:
                return True
    return False


def value_of(field: str, record: Record) -> Any:  # noqa: ANN401 - whatever a column holds
    if field == "format":
        return record.format
    if field in WHOLE or field in TEXT or field in NUMBER or field in {"parsed", "duration"}:
        return record.columns.get(WHOLE.get(field, field))
    attributes = record.columns.get("attributes")
    if attributes is None:
        return None
    if attributes.startswith("{"):
        return of_json(attributes, field)
    return of_logfmt(attributes, field)


def of_json(text: str, field: str) -> str | None:
    try:
        value = json.loads(text, parse_float=str)
    except ValueError:
        return None
    if field in value:
        value = value[field]
    else:
        for key in field.split("."):
            if not isinstance(value, dict) or key not in value:
                return None
            value = value[key]
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def of_logfmt(text: str, field: str) -> str | None:
    """Only for texts without quotes."""
    found = None
    for pair in text.split():
        key, is_pair, value = pair.partition("=")
        if key == field:
            found = value if is_pair else "true"
    return found


def of_field(condition: Any, value: Any) -> bool:  # noqa: ANN401, C901, PLR0911 - any leaf, any value; one answer for each
    if value is None:
        return False
    if isinstance(condition, tree.Exists):
        return True
    field = condition.field
    if field == "duration":
        value = value.total_seconds()
    if isinstance(condition, tree.Equal):
        return equal(field, condition.value, value)
    if isinstance(condition, tree.Prefix):
        return str(value).startswith(condition.value)
    if isinstance(condition, tree.Match):
        return re.search(condition.pattern, str(value), re.ASCII) is not None
    if isinstance(condition, tree.Network):
        try:
            return "%" not in value and ipaddress.ip_address(value) in ipaddress.ip_network(condition.network)
        except ValueError:
            return False
    if field not in NUMBER and field != "duration":
        if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", value):
            return False
        value = float(value)
    low, high = ends(condition)
    if isinstance(condition, tree.Range):
        return bool(low <= value <= high)
    return bool({"<": value < low, "<=": value <= high, ">": value > high, ">=": value >= low}[condition.operator])


def ends(condition: tree.Range | tree.Compare) -> tuple[float, float]:
    first, last = (condition.low, condition.high) if isinstance(condition, tree.Range) else (condition.value,) * 2
    low = LEVELS[first][0] if first in LEVELS else float(first)
    return low, LEVELS[last][1] if last in LEVELS else float(last)


def equal(field: str, wanted: str, value: Any) -> bool:  # noqa: ANN401 - whatever a column holds
    if field == "parsed":
        return (wanted == "true") is bool(value)
    if field in NUMBER or field == "duration":
        return bool(float(wanted) == value)
    if field in WHOLE or field == "format" or not wanted:
        return bool(wanted == value)
    return has_token(value, wanted)
