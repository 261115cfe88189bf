"""Files in, the same bytes out: whatever they hold, however they grow, and wherever a run ends."""

import asyncio
import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from heeler.clock import FakeClock
from heeler.errors import EnvironmentFailed, Exit
from heeler.formats import Format
from heeler.formats.choose import FORMATS
from heeler.ingest.files import Ingest, IngestOptions, Summary
from heeler.query.language import parse
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader
from heeler.store.schema import RECORD_TABLES, TABLES

LINE = b'10.0.0.%d - - [22/Nov/2026:10:00:%02d +0000] "GET /%s/x HTTP/1.1" 200 5 "-" "curl"\n'
SAMPLES = Path(__file__).parents[3] / "shared" / "data"


@dataclass
class Kept:
    """A lake in a folder, and what was said while files were taken into it."""

    folder: Path
    said: list[str] = field(default_factory=list)
    clock: FakeClock = field(default_factory=lambda: FakeClock(now_us=1_795_348_800_000_000))

    def take(
        self,
        *paths: Path | str,
        stream: str = "s",
        group: str = "default",
        log_format: Format | None = None,
        chunk_bytes: int = 64,
        longest: int = 1 << 20,
        tick_bytes: int = 200,
        at_step: Callable[[str], None] = lambda _: None,
    ) -> Summary:
        names = tuple(map(str, paths))
        options = IngestOptions(names, group, stream, log_format, chunk_bytes, longest, tick_bytes)
        with closing(Lake(self.folder, at_step)) as lake:
            return asyncio.run(Ingest(lake, options, self.clock, notice=self.said.append).run())

    def export(self, query: str = "") -> bytes:
        with closing(LakeReader(self.folder)) as reader:
            return b"".join(reader.export(parse(query)))

    def streams(self) -> dict[str, tuple[int, int]]:
        with closing(LakeReader(self.folder)) as reader:
            return {one.stream: (one.lines, one.bytes) for one in reader.streams()}

    def rows(self, table: str) -> pl.DataFrame:
        with closing(LakeReader(self.folder)) as reader:
            pieces = [piece.frame() for piece in reader.pieces([table])]
            return pl.concat([pl.LazyFrame(schema=dict(TABLES[table])), *pieces]).collect()

    def hits(self) -> int:
        return int(self.rows("hits")["hits"].sum())


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "lake")


@pytest.fixture
def stdin() -> Iterator[Callable[[bytes], None]]:
    """Give bytes to read on standard input."""
    before = os.dup(0)

    def give(data: bytes) -> None:
        reading, writing = os.pipe()
        os.write(writing, data)
        os.close(writing)
        os.dup2(reading, 0)
        os.close(reading)

    yield give
    os.dup2(before, 0)
    os.close(before)


def lines(count: int, section: bytes = b"a") -> bytes:
    return b"".join(LINE % (number % 250, number % 60, section) for number in range(count))


def seqs_of(rows: pl.DataFrame) -> list[int]:
    return sorted(rows["seq"].to_list())


# --- lossless ---

AWKWARD = st.sampled_from(
    [
        b"\n",
        b"\r\n",
        b"\r",
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\x01",
        b" ",
        b'"',
        b"a" * 40,
        "é\u2028".encode(),
        LINE % (1, 1, b"q"),
        (LINE % (2, 2, b"q")).replace(b"+0000", b"-0330"),
        (LINE % (3, 3, b"q")).replace(b"\n", b"\r\n"),
        b"host " + LINE % (4, 4, b"q"),
        (LINE % (5, 5, b"q")).replace(b' "-" "curl"', b""),
        LINE[:50],
        b"BZh",
        b"\x1f\x8b",
        b"Nov 22 10:15:40 web1 sshd[1]: no\n\tmore\n",
        b'{"time":"2026-11-22T10:15:40Z","level":"info","msg":"m"}\n',
        b'2026-11-22T10:15:40.677020+00:00 heroku[router]: at=info method=GET path="/" fwd="192.0.2.7" status=200\n',
    ]
)
TEXTS = st.lists(AWKWARD | st.binary(max_size=20), max_size=12).map(b"".join)
KINDS = ("combined", "plain", "syslog", "json", "logfmt", "heroku", "packer", "json_access")
"""Formats of every kind; tests/formats/test_fuzz.py holds all of them to their lines."""


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=12)  # each example is a few runs, with their lakes and threads
@given(texts=st.lists(TEXTS, min_size=1, max_size=4), chunk=st.integers(10, 200), longest=st.integers(1, 120))
def test_a_file_comes_back_byte_for_byte_however_it_grew(
    tmp_path_factory: pytest.TempPathFactory, name: str, texts: list[bytes], chunk: int, longest: int
) -> None:
    assume(not b"".join(texts).startswith(b"\xfd7zXZ"))  # what is compressed is read as what it holds
    folder = tmp_path_factory.mktemp("lossless")
    kept, file = Kept(folder / "lake"), folder / "a.log"

    whole = b""
    for text in texts:
        with file.open("ab") as opened:
            opened.write(text)
        whole += text
        kept.take(file, log_format=FORMATS[name], chunk_bytes=chunk, longest=longest)
        assert kept.export() == whole

    rows = [kept.rows(table) for table in RECORD_TABLES if whole]
    numbers = sorted(number for frame in rows for number in frame["seq"].to_list())
    assert len(set(numbers)) == len(numbers)
    if whole:
        assert kept.streams() == {"s": (len(numbers), len(whole))}
    shutil.rmtree(folder)


