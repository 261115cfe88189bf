"""The catalog of a lake: a small SQLite database that lists the segments and holds everything else of a tick."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heeler.errors import EnvironmentFailed, UsageError
from heeler.store.schema import CATALOG, VERSION

FILE = "catalog.sqlite"
_BUSY_SECONDS = 5.0


def open_for_writing(folder: Path) -> sqlite3.Connection:
    """Open the catalog in ``folder``, making it where there is none.

    Raises `UsageError` for a catalog that a newer Heeler wrote, `EnvironmentFailed` where SQLite cannot open it.
    """
    try:
        catalog = sqlite3.connect(
            folder / FILE, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        catalog.execute("pragma auto_vacuum = incremental")  # takes effect only while the catalog is being made
        catalog.execute("pragma journal_mode = wal")
        catalog.execute("pragma synchronous = full")
        catalog.execute("pragma foreign_keys = on")
        with transaction(catalog):
            version = catalog.execute("pragma user_version").fetchone()[0]
            if version == 0:
                for statement in CATALOG.split(";"):
                    catalog.execute(statement)
                catalog.execute(f"pragma user_version = {VERSION}")
    except sqlite3.Error as error:
        raise EnvironmentFailed(
            f"The catalog {folder / FILE} cannot be opened: {error}. Check the disk, its permissions, and that it is "
            "not on a network file system."
        ) from error
    _refuse_newer(catalog, folder)
    return catalog


def open_for_reading(folder: Path) -> sqlite3.Connection:
    """Open the catalog in ``folder`` beside whoever writes to it. Raises what `open_for_writing` raises."""
    if not (folder / FILE).exists():
        raise UsageError(f"There is no lake in {folder}; `heeler ingest` makes one, --store names another.")
    try:
        catalog = sqlite3.connect(
            f"file:{folder / FILE}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
        )
        catalog.execute("select count(*) from setting").fetchone()
    except sqlite3.Error as error:
        raise EnvironmentFailed(f"The catalog {folder / FILE} cannot be read: {error}.") from error
    _refuse_newer(catalog, folder)
    return catalog


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


def _refuse_newer(catalog: sqlite3.Connection, folder: Path) -> None:
    version = catalog.execute("pragma user_version").fetchone()[0]
    if version > VERSION:
        catalog.close()
        raise UsageError(
            f"The lake in {folder} was written by a newer Heeler (schema {version}; this one knows {VERSION}). "
            "Upgrade Heeler to use it; nothing was changed."
        )
