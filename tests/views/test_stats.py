"""Statistics: what is counted while storing, what is counted of the records, and plain Python agree."""

import math
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.errors import UsageError
from heeler.formats import Format
from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.choose import PLAIN
from heeler.formats.lines import split
from heeler.query.language import parse
from heeler.query.tree import Equal, leaves
from heeler.store import Batch, Tick
from heeler.store.deleting import Deletion
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader
from heeler.views.stats import Stats, StatsQuestion, is_counted, stats, table_of

NOW_US = 1_790_000_000_000_000
START = datetime(2026, 11, 22, 10, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
COMMON = ACCESS_FORMATS["common"]

Request = tuple[int, str, str, int, int | None]
"""Second, group, path, status, bytes."""


def line(request: Request) -> bytes:
    second, _, path, status, size = request
    time = f"22/Nov/2026:{10 + second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d} +0000"
    return f'10.0.0.1 - - [{time}] "GET {path} HTTP/1.1" {status} {"-" if size is None else size}\n'.encode()


def batch(lines: list[bytes], known: Format, group: str, stream: str = "s") -> Batch:
    data = b"".join(lines)
    wanted = set(known.columns) | ({"section"} if known.table == "access" else set())
    records = known.parse(split(data), wanted)
    return Batch("file", f"{group}/{stream}", {"at": len(data)}, group, stream, known, records, NOW_US, len(data))


def fill(folder: Path, requests: list[Request], ticks: int = 3) -> None:
    with closing(Lake(folder)) as lake:
        for tick in range(ticks):
            some = requests[tick::ticks]
            batches = [
                batch([line(one) for one in some if one[1] == group] or [b"nothing\n"], COMMON, group)
                for group in sorted({one[1] for one in some})
            ]
            if batches:
                lake.commit(Tick(tuple(batches)))


def section(path: str) -> str:
    return "/" + path.partition("?")[0].lstrip("/").partition("/")[0]


def oracle(requests: list[Request], question: StatsQuestion) -> dict[tuple[Any, ...], tuple[int, int, float]]:
    """Count as one would by hand."""
    found: dict[tuple[Any, ...], list[int]] = {}
    for second, group, path, status, size in requests:
        time_us = START_US + second * 1_000_000
        asked = {"group": group, "path": path, "status": str(status)}
        if any(asked[one.field] != one.value for one in leaves(question.query.where) if isinstance(one, Equal)):
            continue
        if question.since_us is not None and time_us < question.since_us:
            continue
        if question.until_us is not None and time_us >= question.until_us:
            continue
        fields = {
            "group": group,
            "section": section(path),
            "class": f"{status // 100}xx",
            "path": path,
            "stem": path.partition("?")[0],
            "status": status,
        }
        key: tuple[Any, ...] = tuple(fields[field] for field in question.by)
        if question.every_s:
            seconds = time_us // 1_000_000 // question.every_s * question.every_s
            key = (datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None), *key)
        counts = found.setdefault(key, [0, 0, 0])
        counts[0] += 1
        counts[1] += size or 0
        counts[2] += status >= 400
    return {key: (hits, size, round(errors / hits, 4)) for key, (hits, size, errors) in found.items()}


def answered(folder: Path, question: StatsQuestion, *, rollup: bool = True) -> Stats:
    with closing(LakeReader(folder)) as reader:
        return stats(reader, question, rollup=rollup)


def as_dict(answer: Stats, question: StatsQuestion) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    keys = len(question.by) + bool(question.every_s)
    return {row[:keys]: row[keys:] for row in answer.rows.iter_rows()}


paths = st.sampled_from(["/", "/a/b", "/a?c=/d", "//a/e", "/b", "/b/c/d?x"])
sizes = st.one_of(st.none(), st.integers(0, 5000))
a_request = st.tuples(
    st.integers(0, 100), st.sampled_from(["g", "h"]), paths, st.sampled_from([200, 304, 404, 503]), sizes
)
edges = st.one_of(st.none(), st.integers(0, 10).map(lambda tens: START_US + tens * 10_000_000))
COUNTED = ["section", "class", "group"]


