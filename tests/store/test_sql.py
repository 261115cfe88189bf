"""SQL of users over a lake: what it sees, what it cannot reach, and how it ends."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from heeler.errors import HeelerError, UsageError
from heeler.formats import Format
from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.choose import PLAIN
from heeler.formats.lines import split
from heeler.query.sql_allowed import TABLES
from heeler.query.user_sql import UserSql, checked
from heeler.store import AlertRow, Batch, Tick
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader
from heeler.store.sql import COMMON, answered

NOW_US = 1_790_000_000_000_000
LINE = b'10.0.0.%d - - [22/Nov/2026:10:00:%02d +0100] "GET /a/%d HTTP/1.1" %d %d "-" "agent"\n'


def batch(data: bytes, known: Format, *, group: str = "web", stream: str = "s1", part: str = "a") -> Batch:
    wanted = set(known.columns) | ({"section"} if known.table == "access" else set())
    records = known.parse(split(data), wanted)
    return Batch("file", part, {"offset": len(data)}, group, stream, known, records, NOW_US, len(data))


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake with 2,500 requests in a segment, 50 in a blob, and three lines of text, one of them hostile."""
    folder = tmp_path / "lake"
    writer = Lake(folder)
    for lines, stream in ((2500, "s1"), (50, "s10")):
        data = b"".join(LINE % (n % 5, n % 60, n % 9, 500 if n % 10 == 0 else 200, n) for n in range(lines))
        writer.commit(Tick((batch(data, ACCESS_FORMATS["combined"], stream=stream, part=stream),)))
    text = b"=1+1\n\x1b]0;title\x07\n\xff\xfe\n"
    writer.commit(
        Tick((batch(text, PLAIN, group="app", part="t"),), (AlertRow("high traffic", "triggered", 12, NOW_US, 60),))
    )
    writer.close()
    return folder


@pytest.fixture
def reader(lake: Path) -> Iterator[LakeReader]:
    found = LakeReader(lake)
    yield found
    found.close()


def rows_of(reader: LakeReader, text: str, timeout_s: float = 50) -> list[list[Any]]:
    with answered(reader, checked(text), timeout_s=timeout_s) as answer:
        return list(answer.rows)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select count(*), count(distinct log_stream) from access", [[2550, 2]]),
        ("select status, count(*) from access group by all order by 1", [[200, 2295], [500, 255]]),
        ("select kind, count(*) from logs group by all order by 1", [["access", 2550], ["log", 3]]),
        ("select distinct format from logs order by 1", [["combined"], ["plain"]]),
        ("select min(time), max(time) from access", [["2026-11-22T09:00:00+00:00", "2026-11-22T09:00:59+00:00"]]),
        (
            "select sum(hits), sum(bytes) from rollup where class = 5",
            [[255, sum([*range(0, 2500, 10), *range(0, 50, 10)])]],
        ),
        ("select sum(hits) from hits", [[2550]]),
        (
            "select log_group, log_stream, lines from streams order by 1, 2",
            [["app", "s1", 3], ["web", "s1", 2500], ["web", "s10", 50]],
        ),
        ("select rule, state, hits, zone from alerts", [["high traffic", "triggered", 12, 60]]),
        ("select message from log order by seq", [["=1+1"], ["\x1b]0;title\x07"], ["\ufffd\ufffd"]]),
        ("select raw from log where raw is not null", [["\\xff\\xfe"]]),
        ("with a as (select 1 x) select * from a, range(2) r order by 2", [[1, 0], [1, 1]]),
        ("select 1 where false", []),
    ],
)
def test_a_query_sees_the_whole_lake(reader: LakeReader, text: str, expected: list[list[Any]]) -> None:
    assert rows_of(reader, text) == expected


def test_every_table_that_is_allowed_is_there(reader: LakeReader) -> None:
    for table in TABLES:
        with answered(reader, checked(f"from {table}")) as answer:
            assert answer.columns
    with answered(reader, checked("select * from logs")) as answer:
        assert answer.columns == ["kind", *COMMON]


def test_every_table_is_there_in_an_empty_lake(tmp_path: Path) -> None:
    Lake(tmp_path).close()
    reader = LakeReader(tmp_path)
    for table in TABLES:
        assert rows_of(reader, f"from {table}") == []
    reader.close()


