"""What other projects expect of the same lines: RFC 5424, RFC 3164, crowdsec, lnav, logfmt. Scores are printed."""

import json
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from heeler.formats import Format, render
from heeler.formats.choose import FORMATS, PLAIN, guesses
from heeler.formats.lines import split
from heeler.formats.logfmt import pairs
from heeler.formats.severity import SYSLOG, graded
from heeler.formats.timestamps import Receipt

OURS = Path(__file__).parents[1] / "data"
SHARED = Path(__file__).parents[3] / "shared" / "data"
SAMPLES = SHARED if SHARED.is_dir() else OURS
RECEIPT = Receipt(1_795_348_800_000_000)  # 2026-11-22T12:00:00Z
Row = dict[str, Any]
Score = Callable[[str, int, int], None]


def cases(file: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLES / file).read_text(encoding="utf-8").splitlines()]


def read(known: Format, line: bytes) -> Row:
    """Read one line; its attributes, where they are an object, are beside the columns."""
    (row,) = graded(known.parse(split(line), None, RECEIPT)).to_dicts()
    try:
        attributes = json.loads(row.get("attributes") or "{}")
    except ValueError:
        attributes = {}
    return {**row, **{f"@{name}": value for name, value in attributes.items()}}


def as_syslog(row: Row) -> Row:
    """Name the fields of a record as the cases of syslog do."""
    facility, version = row.get("@facility"), row.get("@version")
    return {
        "hostname": row["host"],
        "appname": row["program"],
        "procID": row["pid"],
        "msgID": row.get("@msgid"),
        "message": row["message"] or None,
        "version": None if version is None else int(version),
        "facility": None if facility is None else int(facility),
        "severity": None if row["severity"] is None else SYSLOG.index(row["severity"]),
        "has_structured_data": row.get("@structured_data") is not None,
    }


@pytest.mark.parametrize(("file", "name", "count"), [("rfc5424_cases", "rfc5424", 28), ("rfc3164_cases", "syslog", 8)])
def test_valid_messages_of_syslog_have_their_fields(file: str, name: str, count: int, score: Score) -> None:
    wrong, checked = [], 0
    for case in cases(f"syslog/{file}.jsonl"):
        line = case["input_latin1"].encode("latin1")
        if not case["valid"] or b"\n" in line:  # a frame with a newline in it is two lines of a file
            continue
        checked += 1
        row = read(FORMATS[name], line)
        got = as_syslog(row)
        expected = {key: case["expected"].get(key) for key in got}
        time = case["expected"].get("timestamp")
        if not row["parsed"] or got != expected or (row["time"] is None) != (time is None):
            wrong.append((line, got, expected))
        elif time and "T" in time:
            assert row["time"].replace(tzinfo=UTC) == datetime.fromisoformat(time)
    score(f"{file}, valid", checked - len(wrong), checked)
    assert wrong == []
    assert checked == count


@pytest.mark.parametrize(("file", "name"), [("rfc5424_cases", "rfc5424"), ("rfc3164_cases", "syslog")])
def test_invalid_messages_of_syslog_survive_whole(file: str, name: str) -> None:
    for case in cases(f"syslog/{file}.jsonl"):
        line = case["input_latin1"].encode("latin1")
        lines = split(line)
        assert b"".join(render(FORMATS[name], FORMATS[name].parse(lines, None, RECEIPT)).to_list()) == line


def test_messages_of_syslog_as_victorialogs_reads_them(score: Score) -> None:
    agree, checked = 0, 0
    for case in cases("syslog/victorialogs_syslog_cases.jsonl"):
        expected = pairs(pl.Series([case["expected_logfmtish"]]))
        fields = dict(zip(expected["key"].to_list(), expected["value"].to_list(), strict=True))
        if fields.get("app_name") is None:  # what is cut off before the name of the program is no message
            continue
        checked += 1
        name = "rfc5424" if fields["format"] == "rfc5424" else "syslog"
        row = as_syslog(read(FORMATS[name], case["input"].encode()))
        named = {
            "hostname": "hostname",
            "app_name": "appname",
            "proc_id": "procID",
            "msg_id": "msgID",
            "message": "message",
        }
        told = {theirs: fields[theirs] for theirs in named if fields.get(theirs, "-") != "-"}
        agree += told == {theirs: row[ours] for theirs, ours in named.items() if theirs in told}
    score("syslog as VictoriaLogs reads it", agree, checked)
    assert agree >= 10  # the others are cut off, or contradict the cases of go-syslog


def test_parameters_of_structured_data_are_objects() -> None:
    line = b'<14>1 2025-02-11T12:31:28+01:00 h a - - [x@1 a="say \\"hi\\" [1\\]" b="2"][y c="3"] m'
    row = read(FORMATS["rfc5424"], line)
    assert (row["@x@1"], row["@y"]) == ({"a": 'say "hi" [1]', "b": "2"}, {"c": "3"})


