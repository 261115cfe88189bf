"""Saved searches: texts of queries, by name, in the catalog. ``@NAME`` in a query means the text."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from heeler.errors import EnvironmentFailed, UsageError
from heeler.query.language import parse
from heeler.store.catalog import open_for_reading, open_for_writing, transaction

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SINCE_VERSION = 2


def saved_searches(folder: Path) -> dict[str, str]:
    """Return the texts of all saved searches by name."""
    with closing(open_for_reading(folder)) as catalog:
        if catalog.execute("pragma user_version").fetchone()[0] < _SINCE_VERSION:
            return {}  # an older Heeler wrote it, and nobody has since
        return dict(catalog.execute("select name, query from saved_search order by name").fetchall())


def save_search(folder: Path, name: str, query: str) -> None:
    """Store a query by name, in place of what had that name; an empty one removes it.

    It is one short transaction, and may be done beside the writer of the lake: no record and no segment is touched.
    Raises `UsageError` for a name that cannot stand behind ``@``, `QueryError` for a query that cannot be read with it.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"A saved search cannot be called {name!r}; a name is made of letters, digits and _ . -.")
    known = saved_searches(folder)
    if not query and name not in known:
        raise UsageError(f"There is no saved search named {name!r}.")
    parse(f"@{name}", known | {name: query})  # it may name itself, or others that name it
    try:
        with closing(open_for_writing(folder)) as catalog, transaction(catalog):
            if query:
                catalog.execute(
                    "insert into saved_search values (?, ?) on conflict do update set query = excluded.query",
                    (name, query),
                )
            else:
                catalog.execute("delete from saved_search where name = ?", (name,))
    except sqlite3.Error as error:
        raise EnvironmentFailed(f"The search could not be saved in {folder}: {error}. Try again.") from error
