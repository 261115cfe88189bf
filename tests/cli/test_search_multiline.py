"""Records of several lines through `ingest` and `search`: found by any of their lines, shown as one."""

import json
import os
import subprocess
import sys
import traceback
from contextlib import closing
from pathlib import Path

import pytest

from heeler.formats.choose import FORMATS
from heeler.formats.lines import split
from heeler.query.language import parse
from heeler.store import Batch, Tick
from heeler.store.lake import Lake
from heeler.store.multiline import MORE, WholeRecords
from heeler.store.reading import LakeReader
from heeler.store.searching import LINE, Search, Wanted

JAVA = """\
2026-11-22 10:15:40,320 [main] INFO  org.example.Filter - Request: verb=GET
2026-11-22 10:15:41,320 [main] ERROR org.example.Shop - Order failed
java.lang.IllegalStateException: no stock
\tat org.example.Shop.order(Shop.java:17)
\tat org.example.Main.main(Main.java:5)
Caused by: java.io.IOException: closed \x1b[2J
\t... 2 more
2026-11-22 10:15:42,320 [main] INFO  org.example.Filter - Request: verb=POST
"""
LONG = 150
NOW_US = 1_795_400_000_000_000


def heeler(*arguments: str, given: bytes = b"") -> tuple[int, str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEELER_")}
    command = [sys.executable, "-m", "heeler", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, env=environment, timeout=60, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def python_log() -> str:
    """Return a log with a traceback as this Python writes it."""
    try:
        json.loads("{no json")
    except ValueError:
        trace = traceback.format_exc()
    head = "2026-11-22 10:16:4{},672 - app.db - {}\n"
    deep = "".join(f"  frame {number}\n" for number in range(LONG))
    return (
        head.format(0, "INFO - starting")
        + head.format(1, "ERROR - no config")
        + trace
        + head.format(2, "INFO - going on")
        + head.format(3, "ERROR - too deep")
        + "Traceback (most recent call last):\n"
        + deep
        + "RecursionError: deep\n"
    )


PYTHON = python_log()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    lake = f"lake:{tmp_path_factory.mktemp('multiline')}"
    for stream, text in (("java", JAVA), ("python", PYTHON)):
        assert heeler("ingest", "-", "--stream", stream, "--store", lake, given=text.encode())[0] == 0
    return lake


def part(text: str, first: str, behind: str) -> str:
    """Return the lines of a text from the one that holds ``first`` to before the one that holds ``behind``."""
    lines = text.splitlines(keepends=True)
    begin, end = (next(at for at, line in enumerate(lines) if word in line) for word in (first, behind))
    return "".join(lines[begin:end])


@pytest.mark.parametrize("query", ["no stock", "Shop", "Caused", "ERROR Order", "stream:java severity:error"])
def test_a_stack_trace_is_found_by_any_of_its_lines_and_shown_once_and_whole(lake: str, query: str) -> None:
    code, out, err = heeler("search", query, "--store", lake)
    assert (code, err) == (0, "")
    trace = part(JAVA, "ERROR", "verb=POST").splitlines()
    shown = [line.replace("\t", " ").replace("\x1b", "\\x1b") for line in trace]
    assert out.splitlines() == [
        f"2026-11-22T10:15:41.320+00:00 default/java {shown[0]}",
        *(f"    {line}" for line in shown[1:]),
    ]


def test_raw_lines_of_a_record_are_exact(lake: str) -> None:
    assert heeler("search", "Caused", "--raw", "--store", lake)[1] == part(JAVA, "ERROR", "verb=POST")
    assert heeler("search", "JSONDecodeError", "--raw", "--store", lake)[1] == part(PYTHON, "no config", "going on")
    assert heeler("search", "--raw", "--store", lake)[1] == JAVA + PYTHON


def test_json_has_one_object_with_all_lines_and_the_fields_of_the_first(lake: str) -> None:
    found = json.loads(heeler("search", "JSONDecodeError", "--json", "--store", lake)[1])
    assert found["lines"] == part(PYTHON, "no config", "going on").splitlines()
    assert (found["line"], found["severity"]) == (found["lines"][0], 17)
    assert json.loads(heeler("search", found["link"], "--json", "--store", lake)[1]) == found
    assert "lines" not in json.loads(heeler("search", "starting", "--json", "--store", lake)[1])


def test_a_limit_counts_records_and_counts_are_of_lines(lake: str) -> None:
    newest = heeler("search", "stream:java", "--limit", "2", "--raw", "--store", lake)[1]
    assert newest == JAVA.partition("\n")[2]
    lines = sum("org.example" in line for line in JAVA.splitlines())
    assert heeler("search", "org.example", "--count", "--store", lake)[1] == f"{lines}\n"
    assert heeler("export", "Caused", "--store", lake)[1] == "Caused by: java.io.IOException: closed \x1b[2J\n"


def test_of_a_very_long_record_the_first_lines_are_shown_and_the_rest_is_told(lake: str) -> None:
    out = heeler("search", "RecursionError", "--store", lake)[1].splitlines()
    assert len(out) == 101
    assert out[99].endswith(f"frame {97}")
    assert out[100] == f"    … and {LONG + 3 - 100} lines more; --raw shows all"


def test_a_record_that_grew_after_it_was_shown_goes_on_with_what_is_new(tmp_path: Path) -> None:
    lines = [line.encode() for line in JAVA.splitlines(keepends=True)]
    known, shown = FORMATS["java"], []
    with closing(Lake(tmp_path)) as lake, closing(LakeReader(tmp_path)) as reader:
        whole = WholeRecords(reader)
        for begin, end in ((0, 3), (3, 5), (5, 8)):
            data = b"".join(lines[begin:end])
            read = known.parse(split(data), known.columns)
            lake.commit(Tick((Batch("file", "", {"offset": end}, "app", "java", known, read, NOW_US, len(data)),)))
            for found in Search(reader, Wanted(parse("Shop OR Caused"), NOW_US)).oldest_first():
                for records in whole.of(found):
                    shown += [[row[LINE], *row.get(MORE, [])] for row in records.to_dicts()]
    assert shown == [lines[1:3], lines[3:5], lines[5:7]]