EXPECTED = re.compile(r'results\["s0[01]-\w+"\]\["([^"]+)"\]\[(\d+)\]\.Evt\.(Parsed|Meta)\["(\w+)"\] == (".*")')
SYSLOG_COLUMNS = {"program": "program", "pid": "pid", "message": "message", "machine": "host"}
APACHE_ERROR_COLUMNS = {"loglevel": "@level", "module": "@module", "pid": "pid", "tid": "@tid"}
APACHE_COLUMNS = {
    "clientip": "client",
    "ident": "ident",
    "auth": "remote_user",
    "verb": "method",
    "request": "path",
    "response": "status",
    "bytes": "bytes",
    "referrer": "referer",
    "http_user_agent": "agent",
}
NGINX_COLUMNS = {
    "remote_addr": "client",
    "remote_user": "remote_user",
    "verb": "method",
    "request": "path",
    "status": "status",
    "body_bytes_sent": "bytes",
    "http_referer": "referer",
    "http_user_agent": "agent",
}
NGINX_ERROR_COLUMNS = {"loglevel": "@level", "pid": "pid", "tid": "@tid", "cid": "@connection"}


def asserts(sample: str, parser: str) -> list[dict[str, str]]:
    """Return what a file of asserts says of each event of a parser."""
    events: dict[str, dict[str, str]] = defaultdict(dict)
    for found in map(EXPECTED.fullmatch, (SAMPLES / "crowdsec" / sample / "parser.assert").read_text().splitlines()):
        if found and found[1] == parser:
            events[found[2]][found[4]] = json.loads(found[5])
    return list(events.values())


def best(line: bytes) -> Format:
    found = guesses(split(line))
    return found[0].format if found else PLAIN


def agreement(row: Row, expected: dict[str, str], columns: dict[str, str]) -> tuple[int, list[object]]:
    words = {grave: word for word, grave in (("error", 17), ("warn", 13), ("info", 9), ("notice", 10), ("crit", 18))}
    checked, wrong = 0, list[object]()
    for theirs, ours in columns.items():
        if theirs not in expected:
            continue
        value = words.get(row["severity"]) if ours == "@level" else row.get(ours)
        told = "-" if value is None and ours == "bytes" else "" if value is None else str(value)
        checked += 1
        wrong += [] if told == expected[theirs] else [(theirs, expected[theirs], told)]
    return checked, wrong


@pytest.mark.parametrize("sample", ["sshd-logs", "sshd-success-logs", "syslog-logs"])
def test_lines_of_sshd_are_read_as_crowdsec_reads_them(sample: str, score: Score) -> None:
    if not (SAMPLES / "crowdsec" / sample).is_dir():
        pytest.skip("this sample is not in tests/data")
    lines = (SAMPLES / "crowdsec" / sample / f"{sample}.log").read_bytes().splitlines()
    events = asserts(sample, "crowdsecurity/syslog-logs")
    checked, wrong = 0, list[object]()
    for line, expected in zip(lines, events, strict=False):
        count, found = agreement(read(best(line), line), expected, SYSLOG_COLUMNS)
        checked, wrong = checked + count, wrong + found
    score(f"crowdsec {sample}, fields", checked - len(wrong), checked)
    assert wrong == []
    assert checked >= 4


@pytest.mark.parametrize(
    ("sample", "parser", "columns", "errors", "fewest"),
    [
        ("apache2-logs", "apache2-logs", APACHE_COLUMNS, APACHE_ERROR_COLUMNS, 60),
        ("apache2-malformed", "apache2-logs", APACHE_COLUMNS, APACHE_ERROR_COLUMNS, 60),
        ("nginx_http-logs", "nginx-logs", NGINX_COLUMNS, NGINX_ERROR_COLUMNS, 50),
        ("nginx-http-malformed", "nginx-logs", NGINX_COLUMNS, NGINX_ERROR_COLUMNS, 60),
    ],
)
def test_lines_of_web_servers_are_read_as_crowdsec_reads_them(
    *, sample: str, parser: str, columns: dict[str, str], errors: dict[str, str], fewest: int, score: Score
) -> None:
    if not (SAMPLES / "crowdsec" / sample).is_dir():
        pytest.skip("this sample is not in tests/data")
    checked, wrong = 0, list[object]()
    for expected in asserts(sample, f"crowdsecurity/{parser}"):
        line = expected.get("message", "").encode()
        known = best(line)
        if known is PLAIN or ("status" not in expected and "response" not in expected and "loglevel" not in expected):
            continue
        row = read(known, line)
        host = expected.get("target_fqdn")
        count, found = agreement(row, expected, errors if "loglevel" in expected else columns)
        if host and row.get("host"):
            count, found = (
                count + 1,
                found + ([] if row["host"].partition(":")[0] == host.partition(":")[0] else [host]),
            )
        checked, wrong = checked + count, wrong + found
    score(f"crowdsec {sample}, fields", checked - len(wrong), checked)
    assert wrong == []
    assert checked >= fewest


