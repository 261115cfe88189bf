"""Lakes that were written by each version of the schema: they open, give their bytes back, and go on."""

import sqlite3
import tarfile
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from heeler.errors import UsageError
from heeler.formats.choose import PLAIN
from heeler.formats.lines import split
from heeler.query.language import parse
from heeler.store import Batch, Tick
from heeler.store.catalog import FILE
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader
from heeler.store.schema import MIGRATIONS, VERSION

OLDER = sorted((Path(__file__).parents[1] / "data" / "lakes").glob("schema-*.tar.xz"))
older = pytest.mark.parametrize("packed", OLDER, ids=lambda path: path.name)


def unpacked(packed: Path, folder: Path) -> Path:
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / "lake"


def assert_whole(folder: Path) -> None:
    """Every stream has the bytes that it had, and the readers of counts find each line once."""
    sums = (folder.parent / "sums").read_text(encoding="utf-8").splitlines()
    with closing(LakeReader(folder)) as reader:
        for expected, name in (line.split() for line in sums):
            stream = name.removesuffix(".out")
            lines = b"".join(reader.export(parse(f"stream:{stream}")))
            assert sha256(lines).hexdigest() == expected, stream


def version(folder: Path) -> int:
    with closing(sqlite3.connect(folder / FILE)) as catalog:
        return int(catalog.execute("pragma user_version").fetchone()[0])


def test_there_is_a_lake_of_each_older_version() -> None:
    assert [path.name for path in OLDER] == [f"schema-{number}.tar.xz" for number in MIGRATIONS]
    assert set(MIGRATIONS) == set(range(1, VERSION))


@older
def test_an_older_lake_is_brought_up_to_date_by_whoever_writes_to_it(packed: Path, tmp_path: Path) -> None:
    folder = unpacked(packed, tmp_path)
    with pytest.raises(UsageError, match="`heeler store migrate lake:"):
        LakeReader(folder)

    with closing(Lake(folder)) as lake:
        assert lake.recovered == ()
        data = b"one more\n"
        batch = Batch("test", "part", {}, "new", "new", PLAIN, PLAIN.parse(split(data)), 1_790_000_000_000_000, 9)
        lake.commit(Tick((batch,)))

    assert version(folder) == VERSION
    assert_whole(folder)
    with closing(LakeReader(folder)) as reader:
        assert {one.stream: one.source for one in reader.streams()}["new"] == "test"


@older
def test_an_older_lake_that_lost_its_catalog_comes_back_of_its_older_copy(packed: Path, tmp_path: Path) -> None:
    folder = unpacked(packed, tmp_path)
    for file in folder.glob(FILE + "*"):
        file.unlink()

    with closing(Lake(folder)) as lake:
        assert any("is used" in sentence for sentence in lake.recovered)

    assert version(folder) == VERSION
    with closing(LakeReader(folder)) as reader:
        assert reader.streams()
