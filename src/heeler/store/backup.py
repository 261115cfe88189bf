"""Copies: of the catalog, every hour, beside it; and of a whole lake, wherever somebody wants one."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from heeler.errors import EnvironmentFailed, UsageError
from heeler.store.catalog import FILE, open_for_reading, transaction
from heeler.store.lake import Lake
from heeler.store.recovery import COPIES, copy_name
from heeler.store.segment import digest, make_durable_folder, sync

KEPT_COPIES = 4


def copy_catalog(lake: Lake, now_us: int) -> Path:
    """Copy the catalog into the lake's own `COPIES`, durably, and keep the last few; return the copy.

    After that the files that were replaced before it are no longer needed by any copy that will be used first.
    """
    folder = lake.folder / COPIES
    copy, partial = folder / copy_name(now_us), folder / "catalog.partial"
    make_durable_folder(lake.folder, folder)
    lake.at_step("upkeep copy begins")
    _copy_database(lake.catalog, partial)
    lake.at_step("upkeep copy written")
    partial.replace(copy)
    sync(folder)
    lake.at_step("upkeep copy named")
    with transaction(lake.catalog):
        lake.catalog.execute("update garbage set copied = 1")
        lake.catalog.execute(
            "insert into setting values ('copied', ?) on conflict do update set value = excluded.value", (str(now_us),)
        )
        lake.at_step("upkeep copy noted")
    others = sorted(one for one in folder.glob("catalog-*.sqlite") if one != copy)
    for old in others[: max(len(others) + 1 - KEPT_COPIES, 0)]:
        old.unlink()
    lake.at_step("upkeep copy ended")
    return copy


def backup(folder: Path, target: Path) -> Iterator[str]:
    """Copy the lake in ``folder`` to ``target``, which must not exist or be empty, beside readers and the writer.

    Yields the path of each segment when it is done. Segments are linked where that is possible, else copied, and
    every hash is checked. Raises `EnvironmentFailed` when files are missing, which leaves nothing behind; damaged
    ones are copied as they are, and named by `damaged`.
    """
    with closing(open_for_reading(folder)) as catalog, _made_at_once(target) as made:
        _copy_database(catalog, made / FILE)
        yield from _take_segments(folder, made, link=True)


def restore(source: Path, folder: Path) -> Iterator[str]:
    """Make a lake in ``folder``, which must not exist or be empty, of a copy that `backup` made in ``source``.

    Yields the path of each segment when it is done. Segments are copied, so that the copy stays one.
    """
    with closing(open_for_reading(source)) as catalog, _made_at_once(folder) as made:
        _copy_database(catalog, made / FILE)
        yield from _take_segments(source, made, link=False)


def damaged(folder: Path) -> list[str]:
    """Return a sentence for each segment of the lake in ``folder`` that is set aside."""
    with closing(open_for_reading(folder)) as catalog:
        rows = catalog.execute("select path, rows, damage from segment where damage is not null order by path")
        return [f"The segment {folder / path} ({count:,} rows) is damaged. {why}" for path, count, why in rows]


def _copy_database(catalog: sqlite3.Connection, target: Path) -> None:
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        catalog.backup(copy)
        # A copy is one file: what opens it later must not need another beside it.
        copy.execute("pragma journal_mode = delete")
        found = copy.execute("pragma quick_check(1)").fetchone()[0]
    if found != "ok":
        raise EnvironmentFailed(f"The copy {target} of the catalog is not whole: {found}.")
    target.chmod(0o600)
    sync(target)


def _take_segments(source: Path, made: Path, *, link: bool) -> Iterator[str]:
    with closing(sqlite3.connect(made / FILE, isolation_level=None)) as catalog:
        catalog.execute("delete from garbage")  # those files are not taken along
        listed = catalog.execute("select id, path, sha256, damage from segment order by id").fetchall()
        for number, path, sha256, known in listed:
            make_durable_folder(made, (made / path).parent)
            damage = _take(source / path, made / path, sha256, link=link)
            if damage != known:
                catalog.execute("update segment set damage = ? where id = ?", (damage, number))
            yield path
    for one in sorted({(made / path).parent for _, path, _, _ in listed}):
        sync(one)
    sync(made / FILE)


def _take(source: Path, target: Path, sha256: str, *, link: bool) -> str | None:
    """Link or copy one segment; return what is wrong with it, if anything."""
    try:
        if link:
            _link_or_copy(source, target)
        else:
            shutil.copyfile(source, target)
    except FileNotFoundError:
        return "The file is missing."
    sync(target)
    return None if digest(target) == sha256 else "The file is not as it was written: its SHA-256 differs."


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)  # another disk, or one that has no links


class _made_at_once:  # noqa: N801 - reads as the function that it is to its callers
    """A folder that is made beside its place and gets its name only when all is in it and durable."""

    def __init__(self, target: Path) -> None:
        self._target = target.absolute()
        self._partial = self._target.with_name(f"{self._target.name}.partial-{os.getpid()}")

    def __enter__(self) -> Path:
        """Make the folder under a name of its own, or raise `UsageError` where the place is taken."""
        if self._target.exists() and (not self._target.is_dir() or any(self._target.iterdir())):
            raise UsageError(
                f"{self._target} is not empty; name a folder that does not exist yet. Nothing was written."
            )
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self._partial, ignore_errors=True)
            self._partial.mkdir(mode=0o700)
        except OSError as error:
            raise EnvironmentFailed(f"{self._target} cannot be made: {error.strerror}.") from error
        return self._partial

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        """Give the folder its name, or take it away when it did not come to that."""
        if error is not None:
            shutil.rmtree(self._partial, ignore_errors=True)
            if isinstance(error, OSError | sqlite3.Error) and not isinstance(error, BrokenPipeError):
                raise EnvironmentFailed(
                    f"{self._target} cannot be written: {error}. Nothing was left there."
                ) from error
            return
        sync(self._partial)
        self._partial.replace(self._target)
        sync(self._target.parent)
