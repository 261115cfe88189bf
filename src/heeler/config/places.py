"""Where each key and value of a TOML text stands. The parser of the standard library does not say.

Only a text that this parser has taken is looked through here, so nothing is checked again but how deep it goes.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

KeyPath = tuple[str | int, ...]
"""How one comes to a value: names of tables and keys, and numbers of items in arrays."""

DEEPEST = 32
"""No setting lies so deep; a text that does would take memory by the square of its depth."""


class Place(NamedTuple):
    """Indices of characters: where the key begins, and where the value begins and ends.

    Of a table with a header of its own the value is its header's last key.
    """

    key: int
    value: int
    end: int


class TooDeep(Exception):
    """A key or value lies more than `DEEPEST` deep; ``at`` is where."""

    def __init__(self, at: int) -> None:
        self.at = at


_BLANK = re.compile(r"[ \t]*")
_BLANK_LINES = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]+")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}


def places_in(text: str) -> Mapping[KeyPath, Place]:
    r"""Return the place of each key, table and item of an array in a valid TOML text with ``\n`` as its line ends.

    Raises `TooDeep`.
    """
    return _Scan(text).everything()


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._found: dict[KeyPath, Place] = {}
        self._lengths: dict[KeyPath, int] = {}  # of arrays of tables

    def everything(self) -> dict[KeyPath, Place]:
        table: KeyPath = ()
        self._skip(_BLANK_LINES)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK_LINES)
        return self._found

    def _skip(self, what: re.Pattern[str]) -> None:
        found = what.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _header(self) -> KeyPath:
        is_item = self._text.startswith("[[", self._at)
        self._at += 2 if is_item else 1
        keys = self._keys()
        self._at += 2 if is_item else 1
        path: KeyPath = ()
        for number, (key, begin, end) in enumerate(keys, 1):
            path += (key,)
            self._note(path, Place(begin, begin, end))
            if is_item and number == len(keys):
                self._lengths[path] = self._lengths.get(path, 0) + 1
            if path in self._lengths:
                path += (self._lengths[path] - 1,)
                self._note(path, Place(begin, begin, end))
        return path

    def _pair(self, table: KeyPath) -> None:
        keys = self._keys()
        self._at += 1  # the sign =
        self._skip(_BLANK)
        path, value = table, self._at
        paths = [path := (*path, key) for key, _, _ in keys]
        self._value(path)
        for path, (_, begin, end) in zip(paths[:-1], keys[:-1], strict=True):
            self._note(path, Place(begin, begin, end))
        self._note(paths[-1], Place(keys[-1][1], value, self._at))

    def _note(self, path: KeyPath, place: Place) -> None:
        if len(path) > DEEPEST:
            raise TooDeep(place.key)
        self._found.setdefault(path, place)

    def _keys(self) -> list[tuple[str, int, int]]:
        """Read a key, which dots may divide, up to what stands behind it."""
        keys: list[tuple[str, int, int]] = []
        while True:
            self._skip(_BLANK)
            begin = self._at
            if len(keys) > DEEPEST:
                raise TooDeep(begin)
            if found := _BARE.match(self._text, begin):
                key = found[0]
            elif found := _STRING.match(self._text, begin):
                key = _unquoted(found[0])
            else:  # a valid text has none such
                raise AssertionError(f"No key at {begin}.")
            self._at = found.end()
            keys.append((key, begin, self._at))
            self._skip(_BLANK)
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        if len(path) > DEEPEST:
            raise TooDeep(self._at)
        if found := _STRING.match(self._text, self._at):
            self._at = found.end()
        elif self._text[self._at] == "[":
            self._array(path)
        elif self._text[self._at] == "{":
            self._inline(path)
        elif found := _SCALAR.match(self._text, self._at):
            self._at += len(found[0].rstrip())

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        number = 0
        self._skip(_BLANK_LINES)
        while self._text[self._at] != "]":
            begin = self._at
            self._value((*path, number))
            self._note((*path, number), Place(begin, begin, self._at))
            number += 1
            self._skip(_BLANK_LINES)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK_LINES)
        self._at += 1

    def _inline(self, path: KeyPath) -> None:
        self._at += 1
        self._skip(_BLANK_LINES)
        while self._text[self._at] != "}":
            self._pair(path)
            self._skip(_BLANK_LINES)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK_LINES)
        self._at += 1


def _unquoted(key: str) -> str:
    def plain(found: re.Match[str]) -> str:
        code = found[1] or found[2]
        return chr(int(code, 16)) if code else _ESCAPED.get(found[3], found[3])

    return key[1:-1] if key[0] == "'" else _ESCAPE.sub(plain, key[1:-1])
