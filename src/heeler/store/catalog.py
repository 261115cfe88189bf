"""The catalog of a lake: a small SQLite database that lists the segments and holds everything else of a tick."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heeler.errors import EnvironmentFailed, UsageError
from heeler.formats import Format
from heeler.formats.definitions import restored
from heeler.store.schema import CATALOG, MIGRATIONS, VERSION

FILE = "catalog.sqlite"
_BUSY_SECONDS = 5.0


def open_for_writing(folder: Path) -> sqlite3.Connection:
    """Open the catalog in ``folder``, making it where there is none.

    Raises `UsageError` for a catalog that a newer Heeler wrote, `EnvironmentFailed` where SQLite cannot open it.
    """
    catalog: sqlite3.Connection | None = None
    try:
        catalog = sqlite3.connect(
            folder / FILE, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        _refuse_newer(catalog, folder)
        catalog.execute("pragma auto_vacuum = incremental")  # takes effect only while the catalog is being made
        catalog.execute("pragma journal_mode = wal")
        catalog.execute("pragma synchronous = full")
        catalog.execute("pragma foreign_keys = on")
        with transaction(catalog):
            if version_of(catalog) == 0:
                make(catalog)
            migrate(catalog)
    except sqlite3.Error as error:
        if catalog is not None:
            catalog.close()
        raise EnvironmentFailed(
            f"The catalog {folder / FILE} cannot be opened: {error}. Check the disk, its permissions, and that it is "
            "not on a network file system."
        ) from error
    return catalog


def open_for_reading(folder: Path) -> sqlite3.Connection:
    """Open the catalog in ``folder`` beside whoever writes to it. Raises what `open_for_writing` raises."""
    if not (folder / FILE).exists():
        raise UsageError(f"There is no lake in {folder}; `heeler ingest` makes one, --store names another.")
    catalog: sqlite3.Connection | None = None
    try:
        # Path.as_uri, because a folder may be named with a question mark or a per cent sign.
        uri = f"{(folder / FILE).absolute().as_uri()}?mode=ro"
        catalog = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
        _refuse_newer(catalog, folder)
        _refuse_older(catalog, folder)
        catalog.execute("select count(*) from setting").fetchone()
    except sqlite3.Error as error:
        if catalog is not None:
            catalog.close()
        raise EnvironmentFailed(f"The catalog {folder / FILE} cannot be read: {error}.") from error
    return catalog


def stored_format(name: str, table: str, definition: str) -> Format:
    """Return the format that a row of the table ``format`` is. It renders its records for ever."""
    return restored(name, table, definition)


@contextmanager
def transaction(catalog: sqlite3.Connection, *, writing: bool = True) -> Iterator[None]:
    """Run the block in one transaction: all of it is committed, or nothing."""
    catalog.execute("begin immediate" if writing else "begin")
    try:
        yield
        catalog.execute("commit")
    except BaseException:
        if catalog.in_transaction:
            catalog.execute("rollback")
        raise


def make(catalog: sqlite3.Connection) -> None:
    """Make the tables in a new catalog."""
    for statement in CATALOG.split(";"):
        catalog.execute(statement)
    catalog.execute(f"pragma user_version = {VERSION}")


def migrate(catalog: sqlite3.Connection) -> None:
    """Bring a catalog that an older Heeler made up to date, inside the caller's transaction."""
    for version in range(version_of(catalog), VERSION):
        for statement in MIGRATIONS[version]:
            catalog.execute(statement)
        catalog.execute(f"pragma user_version = {version + 1}")


def version_of(catalog: sqlite3.Connection) -> int:
    """Return the version of the schema; 0 where there is none yet."""
    return int(catalog.execute("pragma user_version").fetchone()[0])


def _refuse_older(catalog: sqlite3.Connection, folder: Path) -> None:
    version = version_of(catalog)
    if version < VERSION:
        catalog.close()
        raise UsageError(
            f"The lake in {folder} was written by an older Heeler (schema {version}; this one needs {VERSION}). "
            f"`heeler store migrate lake:{folder}` brings it up to date, as does whatever writes to it."
        )


def _refuse_newer(catalog: sqlite3.Connection, folder: Path) -> None:
    version = version_of(catalog)
    if version > VERSION:
        catalog.close()
        raise UsageError(
            f"The lake in {folder} was written by a newer Heeler (schema {version}; this one knows {VERSION}). "
            "Upgrade Heeler to use it; nothing was changed."
        )
