r"""Regular expressions of users and of the catalog: one subset that every engine reads alike, in linear time.

``\d``, ``\w`` and ``\s`` mean ASCII characters. What would need backtracking, and could so take for ever on some
line, is refused: look-around, backreferences, possessive and atomic groups.
"""

import re
from dataclasses import dataclass
from typing import Final

import polars as pl

from heeler.errors import TemplateError

_ASCII: Final = {"d": "0-9", "w": "0-9A-Za-z_", "s": r" \t\n\r\f\v"}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BACKTRACKING: Final = (
    (re.compile(r"\(\?<?[=!]"), "looks around"),
    (re.compile(r"\(\?>"), "has an atomic group"),
    (re.compile(r"\\[1-9]|\(\?P=\w+\)|\\k<"), "refers back to a group"),
    (re.compile(r"[*+?}]\+"), "has a possessive quantifier"),
)


@dataclass(frozen=True, slots=True)
class Group:
    """A named group at the top of a pattern, or within what is optional there."""

    name: str


@dataclass(frozen=True, slots=True)
class Optional:
    """Pieces that a line has all of or none."""

    pieces: "tuple[Piece, ...]"


Piece = str | Group | Optional


def compiled(pattern: str) -> str:
    r"""Return ``pattern`` as the engines want it: named groups as ``(?P<name>…)``, ``\d \w \s`` as ASCII classes.

    Raises `TemplateError`, with the place, for what is no regular expression or cannot run in linear time.
    """
    _refuse_backtracking(pattern)
    result, in_class, at = "", False, 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and at + 1 < len(pattern):
            letter = pattern[at + 1]
            if letter.lower() in _ASCII:
                negated = "^" if letter.isupper() else ""
                inner = _ASCII[letter.lower()]
                if in_class and negated:
                    raise TemplateError("A negated class stands inside another; write it out.", pattern, at)
                result += inner if in_class else f"[{negated}{inner}]"
            else:
                result += char + letter
            at += 2
            continue
        if char == "[" and not in_class:
            in_class = True
        elif char == "]" and in_class and pattern[at - 1] != "[" and pattern[at - 2 : at] != "[^":
            in_class = False
        result += char
        at += 1
    result = re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", result)
    _try(pattern, result)
    return result


def _refuse_backtracking(pattern: str) -> None:
    # Escaped characters and classes are blanked out, so that they are not taken for what they are not.
    plain = re.sub(r"\\[^1-9k]", "  ", pattern)
    plain = re.sub(r"\[\^?\]?[^\]]*\]", lambda found: " " * len(found[0]), plain)
    for construct, does in _BACKTRACKING:
        if found := construct.search(plain):
            raise TemplateError(
                f"The pattern {does}, which no engine can run in a time that grows only with the line; say it without.",
                pattern,
                found.start(),
            )


def _try(pattern: str, translated: str) -> None:
    try:
        pl.Series([""]).str.extract_groups(translated)
    except pl.exceptions.ComputeError as error:
        lines = str(error).splitlines()
        reason = next((line for line in lines if line.startswith("error: ")), lines[0])
        caret = next((line for line in lines if line.strip() and not line.strip("^ ")), "")
        at = min(max(caret.find("^") - 4, 0), len(pattern))
        raise TemplateError(
            f"The pattern is no regular expression: {reason.removeprefix('error: ')}.", pattern, at
        ) from error


def pieces(pattern: str) -> tuple[Piece, ...] | None:
    """Return what a line that the pattern fits is made of; None where the groups do not tell that.

    Of a literal that may be repeated or left out the pieces have one, of ``x*`` none: lines with another number of it
    are not what the pieces make.
    """
    found, at = _sequence(pattern.removeprefix("^").removesuffix("$"), 0)
    return found if found is not None and at == -1 else None


_QUANTIFIER = re.compile(r"[*+?]\??|\{\d+(?:,\d*)?\}")


def _sequence(text: str, at: int) -> tuple[tuple[Piece, ...] | None, int]:
    """Read pieces from ``at`` on; return them and where a closing parenthesis ended them, -1 for the end."""
    found: list[Piece] = []
    while at < len(text):
        if text[at] == ")":
            return _joined(found), at
        if name := re.compile(r"\(\?P?<(\w+)>").match(text, at):
            end = _closing(text, at)
            found.append(Group(name[1]))
            at = end + 1
            if _QUANTIFIER.match(text, at):
                return None, at
        elif text.startswith("(?:", at):
            inner, end = _sequence(text, at + 3)
            if inner is None or text[end + 1 : end + 2] != "?":
                return None, at
            if any(not isinstance(piece, str) for piece in inner):  # else nothing tells whether it was there
                found.append(Optional(inner))
            at = end + 2
        else:
            literal, at = _literal(text, at)
            if literal is None:
                return None, at
            found.append(literal)
    return _joined(found), -1


def _literal(text: str, at: int) -> tuple[str | None, int]:
    if text[at] == "\\" and at + 1 < len(text) and not text[at + 1].isalnum():
        literal, at = text[at + 1], at + 2
    elif text[at] == "\\" and text[at + 1 : at + 2] == "t":
        literal, at = "\t", at + 2
    elif text[at] in "\\.[(|)*+?{^$":
        return None, at
    else:
        literal, at = text[at], at + 1
    if quantifier := _QUANTIFIER.match(text, at):
        if quantifier[0][0] == "{":
            return None, at
        return ("" if quantifier[0][0] == "*" else literal), quantifier.end()
    return literal, at


def _closing(text: str, at: int) -> int:
    """Return where the parenthesis that opens at ``at`` is closed."""
    depth, in_class = 0, False
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            at += 2 if text[at + 1 : at + 3] == "^]" else 1 if text[at + 1 : at + 2] == "]" else 0
        else:
            depth += {"(": 1, ")": -1}.get(char, 0)
            if not depth:
                return at
        at += 1
    return len(text)


def _joined(found: list[Piece]) -> tuple[Piece, ...]:
    joined: list[Piece] = []
    for piece in found:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(piece for piece in joined if piece != "")
