"""Readers work beside the writer, and neither waits for the other."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from heeler.errors import EnvironmentFailed
from heeler.formats.access import ACCESS_FORMATS
from heeler.query.language import parse
from heeler.store import Batch, Tick, plan
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader

Batches = Callable[..., Batch]
Export = Callable[..., bytes]
READ = """
import sys
from pathlib import Path
from heeler.query.tree import Query
from heeler.store.reading import LakeReader

reader = LakeReader(Path(sys.argv[1]))
parts = reader.export(Query())
out = sys.stdout.buffer
out.write(next(parts))
out.flush()
sys.stdin.read()  # a reader that takes its time
for part in parts:
    out.write(part)
out.flush()
"""


@pytest.fixture
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "FEWEST_SEGMENT_ROWS", 3)


@pytest.mark.usefixtures("_small_segments")
def test_a_reader_that_pauses_delays_no_commit_and_finds_what_it_reads_next(folder: Path, batch: Batches) -> None:
    store = Lake(folder)
    for number in range(6):
        store.commit(Tick((batch(b"%d\n" % number * 4, offset=number),)))
    command = [sys.executable, "-c", READ, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdin
        assert reader.stdout
        assert reader.stdout.readline() == b"0\n"
        for number in range(6, 40):
            store.commit(Tick((batch(b"%d\n" % number * (4 if number % 2 else 1), offset=number),)))
        store.catalog.execute("pragma wal_checkpoint(truncate)")
        reader.stdin.close()
        rest = reader.stdout.read()
    assert rest == b"0\n" * 3 + b"".join(b"%d\n" % number * 4 for number in range(1, 6))
    assert reader.returncode == 0
    store.close()


def test_a_format_that_comes_while_somebody_reads_is_known(folder: Path, batch: Batches) -> None:
    store = Lake(folder)
    store.commit(Tick((batch(b"a\n", stream="1"),)))
    reader = LakeReader(folder)
    reader.formats()
    line = b'::1 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 2326\n'
    store.commit(Tick((batch(line, stream="1", format=ACCESS_FORMATS["common"]),)))
    assert b"".join(reader.export(parse(""))) == b"a\n" + line
    reader.close()
    store.close()


def test_export_of_a_stream_is_that_stream_alone(folder: Path, batch: Batches, export: Export) -> None:
    store = Lake(folder)
    streams = {("g", "s1"): b"1\n", ("g", "s10"): b"10\n", ("h", "s1"): b"h\n", ("g", 's"1 x'): b"odd\n"}
    store.commit(Tick(tuple(batch(line, group=group, stream=name) for (group, name), line in streams.items())))
    store.close()
    assert export(folder, "group:g stream:s1") == b"1\n"
    assert export(folder, "stream:s1") == b"1\nh\n"
    assert export(folder, 'stream:"s\\"1 x"') == b"odd\n"
    assert export(folder, "stream:s") == b""


def test_export_of_a_field_keeps_the_order_over_tables_and_pieces(folder: Path, batch: Batches, export: Export) -> None:
    line = b'::1 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" %d 1\n'
    store = Lake(folder)
    for number in range(4):
        store.commit(Tick((batch(line % 200 + line % 404, format=ACCESS_FORMATS["common"]), batch(b"%d\n" % number))))
    store.close()
    assert export(folder, "status:404") == line % 404 * 4
    assert export(folder, "message:2") == b"2\n"
    assert export(folder) == b"".join(line % 200 + line % 404 + b"%d\n" % number for number in range(4))


@pytest.mark.usefixtures("_small_segments")
@pytest.mark.parametrize("damage", ["gone", "short", "empty"])
def test_a_segment_that_cannot_be_read_is_told_in_a_sentence(
    folder: Path, batch: Batches, export: Export, damage: str
) -> None:
    store = Lake(folder)
    store.commit(Tick((batch(b"a\n" * 5),)))
    store.close()
    (segment,) = folder.rglob("*.parquet")
    if damage == "gone":
        segment.unlink()
    else:
        segment.write_bytes(segment.read_bytes()[:100] if damage == "short" else b"")
    with pytest.raises(EnvironmentFailed, match="cannot be read"):
        export(folder)


def test_a_lake_without_records_gives_nothing(folder: Path, export: Export) -> None:
    Lake(folder).close()
    assert export(folder) == b""
    reader = LakeReader(folder)
    assert reader.streams() == []
    reader.close()


def test_a_reader_reads_a_lake_that_nobody_has_open_and_one_that_was_killed(
    folder: Path, batch: Batches, export: Export
) -> None:
    store = Lake(folder)
    store.commit(Tick((batch(b"a\n"),)))
    code = "import os, sys; from pathlib import Path; from heeler.store.lake import Lake; "
    code += "Lake(Path(sys.argv[1])); os._exit(9)"
    store.close()
    assert export(folder) == b"a\n"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert export(folder) == b"a\n"