def test_values_are_as_json_has_them(reader: LakeReader) -> None:
    text = (
        "select 1::hugeint * 10, 1.5::decimal(4, 2), interval 90 second, date '2026-01-02', time '10:00', [1, null], "
        "{'a': now() is null}, true, 'nan'::double, uuid() is null, timestamptz '2026-01-02 10:00:00+02', "
        "[timestamptz '2026-01-02 10:00:00+02'], 1 as a, 2 as a"
    )
    with answered(reader, checked(text)) as answer:
        assert answer.columns[-2:] == ["a", "a_2"]
        assert list(answer.rows) == [
            [
                10,
                1.5,
                90.0,
                "2026-01-02",
                "10:00:00",
                [1, None],
                {"a": False},
                True,
                "nan",
                False,
                "2026-01-02T08:00:00+00:00",
                "['2026-01-02 08:00:00+00']",
                1,
                2,
            ]
        ]


def test_a_limit_cuts_and_tells(reader: LakeReader) -> None:
    for limit, more in ((2549, True), (2550, False), (1, True), (501, True)):
        with answered(reader, checked("select seq from access"), limit=limit) as answer:
            assert (len(list(answer.rows)), answer.more) == (limit, more)


def test_what_the_engine_does_not_understand_is_told_with_its_place(reader: LakeReader) -> None:
    with pytest.raises(UsageError, match=r'column "nope" not found(.|\n)*LINE 1: select nope from access\n {15}\^'):
        rows_of(reader, "select nope from access")


def test_log_text_in_an_error_does_nothing(reader: LakeReader) -> None:
    with pytest.raises(UsageError) as caught:
        rows_of(reader, "select cast(message as int) from log where seq = 2")
    assert "\\x1b]0;title\\x07" in str(caught.value)
    assert "\x1b" not in str(caught.value)


# --- how it ends ---


def test_a_query_without_end_is_interrupted(reader: LakeReader) -> None:
    with pytest.raises(HeelerError, match=r"did not end within 0\.3 s"):
        rows_of(
            reader,
            "select count(*) from range(1000000000) a, range(1000000000) b where a.range = -b.range - 1",
            timeout_s=0.3,
        )


@pytest.mark.parametrize(
    "text",
    [
        "select list(range) from range(1000000000)",
        "select range(1000000000)",
        "select string_agg(repeat('x', 1000)) from range(10000000)",
    ],
)
def test_a_query_that_eats_memory_is_stopped(reader: LakeReader, text: str) -> None:
    with pytest.raises(HeelerError, match=r"needs more than|did not end within"):
        rows_of(reader, text, timeout_s=10)


