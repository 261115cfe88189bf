"""A tick is stored whole or not at all, whatever fails; and what was stored stays as it was."""

import errno
import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from heeler.errors import EnvironmentFailed
from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.template import Template
from heeler.store import AlertRow, Batch, Tick, lake, plan
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader

STEPS = ("commit begins", "segment begins", "segment written", "transaction begins", "transaction ends")
REQUEST = b'::1 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 2326\n'
COMMON = ACCESS_FORMATS["common"]

Batches = Callable[..., Batch]
Export = Callable[..., bytes]


class Ended(Exception):
    """What happens at a step."""


def everything(folder: Path) -> list[str]:
    """Return all that the catalog holds, for comparison."""
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as catalog:
        return list(catalog.iterdump())


def committed(store: Lake, tick: Tick) -> bool:
    """Try to commit, and tell whether there was room."""
    try:
        store.commit(tick)
    except EnvironmentFailed:
        return False
    return True


@pytest.fixture
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "FEWEST_SEGMENT_ROWS", 3)


@pytest.mark.usefixtures("_small_segments")
@pytest.mark.parametrize("step", STEPS)
def test_a_commit_that_fails_at_any_step_leaves_no_trace_and_can_be_tried_again(
    folder: Path, batch: Batches, export: Export, step: str
) -> None:
    ends = [step]

    def at_step(name: str) -> None:
        if name in ends:
            raise Ended

    store = Lake(folder, at_step)
    tick = Tick((batch(REQUEST * 5, format=COMMON, offset=1), batch(b"x\n" * 4 + b"y", unfinished_bytes=1, part="q")))
    ends.clear()
    store.commit(Tick((batch(b"before\nwhole", unfinished_bytes=5, part="q"),)))
    before = everything(folder)
    ends.append(step)
    for _ in range(2):
        with pytest.raises(Ended):
            store.commit(tick)
        assert everything(folder) == before
        assert export(folder) == b"before\nwhole"
    ends.clear()
    store.commit(tick)
    assert export(folder) == b"before\nwhole" + REQUEST * 5 + b"x\n" * 4 + b"y"
    store.close()


@pytest.mark.usefixtures("_small_segments")
@pytest.mark.parametrize(
    "fault",
    [
        ("write_segment", OSError(errno.ENOSPC, "No space left on device")),
        ("insert_part", sqlite3.OperationalError("database or disk is full")),
        ("insert_part", sqlite3.OperationalError("disk I/O error")),
    ],
)
def test_a_full_disk_is_told_in_a_sentence_and_the_tick_goes_in_when_there_is_room(
    folder: Path, batch: Batches, export: Export, monkeypatch: pytest.MonkeyPatch, fault: tuple[str, Exception]
) -> None:
    store, (where, error) = Lake(folder), fault
    before = everything(folder)
    with monkeypatch.context() as full:

        def fail(*_: object) -> None:
            raise error

        full.setattr(lake, where, fail)
        with pytest.raises(EnvironmentFailed, match=r"could not be written: .*Nothing of this tick was stored"):
            store.commit(Tick((batch(b"a\n" * 5),)))
    assert everything(folder) == before
    store.commit(Tick((batch(b"a\n" * 5),)))
    assert export(folder) == b"a\n" * 5
    store.close()