@st.composite
def counted_questions(draw: st.DrawFn) -> StatsQuestion:
    return StatsQuestion(
        parse(draw(st.sampled_from(["", "group:g"]))),
        tuple(draw(st.lists(st.sampled_from(COUNTED), max_size=3, unique=True))),
        draw(st.sampled_from([None, 10, 30, 60])),
        since_us=draw(edges),
        until_us=draw(edges),
    )


@st.composite
def any_questions(draw: st.DrawFn) -> StatsQuestion:
    seconds = st.one_of(st.none(), st.integers(0, 100).map(lambda second: START_US + second * 1_000_000))
    return StatsQuestion(
        parse(draw(st.sampled_from(["status:404", "path:/ group:g", "status:200", ""]))),
        tuple(draw(st.lists(st.sampled_from([*COUNTED, "path", "stem", "status"]), max_size=3, unique=True))),
        draw(st.sampled_from([None, 1, 7, 10])),
        since_us=draw(seconds),
    )


@given(st.lists(a_request, min_size=1, max_size=40), counted_questions())
def test_counts_while_storing_and_counts_of_records_are_what_one_counts_by_hand(
    tmp_path_factory: pytest.TempPathFactory, requests: list[Request], question: StatsQuestion
) -> None:
    folder = tmp_path_factory.mktemp("lake")
    fill(folder, requests)
    fast, slow = answered(folder, question), answered(folder, question, rollup=False)
    assert (fast.from_rollup, slow.from_rollup) == (True, False)
    assert fast.rows.equals(slow.rows)
    assert as_dict(fast, question) == oracle(requests, question)


@given(st.lists(a_request, min_size=1, max_size=40), any_questions())
def test_any_field_can_be_asked_of_the_records(
    tmp_path_factory: pytest.TempPathFactory, requests: list[Request], question: StatsQuestion
) -> None:
    folder = tmp_path_factory.mktemp("lake")
    fill(folder, requests)
    assert as_dict(answered(folder, question), question) == oracle(requests, question)


REQUESTS: list[Request] = [
    (n % 60, "g" if n % 3 else "h", f"/{n % 7}/x", 500 if n % 10 == 0 else 200, n) for n in range(3000)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path, REQUESTS, ticks=1)
    with closing(Lake(tmp_path)) as lake:
        lake.commit(Tick((batch([b"one\n", b"two\n", b"one\n"], PLAIN, "app"),)))
    return tmp_path


def test_the_top_are_those_with_most_hits_over_the_whole_time(folder: Path) -> None:
    few: list[Request] = [(0, "g", "/rare", 200, 1)] * 200
    with closing(Lake(folder)) as lake:
        lake.commit(Tick((batch([line(one) for one in few], COMMON, "g"),)))
    question = StatsQuestion(by=("section",), every_s=10, top=3)
    for rollup in (True, False):
        answer = answered(folder, question, rollup=rollup)
        assert answer.further == 5
        assert set(answer.rows["section"]) == {"/0", "/1", "/2"}
        times = answer.rows["time"].to_list()
        assert times == sorted(times)


def test_percentiles_are_of_the_records(folder: Path) -> None:
    answer = answered(folder, StatsQuestion(by=("group",), percentiles_of="bytes"))
    assert not answer.from_rollup
    for group, *_, p50, p95, p99 in answer.rows.iter_rows():
        sizes_of = sorted(one[4] or 0 for one in REQUESTS if one[1] == group)
        for share, found in ((0.5, p50), (0.95, p95), (0.99, p99)):
            at = share * (len(sizes_of) - 1)
            below, above = sizes_of[math.floor(at)], sizes_of[math.ceil(at)]
            assert found == pytest.approx(below + (above - below) * (at % 1))