def test_rows_that_nobody_takes_leave_no_process_and_no_file(
    reader: LakeReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with answered(reader, checked("select * from access, range(1000)")) as answer:
        assert next(answer.rows)
        private = next(tmp_path.glob("heeler-sql-*"))
        assert private.stat().st_mode & 0o777 == 0o700
        assert [path.name for path in private.iterdir()] == ["access.parquet"]
    assert not list(tmp_path.glob("heeler-sql-*"))


def test_a_damaged_segment_is_told(lake: Path, reader: LakeReader) -> None:
    path = next(lake.glob("segments/access/*/*.parquet"))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(HeelerError, match=r"(cannot be read|does not work): .*"):
        rows_of(reader, "select sum(bytes) from access")


# --- behind the first wall ---

OUTSIDE = [
    "select * from read_text('{file}')",
    "select * from read_csv('{file}')",
    "select * from '{file}'",
    "select content from read_blob('{file}')",
    "select * from glob('{folder}/*')",
    "copy access to '{folder}/out.csv'",
    "attach '{folder}/x.db'",
    "install httpfs",
    "set enable_external_access = true",
    "select * from duckdb_settings()",
    "select current_setting('threads')",
    "with a as (insert into access values (1) returning *) select * from a",
    "select 1; select 2",
    "select * from main.access",
    "with x as (select * from duckdb_settings), duckdb_settings as (select 1) select * from x",
]


@pytest.mark.parametrize("attack", OUTSIDE)
def test_without_the_first_reading_the_process_itself_refuses(reader: LakeReader, tmp_path: Path, attack: str) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    text = attack.format(file=tmp_path / "secret.csv", folder=tmp_path)
    with (
        pytest.raises(UsageError, match="Not allowed is"),
        answered(reader, UserSql(text, frozenset({"access"}))) as answer,
    ):
        list(answer.rows)
    assert {path.name for path in tmp_path.iterdir()} == {"lake", "secret.csv"}


UNLISTED = """
import sys
from heeler.query import sql_process as it
it._refuse_other = lambda *_: None
{more}
sys.exit(it.main())
"""
"""The process with its list taken away: what is left are the settings of the engine and the limits of the kernel."""

REACHING_OUT = [
    ("select * from read_text('{file}')", "disabled by configuration"),
    ("select * from read_csv('{file}')", "disabled by configuration"),
    ("select * from read_blob('{allowed}/../secret.csv')", "disabled by configuration"),
    ("select * from '{file}'", "disabled by configuration"),
    ("select * from sniff_csv('{file}')", "disabled by configuration"),
    ("select * from glob('{folder}/*')", "disabled by configuration"),
    ("select * from read_duckdb('{folder}/x.db')", "disabled by configuration"),
    ("select * from read_json('https://127.0.0.1:1/x')", "disabled|httpfs|Extension"),
    ("select * from locals_of_python", "does not exist"),
    ("select getenv('HOME')", "does not exist"),
]
WRITING = [
    ("copy (select 1) to '{folder}/out.csv'", "disabled by configuration"),
    ("copy (select 1) to '{allowed}' (format parquet)", "disabled by configuration|Cannot|File too large"),
    ("attach '{folder}/x.db'", "disabled by configuration"),
    ("export database '{folder}/out'", "disabled by configuration"),
    ("import database '{folder}'", "disabled by configuration"),
    ("install httpfs", "disabled by configuration"),
    ("load '{folder}/x.duckdb_extension'", "disabled through configuration"),
    ("set enable_external_access = true", "locked"),
    ("set allowed_paths = ['{file}']", "locked"),
    ("reset lock_configuration", "locked"),
    ("pragma enable_profiling", "locked"),
    ("pragma profile_output = '{folder}/p'", "locked"),
    ("set temp_directory = '{folder}'", "locked"),
    ("call enable_logging(storage = 'file', storage_path = '{folder}/l')", "locked"),
]


def unlisted(request: dict[str, Any], more: str = "pass") -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", UNLISTED.format(more=more)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def request(sql: str, paths: list[str]) -> dict[str, Any]:
    return {"sql": sql, "views": [], "paths": paths, "memory_mb": 300, "threads": 1, "timeout_s": 20, "limit": None}


@pytest.mark.parametrize(("attack", "answer"), REACHING_OUT + WRITING)
def test_without_any_list_the_engine_is_locked(lake: Path, tmp_path: Path, attack: str, answer: str) -> None:
    allowed = str(next(lake.glob("segments/access/*/*.parquet")))
    (tmp_path / "secret.csv").write_text("a\n1\n")
    before = Path(allowed).read_bytes()
    text = attack.format(file=tmp_path / "secret.csv", folder=tmp_path, allowed=allowed)
    # What is no SELECT cannot be described, so it is run as a view of our own would be.
    is_select = text.startswith("select")
    asked = request(text if is_select else "select 1", [allowed])
    more = "pass" if is_select else f"it._described = lambda connection, sql: ([], [], {text!r})"
    last = unlisted(asked, more)[-1]
    assert last.get("error") in {"query", "reading"}, last
    assert any(word in last["message"] for word in answer.split("|")), last
    assert Path(allowed).read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"lake", "secret.csv"}


def test_the_unlisted_process_can_read_what_it_may(lake: Path) -> None:
    allowed = str(next(lake.glob("segments/access/*/*.parquet")))
    text = f"from read_parquet('{allowed}') select count(*)"
    assert unlisted(request(text, [allowed]))[1] == [[2500]]


def test_the_kernel_lets_the_process_write_no_file(tmp_path: Path) -> None:
    code = (
        "from heeler.query import sql_process as it; it._give_up_rights(300)\n"
        f"import pathlib; pathlib.Path({str(tmp_path / 'x')!r}).write_text('a')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.endswith("File too large\n")


def test_the_process_is_told_no_secret(reader: LakeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Mapping[str, str]] = []

    class Spy(subprocess.Popen[str]):
        def __init__(self, arguments: list[str], *, env: Mapping[str, str], **more: Any) -> None:  # noqa: ANN401 - passed on
            told.append(env)
            super().__init__(arguments, env=env, **more)

    monkeypatch.setenv("HEELER_SECRET", "hush")
    monkeypatch.setattr(subprocess, "Popen", Spy)
    assert rows_of(reader, "select 1") == [[1]]
    assert [("HEELER_SECRET" in env, "PATH" in env) for env in told] == [(False, True)]


def test_nothing_is_imported_from_the_folder_one_stands_in(
    reader: LakeReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("duckdb", "json", "heeler", "resource"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    assert rows_of(reader, "select 1") == [[1]]


def test_files_with_quotes_in_their_names_are_read(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s "a" lake; [x]*?'
    writer = Lake(folder)
    data = b"".join(LINE % (1, n % 60, n % 9, 200, n) for n in range(2500))
    writer.commit(Tick((batch(data, ACCESS_FORMATS["combined"]),)))
    writer.close()
    reader = LakeReader(folder)
    assert rows_of(reader, "select count(*) from access") == [[2500]]
    reader.close()


def test_a_time_needs_no_package_for_zones(reader: LakeReader) -> None:
    (now,), *_ = rows_of(reader, "select now()")
    assert datetime.fromisoformat(now).tzinfo is not None
