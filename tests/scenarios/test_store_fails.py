"""Faults 36 to 39: the disk of the store is full, the process is killed, or two write to one store."""

import asyncio
import os
from contextlib import closing
from pathlib import Path

import pytest

from heeler.clock import SystemClock
from heeler.errors import EnvironmentFailed
from heeler.formats.choose import PLAIN
from heeler.formats.timestamps import Receipt
from heeler.ingest.watched import WatchStore
from heeler.query.language import parse
from heeler.sources.file import FileSource
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader
from heeler.store.upkeep import Upkeep

LINES = b"".join(b"line %d\n" % number for number in range(20))


def watch(lake: Lake, log: Path) -> None:
    """Store what is in a file, as `watch --store` does."""
    left = log.stat().st_size

    async def run() -> None:
        store = WatchStore(lake, SystemClock(), lambda _: None)
        if any(int(str(one.get("offset", 0))) >= left for one in store.positions.values()):
            return  # all was stored before the death, so nothing comes
        options = {"from_start": True, "chunk_bytes": 40, "positions": store.positions}
        source = FileSource(log, clock=SystemClock(), follow=True, **options)  # type: ignore[arg-type]  # as named
        async with asyncio.timeout(30), store.writing():
            async for chunk in source.read():
                await store.put(chunk, PLAIN, Receipt(chunk.received_us), [])
                if int(str(chunk.position.get("offset", 0))) >= left:
                    await source.close()

    asyncio.run(run())


def stored(folder: Path) -> bytes:
    with closing(LakeReader(folder)) as reader:
        return b"".join(reader.export(parse("")))


@pytest.mark.parametrize("step", ["commit begins", "transaction begins", "transaction ends", "commit ended"])
def test_a_full_disk_or_a_death_at_any_step_loses_and_repeats_nothing(tmp_path: Path, step: str) -> None:
    """Lines and the position behind them are stored together, so the next run goes on behind what is stored."""
    log, folder = tmp_path / "app.log", tmp_path / "lake"
    log.write_bytes(LINES)
    failures = 0

    def fail(name: str) -> None:
        nonlocal failures
        if name == step:
            failures += 1
            raise OSError(28, "No space left on device")

    with closing(Lake(folder, fail)) as lake, pytest.raises(EnvironmentFailed, match="No space left on device"):
        watch(lake, log)
    assert failures
    with closing(Lake(folder)) as lake:
        watch(lake, log)

    assert stored(folder) == LINES


def test_a_second_collector_is_refused(tmp_path: Path) -> None:
    with closing(Lake(tmp_path)), pytest.raises(EnvironmentFailed, match=str(os.getpid())):
        Lake(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"\0" * 4096, b"half of what it was"])
def test_a_state_that_is_damaged_begins_at_no_other_place_silently(tmp_path: Path, damage: bytes) -> None:
    """The catalog is made again of a copy and of the segments; what was in neither is read again."""
    log, folder = tmp_path / "app.log", tmp_path / "lake"
    log.write_bytes(LINES)
    with closing(Lake(folder)) as lake:
        watch(lake, log)
        upkeep = Upkeep(lake)
        for _ in upkeep.everything(SystemClock().now_us()):
            pass
    log.write_bytes(LINES + b"more\n")
    for file in folder.glob("catalog.sqlite*"):
        file.write_bytes(damage)

    with closing(Lake(folder)) as lake:
        assert lake.recovered
        watch(lake, log)

    with closing(LakeReader(folder)) as reader:
        assert b"".join(reader.export(parse(f"stream:{log}"))) == LINES + b"more\n"
