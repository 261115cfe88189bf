r"""Looking up an attribute in the text that holds them: JSON where that begins with ``{``, else logfmt.

A name is a key, or keys joined by dots where objects lie in objects: ``user.id`` is ``{"user.id": 42}`` as well as
``{"user": {"id": 42}}``; a digit counts in a list. Of a key that occurs twice the last one counts. A number is the text
it is written as, true and false are these words, null is no value, an object or a list is its text without blanks. A
text that is no JSON has no attributes. In logfmt a key alone has the value ``true``; in quotes a backslash escapes.

The same function serves every engine, as each has its own idea of a number and of broken text.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

_LOGFMT = re.compile(r'([^\s="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*)))?(?=\s|$)', re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_DECODER = json.JSONDecoder(parse_int=lambda text: _Number(text), parse_float=lambda text: _Number(text), strict=False)  # noqa: PLW0108 - the class stands below


class _Number(str):
    """A number of JSON, as it is written."""

    __slots__ = ()


def attribute(text: str | None, name: str) -> str | None:
    """Return the attribute called ``name`` as text, None where there is none."""
    if text is None:
        return None
    if text.lstrip(" \t\r\n")[:1] != "{":
        return _of_logfmt(text, name)
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return _text(_found(value, name.split(".")))


def _of_logfmt(text: str, name: str) -> str | None:
    found = None
    for key, in_quotes, bare in _LOGFMT.findall(text):
        if key == name:
            found = (in_quotes, bare)
    if found is None:
        return None
    in_quotes, bare = found
    unescaped = re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), in_quotes, flags=re.DOTALL)
    return unescaped or bare or ("" if re.search(rf"(?:^|\s){re.escape(name)}=", text) else "true")


def _found(value: Any, keys: list[str]) -> Any:  # noqa: ANN401 - any value that JSON has
    """Return what lies under ``keys``; a key may itself have dots, and the longest that is there counts."""
    if not keys:
        return value
    for count in range(len(keys), 0, -1):
        key = ".".join(keys[:count])
        if isinstance(value, dict) and key in value:
            return _found(value[key], keys[count:])
        if isinstance(value, list) and key.isascii() and key.isdigit() and int(key[:9]) < len(value):
            return _found(value[int(key[:9])], keys[count:])
    return None


def _text(value: Any) -> str | None:  # noqa: ANN401 - any value that JSON has
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _readable(value)
    return _readable(_dumped(value))


def _dumped(value: Any) -> str:  # noqa: ANN401 - any value that JSON has
    if isinstance(value, dict):
        return (
            "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_dumped(one)}" for key, one in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(_dumped, value)) + "]"
    return str(value) if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)


def _readable(text: str) -> str:
    # Half of a surrogate pair can be written in JSON, and in no UTF-8.
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def names_in(text: str) -> Iterator[str]:
    """Yield the names of the attributes in a text, those of nested objects joined by dots."""
    if text.lstrip(" \t\r\n")[:1] != "{":
        yield from (key for key, *_ in _LOGFMT.findall(text))
        return
    with suppress(ValueError, RecursionError):
        yield from _keys(_DECODER.decode(text), "")


def _keys(value: Any, before: str) -> Iterator[str]:  # noqa: ANN401 - any value that JSON has
    for key, one in value.items() if isinstance(value, dict) else ():
        yield before + key
        yield from _keys(one, f"{before}{key}.")
