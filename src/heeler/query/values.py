"""What stands behind ``field:``, read by the kind of the field; what cannot be is told with its place."""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence

from heeler.errors import QueryError, UsageError
from heeler.query import tree
from heeler.query.fields import SEVERITIES, Field, Kind, field_named
from heeler.query.network import LOOKS_LIKE
from heeler.query.period import moment_us
from heeler.query.regex import read as read_regex
from heeler.units import duration_s

_OPERATOR = re.compile(r"(>=|<=|>|<)(.*)", re.DOTALL)
_STATUS_CLASS = re.compile(r"([1-9])xx", re.IGNORECASE)
_NETWORKS = frozenset({"client", "host"})
"""The fields with a column of their own that hold addresses."""

MOMENTS: Mapping[str, tree.Word] = {"since": "since", "until": "until", "from": "from", "to": "to"}
"""What looks like a field and is the time."""

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")


def is_number(text: str) -> bool:
    """Tell whether a text is written as a number that every engine reads alike."""
    return _NUMBER.fullmatch(text) is not None


def micros(text: str) -> int:
    """Return a duration in microseconds: seconds (``0.25``) or with a unit (``250ms``). Raises `UsageError`."""
    return int(duration_s(f"{text}s" if is_number(text) and text[0] != "-" else text, "The duration") * 1_000_000)


class Place:
    """A value in a query, for the sentences about it."""

    def __init__(self, query: str, at: int) -> None:
        self.query = query
        self.at = at

    def error(self, message: str, further: int = 0) -> QueryError:
        """Return an error with the caret at the value, or ``further`` characters into it."""
        return QueryError(message, self.query, self.at + further)


def of_value(name: str, text: str, place: Place) -> tree.Condition:  # noqa: PLR0911 - one answer for each form
    """Return what ``name:text`` means, where ``text`` stands without quotes."""
    field = field_named(name)
    if text == "*":
        return tree.Exists(name)
    if found := _OPERATOR.fullmatch(text):
        return _compare(field, found, place)
    if field.name == "status" and (found := _STATUS_CLASS.fullmatch(text)):
        return tree.Range(name, f"{found[1]}00", f"{found[1]}99")
    low, dots, high = text.partition("..")
    if dots and _is_range(field, low, high):
        return _range(field, low, high, place)
    if text.endswith("*"):
        return of_prefix(name, text[:-1], place)
    if LOOKS_LIKE.fullmatch(text) and (name in _NETWORKS or field.kind is Kind.ATTRIBUTE):
        return of_network(name, text, place)
    return of_whole(name, text, place)


def of_whole(name: str, text: str, place: Place) -> tree.Condition:
    """Return what ``name:"text"`` means."""
    field = field_named(name)
    if field.kind is Kind.SEVERITY and text.lower() in SEVERITIES:
        return tree.Range(name, text.lower(), text.lower())
    if field.kind is Kind.TRUTH and text not in ("true", "false"):
        raise place.error(f"{name} is true or false.")
    if field.kind in _READ:
        _check(field, text, place)
    return tree.Equal(name, text)


def of_prefix(name: str, text: str, place: Place) -> tree.Condition:
    """Return what ``name:text*`` means."""
    field = field_named(name)
    if not text:
        return tree.Exists(name)
    if field.kind in (Kind.DURATION, Kind.TRUTH):
        raise place.error(f"{name} is a {field.kind.value}; it has no beginning to compare.")
    return tree.Prefix(name, text)


def of_regex(name: str, text: str, place: Place) -> tree.Condition:
    """Return what ``name:/text/`` means; ``place`` is that of the first slash."""
    field = field_named(name)
    if field.kind in (Kind.DURATION, Kind.TRUTH):
        raise place.error(f"{name} is a {field.kind.value}, which no regex can be looked for in.")
    read_regex(text, place.query, place.at + 1)
    return tree.Match(name, text)


def of_network(name: str, text: str, place: Place) -> tree.Condition:
    """Return what ``name:10.0.0.0/8`` means."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise place.error(f"{text} is no network: {error}. In quotes it is the text itself.") from None
    return tree.Network(name, text)


def of_moment(word: tree.Word, text: str, place: Place) -> tree.Condition:
    """Return what ``since:2h`` means."""
    try:
        moment_us(text, 0, f"The time ({word}:)")
    except UsageError as error:
        raise place.error(str(error)) from None
    return tree.When(word, text)


def _compare(field: Field, found: "re.Match[str]", place: Place) -> tree.Condition:
    operator, value = found[1], found[2]
    _check(field, value, place, len(operator))
    if operator == ">=":
        return tree.Compare(field.name, ">=", value)
    if operator == "<=":
        return tree.Compare(field.name, "<=", value)
    return tree.Compare(field.name, ">" if operator == ">" else "<", value)


def _is_range(field: Field, low: str, high: str) -> bool:
    """Tell whether two dots make a range; in a path they may be part of it."""
    if field.kind in _READ:
        return True
    return is_number(low) and is_number(high)


def _range(field: Field, low: str, high: str, place: Place) -> tree.Condition:
    if not low or not high:
        raise place.error(f"A range has two ends, such as 500..599; >= or <= stands for one end ({field.name}:>=500).")
    ends: Sequence[float] = [_check(field, low, place), _check(field, high, place, len(low) + 2)]
    if ends[0] > ends[1]:
        raise place.error(f"The range is turned round: {low} is above {high}.")
    return tree.Range(field.name, low, high)


def _check(field: Field, text: str, place: Place, further: int = 0) -> float:
    """Return the number that ``text`` is for a field, or say why it is none."""
    read = _READ.get(field.kind, _any_number)
    try:
        return read(text)
    except (ValueError, UsageError):
        what = _WANTED.get(field.kind, "is compared as a number, such as 500 or -0.25")
        raise place.error(f"{field.name} {what}; {text!r} is none.", further) from None


def _whole_number(text: str) -> float:
    if not _WHOLE_NUMBER.fullmatch(text):
        raise ValueError
    return int(text)


def _any_number(text: str) -> float:
    if not is_number(text):
        raise ValueError
    return float(text)


def severity_numbers(text: str) -> tuple[int, int]:
    """Return the first and last number of a level by its name or number. Raises `ValueError`."""
    if text.lower() in SEVERITIES:
        return SEVERITIES[text.lower()]
    number = int(_whole_number(text))
    return number, number


_READ: dict[Kind, Callable[[str], float]] = {
    Kind.NUMBER: _whole_number,
    Kind.SEVERITY: lambda text: severity_numbers(text)[0],
    Kind.DURATION: micros,
}
_WANTED = {
    Kind.NUMBER: "is a whole number, such as 500",
    Kind.SEVERITY: f"is a number from 1 to 24 or one of {', '.join(SEVERITIES)}",
    Kind.DURATION: "is a duration: seconds, such as 0.25, or with a unit, such as 250ms",
}
