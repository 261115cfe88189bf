"""The query language as text: `parse` reads it into a `heeler.query.tree.Query`. The grammar is in ``grammar.lark``."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, UnexpectedToken, VisitError

from heeler.errors import QueryError
from heeler.query import tree
from heeler.query.fields import meant
from heeler.query.regex import read as read_regex
from heeler.query.stages import stage
from heeler.query.tree import Condition, Query, all_of, any_of, none_of
from heeler.query.values import MOMENTS, Place, of_moment, of_prefix, of_regex, of_value, of_whole

LONGEST = 10_000
"""Characters; a longer query is nothing that a person wrote."""

MOST_LEAVES = 500
DEEPEST = 50
"""What engines can take: so many conditions, and so many of NOT, AND and OR within each other."""

MOST_SAVED = 10
"""So deep may saved searches name each other."""

_ESCAPED = re.compile(r"""\\([\\"'])""")
_EMPTY_FIELD = re.compile(r"([A-Za-z_@][A-Za-z0-9_.@-]*):")
_PARENTHESES = re.compile(r"""(?<![^\s()])"(?:[^"\\]|\\.)*"|(?<![^\s()])'(?:[^'\\]|\\.)*'|[()]""", re.DOTALL)

Saved = Mapping[str, str]
"""Saved searches by name."""

_Valued = Callable[[str], Condition]
"""A value that waits for its field."""


def parse(text: str, saved: Saved | None = None) -> Query:
    """Read a query. Raises `QueryError`, with the place, for what is none.

    ``saved`` are the searches that ``@NAME`` means.
    """
    return _parse(text, saved or {}, 0)


def _parse(text: str, saved: Saved, depth: int) -> Query:
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if len(text) > LONGEST:
        raise QueryError(f"The query has more than {LONGEST:,} characters.", f"{text[:60]}…", 60)
    _check_depth(text)
    reader = _Reader(text, saved, depth)
    try:
        query: Query = reader.transform(_grammar().parse(text))
    except VisitError as error:
        raise error.orig_exc from None
    except UnexpectedInput as error:
        raise _misread(text, error) from None
    if sum(1 for _ in tree.leaves(query.where)) > MOST_LEAVES:
        raise QueryError(f"The query has more than {MOST_LEAVES} conditions.", f"{text[:60]}…", 60)
    return query


@cache
def _grammar() -> Lark:
    text = files("heeler.query").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", lexer="contextual", maybe_placeholders=False)


class _Reader(Transformer[Token, Any]):
    """Makes the tree, from the leaves on; every method is named like a rule of the grammar."""

    def __init__(self, text: str, saved: Saved, depth: int) -> None:
        super().__init__(visit_tokens=False)
        self._text = text
        self._saved = saved
        self._depth = depth
        self._stages_of_saved: tuple[tree.Stage, ...] = ()

    def _place(self, token: Token) -> Place:
        return Place(self._text, token.start_pos or 0)

    def start(self, parts: list[Any]) -> Query:
        conditions = [part for part in parts if not isinstance(part, list)]
        stages = [part for part in parts if isinstance(part, list)]
        where = conditions[0] if conditions else tree.ALL
        read = tuple(stage(self._text, words, first=at == 0) for at, words in enumerate(stages))
        if self._stages_of_saved and (read or len(tuple(tree.leaves(where))) > MOST_LEAVES):
            raise QueryError("The saved search counts already; nothing can stand behind it.", self._text, 0)
        return Query(where, self._stages_of_saved + read)

    def stage(self, words: list[Token]) -> list[Token]:
        return words

    def any(self, parts: list[Condition]) -> Condition:
        return any_of(parts)

    def all(self, parts: list[Condition]) -> Condition:
        return all_of(parts)

    def negation(self, parts: list[Any]) -> Condition:
        negated: Condition = parts[-1]
        return none_of(negated) if len(parts) % 2 == 0 else negated

    def group(self, parts: list[Condition]) -> Condition:
        return parts[0]

    def word(self, parts: list[Token]) -> Condition:
        text = str(parts[0])
        if found := _EMPTY_FIELD.fullmatch(text):
            raise self._place(parts[0]).error(
                f'Nothing stands behind {text} - write {text}* for any value, or "{text}" for the text.', found.end()
            )
        return tree.Text(text)

    def phrase(self, parts: list[Token]) -> Condition:
        text = _unquoted(parts[0])
        if not text:
            raise self._place(parts[0]).error("An empty text stands in every line; leave it out.")
        return tree.Text(text)

    def token(self, parts: list[Token]) -> Condition:
        text = _unquoted(parts[0]) if parts[0].type == "QUOTED" else str(parts[0])
        if not text:
            raise self._place(parts[0]).error("An empty token stands in every line; leave it out.")
        return tree.Token(text)

    def regex(self, parts: list[Token]) -> Condition:
        pattern = str(parts[0])[1:-1]
        read_regex(pattern, self._text, (parts[0].start_pos or 0) + 1)
        return tree.Regex(pattern)

    def saved(self, parts: list[Token]) -> Condition:
        name, place = str(parts[0])[1:], self._place(parts[0])
        if name not in self._saved:
            raise place.error(f"There is no saved search named {name!r}.{meant(name, self._saved)}")
        if self._depth >= MOST_SAVED:
            raise place.error(f"The saved search {name!r} names others more than {MOST_SAVED} deep, or itself.")
        try:
            query = _parse(self._saved[name], self._saved, self._depth + 1)
        except QueryError as error:
            raise place.error(f"The saved search {name!r} does not work: {error}") from None
        self._stages_of_saved += query.stages
        return query.where

    def field(self, parts: list[Any]) -> Condition:
        name, valued = str(parts[0])[:-1], parts[1]
        condition: Condition = valued(name)
        return condition

    def field_regex(self, parts: list[Token]) -> Condition:
        name, _, pattern = str(parts[0]).partition(":")
        place = Place(self._text, (parts[0].start_pos or 0) + len(name) + 1)
        return _moment(name, pattern, place) or of_regex(name, pattern[1:-1], place)

    def bare_value(self, parts: list[Token]) -> _Valued:
        text, place = str(parts[0]), self._place(parts[0])
        return lambda name: _moment(name, text, place) or of_value(name, text, place)

    def quoted_value(self, parts: list[Token]) -> _Valued:
        text, place = _unquoted(parts[0]), self._place(parts[0])
        return lambda name: _moment(name, text, place) or of_whole(name, text, place)

    def quoted_prefix(self, parts: list[Token]) -> _Valued:
        text, place = _unquoted(parts[0]), self._place(parts[0])
        return lambda name: _moment(name, text, place) or of_prefix(name, text, place)

    def regex_value(self, parts: list[Token]) -> _Valued:
        text, place = str(parts[0])[1:-1], self._place(parts[0])
        return lambda name: _moment(name, text, place) or of_regex(name, text, place)

    def any_value(self, parts: list[_Valued]) -> _Valued:
        return lambda name: any_of(part(name) for part in parts)

    def all_values(self, parts: list[_Valued]) -> _Valued:
        return lambda name: all_of(part(name) for part in parts)

    def negated_value(self, parts: list[Any]) -> _Valued:
        negated: _Valued = parts[-1]
        return (lambda name: none_of(negated(name))) if len(parts) % 2 == 0 else negated


def _moment(name: str, text: str, place: Place) -> Condition | None:
    return of_moment(MOMENTS[name], text, place) if name in MOMENTS else None


def _unquoted(token: Token) -> str:
    return _ESCAPED.sub(r"\1", str(token)[1:-1])


def _check_depth(text: str) -> None:
    depth = 0
    for found in _PARENTHESES.finditer(text):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth > DEEPEST:
            raise QueryError(f"The query has parentheses more than {DEEPEST} deep.", text, found.start())


def _misread(text: str, error: UnexpectedInput) -> QueryError:
    """Return a sentence for what the grammar does not know."""
    at = error.pos_in_stream if error.pos_in_stream is not None else len(text)
    ended = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    at = len(text) if ended else at
    found = text[at : at + 1]
    if found in ("'", '"'):
        closed = text.find(found, at + 1) >= 0
        message = (
            "Behind the closing quote stands more; put a blank there." if closed else f"The {found} is never closed."
        )
        return QueryError(message, text, at)
    if found == ")":
        return QueryError("The ')' has no '(' before it, or nothing stands between them.", text, at)
    if ended and (opened := _unclosed(text)) is not None:
        return QueryError("The '(' is never closed.", text, opened)
    if ended:
        return QueryError("The query ends where something is still expected.", text, at)
    if found == "|":
        return QueryError("Before | and behind it stand words; a | in a text wants quotes.", text, at)
    return QueryError("A query cannot go on like this here; put text with signs in quotes.", text, at)


def _unclosed(text: str) -> int | None:
    opened: list[int] = []
    for found in _PARENTHESES.finditer(text):
        if found[0] == "(":
            opened.append(found.start())
        elif found[0] == ")" and opened:
            opened.pop()
    return opened[-1] if opened else None