STAMPS = (
    (r"\d{4}-\d\d-\d\d[T ][ \d]\d:\d\d:\d\d", ("%Y-%m-%d %H:%M:%S",)),
    (r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", ("%Y/%m/%d %H:%M:%S",)),
    (r"\d\d/[A-Z][a-z]{2}/\d{4}[: ]\d\d:\d\d:\d\d", ("%d/%b/%Y:%H:%M:%S", "%d/%b/%Y %H:%M:%S")),
    (r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d(?::\d+)?(?: UTC)? \d{4}", ("%a %b %d %H:%M:%S %Y",)),
    (r"\d{8} \d\d:\d\d:\d\d", ("%Y%m%d %H:%M:%S",)),
    (r"\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d", ("%d %b %Y %H:%M:%S",)),
    (r"[A-Z][a-z]{2}[ -][ \d]?\d \d\d:\d\d:\d\d", ("%b %d %H:%M:%S",)),
    (r"\d\d [A-Z][a-z]{2} \d\d:\d\d:\d\d", ("%d %b %H:%M:%S",)),
    (r"\d\d[-.]\d\d \d\d:\d\d:\d\d", ("%m-%d %H:%M:%S", "%m.%d %H:%M:%S")),
    (r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d", ("%m/%d/%Y %H:%M:%S",)),
)
"""Another reader of times, one line at a time: the first that is found in a line counts."""


def told_time(line: str) -> datetime | None:
    for pattern, layouts in STAMPS:
        if found := re.search(pattern, line):
            text = re.sub(r":\d+ (\d{4})$", r" \1", found[0]) if ":" in found[0][-10:] else found[0]
            text = (
                re.sub(r"[T]|(?<=[a-z])-(?=\d)| UTC", " ", text)
                .replace("  ", " ")
                .replace(" 8:", " 08:")
                .replace(" 0:", " 00:")
            )
            for layout in layouts:
                whole = (text, layout) if "%Y" in layout else (f"2026 {text}", f"%Y {layout}")
                try:
                    read_time = datetime.strptime(*whole)  # noqa: DTZ007 - local to the line
                except ValueError:
                    continue
                zone = re.search(re.escape(found[0]) + r"(?:[.,]\d+)? ?([+-]\d\d):?(\d\d)", line)
                if zone:
                    sign = -1 if zone[1][0] == "-" else 1
                    read_time -= sign * timedelta(hours=int(zone[1][1:]), minutes=int(zone[2]))
                return read_time
    return None


LEVELS = {
    "trace": range(1, 5),
    "debug": range(5, 9),
    "info": range(9, 13),
    "warning": range(13, 17),
    "error": range(17, 21),
}
GENERAL = {"bracketed", "java", "python_asctime", *(name for name in FORMATS if name.startswith("stamped"))}
FAMILIES = {
    "access_log": {"combined", "common", "vhost_combined", "combined_more", "http_server"},
    "alb_log": {"alb"},
    "cups_log": {"cups_error"},
    "esx_syslog_log": {"syslog_iso", "stamped"},
    "laravel_log": {"monolog"},
    "logcat_log": {"logcat", "logcat_brief"},
    "mysql_error_log": {"mysql_error"},
    "redis_log": {"redis"},
    "s3_log": {"s3_access"},
    "sssd_log": {"sssd", "stamped_ctime"},
    "syslog_log": {"syslog", "syslog_iso", "rfc5424"},
    "unifi_iptables_log": {"syslog"},
    "unifi_log": {"syslog"},
    "vmk_log": {"syslog_iso", "stamped"},
    "xmlrpc_log": {"go", "stamped_slash"},
}
"""The formats that are right for each of theirs; of others we know no more than that a time stands in them."""


def test_samples_of_lnav_have_their_family_time_and_level(score: Score) -> None:
    family = time = timed = level = leveled = 0
    every = cases("lnav/sample_lines.jsonl")
    for case in every:
        line = case["line"].split("\n")[0]
        known = best(line.encode())
        row = read(known, line.encode())
        family += known.name in FAMILIES.get(case["format"], GENERAL)
        if (told := told_time(line)) is not None:
            timed += 1
            time += row.get("time") is not None and row["time"].replace(microsecond=0) == told
        if case["level"]:
            leveled += 1
            level += row.get("severity") in LEVELS[case["level"]]
    score("lnav samples, family", family, len(every))
    score("lnav samples, time", time, timed)
    score("lnav samples, level", level, leveled)
    assert (family, time, level) >= (114, 112, 21)
    assert (len(every), leveled) == (125, 23)


def test_lines_of_logfmt_have_the_pairs_that_kr_logfmt_reads(score: Score) -> None:
    every = cases("logfmt/kr_logfmt_cases.jsonl")
    agree = 0
    for case in every:
        found = pairs(pl.Series([case["input"]]))
        got = [list(pair) for pair in zip(found["key"], found["value"], strict=True)]
        agree += got == ([] if case["expected"] == "error" else case["expected"])
    score("kr/logfmt", agree, len(every))
    assert agree == len(every)
