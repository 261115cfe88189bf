"""Streams of several formats: two tables of one file, records of several lines, and a format that changes."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heeler.clock import FakeClock
from heeler.formats.choose import FORMATS, PLAIN
from heeler.formats.zones import zone_named
from heeler.ingest.files import Ingest, IngestOptions
from heeler.ingest.recognition import ENOUGH_LINES, Recognition
from heeler.query.language import parse
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader
from heeler.store.records import LONGEST_RECORD

NOW_US = 1_795_348_800_000_000  # 2026-11-22T12:00:00Z


@dataclass
class Taken:
    """A lake that files are taken into."""

    folder: Path

    def take(self, path: Path, *, chunk_bytes: int = 4 << 20, name: str = "", zone: str = "") -> None:
        known = FORMATS[name] if name else None
        # A chunk is never smaller than the longest line may be; above that a line comes in pieces.
        options = IngestOptions(
            (str(path),),
            stream="s",
            format=known,
            chunk_bytes=chunk_bytes,
            longest_line_bytes=min(chunk_bytes, 1 << 20),
            zone=zone_named(zone) if zone else None,
        )
        with closing(Lake(self.folder)) as lake:
            asyncio.run(Ingest(lake, options, FakeClock(now_us=NOW_US), notice=lambda _: None).run())

    def export(self, query: str = "") -> bytes:
        with closing(LakeReader(self.folder)) as reader:
            return b"".join(reader.export(parse(query)))

    def rows(self, *tables: str) -> pl.DataFrame:
        with closing(LakeReader(self.folder)) as reader:
            frames = [piece.frame() for piece in reader.pieces(tables)]
            return pl.concat(frames, how="diagonal").collect().sort("seq") if frames else pl.DataFrame()

    def hits(self) -> int:
        with closing(LakeReader(self.folder)) as reader:
            return sum(
                int(piece.frame().select(pl.col("hits").sum()).collect().item()) for piece in reader.pieces(["hits"])
            )


@pytest.fixture
def taken(tmp_path: Path) -> Taken:
    return Taken(tmp_path / "lake")


def written(path: Path, lines: Sequence[bytes], mtime: str = "2026-11-22T11:59:00+00:00") -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    seconds = datetime.fromisoformat(mtime).timestamp()
    os.utime(path, (seconds, seconds))
    return path


HEROKU = [
    b"2026-11-22T10:15:40.677020+00:00 app[web.1]: started",
    b'2026-11-22T10:15:41+00:00 heroku[router]: at=info method=GET path="/a?b" fwd="192.0.2.7" service=18ms status=200',
    b"2026-11-22T10:15:42.677020+00:00 app[web.1]: at=info but no request",
    b'2026-11-22T10:15:43+00:00 heroku[router]: at=error method=GET path="/b" fwd="192.0.2.8" service=1ms status=503',
    b"torn",
    b"2026-11-22T10:15:44.677020+00:00 app[web.1]: done",
]


@pytest.mark.parametrize("chunk_bytes", [140, 400, 4 << 20])
def test_requests_within_another_format_are_requests_and_the_lines_keep_their_order(
    taken: Taken, tmp_path: Path, chunk_bytes: int
) -> None:
    file = written(tmp_path / "heroku.log", HEROKU)
    taken.take(file, chunk_bytes=chunk_bytes)
    assert taken.export() == file.read_bytes()
    access, log = taken.rows("access"), taken.rows("log")
    assert (access["path"].to_list(), access["severity"].to_list()) == (["/a?b", "/b"], [9, 17])
    assert log["message"].to_list() == ["started", "at=info but no request", None, "done"]
    assert sorted([*access["seq"], *log["seq"]]) == [1, 2, 3, 4, 5, 6]
    assert taken.hits() == 2
    assert taken.rows("access", "log").group_by("format").len()["len"].sort().to_list() == [2, 4]


IIS = [
    b"#Software: Microsoft Internet Information Services 10.0",
    b"#Fields: date time c-ip cs-method cs-uri-stem sc-status time-taken",
    b"2026-11-22 10:15:40 192.0.2.7 GET /a 200 15",
    b"#Fields: date time cs-method cs-uri-stem c-ip sc-status",
    b"2026-11-22 10:15:41 GET /b 192.0.2.8 404",
    b"2026-11-22 10:15:42 GET /c 192.0.2.8 500",
]


@pytest.mark.parametrize("chunk_bytes", [120, 4 << 20])
def test_lines_that_name_fields_are_no_requests_and_count_from_there_on(
    taken: Taken, tmp_path: Path, chunk_bytes: int
) -> None:
    file = written(tmp_path / "u_ex.log", IIS)
    taken.take(file, chunk_bytes=chunk_bytes)
    assert taken.rows("access")["path"].to_list() == [None, None, "/a", None, "/b", "/c"]
    assert taken.hits() == 3
    assert taken.export() == file.read_bytes()


def test_a_line_that_grows_into_another_table_is_one_record(taken: Taken, tmp_path: Path) -> None:
    file = tmp_path / "heroku.log"
    file.write_bytes(HEROKU[0] + b"\n" + HEROKU[1][:60])
    taken.take(file)
    assert (taken.export(), taken.hits()) == (file.read_bytes(), 0)
    with file.open("ab") as more:
        more.write(HEROKU[1][60:] + b"\n")
    taken.take(file)
    assert (taken.export(), taken.hits()) == (file.read_bytes(), 1)
    assert taken.rows("access", "log")["seq"].to_list() == [1, 2]


TRACE = [
    b"2026-11-22 10:15:40,320 [main] ERROR org.example.A - no",
    b"java.lang.IllegalStateException: no",
    b"\tat org.example.A.b(A.java:1)",
    b"Caused by: x",
    b"2026-11-22 10:15:41,320 [main] INFO org.example.A - yes",
    b"\tmore",
]


@pytest.mark.parametrize("chunk_bytes", [60, 120, 4 << 20])
def test_lines_that_go_on_name_the_first_one_of_their_record(taken: Taken, tmp_path: Path, chunk_bytes: int) -> None:
    file = written(tmp_path / "java.log", TRACE)
    taken.take(file, chunk_bytes=chunk_bytes, name="java")
    rows = taken.rows("log")
    assert rows["head"].to_list() == [None, 1, 1, 1, None, 5]
    assert rows["parsed"].all()
    assert rows["time_from"].to_list() == [0, 1, 1, 1, 0, 1]
    assert taken.export() == file.read_bytes()


@pytest.mark.parametrize("ends", [b"\n", b"", b"\n\tat"], ids=["whole", "no newline yet", "half a line that goes on"])
def test_a_record_that_goes_on_after_a_restart_is_one(taken: Taken, tmp_path: Path, ends: bytes) -> None:
    file = written(tmp_path / "java.log", TRACE[:2])
    file.write_bytes(b"\n".join(TRACE[:2]) + ends)
    taken.take(file, name="java")
    whole = b"".join(line + b"\n" for line in TRACE)
    assert whole.startswith(file.read_bytes())
    file.write_bytes(whole)
    taken.take(file, name="java")  # a lake that is opened again knows only what it has stored
    assert taken.rows("log")["head"].to_list() == [None, 1, 1, 1, None, 5]
    assert taken.export() == whole


def test_lines_that_go_on_with_nothing_are_heads_of_their_own(taken: Taken, tmp_path: Path) -> None:
    file = written(tmp_path / "java.log", [b"\tat x", b"\tat y", *TRACE[:2]])
    taken.take(file, name="java")
    assert taken.rows("log")["head"].to_list() == [None, None, None, 3]


def test_a_record_without_an_end_is_cut(taken: Taken, tmp_path: Path) -> None:
    file = written(tmp_path / "java.log", [TRACE[0], *[b"\tat x"] * (LONGEST_RECORD + 3)])
    taken.take(file, chunk_bytes=2000, name="java")
    heads = taken.rows("log")["head"].to_list()
    assert heads[1] == heads[LONGEST_RECORD - 1] == 1
    assert (heads[LONGEST_RECORD], heads[LONGEST_RECORD + 1]) == (None, LONGEST_RECORD + 1)


def test_a_stamp_without_a_year_or_a_day_takes_those_of_the_file(taken: Taken, tmp_path: Path) -> None:
    old = written(tmp_path / "old.log", [b"Mar  4 10:00:00 web1 sshd[1]: a"], "2019-03-05T00:00:00+00:00")
    taken.take(old)
    clock = written(
        tmp_path / "clock.log",
        [b"23:30:45 host /build.py: a", b"00:10:45 host /build.py: b"],
        "2017-07-13T00:11:00+00:00",
    )
    taken.take(clock)
    assert [str(time) for time in taken.rows("log")["time"].to_list()] == [
        *("2019-03-04 10:00:00", "2017-07-12 23:30:45", "2017-07-13 00:10:45"),
    ]


CLOCKS = [f"{hour % 24:02}:30:45 host /build.py: {hour}".encode() for hour in range(0, 24 * 9, 5)]


@pytest.mark.parametrize("chunk_bytes", [60, 333, 4 << 20])
@pytest.mark.parametrize(("zone", "first"), [("", "2017-07-05 00:30:45"), ("-10:00", "2017-07-04 10:30:45")])
def test_stamps_without_a_date_are_counted_over_all_chunks_back_from_the_end_of_the_file(
    taken: Taken, tmp_path: Path, chunk_bytes: int, zone: str, first: str
) -> None:
    end = "2017-07-13T23:59:00+00:00" if not zone else "2017-07-13T09:59:00+00:00"
    file = written(tmp_path / "clock.log", CLOCKS, end)
    taken.take(file, chunk_bytes=chunk_bytes, name="syslog_clock", zone=zone)
    begin = datetime.fromisoformat(first)
    assert taken.rows("log")["time"].to_list() == [begin + timedelta(hours=5 * at) for at in range(len(CLOCKS))]
    with file.open("ab") as more:
        more.write(b"".join(line + b"\n" for line in CLOCKS[:6]))
    seconds = (datetime.fromisoformat(end) + timedelta(days=2)).timestamp()
    os.utime(file, (seconds, seconds))
    taken.take(file, chunk_bytes=chunk_bytes, name="syslog_clock", zone=zone)
    newest = begin + timedelta(days=11, hours=1)
    assert taken.rows("log")["time"].to_list()[-1] == newest
    assert taken.export() == file.read_bytes()


def test_an_absurd_stamp_is_kept_as_text_and_flagged(taken: Taken, tmp_path: Path) -> None:
    file = written(
        tmp_path / "a.log",
        [b"9999-01-01 10:00:00 INFO x", b"2026-11-22 10:00:00 INFO y", b"0000-00-00 00:00:00 INFO z"],
    )
    taken.take(file, name="java")
    rows = taken.rows("log")
    assert rows["time_from"].to_list() == [2, 0, 2]
    assert rows["time"].to_physical().to_list() == [NOW_US, 1_795_341_600_000_000, NOW_US]
    assert taken.export() == file.read_bytes()


def test_a_format_that_stops_to_fit_is_looked_for_again(taken: Taken, tmp_path: Path) -> None:
    first = [b"Nov 22 10:15:40 web1 sshd[1]: line %d" % number for number in range(20 * ENOUGH_LINES)]
    second = [
        b'{"time":"2026-11-22T10:15:40Z","level":"info","msg":"%d"}' % number for number in range(40 * ENOUGH_LINES)
    ]
    file = written(tmp_path / "a.log", [*first, *second])
    taken.take(file, chunk_bytes=16_000)
    rows = taken.rows("log")
    assert rows["parsed"][-1]
    assert rows["format"].n_unique() == 2
    assert taken.export() == file.read_bytes()


def test_a_format_that_somebody_named_stays() -> None:
    looking = Recognition(FORMATS["syslog"])
    assert looking.format_for(b"", b"x\n").name == "syslog"
    looking.count(1000, 0)
    assert looking.format_for(b"", b'{"msg":"a","level":"info"}\n' * 9).name == "syslog"


def test_plain_text_is_looked_at_again_when_more_has_come() -> None:
    looking = Recognition()
    assert looking.format_for(b"Header: x\n", b"Header: x\n") is PLAIN
    looking.count(ENOUGH_LINES, ENOUGH_LINES)
    assert looking.format_for(b"", b'{"msg":"a","level":"info"}\n' * 9).name == "json"


def test_a_stream_that_nothing_fits_is_looked_at_ever_less_often() -> None:
    looking = Recognition()
    assert looking.format_for(b"no\n", b"no\n") is PLAIN
    for _ in range(3):
        looking.count(ENOUGH_LINES, ENOUGH_LINES)
        assert looking.format_for(b"no\n" * 9, b"no\n") is PLAIN
    looking.count(ENOUGH_LINES, ENOUGH_LINES)
    line = b'{"msg":"a","level":"info"}\n'
    assert looking.format_for(line, line) is PLAIN
    looking.count(8 * ENOUGH_LINES, 8 * ENOUGH_LINES)
    assert looking.format_for(line, line).name == "json"


LINES = st.lists(st.sampled_from([*HEROKU, *TRACE, b"", b"\t", b'{"msg":"x"}']), max_size=8)


@settings(max_examples=25)
@given(
    lines=LINES, chunk=st.integers(20, 300), name=st.sampled_from(["heroku", "java", "syslog", "docker_compose", ""])
)
def test_any_mixture_comes_back_in_order(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], chunk: int, name: str
) -> None:
    folder = tmp_path_factory.mktemp("mixed")
    file = written(folder / "a.log", lines)
    taken = Taken(folder / "lake")
    taken.take(file, chunk_bytes=chunk, name=name)
    assert taken.export() == file.read_bytes()
