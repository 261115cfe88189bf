"""Numbers that the catalog keeps: the last tick, flush and merge, and when it was copied."""

import sqlite3


def number_of(catalog: sqlite3.Connection, setting: str) -> int:
    """Return a setting that is a number, 0 where it was never set."""
    row = catalog.execute("select value from setting where key = ?", (setting,)).fetchone()
    return int(row[0]) if row else 0


def set_number(catalog: sqlite3.Connection, setting: str, value: int) -> None:
    """Store a setting that is a number, inside the caller's transaction or in one of its own."""
    catalog.execute(
        "insert into setting values (?, ?) on conflict do update set value = excluded.value", (setting, str(value))
    )
