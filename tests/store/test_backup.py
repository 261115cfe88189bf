"""A copy of a lake is the lake as it was at one instant; both it and what is made of it appear whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from heeler.errors import EnvironmentFailed, UsageError
from heeler.store import backup as backup_module
from heeler.store.backup import backup, damaged, restore
from heeler.store.lake import Lake
from heeler.store.upkeep import Upkeep

if TYPE_CHECKING:
    from tests.store.conftest import Feed

pytestmark = pytest.mark.usefixtures("small_segments")

Contents = Callable[[Path], dict[str, pl.DataFrame]]
Equal = Callable[[dict[str, pl.DataFrame], dict[str, pl.DataFrame]], bool]


def disk(_: Path) -> tuple[int, int, int]:
    return 10**12, 0, 10**12


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copies" / "of today"


def test_a_copy_holds_all_and_a_lake_is_made_of_it(
    lake: Lake, feed: "Feed", contents: Contents, equal: Equal, copy: Path
) -> None:
    for size in (40, 3, 50):
        feed.tick(lake, size, 4)
    before = contents(lake.folder)
    assert len(list(backup(lake.folder, copy))) == 2
    feed.tick(lake)  # the writer went on
    list(Upkeep(lake, usage=disk).everything(feed.now_us))
    assert equal(contents(copy), before)
    made = copy.parent / "made"
    assert len(list(restore(copy, made))) == 2
    assert equal(contents(made), before)
    again = Lake(made)
    assert again.recovered == ()
    assert again.positions("file").keys() == {"web", "app"}
    list(Upkeep(again, usage=disk).everything(feed.now_us))
    assert equal(contents(made), before)
    assert equal(contents(copy), before)


def test_a_writer_in_the_middle_of_a_tick_is_not_in_the_copy(
    folder: Path, feed: "Feed", contents: Contents, equal: Equal, copy: Path
) -> None:
    copied = False

    def at_step(step: str) -> None:
        if copied and step == "transaction ends":
            list(backup(folder, copy))

    lake = Lake(folder, at_step)
    feed.tick(lake)
    before = contents(folder)
    copied = True
    feed.tick(lake)
    assert equal(contents(copy), before)
    feed.check(folder)


def test_a_place_that_is_taken_stays_as_it_is(lake: Lake, feed: "Feed", copy: Path) -> None:
    feed.tick(lake)
    copy.mkdir(parents=True)
    list(backup(lake.folder, copy))  # an empty folder will do
    with pytest.raises(UsageError, match="is not empty"):
        list(backup(lake.folder, copy))
    with pytest.raises(UsageError, match="is not empty"):
        list(restore(copy, lake.folder))
    feed.check(lake.folder)
    feed.check(copy)


def test_there_must_be_a_lake_and_a_copy(tmp_path: Path) -> None:
    for work in (backup, restore):
        with pytest.raises(UsageError, match="no lake in"):
            list(work(tmp_path / "none", tmp_path / "target"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["first", "last"])
def test_a_copy_that_fails_leaves_nothing_behind(
    lake: Lake, feed: "Feed", copy: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    feed.tick(lake)
    calls = 0

    def fails(path: Path) -> None:
        nonlocal calls
        calls += 1
        if where == "first" or (path.name == "catalog.sqlite" and calls > 1):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup_module, "sync", fails)
    with pytest.raises(EnvironmentFailed, match=r"No space left.*Nothing was left"):
        list(backup(lake.folder, copy))
    assert list(copy.parent.iterdir()) == []


def test_stopped_in_the_middle_nothing_is_left(lake: Lake, feed: "Feed", copy: Path) -> None:
    feed.tick(lake)
    feed.tick(lake)
    work = backup(lake.folder, copy)
    next(work)
    assert not copy.exists()
    work.close()  # type: ignore[attr-defined]  # it is a generator
    assert list(copy.parent.iterdir()) == []


@pytest.mark.parametrize("how", ["changed", "missing"])
def test_a_damaged_segment_is_copied_as_it_is_and_named(
    lake: Lake, feed: "Feed", contents: Contents, copy: Path, how: str
) -> None:
    feed.tick(lake)
    feed.tick(lake)
    bad = min((lake.folder / "segments").rglob("*.parquet"))
    data = bad.read_bytes()
    bad.unlink()
    if how == "changed":
        bad.write_bytes(data[:100] + b"?" + data[101:])
    list(backup(lake.folder, copy))
    (sentence,) = damaged(copy)
    assert bad.name in sentence
    assert contents(copy)["access"].height == 40
    assert damaged(lake.folder) == []  # the lake itself was only read


def test_what_cannot_be_linked_is_copied(lake: Lake, feed: "Feed", copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed.tick(lake)

    def cannot(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", cannot)
    list(backup(lake.folder, copy))
    feed.check(copy)
    assert damaged(copy) == []
    assert all(file.stat().st_nlink == 1 for file in copy.rglob("*.parquet"))
