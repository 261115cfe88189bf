"""What the commands that take a query share: its text, its times, and what is said about it."""

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from heeler.cli.screens import notice
from heeler.clock import Clock, SystemClock
from heeler.errors import HeelerError, QueryError
from heeler.query.language import parse
from heeler.query.period import moment_us
from heeler.query.tree import And, Query, When
from heeler.store.reading import LakeReader
from heeler.store.saved import saved_searches
from heeler.store.searching import Wanted
from heeler.store.url import lake_folder
from heeler.units import duration_s
from heeler.views.escape import printable

QueryArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[QUERY]...",
        help="What to find: words, field:value, -not, OR, /regex/; see docs/search.md. Behind -- it may begin with -.",
        show_default=False,
    ),
]
Since = Annotated[str, typer.Option(help="From then on: 2m, 1h, yesterday, 2026-11-22, 2026-11-22T10:00.")]
Until = Annotated[str, typer.Option(help="Before then, in the same forms.")]
Timeout = Annotated[str, typer.Option(help="The query is stopped after this long.")]

LONGEST_QUERY = "50m"
"""Files that were replaced stay for an hour, so no query may take as long."""


def read_query(words: Sequence[str] | None, store: str) -> Query:
    """Read a query, with the searches that are saved in the store. Raises `QueryError` and what a store raises."""
    text = " ".join(words or [])
    query = parse(text, saved_searches(lake_folder(store)) if "@" in text else None)
    _refuse_turned_round(query, text, SystemClock().now_us())
    return query


def _refuse_turned_round(query: Query, text: str, now_us: int) -> None:
    parts = query.where.parts if isinstance(query.where, And) else (query.where,)
    moments = {part.word: moment_us(part.moment, now_us, "The time") for part in parts if isinstance(part, When)}
    starts = [moments[word] for word in moments if word in ("since", "from")]
    for word, moment in moments.items():
        if word in ("until", "to") and starts and max(starts) >= moment:
            place = max(text.rfind(f"{word}:"), 0)
            raise QueryError("The range of time is turned round: it ends before it begins.", text, place)


def wanted(query: Query, since: str, until: str, clock: Clock) -> Wanted:
    """Return what to find, with the times that the options name."""
    now_us = clock.now_us()
    return Wanted(
        query,
        now_us,
        moment_us(since, now_us, "The start (--since)") if since else None,
        moment_us(until, now_us, "The end (--until)") if until else None,
    )


def deadline(timeout: str, clock: Clock) -> tuple[float, Callable[[], None]]:
    """Return the seconds that a query may take, and what raises when they are over."""
    seconds = float(duration_s(timeout, "The timeout"))
    end = clock.monotonic() + seconds

    def going_on() -> None:
        if clock.monotonic() > end:
            raise HeelerError(f"The query did not end within {timeout} and was stopped; --timeout gives it longer.")

    return seconds, going_on


def tell_unknown(reader: LakeReader, query: Query) -> None:
    """Say which fields of a query no record has."""
    from heeler.views.unknown import unknown_fields  # noqa: PLC0415 - most queries need none of it

    for sentence in unknown_fields(reader, query):
        notice(printable(sentence))
