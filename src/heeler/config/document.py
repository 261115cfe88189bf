"""A configuration file that was read: its values, and where each of them stands."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from heeler.config.places import DEEPEST, KeyPath, Place, TooDeep, places_in
from heeler.errors import ConfigurationError, SettingError, UsageError

MOST_BYTES: Final = 1 << 20
LONGEST_LINE: Final = 10_000
"""More is no configuration, but a file named by mistake. Keys of so many parts would keep the parser busy for long."""

_LONGEST_READ: Final = 60
_WIDEST: Final = 100
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True)
class Document:
    r"""A TOML file: its text with ``\n`` as line ends, its values, and the place of each."""

    path: Path
    text: str
    values: Mapping[str, Any]
    places: Mapping[KeyPath, Place]

    @property
    def folder(self) -> Path:
        """What relative paths in it are relative to."""
        return self.path.absolute().parent

    def read_at(self, path: KeyPath) -> str:
        """Return what was written as the value at ``path``, shortened, in one line."""
        place = self.places[path]
        written = " ".join(self.text[place.value : place.end].split())
        return _shown(written if len(written) <= _LONGEST_READ else written[: _LONGEST_READ - 1] + "…")

    def nearest_place(self, path: KeyPath) -> KeyPath:
        """Return the longest beginning of ``path`` that stands in the text."""
        while path and path not in self.places:
            path = path[:-1]
        return path

    def hiding(self, paths: Iterable[KeyPath]) -> "Document":
        """Return the same with the values at ``paths`` starred out in its text."""
        text = self.text
        for path in paths:
            if place := self.places.get(path):
                starred = re.sub(r"[^\n]", "*", text[place.value : place.end])
                text = text[: place.value] + starred + text[place.end :]
        return replace(self, text=text)

    def error(self, path: KeyPath, sentence: str, *, of_value: bool = True, within: int | None = None) -> SettingError:
        """Return an error that shows the value at ``path``, or its key; where it has none, what it would be in.

        ``within`` is a character of the value, which is a text.
        """
        known = self.nearest_place(path)
        at = 0
        if known:
            place = self.places[known]
            at = place.value if of_value and known == path else place.key
            written = self.text[place.value : place.end]
            # What is escaped is shorter than it is written; then the text as a whole is shown.
            if within is not None and known == path and "\\" not in written:
                at += within + (3 if written[:3] in ('"""', "'''") else 1)
        return placed(self.path, self.text, at, dotted(path), sentence)


def dotted(path: KeyPath) -> str:
    """Return a path as people write it: ``sources.app.paths[0]``."""
    named = ""
    for part in path:
        if isinstance(part, int):
            named += f"[{part}]"
        else:
            named += ("." if named else "") + (part if re.fullmatch(r"[\w-]+", part, re.ASCII) else repr(part))
    return named


def placed(path: Path, text: str, at: int, key: str, sentence: str) -> SettingError:
    """Return an error that shows the line of ``text`` in which the character ``at`` stands, with a caret below it."""
    begin = text.rfind("\n", 0, at) + 1
    line = text[begin:].partition("\n")[0]
    number, column = text.count("\n", 0, at) + 1, at - begin
    cut = max(0, column - _WIDEST // 2) if len(line) > _WIDEST else 0
    shown = _shown(line[cut : cut + _WIDEST])
    return SettingError(sentence, shown, column - cut, path=_shown(str(path)), line=number, column=column + 1, key=key)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a sentence that asks for the nearest of ``known``, with a blank before it; empty where none is near."""
    near = difflib.get_close_matches(word.lower(), {one.lower(): one for one in known}, n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""


def read_document(path: Path) -> Document:
    """Read a configuration file.

    Raises `UsageError` for a file that cannot be read or is none, `ConfigurationError` for what is no TOML.
    """
    text = _text_of(path)
    try:
        values = tomllib.loads(text)
        places = places_in(text)
    except TooDeep as error:
        raise ConfigurationError([_too_deep(path, text, error.at)]) from error
    except RecursionError as error:
        raise ConfigurationError([_too_deep(path, text, 0)]) from error
    except ValueError as error:
        raise ConfigurationError([_syntax(path, text, error)]) from error
    return Document(path, text, values, places)


def _text_of(path: Path) -> str:
    named = _shown(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The configuration {named} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from error
    if len(data) > MOST_BYTES:
        raise UsageError(f"The configuration {named} has more than {MOST_BYTES:,} bytes; is it the right file?")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"The configuration {named} is not UTF-8 text: line {line} has the byte 0x{data[error.start]:02x}."
        ) from error
    for number, line_text in enumerate(text.split("\n"), 1):
        if len(line_text) > LONGEST_LINE:
            raise UsageError(
                f"Line {number} of the configuration {named} has more than {LONGEST_LINE:,} characters; "
                "is it the right file?"
            )
    return text


def _too_deep(path: Path, text: str, at: int) -> SettingError:
    return placed(path, text, at, "", f"This is nested more than {DEEPEST} deep, where no setting is.")


def _syntax(path: Path, text: str, error: ValueError) -> SettingError:
    told = str(error)
    at = 0
    if found := _PLACE.search(told):
        told = told[: found.start()]
        at = len(text.rstrip())
        if found[1]:
            lines = text.split("\n")
            at = sum(len(line) + 1 for line in lines[: int(found[1]) - 1]) + int(found[2]) - 1
    return placed(path, text, min(at, len(text)), "", f"This is no TOML: {_shown(told)}.")


def _shown(text: str) -> str:
    """Return ``text`` with nothing in it that could act on a terminal, each character still one wide."""
    return "".join(
        char if char.isprintable() else " " if char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in text
    )