@pytest.mark.usefixtures("_small_segments")
def test_a_really_full_disk_takes_nothing_half_and_goes_on_when_there_is_room(
    tmp_path: Path, batch: Batches, export: Export
) -> None:
    """A small file system of its own fills up; needs the right to mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], check=False)  # noqa: S607
    if mounted.returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        store, stored, failed = Lake(place / "lake"), b"", 0
        filler = place / "filler"
        filler.write_bytes(bytes(1 << 20))
        for number in range(40):
            data = b"".join(os.urandom(40).hex().encode() + b"\n" for _ in range(2000 if number % 2 else 300))
            tick = Tick((batch(data, offset=number),))
            if not committed(store, tick):
                assert export(place / "lake") == stored
                failed += 1
                if not filler.exists():
                    break
                filler.unlink()
                store.commit(tick)
            stored += data
            assert store.positions("file")["/var/log/app.log"] == {"offset": number}
        assert failed == 2
        store.close()
        assert export(place / "lake") == stored
    finally:
        subprocess.run(["umount", str(place)], check=True)  # noqa: S607


@pytest.mark.usefixtures("_small_segments")
def test_a_segment_that_could_not_be_written_whole_is_not_left_behind(
    folder: Path, batch: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Lake(folder)

    def fail(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    store.commit(Tick((batch(b"a\n" * 5),)))
    with monkeypatch.context() as broken:
        broken.setattr("heeler.store.segment.sync", fail)
        with pytest.raises(EnvironmentFailed):
            store.commit(Tick((batch(b"b\n" * 5),)))
    assert len(list(folder.rglob("*.parquet"))) == 1
    store.close()


def test_records_render_for_ever_as_they_were_stored_whatever_becomes_of_the_format(
    folder: Path, batch: Batches, export: Export
) -> None:
    """The same name with another text is another format."""
    old, new = Template("site", '{client} "{request}" {status}'), Template("site", '{status} "{request}" {client}')
    store = Lake(folder)
    store.commit(Tick((batch(b'::1 "GET / HTTP/1.1" 200\n', format=old),)))
    store.commit(Tick((batch(b'200 "GET / HTTP/1.1" ::1\n', format=new),)))
    ids = store.register(old), store.register(new)
    store.close()
    assert ids == (1, 2)
    assert export(folder) == b'::1 "GET / HTTP/1.1" 200\n200 "GET / HTTP/1.1" ::1\n'
    again = Lake(folder)
    assert (again.register(old), again.register(new)) == ids
    again.close()


def test_a_user_format_that_looks_like_the_plain_one_keeps_its_own_renderer(
    folder: Path, batch: Batches, export: Export
) -> None:
    store = Lake(folder)
    store.commit(Tick((batch(b"hello\n", format=Template("mine", "{message}", "log")),)))
    store.close()
    assert export(folder) == b"hello\n"


@pytest.mark.parametrize("text", ["{level} {note}", "{client} {status}", "[{time}] {path}", "{method} {path} {bytes}"])
def test_formats_that_lack_what_is_counted_are_counted_all_the_same(
    folder: Path, batch: Batches, export: Export, text: str
) -> None:
    line = {
        "{level} {note}": b"info started\n",
        "{client} {status}": b"::1 200\n",
        "[{time}] {path}": b"[10/Oct/2000:13:55:36 -0700] /a\n",
        "{method} {path} {bytes}": b"GET /a/b 5\n",
    }[text]
    store = Lake(folder)
    store.commit(Tick((batch(line * 2, format=Template("custom", text)),)))
    store.close()
    reader = LakeReader(folder)
    hits = [piece.frame().collect()["hits"].sum() for piece in reader.pieces(["hits"])]
    reader.close()
    assert hits == [2]
    assert export(folder) == line * 2


def test_an_alert_is_kept_once_however_often_its_tick_is_tried(folder: Path) -> None:
    store, row = Lake(folder), AlertRow("traffic", "triggered", 10, 1_000_000, -420)
    store.commit(Tick((), (row,)))
    store.commit(Tick((), (row,)))
    assert store.catalog.execute("select rule, state, hits, time, zone from alert").fetchall() == [
        ("traffic", "triggered", 10, 1_000_000, -420)
    ]
    store.close()


def test_an_empty_batch_only_moves_the_position(folder: Path, batch: Batches) -> None:
    store = Lake(folder)
    store.commit(Tick((batch(b"", offset=7),)))
    assert store.positions("file") == {"/var/log/app.log": {"offset": 7}}
    assert store.catalog.execute("select count(*) from log_stream").fetchone() == (0,)
    store.close()


def test_an_unfinished_line_goes_on_under_its_seq_also_when_others_wrote_to_the_stream(
    folder: Path, batch: Batches, export: Export
) -> None:
    store = Lake(folder)
    store.commit(Tick((batch(b"a\nhal", part="p", unfinished_bytes=3), batch(b"x\n", part="q"))))
    assert export(folder) == b"a\nhalx\n"
    store.commit(Tick((batch(b"half\nb\n", part="p"),)))
    assert export(folder) == b"a\nhalf\nx\nb\n"
    store.close()


def test_an_unfinished_line_stays_when_its_file_was_replaced(folder: Path, batch: Batches, export: Export) -> None:
    """It was in the log, so it must not vanish under a line that has nothing to do with it."""
    store = Lake(folder)
    store.commit(Tick((batch(b"hal", unfinished_bytes=3),)))
    store.commit(Tick((batch(b"new\n"),)))
    store.commit(Tick((batch(b"half\n"),)))
    store.close()
    assert export(folder) == b"halnew\nhalf\n"


def test_what_was_counted_of_an_unfinished_line_goes_with_it(folder: Path, batch: Batches) -> None:
    """Of a request that is cut in its last number, another number would be counted."""
    store = Lake(folder)
    cut = REQUEST[:-3]
    store.commit(Tick((batch(cut, format=COMMON, unfinished_bytes=len(cut)),)))
    store.commit(Tick((batch(REQUEST, format=COMMON),)))
    store.close()
    reader = LakeReader(folder)
    rollup = [piece.frame().collect() for piece in reader.pieces(["rollup"])]
    reader.close()
    assert [(one["hits"].sum(), one["bytes"].sum()) for one in rollup] == [(1, 2326)]


def test_a_tick_may_be_completed_beside_the_writer(folder: Path, batch: Batches, export: Export) -> None:
    store, one = Lake(folder), batch(b"a\n")
    store.register(one.format)
    store.commit(Tick((one,)), [store.complete(one)])
    store.close()
    assert export(folder) == b"a\n"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EnvironmentFailed, match="cannot be made"):
        Lake(tmp_path / "file" / "lake")


def test_a_long_line_in_pieces_has_one_head(folder: Path, batch: Batches, export: Export) -> None:
    store = Lake(folder)
    store.commit(Tick((batch(b"a\n" + b"b" * 10, piece=True),)))
    store.commit(Tick((batch(b"c" * 10, piece=True),)))
    store.commit(Tick((batch(b"d", unfinished_bytes=1),)))
    store.commit(Tick((batch(b"de\nf\n"),)))
    store.close()
    reader = LakeReader(folder)
    rows = sorted(row for piece in reader.pieces(["log"]) for row in piece.frame().collect()["seq", "head"].rows())
    reader.close()
    assert rows == [(1, None), (2, 2), (3, 2), (4, 2), (5, None)]
    assert export(folder) == b"a\n" + b"b" * 10 + b"c" * 10 + b"de\nf\n"