def test_a_duration_that_no_record_has_has_no_percentiles(folder: Path) -> None:
    answer = answered(folder, StatsQuestion(percentiles_of="duration"))
    assert answer.rows.columns[-3:] == ["duration_p50", "duration_p95", "duration_p99"]
    assert answer.rows.row(0)[-3:] == (None, None, None)


def test_durations_are_in_seconds(tmp_path: Path) -> None:
    from heeler.formats.template import Template  # noqa: PLC0415 - only this test needs a format of its own

    known = Template("timed", '{client} [{time}] "{request}" {status} {bytes} {duration}')
    with closing(Lake(tmp_path)) as lake:
        data = [b'10.0.0.1 [22/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1 0.250\n'] * 3
        lake.commit(Tick((batch(data, known, "g"),)))
    answer = answered(tmp_path, StatsQuestion(percentiles_of="duration"))
    assert answer.rows.row(0)[-3:] == (0.25, 0.25, 0.25)


def test_messages_are_counted_by_what_only_messages_have(folder: Path) -> None:
    answer = answered(folder, StatsQuestion(by=("message",)))
    assert answer.rows.columns == ["message", "records"]
    assert answer.rows.rows() == [("one", 2), ("two", 1)]


def test_lines_that_do_not_parse_are_counted_when_asked_for(tmp_path: Path) -> None:
    with closing(Lake(tmp_path)) as lake:
        lake.commit(Tick((batch([line((0, "g", "/", 200, 1)), b"nonsense\n"], COMMON, "g"),)))
    assert answered(tmp_path, StatsQuestion()).rows["hits"].to_list() == [1]
    assert answered(tmp_path, StatsQuestion(), rollup=False).rows["hits"].to_list() == [1]
    assert answered(tmp_path, StatsQuestion(parse("parsed:false"))).rows["hits"].to_list() == [1]


def test_what_was_deleted_counts_no_more(folder: Path) -> None:
    with closing(Lake(folder)) as lake:
        Deletion(lake, parse("status:500")).run(NOW_US)
    left = [one for one in REQUESTS if one[3] != 500]
    for by in (("section",), ("class",), ("group", "section")):
        question = StatsQuestion(by=by, every_s=10)
        assert as_dict(answered(folder, question), question) == oracle(left, question)


def test_nothing_that_matches_is_no_row(folder: Path) -> None:
    for question in (StatsQuestion(parse("group:none")), StatsQuestion(parse("path:/none")), StatsQuestion(until_us=0)):
        assert answered(folder, question).rows.height == 0
    with closing(Lake(folder / "empty")):
        pass
    assert answered(folder / "empty", StatsQuestion()).rows.height == 0


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (StatsQuestion(), True),
        (StatsQuestion(by=("section", "class", "group"), every_s=600), True),
        (StatsQuestion(parse("group:g group:h")), True),
        (StatsQuestion(since_us=START_US, until_us=START_US + 10_000_000), True),
        (StatsQuestion(by=("path",)), False),
        (StatsQuestion(every_s=15), False),
        (StatsQuestion(parse("group:g status:200")), False),
        (StatsQuestion(since_us=START_US + 1), False),
        (StatsQuestion(until_us=START_US + 5_000_000), False),
        (StatsQuestion(percentiles_of="bytes"), False),
    ],
)
def test_the_counts_are_used_only_where_they_suffice(question: StatsQuestion, expected: bool) -> None:  # noqa: FBT001 - a case
    assert is_counted(question) is expected


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (StatsQuestion(by=("clas",)), r"no field named 'clas' to group by\. Did you mean 'class'\?"),
        (StatsQuestion(by=("xyzzy",)), r"no field named 'xyzzy' to group by\. Known are group, "),
        (StatsQuestion(parse("program:a"), by=("path",)), "No kind of record has all of path, program"),
        (StatsQuestion(by=("program", "section")), "No kind of record has all of program, section"),
        (StatsQuestion(percentiles_of="status"), "Percentiles are of bytes or duration, not of 'status'"),
    ],
)
def test_a_question_that_no_record_can_answer_is_refused(question: StatsQuestion, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        table_of(question)