def sample_files() -> list[Path]:
    return sorted(path for path in SAMPLES.rglob("*") if path.is_file()) if SAMPLES.is_dir() else []


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="../shared/data is not there: no real logs are held to this")
def test_every_sample_comes_back_byte_for_byte(kept: Kept) -> None:
    files = sample_files()

    kept.take(*files, stream="", chunk_bytes=8 << 20, tick_bytes=32 << 20)

    for file in files:
        assert kept.export(f'stream:"{file}"') == file.read_bytes(), file
    assert kept.export() == b"".join(file.read_bytes() for file in files)


def test_a_line_of_many_megabytes_comes_back_in_pieces(kept: Kept, tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    text = b"short\n" + os.urandom(7_000_000).replace(b"\n", b"x") + b"\nend\n"
    file.write_bytes(text)

    kept.take(file, chunk_bytes=2 << 20, tick_bytes=2 << 20)

    assert kept.export() == text
    rows = kept.rows("log").sort("seq")
    assert rows.height == 9
    assert rows["head"].to_list() == [None, *[2] * 7, None]
    assert rows["message"].is_null().to_list() == [False, *[True] * 6, False, False]


# --- going on ---


def test_a_second_run_stores_only_what_is_new(kept: Kept, tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(lines(10))
    first = kept.take(file)
    again = kept.take(file)
    with file.open("ab") as opened:
        opened.write(lines(3))
    grown = kept.take(file)

    assert [run.lines for run in (first, again, grown)] == [10, 0, 3]
    assert [run.bytes for run in (first, again, grown)] == [len(lines(10)), 0, len(lines(3))]
    assert kept.export() == lines(10) + lines(3)
    assert kept.hits() == 13


def test_an_unfinished_line_is_joined_under_its_seq_and_counted_once(kept: Kept, tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    whole = lines(3)
    file.write_bytes(whole[:-3])
    kept.take(file)
    assert kept.export() == whole[:-3]
    before = kept.rows("access").sort("seq")

    kept.take(file)
    with file.open("ab") as opened:
        opened.write(whole[-3:] + lines(1))
    kept.take(file)

    after = kept.rows("access").sort("seq")
    assert kept.export() == whole + lines(1)
    assert before["seq"].to_list() == [1, 2, 3]
    assert after["seq"].to_list() == [1, 2, 3, 4]
    assert after["parsed"].all()
    assert kept.streams() == {"s": (4, len(whole + lines(1)))}
    assert kept.hits() == int(kept.rows("rollup")["hits"].sum()) == 4
    assert int(kept.rows("rollup")["bytes"].sum()) == 20


def test_a_renamed_file_is_known(kept: Kept, tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(lines(5))
    kept.take(file)
    file = file.rename(tmp_path / "a.log.1")
    with file.open("ab") as opened:
        opened.write(lines(1))

    assert kept.take(file).lines == 1
    assert kept.export() == lines(5) + lines(1)


def test_an_identical_copy_is_another_file(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(lines(5))
    (tmp_path / "b.log").write_bytes(lines(5))

    assert kept.take(tmp_path / "a.log", tmp_path / "b.log").lines == 10
    assert kept.export() == lines(5) * 2


def test_the_same_file_is_stored_once_per_group_and_stream(kept: Kept, tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(lines(5))

    runs = [kept.take(file, file, stream=stream, group=group) for stream, group in [("s", "a"), ("s", "b"), ("t", "a")]]

    assert [run.lines for run in runs] == [5, 5, 5]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"old 1\nold 2\n", b"new 1\nnew 2\nnew 3\n"),
        (b"old 1\nold 2\n", b"new\n"),
        (b"old", b"other\n"),
        (b"old 1\nunfinished", b"old 1\nanother\n"),
        (b"head 1\n" + b"x" * 300 + b"\n", b"head 2\n" + b"x" * 300 + b"\nmore\n"),
        (
            b"same\n" + b"x" * 300 + b"\n1\n" + b"y" * 300 + b"\n",
            b"same\n" + b"x" * 300 + b"\n2\n" + b"z" * 300 + b"\n",
        ),
    ],
)
def test_other_content_in_the_same_file_is_read_from_its_start(
    kept: Kept, tmp_path: Path, before: bytes, after: bytes
) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(before)
    kept.take(file)
    file.write_bytes(after)
    kept.take(file)

    assert kept.export() == before + after
    assert f"{file} is not what was read before: its content is another. It is read from its start." in kept.said

    file.write_bytes(before)
    assert kept.take(file).lines == 0


def test_standard_input_is_always_new(kept: Kept, stdin: Callable[[bytes], None]) -> None:
    for text in (b"one\ntwo", b"one\ntwo", gzip.compress(b"three\n")):
        stdin(text)
        kept.take("-", stream="", chunk_bytes=4)

    assert kept.export() == b"one\ntwo" * 2 + b"three\n"
    assert kept.streams() == {"stdin": (5, 20)}


# --- where a run ends ---


class Interrupted(BaseException):
    """What ends a run from outside."""


@pytest.mark.parametrize("step", ["commit begins", "transaction begins", "transaction ends", "commit ended"])
def test_a_run_that_was_ended_anywhere_goes_on_without_loss_or_doubles(kept: Kept, tmp_path: Path, step: str) -> None:
    file = tmp_path / "a.log"
    text = lines(50) + b"end"
    file.write_bytes(text)

    for stop_at in range(1, 200):
        seen = 0

        def stop(at: str, stop_at: int = stop_at) -> None:
            nonlocal seen
            seen += at == step
            if seen == min(stop_at, 2) and at == step:
                raise EnvironmentFailed("stopped")

        try:
            kept.take(file, tick_bytes=300, at_step=stop)
        except EnvironmentFailed:
            assert text.startswith(kept.export() if kept.streams() else b"")
        else:
            break

    assert kept.export() == text
    assert seqs_of(kept.rows("access")) == list(range(1, 52))
    assert kept.hits() == 50


def test_a_cancelled_run_leaves_whole_ticks(kept: Kept, tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    text = lines(40)
    file.write_bytes(text)

    async def interrupted() -> None:
        options = IngestOptions((str(file),), stream="s", chunk_bytes=200, tick_bytes=400)
        with closing(Lake(kept.folder)) as lake:
            task: asyncio.Task[Summary]

            def changed() -> None:
                if run.summary.lines > 10:
                    task.cancel()

            run = Ingest(lake, options, kept.clock, notice=kept.said.append, changed=changed)
            task = asyncio.create_task(run.run())
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(interrupted())
    stored = kept.export()

    assert text.startswith(stored)
    assert len(stored) < len(text)
    kept.take(file)
    assert kept.export() == text
    assert kept.hits() == 40


# --- what cannot be read ---


def test_what_cannot_be_read_is_told_and_the_others_go_on(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, secret = tmp_path / "good.log", tmp_path / "secret.log"
    good.write_bytes(lines(1))
    secret.write_bytes(lines(1))
    opened = os.open

    def refuse(path: Path, *arguments: int) -> int:
        if path == secret:
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments)

    monkeypatch.setattr("heeler.sources.file_lines.os.open", refuse)

    assert kept.take(tmp_path, good).exit_code == Exit.USAGE
    assert kept.take(tmp_path / "none.log", good).exit_code == Exit.USAGE
    assert kept.take(secret, tmp_path, good).exit_code == Exit.ENVIRONMENT
    assert kept.export() == lines(1)
    told = " ".join(kept.said)
    assert f"{tmp_path} is a directory." in told
    assert f"{tmp_path / 'none.log'} does not exist." in told
    assert f"{secret} cannot be opened: Permission denied." in told


def test_of_a_cut_off_file_what_decodes_is_stored_and_the_rest_when_it_is_there(kept: Kept, tmp_path: Path) -> None:
    file = tmp_path / "a.log.gz"
    text = b"".join(os.urandom(20).hex().encode() + b"\n" for _ in range(300))
    whole = gzip.compress(text)
    file.write_bytes(whole[: len(whole) // 2])

    assert kept.take(file).exit_code == Exit.ENVIRONMENT
    stored = kept.export()
    assert text.startswith(stored)
    assert len(stored) > len(text) // 3
    assert any("ends in the middle of its gzip data" in said for said in kept.said)

    file.write_bytes(whole)
    assert kept.take(file).exit_code == Exit.DONE
    assert kept.export() == text


def test_a_store_that_fails_ends_the_run(kept: Kept, tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(lines(100))

    def full(step: str) -> None:
        if step == "transaction ends":
            raise OSError(28, "No space left on device")

    with pytest.raises(EnvironmentFailed, match=r"could not be written: .*No space left"):
        kept.take(file, at_step=full)
    assert kept.streams() == {}


def test_empty_files_leave_nothing(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"")
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(b""))

    assert kept.take(tmp_path / "a.log", tmp_path / "a.log.gz").exit_code == Exit.DONE
    assert kept.streams() == {}


def test_a_name_that_is_no_text_can_be_stored(kept: Kept, tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.log"))
    file.write_bytes(b"one\n")

    kept.take(file, stream="")

    assert kept.streams() == {f"{tmp_path}/\\xff.log": (1, 4)}


# --- streams, formats, alerts ---


def test_one_stream_of_several_is_exported_alone(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(lines(3, b"one"))
    (tmp_path / "b.log").write_bytes(lines(4, b"ten"))
    kept.take(tmp_path / "a.log", stream="s1")
    kept.take(tmp_path / "b.log", stream="s10")

    assert kept.export("stream:s1") == lines(3, b"one")
    assert kept.export("stream:s10") == lines(4, b"ten")
    assert kept.export("stream:s") == b""


def test_the_format_is_told_by_the_beginning_of_the_file_even_when_it_grows(kept: Kept, tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(lines(5))
    kept.take(file)
    with file.open("ab") as opened:
        opened.write(b"no request\n")

    run = kept.take(file)

    assert (run.lines, run.parsed, run.unparsed) == (1, 0, 1)
    assert kept.rows("access").height == 6


def test_text_that_is_no_access_log_is_plain(kept: Kept, tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(b"some text\n" * 50 + lines(1))

    kept.take(file)

    assert kept.rows("log")["message"].to_list()[:2] == ["some text"] * 2
    assert f"{file}: 51 lines as plain" in kept.said


def test_alerts_are_stored_with_the_ticks_however_the_file_is_cut(tmp_path: Path) -> None:
    # 1,300 requests in the first 10 s are more than 10 a second over 2 minutes; an hour later one more comes.
    busy = b"".join(LINE % (1, number // 130, b"a") for number in range(1300))
    late = (LINE % (1, 0, b"a")).replace(b"10:00:", b"11:00:")
    (tmp_path / "a.log").write_bytes(busy + late)

    found = []
    for chunk_bytes in (500, 5000, 1 << 20):
        kept = Kept(tmp_path / f"lake {chunk_bytes}")
        kept.take(tmp_path / "a.log", chunk_bytes=chunk_bytes, tick_bytes=chunk_bytes)
        with closing(Lake(kept.folder)) as lake:
            rows = lake.catalog.execute("select rule, state, hits, time % 3600000000 from alert order by time")
            found.append(rows.fetchall())

    assert found[0] == [
        ("high traffic", "triggered", 1300, 9_000_000),
        ("high traffic", "recovered", 1170, 120_000_000),
    ]
    assert found[1:] == found[:1] * 2


def test_what_a_damaged_file_lacks_is_a_record_behind_its_lines_stored_once(kept: Kept, tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(LINE % (number, number, b"a") for number in range(20)), mtime=0)
    path = tmp_path / "a.log.gz"
    path.write_bytes(whole[:-20])

    first, again = kept.take(path), kept.take(path)

    events = kept.rows("log").filter(format=2)
    lines, size = kept.streams()["s"]
    assert (first.exit_code, again.exit_code) == (Exit.ENVIRONMENT, Exit.ENVIRONMENT)
    assert events["message"].to_list() == [str(first.failures[0])]
    assert events["seq"].to_list() == [lines + 1]
    assert events["attributes"].to_list() == ['{"event":"damaged","lost_bytes":null}']
    assert (first.lines, len(kept.export())) == (lines, size)

    path.write_bytes(whole)
    kept.take(path)
    assert kept.export() == gzip.decompress(whole)


def test_a_compressed_file_of_which_nothing_decodes_leaves_its_record(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "a.log.gz"
    path.write_bytes(gzip.compress(b"x" * 99)[:10])

    kept.take(path)

    assert kept.rows("log")["message"].str.contains("ends in the middle").to_list() == [True]
    assert kept.streams() == {"s": (0, 0)}
