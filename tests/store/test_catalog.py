"""Catalogs of other versions and catalogs that are none."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from heeler.errors import EnvironmentFailed, UsageError
from heeler.store.catalog import open_for_reading, open_for_writing, transaction
from heeler.store.lake import Lake
from heeler.store.schema import VERSION

Opener = Callable[[Path], sqlite3.Connection]
openers = pytest.mark.parametrize("opener", [open_for_reading, open_for_writing])


@openers
def test_a_newer_catalog_is_refused_politely_and_left_alone(tmp_path: Path, opener: Opener) -> None:
    open_for_writing(tmp_path).close()
    catalog = sqlite3.connect(tmp_path / "catalog.sqlite")
    catalog.execute(f"pragma user_version = {VERSION + 1}")
    catalog.close()
    before = (tmp_path / "catalog.sqlite").read_bytes()
    with pytest.raises(UsageError, match=rf"newer Heeler \(schema {VERSION + 1}; this one knows {VERSION}\)"):
        opener(tmp_path)
    assert (tmp_path / "catalog.sqlite").read_bytes() == before


def test_a_lake_that_is_refused_stays_unlocked(tmp_path: Path) -> None:
    open_for_writing(tmp_path).close()
    catalog = sqlite3.connect(tmp_path / "catalog.sqlite")
    catalog.execute(f"pragma user_version = {VERSION + 1}")
    for _ in range(2):
        with pytest.raises(UsageError, match="Upgrade Heeler"):
            Lake(tmp_path)
    catalog.execute(f"pragma user_version = {VERSION}")
    catalog.close()
    Lake(tmp_path).close()


def test_no_lake_to_read_is_told_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no lake in .*heeler ingest"):
        open_for_reading(tmp_path)
    assert not list(tmp_path.iterdir())


@openers
def test_a_file_that_is_no_catalog_is_named(tmp_path: Path, opener: Opener) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(b"not a database, and long enough to be looked at" * 100)
    with pytest.raises(EnvironmentFailed, match=r"catalog\.sqlite cannot be (read|opened)"):
        opener(tmp_path)


def test_a_commit_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    catalog = open_for_writing(tmp_path)
    assert catalog.execute("pragma journal_mode").fetchone() == ("wal",)
    assert catalog.execute("pragma synchronous").fetchone() == (2,)
    assert catalog.execute("pragma foreign_keys").fetchone() == (1,)
    catalog.close()


def test_a_transaction_that_fails_changes_nothing(tmp_path: Path) -> None:
    catalog = open_for_writing(tmp_path)

    def half() -> None:
        with transaction(catalog):
            catalog.execute("insert into setting values ('a', '1')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert catalog.execute("select * from setting").fetchall() == []
    assert not catalog.in_transaction
    catalog.close()


@pytest.mark.parametrize("name", ["a b", "per%cent", "why?", "hash#tag", "ünï"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    catalog = open_for_writing(tmp_path / name)
    catalog.execute("insert into setting values ('folder', ?)", (name,))
    catalog.close()
    catalog = open_for_reading(tmp_path / name)
    assert catalog.execute("select value from setting").fetchone() == (name,)
    catalog.close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    open_for_writing(tmp_path).close()
    catalog = open_for_reading(tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        catalog.execute("insert into setting values ('a', '1')")
    catalog.close()
