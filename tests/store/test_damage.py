"""A file that is not as it was written is found, named and set aside; the rest is served; nothing is removed."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from heeler.store.lake import Lake
from heeler.store.setting import number_of
from heeler.store.upkeep import Upkeep
from heeler.store.verify import CHECK_EVERY_US, check, to_check

if TYPE_CHECKING:
    from tests.store.conftest import Feed

pytestmark = pytest.mark.usefixtures("small_segments")

Contents = Callable[[Path], dict[str, pl.DataFrame]]
Drain = Callable[[Upkeep, int], None]


def disk(_: Path) -> tuple[int, int, int]:
    return 10**12, 0, 10**12


def hurt(data: bytes, chance: random.Random) -> bytes:
    """Cut some bytes off the end, or flip up to three bits."""
    if chance.random() < 0.3:
        return data[: chance.randrange(len(data))]
    changed = bytearray(data)
    for bit in chance.sample(range(len(data) * 8), chance.randint(1, 3)):
        changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.fixture
def merged(lake: Lake, feed: "Feed") -> Lake:
    """A lake with segments of every kind: of ticks, flushed and merged."""
    for size in (40, 60, 35):
        feed.tick(lake, size, 3)
    list(Upkeep(lake, usage=disk).everything(feed.now_us))
    for size in (50, 31, 45):
        feed.tick(lake, size, 32)
    return lake


def test_each_of_200_flips_and_cuts_is_found_named_and_set_aside(
    merged: Lake, feed: "Feed", contents: Contents
) -> None:
    chance = random.Random(3)  # noqa: S311 - seeded on purpose, nothing secret
    folder, catalog = merged.folder, merged.catalog
    whole = contents(folder)
    listed = to_check(catalog, 2**62)
    assert len({one.table for one in listed}) == 4
    for _ in range(200):
        one = chance.choice(listed)
        file = folder / one.path
        data, own = file.read_bytes(), pl.read_parquet(file)
        file.write_bytes(hurt(data, chance))
        told = [check(merged, each, feed.now_us) for each in to_check(catalog, 2**62)]
        (sentence,) = filter(None, told)
        assert str(file) in sentence
        assert f"{one.rows:,} rows of {one.table}" in sentence
        assert file.exists()
        served = contents(folder)
        if one.table in {"access", "log"}:
            expected = whole[one.table].join(own, on=["log_stream", "seq"], how="anti")
            assert served[one.table].equals(expected)
        assert all(served[table].equals(whole[table]) for table in whole if table != one.table)
        file.write_bytes(data)
        (back,) = filter(None, [check(merged, each, feed.now_us) for each in to_check(catalog, 2**62)])
        assert "served again" in back
    assert all(contents(folder)[table].equals(whole[table]) for table in whole)


def test_a_missing_file_is_named(merged: Lake, feed: "Feed") -> None:
    one = to_check(merged.catalog, 2**62)[0]
    (merged.folder / one.path).rename(merged.folder / "elsewhere")
    assert "The file is missing." in check(merged, one, feed.now_us)
    assert check(merged, to_check(merged.catalog, 2**62)[0], feed.now_us) == ""


def test_every_file_is_looked_at_bit_by_bit(merged: Lake, feed: "Feed") -> None:
    upkeep = Upkeep(merged, usage=disk, monotonic=lambda: 0.0)
    for _ in range(300):
        feed.now_us += 10_000_000
        upkeep.step(feed.now_us, 0)
    assert to_check(merged.catalog, 0) == []
    (file,) = (merged.folder / "segments/log").rglob("m*.parquet")  # alone, so it is not merged again
    file.write_bytes(file.read_bytes()[:-1])
    feed.now_us += CHECK_EVERY_US
    for _ in range(300):
        feed.now_us += 10_000_000
        upkeep.step(feed.now_us, 0)
    assert str(file) in upkeep.notes[-1]


def test_a_damaged_segment_is_never_merged_into_a_good_one(merged: Lake, feed: "Feed", drain: Drain) -> None:
    chosen = [one for one in to_check(merged.catalog, 2**62) if one.table == "access" and "/m" not in one.path]
    bad = merged.folder / chosen[1].path
    data = bytearray(bad.read_bytes())
    data[len(data) // 2] ^= 4
    bad.write_bytes(data)
    upkeep = Upkeep(merged, usage=disk)
    list(upkeep.everything(feed.now_us))
    drain(upkeep, feed.now_us + 30 * 3_600_000_000)
    assert sum(str(bad) in note and "damaged" in note for note in upkeep.notes) == 1
    assert bad.read_bytes() == bytes(data)
    rows = merged.catalog.execute(
        "select path, damage is null from segment where \"table\" = 'access' order by damage is null"
    ).fetchall()
    assert [bool(good) for _, good in rows] == [False, True]
    assert number_of(merged.catalog, "merge") > 0
    served = merged.catalog.execute("select sum(rows) from segment where damage is null and \"table\" = 'access'")
    assert served.fetchone()[0] == 40 + 60 + 35 + 50 + 45
