"""`search` and `tail` as processes: what is printed, what is told, and the exit codes."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

LINES = b"""\
192.0.2.10 - james [09/May/2018:16:00:39 +0000] "GET /report HTTP/1.0" 200 123
192.0.2.11 - jill [09/May/2018:16:00:41 +0000] "GET /api/user HTTP/1.0" 200 234
192.0.2.12 - frank [09/May/2018:16:00:42 +0000] "POST /api/user HTTP/1.0" 200 34
192.0.2.13 - mary [09/May/2018:16:00:42 +0000] "POST /api/user HTTP/1.0" 503 12
"""
APP = b"plain and hostile \x1b[2J \xff\n"


def heeler(*arguments: str, given: bytes = b"") -> tuple[int, str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEELER_")}
    done = subprocess.run(
        [sys.executable, "-m", "heeler", *arguments],
        input=given,
        capture_output=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    lake = f"lake:{tmp_path_factory.mktemp('search')}"
    for stream, text in (("web1", LINES), ("app", APP)):
        assert heeler("ingest", "-", "--stream", stream, "--store", lake, given=text)[0] == 0
    return lake


def test_records_are_shown_with_time_and_origin_the_newest_last(lake: str) -> None:
    code, out, err = heeler("search", "post", "--store", lake)
    assert (code, err) == (0, "")
    assert [row.partition(" 192")[0] for row in out.splitlines()] == ["2018-05-09T16:00:42.000+00:00 default/web1"] * 2
    assert [row.rpartition(" ")[2] for row in out.splitlines()] == ["34", "12"]


def test_hostile_lines_are_escaped_and_raw_ones_are_exact(lake: str) -> None:
    assert heeler("search", "hostile", "--store", lake)[1].endswith("plain and hostile \\x1b[2J \\xff\n")
    assert heeler("search", "hostile", "--raw", "--store", lake)[1].encode("utf-8", "surrogateescape") == APP


def test_a_count_is_a_number_alone(lake: str) -> None:
    assert heeler("search", "user -mary", "--count", "--store", lake) == (0, "2\n", "")
    assert heeler("search", "nobody", "--count", "--store", lake) == (1, "0\n", "")


def test_json_has_the_fields_and_a_link_that_finds_the_record(lake: str) -> None:
    code, out, _ = heeler("search", "status:5xx", "--json", "--store", lake)
    found = json.loads(out)
    assert code == 0
    assert (found["time"], found["status"], found["user"]) == ("2018-05-09T16:00:42+00:00", 503, "mary")
    assert found["line"] == LINES.decode().splitlines()[3]
    assert heeler("search", found["link"], "--raw", "--store", lake)[1] == found["line"] + "\n"


def test_neighbours_are_shown_and_runs_of_them_parted(lake: str) -> None:
    out = heeler("search", "report OR mary", "--context", "0", "--store", lake)[1]
    assert len(out.splitlines()) == 2
    out = heeler("search", "stream:web1 report", "--context", "1", "--store", lake)[1]
    assert [row.rpartition(" ")[2] for row in out.splitlines()] == ["123", "234"]


def test_what_is_counted_is_a_table_json_or_csv(lake: str) -> None:
    assert (
        heeler("search", "| count by status", "--store", lake, "--csv")[1] == "status,count\r\n200,3\r\n503,1\r\n,1\r\n"
    )
    out = heeler("search", "api | top 1 path", "--store", lake, "--json")[1]
    assert json.loads(out) == {"path": "/api/user", "count": 3}
    assert heeler("search", "stream:web1 | every 2s count", "--store", lake)[1].splitlines()[1:] == [
        "2018-05-09T16:00:38+00:00      1",
        "2018-05-09T16:00:40+00:00      1",
        "2018-05-09T16:00:42+00:00      2",
    ]


def test_sorted_records_are_lines_again(lake: str) -> None:
    out = heeler("search", "api | sort -bytes | limit 2", "--raw", "--store", lake)[1]
    assert [row.rpartition(" ")[2] for row in out.splitlines()] == ["234", "34"]


def test_a_saved_search_can_be_used_by_every_command(lake: str) -> None:
    assert heeler("search", "--save", "failed", "status:5xx OR hostile", "--store", lake)[0] == 0
    assert heeler("search", "@failed", "--count", "--store", lake)[1] == "2\n"
    assert len(heeler("export", "@failed -hostile", "--store", lake)[1].splitlines()) == 1
    assert heeler("search", "--save", "failed", "--store", lake)[0] == 0
    assert heeler("search", "@failed", "--store", lake)[0] == 2


def test_a_field_that_no_record_has_is_told(lake: str) -> None:
    code, out, err = heeler("search", "statsu:500", "--store", lake)
    assert (code, out) == (1, "")
    assert err == (
        "There is no field named 'statsu', so it matches nothing. Did you mean 'status'?\nheeler: No record matches.\n"
    )


@pytest.mark.parametrize(
    ("query", "place"),
    [
        (["(a"], 0),
        (["/a(/"], 2),
        (["/(a+)+\\1/"], 6),
        (["a | limit -1"], 10),
        (["status:599..500"], 7),
        (["a " * 5000 + "(" * 20], 60),
        (["from:2026-11-22 to:2026-11-21"], 16),
        (["a", "--archived"], None),
        (["| count", "--raw"], None),
        (["a", "--json", "--raw"], None),
        (["a", "--since", "soon"], None),
    ],
)
def test_wrong_use_is_told_with_its_place(lake: str, query: list[str], place: int | None) -> None:
    code, out, err = heeler("search", *query, "--store", lake)
    assert (code, out) == (2, "")
    assert err.startswith("heeler: ")
    if place is not None:
        assert err.endswith("\n  " + " " * place + "^\n")


def test_a_leading_minus_stands_behind_two(lake: str) -> None:
    assert heeler("search", "--store", lake, "--count", "--", "-user")[1] == "2\n"


def test_delete_refuses_what_it_does_not_know(lake: str) -> None:
    code, _, err = heeler("delete", "--yes", "--store", lake, "--", "-steam:web1")
    assert code == 2
    assert "no field named 'steam'" in err
    assert heeler("search", "--count", "--store", lake)[1] == "5\n"


def test_tail_shows_what_comes_until_it_is_interrupted(tmp_path: Path) -> None:
    store = f"lake:{tmp_path / 'lake'}"
    assert heeler("ingest", "-", "--stream", "web1", "--store", store, given=LINES)[0] == 0
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "heeler", "tail", "post", "--raw", "--store", store]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = LINES.splitlines(keepends=True)
        assert [process.stdout.readline() for _ in range(2)] == lines[2:]
        new = lines[3].replace(b"mary", b"mona")
        assert heeler("ingest", "-", "--stream", "web2", "--store", store, given=lines[0] + new)[0] == 0
        assert process.stdout.readline() == new
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read() == b""


def test_matches_stand_out_on_a_terminal_alone(lake: str) -> None:
    master, slave = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    done = subprocess.run(
        [sys.executable, "-m", "heeler", "search", "MARY status:503", "--store", lake],
        stdout=slave,
        stderr=subprocess.DEVNULL,
        env=environment,
        timeout=60,
        check=False,
    )
    os.close(slave)
    shown = os.read(master, 10_000).decode()
    os.close(master)
    assert done.returncode == 0
    assert "- \x1b[1;31mmary\x1b[0m [" in shown
    assert '" \x1b[1;31m503\x1b[0m 12' in shown
