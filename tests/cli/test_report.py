"""`heeler report` as a process."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
from sheets_server import SheetsServer

LOG = b"".join(
    b'192.0.2.%d - - [09/May/2018:16:00:%02d +0000] "GET %s HTTP/1.0" %d 100\n' % (at % 3, at, path, status)
    for at, (path, status) in enumerate(
        [(b"/report/user?id=1", 200), (b"/login/user", 200), (b"/report/user", 503), (b"/logout/user", 404)] * 5
    )
)


def heeler(*arguments: str, at: Path) -> tuple[int, bytes, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEELER_")}
    done = subprocess.run(
        [sys.executable, "-m", "heeler", *arguments],
        cwd=at,
        env=environment | {"PYTHONUTF8": "1"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    (folder / "access.log").write_bytes(LOG)
    assert heeler("ingest", "--store", "lake:lake", "access.log", at=folder)[0] == 0
    return folder


def report(place: Path, *arguments: str) -> bytes:
    code, out, err = heeler("report", "--store", "lake:lake", *arguments, at=place)
    assert (code, err) == (0, "")
    return out


def test_the_short_text(place: Path) -> None:
    rule = "-" * 68
    assert report(place, "--short", "--until", "2018-05-09T16:01").decode() == (
        f"{rule}\n                Report for DATE: 2018-05-09 16:01:00\n{rule}\nPATH                    COUNT\n{rule}\n"
        "/report/user                    10\n/login/user                     5\n/logout/user                    5\n\n"
        "---ERROR RATE: 50.00%----\n"
    )


def test_a_query_and_a_period_say_what_it_is_about(place: Path) -> None:
    told = json.loads(report(place, "status:5xx", "--since", "2018-05-09T16:00:10", "--json"))

    assert (told["query"], told["since"], told["requests"]) == ("status:500..599", "2018-05-09T16:00:10+00:00", 3)


def test_the_ending_of_the_file_says_how_it_is_written(place: Path) -> None:
    for name in ("r.csv", "r.html", "r.xlsx", "r.txt"):
        assert report(place, "--out", name) == b""

    assert (place / "r.csv").read_bytes().startswith(b"traffic\r\ntime,requests,")
    assert (place / "r.html").read_text().startswith("<!DOCTYPE html>")
    assert openpyxl.load_workbook(place / "r.xlsx").sheetnames[0] == "Report"
    assert "Report for DATE: " in (place / "r.txt").read_text()


def test_one_table_as_csv(place: Path) -> None:
    out = report(place, "--format", "csv", "--table", "clients", "--top", "2").decode()

    assert list(csv.reader(io.StringIO(out, newline=""))) == [
        ["client", "requests"],
        ["192.0.2.0", "7"],
        ["192.0.2.1", "7"],
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--format", "pdf"], 2, "A report cannot be written as 'pdf'; there are text, csv,"),
        (["--json", "--format", "csv"], 2, "--json and --format exclude each other"),
        (["--table", "paths"], 2, "--table is for CSV"),
        (["--json", "--cow"], 2, "--short and --cow are for text."),
        (["--format", "csv", "--table", "path"], 2, "A report has no table 'path'; there are traffic,"),
        (["--since", "1h", "--until", "2h"], 2, "The period is turned round"),
        (["| top path"], 2, "A report counts by itself"),
        (["--out", "no/such/folder.html"], 3, "no/such/folder.html cannot be written: No such file or directory."),
        (["--top", "0"], 2, "Invalid value for '--top'"),
    ],
    ids=str,
)
def test_wrong_use_is_told(place: Path, arguments: list[str], code: int, sentence: str) -> None:
    found, out, err = heeler("report", "--store", "lake:lake", *arguments, at=place)

    assert (found, out) == (code, b"")
    assert err.startswith(f"heeler: {sentence}")


def test_days_are_written_and_then_sent(place: Path) -> None:
    server = SheetsServer("book1")
    with server.running() as address:
        code, out, err = heeler(
            *("push", "book1", "--store", "lake:lake", "--endpoint", address),
            *("--since", "2018-05-08", "--until", "2018-05-09T17:00", "--out", "days.json"),
            at=place,
        )

    assert (code, out, err) == (0, b"", "2 days were sent; they are in days.json too.\n")
    kept = json.loads((place / "days.json").read_text())
    assert [(day, rows[0]) for day, rows in kept.items()] == [
        ("2018-05-08", ["Requests", 0]),
        ("2018-05-09", ["Requests", 20]),
    ]
    assert [server.values(day)[0][:2] for day in kept] == [rows[0] for rows in kept.values()]


def test_days_that_could_not_be_sent_are_kept(place: Path) -> None:
    server = SheetsServer("book1")
    server.faults = [403]
    with server.running() as address:
        code, _, err = heeler(
            *("push", "book1", "--store", "lake:lake", "--endpoint", address),
            *("--since", "2018-05-09", "--until", "2018-05-10", "--out", "later.json"),
            at=place,
        )

    assert code == 3
    assert err.startswith("heeler: Nothing was sent. Google Sheets answered 403: told to. Share the spreadsheet")
    assert list(json.loads((place / "later.json").read_text())) == ["2018-05-09"]
