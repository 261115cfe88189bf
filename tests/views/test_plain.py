"""Blocks and alerts as text and as JSON."""

import json
from dataclasses import replace

import pytest

from heeler.views.plain import as_json, as_text, human_bytes
from heeler.views.snapshot import AlertLine, Block

BLOCK = Block(
    start_s=1_795_342_530,
    end_s=1_795_342_540,
    zone_minutes=0,
    hits=312,
    sections=(("/api", 200), ("/", 112)),
    status=(("2xx", 290), ("5xx", 22)),
    methods=(("GET", 300), ("POST", 12)),
    top_clients=(("10.0.0.1", 200), ("10.0.0.2", 100), ("10.0.0.3", 6), ("10.0.0.4", 6)),
    clients=41,
    errors=22,
    server_errors=22,
    bytes=12345,
    unparsed=0,
)
EMPTY = replace(
    BLOCK, hits=0, sections=(), status=(), methods=(), top_clients=(), clients=0, errors=0, server_errors=0, bytes=0
)
ALERT = AlertLine("high traffic", "triggered", 1342, 1_795_342_540, 0)


def test_a_block_as_json_is_the_one_of_the_contract() -> None:
    text = as_json(BLOCK)

    assert text.endswith("}\n")
    assert text.count("\n") == 1
    assert list(json.loads(text).items()) == [
        ("time", "2026-11-22T10:15:40+00:00"),
        ("hits", 312),
        ("rate", 31.2),
        ("sections", {"/api": 200, "/": 112}),
        ("status", {"2xx": 290, "5xx": 22}),
        ("error_rate", 0.0705),
        ("bytes", 12345),
        ("clients", 41),
        ("unparsed", 0),
    ]


def test_an_alert_as_json_is_the_one_of_the_contract() -> None:
    assert as_json(ALERT) == (
        '{"alert": "high traffic", "state": "triggered", "hits": 1342, "time": "2026-11-22T10:15:40+00:00"}\n'
    )


def test_an_alert_as_text_is_its_sentence_and_nothing_else() -> None:
    assert as_text(ALERT) == ("High traffic generated an alert - hits = 1342, triggered at 2026-11-22 10:15:40 +0000\n")


def test_a_block_as_text_has_a_title_that_ends_in_its_end() -> None:
    assert as_text(BLOCK) == (
        "── 312 hits  31.20/s  in 10 s to 2026-11-22 10:15:40 +0000\n"
        "   /api                           200  64.10 %  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇\n"
        "   /                              112  35.90 %  ▇▇▇▇▇▇▇▇▇▇▇▇▇\n"
        "   status   2xx 290  5xx 22   errors 7.05 % (5xx 7.05 %)\n"
        "   methods  GET 300  POST 12   12.3 kB\n"
        "   clients  41: 10.0.0.1 200  10.0.0.2 100  10.0.0.3 6\n"
    )


def test_an_empty_block_is_its_title_alone() -> None:
    assert as_text(EMPTY) == "── 0 hits  0.00/s  in 10 s to 2026-11-22 10:15:40 +0000\n"
    assert json.loads(as_json(EMPTY))["error_rate"] == 0.0


def test_lines_that_did_not_parse_are_told_also_when_none_did() -> None:
    assert as_text(replace(EMPTY, unparsed=12_345)).splitlines()[1:] == ["   unparsed 12,345"]


@pytest.mark.parametrize(
    "name", ["/\x1b]52;c;aGk=\x07", "/\u202eabc", "/a\nHigh traffic generated", "/\x9b31m", "/\x7f"]
)
def test_names_from_the_log_are_written_out(name: str) -> None:
    block = replace(BLOCK, sections=((name, 312),), methods=((name, 312),), top_clients=((name, 312),))

    for text in (as_text(block), as_json(block)):
        assert all(char.isprintable() or char == "\n" for char in text)
    assert len(as_text(block).splitlines()) == 5
    assert json.loads(as_json(block))["sections"] == {name: 312}, "a program gets the name as it is"


def test_a_long_name_is_cut_in_text_and_whole_in_json() -> None:
    name = "/" + "x" * 5000
    block = replace(BLOCK, sections=((name, 312),), top_clients=((name, 312),))

    assert max(map(len, as_text(block).splitlines())) < 120
    assert json.loads(as_json(block))["sections"] == {name: 312}


@pytest.mark.parametrize(("zone", "shown"), [(330, "+05:30"), (-210, "-03:30"), (0, "+00:00")])
def test_the_time_is_written_in_the_zone_of_the_log(zone: int, shown: str) -> None:
    assert json.loads(as_json(replace(BLOCK, zone_minutes=zone)))["time"].endswith(shown)
    assert as_text(replace(BLOCK, zone_minutes=zone)).splitlines()[0].endswith(shown.replace(":", ""))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345, "12.3 kB"),
        (999_949, "999.9 kB"),
        (999_999, "1.0 MB"),
        (10**15, "1.0 PB"),
        (10**18, "1000.0 PB"),
    ],
)
def test_bytes_are_told_in_powers_of_a_thousand(size: int, expected: str) -> None:
    assert human_bytes(size) == expected
