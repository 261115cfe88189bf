"""Templates: what a line means, the same however it was cut, and the same bytes back."""

import json
import re
from datetime import datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heeler.errors import TemplateError
from heeler.formats import Format, render
from heeler.formats.access import ACCESS_FORMATS, COMBINED
from heeler.formats.lines import split
from heeler.formats.plain import Plain
from heeler.formats.scan import Scanner
from heeler.formats.template import Template
from heeler.formats.timestamps import Receipt

CUSTOM = (
    "{client} {rest}",
    "{anything}",
    "{client} {request}",
    "{client} {time} {user} {agent}",
    "{time}{agent}",
    '{status} "{agent}" {rest}',
    '{user}"{rest}',
    "{request}|{rest}",
    '"{referer}" {user} "{agent}"',
    "{status}{bytes}",
    "{time_iso}|{method}|{path}|{protocol}|{status}|{duration}",
    "{time_iso} {time_taken} {zone_name}",
    "{client}\t{request}\t{status}\t{duration_s}",
    '"{client}" "{request}" "{agent}" "{cookie}" {duration_ms}',
    "{{{ident}}} {host}: {message}",
    "→{agent}→{user}→",
    '{referer}"{agent}"{bytes}',
    COMBINED + ' {duration_us} "{upstream}" {trace}',
)
TEMPLATES: dict[str, Template] = ACCESS_FORMATS | {text: Template("custom", text) for text in CUSTOM}
ALL: dict[str, Format] = {**TEMPLATES, "plain": Plain()}

TIMES = (
    *(b"10/Oct/2000:13:55:36 -0700", b"29/Feb/2024:23:59:59 +0530", b"01/Jan/0001:00:00:00 +2359"),
    *(b"31/Dec/9999:23:59:59 -2359", b"30/Jun/2012:23:59:60 +0000", b"10/Oct/2000:13:55:36 -0000"),
    *(b"31/Feb/2024:00:00:00 +0000", b"29/Feb/2023:00:00:00 +0000", b"00/Jan/2024:00:00:00 +0000"),
    *(b"10/oct/2000:13:55:36 -0700", b"10/Okt/2000:13:55:36 -0700", b"10/Oct/2000:24:00:00 +0000"),
    *(b"10/Oct/2000:13:60:36 +0000", b"10/Oct/2000:13:55:61 +0000", b"10/Oct/0000:13:55:36 +0000"),
    *(b"10/Oct/2000:13:55:36 +2400", b"10/Oct/2000:13:55:36 +0060", b"10/Oct/2000:13:55:36 00700"),
    *(b"10/Oct/2000:13:55:36 -070", b"10-Oct-2000:13:55:36 -0700", b"", b"-", b"10/Oct/2000:13:55:36 +1245"),
)
ISO = (
    b"2000-10-10T13:55:36-07:00",
    b"2024-02-29T23:59:60+05:30",
    b"2000-10-10 13:55:36+00:00",
    b"2000-13-10T13:55:36Z",
)
TEXTS = (
    *(b"-", b"", b"a", b"a b", b'""', b"Frank Miller", b"a [b", b"twelve bytes", b"thirteen byte", b"\\", b'\\"', b'"'),
    *(
        b"\\\\",
        b'\\\\\\"',
        b"\\x22",
        b'say "hi" now',
        b"\xff\xfe",
        b"caf\xc3\xa9",
        b"\xc3",
        b"\0\x1b[31m",
        b"a\tb",
        b"\r",
    ),
    *(b"{x}", b"\xe2\x82\xac", b"\xe2\x86\x92", b"|", b"null", b"x" * 40, b'x" 200 5 "-" "y', b"] ", b"'", b"\xc2\xa0"),
)
CLIENTS = (b"192.0.2.1", b"2001:db8::1", b"fe80::1%eth0", b"host.example", b"192.0.2.1:8080", b"192.0.2.1, 192.0.2.9")
REQUESTS = (
    *(b"GET / HTTP/1.1", b"POST /a/b?c=d HTTP/2.0", b"GET /with blank HTTP/1.1", b"GET  HTTP/1.1", b"GET / HTTP/"),
    *(b"", b"-", b"GET /", b"GET", b"\\x16\\x03\\x01", b"\x16\x03\x01\x02\0", b"get / HTTP/1.1", b"GE / HTTP/1.1"),
    *(
        b'GET /\\"a\\" HTTP/1.1',
        b'GET /"a" HTTP/1.1',
        b"GET /a\\\\ HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"   ",
        b"PRI * HTTP/2.0",
    ),
)
NUMBERS = (
    *(b"0", b"5", b"1234567", b"12345678", b"123456789", b"1234567890123456", b"12345678901234567", b"-", b"", b"007"),
    *(b"9999999999999999", b"9999999999", b"99999999999", b"9999999999999", b"99999999999999", b"-1", b"1.5", b"1e3"),
    *(
        b"0.001",
        b"12.345",
        b"999999999.999",
        b"9999999999.999",
        b"0.0001",
        b".123",
        b"1,234",
        b" 7",
        b"\xd9\xa3",
        b"00.001",
    ),
)
STATUSES = (b"200", b"404", b"099", b"000", b"999", b"20", b"2000", b"-", b"2x0", b"")
TEXTS_OF: dict[str, tuple[bytes, ...]] = {
    "client": CLIENTS + TEXTS,
    "time": TIMES,
    "time_iso": ISO + TIMES[:2],
    "request": REQUESTS + TEXTS,
    "method": (b"GET", b"POST", *TEXTS),
    "path": (b"/", b"/a/b?c=d#e", *TEXTS),
    "status": STATUSES,
    "bytes": NUMBERS,
    "duration": NUMBERS,
    "duration_s": NUMBERS,
    "duration_ms": NUMBERS,
    "duration_us": NUMBERS,
}
"""For each field what stands there in a good log, the good ones first, and what should not."""


@st.composite
def near_lines(draw: st.DrawFn, written: Template) -> bytes:
    """Lines as ``written`` has them, each field good or bad, now and then with a byte changed anywhere."""
    line = written.prefix
    tidy = draw(st.booleans())
    for part in written.parts:
        texts = TEXTS_OF.get(part.name, TEXTS)
        line += draw(st.sampled_from(texts[:3] if tidy else texts)) + part.after
    line += draw(st.sampled_from((b"", b"", b"", b"", b" ", b" extra", b' "more"')))
    if line and draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(line) - 1))
        line = line[:at] + draw(st.sampled_from((b"", b"\xff", b'"', b" ", b"\\", b"\0"))) + line[at + 1 :]
    return line + draw(st.sampled_from((b"\n", b"\n", b"\r\n")))


@st.composite
def near_files(draw: st.DrawFn) -> tuple[Template, bytes]:
    written = TEMPLATES[draw(st.sampled_from(sorted(TEMPLATES)))]
    lines = draw(st.lists(near_lines(written) | st.binary(max_size=30), max_size=8))
    return written, b"".join(lines).removesuffix(draw(st.sampled_from((b"", b"\n"))))


def parsed(written: Format, data: bytes) -> list[dict[str, Any]]:
    """Return the rows with the time as microseconds: Python knows no year 0, which a zone can lead into."""
    frame = written.parse(split(data))
    return frame.with_columns(pl.col(pl.Datetime, pl.Duration).cast(pl.Int64)).to_dicts()


def one(written: Format, line: bytes) -> dict[str, Any]:
    rows = parsed(written, line)
    assert len(rows) == 1
    assert written_back(written, line) == line
    return rows[0]


def written_back(written: Format, data: bytes) -> bytes:
    return b"".join(render(written, written.parse(split(data))).to_list())


# --- both directions ---


@pytest.mark.parametrize("name", sorted(ALL))
@settings(max_examples=25)
@given(data=st.binary(max_size=60))
def test_any_bytes_come_back_as_they_were(name: str, data: bytes) -> None:
    assert written_back(ALL[name], data) == data


@pytest.mark.parametrize("name", sorted(TEMPLATES))
@settings(max_examples=25)
@given(draw=st.data())
def test_lines_that_nearly_fit_come_back_as_they_were(name: str, draw: st.DataObject) -> None:
    lines = draw.draw(st.lists(near_lines(TEMPLATES[name]), max_size=6))
    data = b"".join(lines)
    assert written_back(TEMPLATES[name], data) == data
    assert written_back(ALL["plain"], data) == data


@settings(max_examples=80)
@given(near=near_files())
def test_what_a_line_means_does_not_depend_on_its_neighbours(near: tuple[Template, bytes]) -> None:
    written, data = near
    lines = re.findall(rb"[^\n]*\n|[^\n]+\Z", data)
    alone = [row for line in lines for row in parsed(written, line)]
    assert parsed(written, data) == alone


@settings(max_examples=80)
@given(near=near_files())
def test_the_fast_way_of_cutting_agrees_with_the_regular_expression(near: tuple[Template, bytes]) -> None:
    written, data = near
    lines = split(data).readable()
    wanted = {*written.columns}
    frames = []
    for cut in (written._cut_at_literals, written._cut_by(written._strict)):
        frame, valid = written._read(Scanner(lines), cut, wanted)
        frames.append((frame.with_columns(pl.col(pl.Datetime, pl.Duration).cast(pl.Int64)), valid))
    (fast, fast_valid), (strict, strict_valid) = frames
    assert not (fast_valid & ~strict_valid).any()
    assert fast.filter(pl.Series(fast_valid)).equals(strict.filter(pl.Series(fast_valid)))


@settings(max_examples=60)
@given(near=near_files(), choice=st.integers(0, 2**12))
def test_a_choice_of_columns_reads_the_same_values(near: tuple[Template, bytes], choice: int) -> None:
    written, data = near
    chosen = [name for at, name in enumerate(written.columns) if choice >> at & 1]
    whole = written.parse(split(data))
    part = written.parse(split(data), chosen)
    told = ["absurd"] if "time" in chosen else []
    assert part.columns == [*chosen, *told, "ending", "parsed", "raw"]
    assert part.drop("raw").equals(whole.select(part.drop("raw").columns))
    if len(chosen) == len(written.columns):
        assert part.equals(whole)
    else:
        assert part["raw"].is_null().equals(part["parsed"].alias("raw")), "kept only where the line does not parse"


@settings(max_examples=80)
@given(near=near_files())
def test_raw_is_kept_where_the_line_would_not_come_back_and_nowhere_else(near: tuple[Template, bytes]) -> None:
    written, data = near
    frame = written.parse(split(data)).with_columns(text=written.rendered().cast(pl.Binary))
    originals = [re.sub(rb"\r?\n\Z", b"", line) for line in re.findall(rb"[^\n]*\n|[^\n]+\Z", data)]
    for row, original in zip(frame.select("parsed", "raw", "text").iter_rows(named=True), originals, strict=True):
        exact = row["parsed"] and row["text"] == original
        assert row["raw"] == (None if exact else original)


def test_columns_stand_in_the_order_of_the_template() -> None:
    template = Template("custom", "{trace} {status} {client}")
    empty = template.parse(split(b""))
    assert empty.columns == ["status", "client", "attributes", "ending", "parsed", "raw"]
    assert empty.schema == template.parse(split(b"x 200 y\nno\n")).schema


# --- an oracle that reads one line at a time ---

NAIVE = re.compile(
    r'(?P<client>[^ ]*) (?P<ident>[^ ]*) (?P<user>[^ ]*) \[(?P<time>[^\]]*)\] "(?P<request>(?:[^"\\]|\\.)*)" '
    r'(?P<status>\d{3}) (?P<bytes>\d{1,16}|-) "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"',
    re.ASCII | re.DOTALL,
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def naive_time(text: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", text, re.ASCII)
    if not found or found[2] not in MONTHS or int(found[8]) > 23 or int(found[9]) > 59 or int(found[6]) > 60:
        return None
    try:
        day = datetime(int(found[3]), MONTHS.index(found[2]) + 1, int(found[1]))  # noqa: DTZ001 - the zone is below
        datetime(2000, 1, 1, int(found[4]), int(found[5]))  # noqa: DTZ001 - only whether there is such a time
    except ValueError:
        return None
    zone = (1 if found[7] == "+" else -1) * (int(found[8]) * 60 + int(found[9]))
    seconds = (day.toordinal() - 719_163) * 86_400 + int(found[4]) * 3600 + int(found[5]) * 60 + int(found[6])
    is_possible = seconds - zone * 60 >= 86_400  # the second day of 1970
    return ((seconds - zone * 60) * 1_000_000, zone) if is_possible else None


def naive(line: str) -> dict[str, Any] | None:
    found = NAIVE.fullmatch(line)
    time = naive_time(found["time"]) if found else None
    if not found or not time:
        return None
    request = re.fullmatch(r"([A-Z]{3}[^ ]{0,29}) (.+) (HTTP/(?:...|.))", found["request"], re.ASCII | re.DOTALL)
    method, path, protocol = request.groups() if request else (None, found["request"], None)
    return {
        "client": found["client"],
        "ident": found["ident"],
        "remote_user": found["user"],
        "time": time[0],
        "zone": time[1],
        "method": method,
        "path": path,
        "protocol": protocol,
        "status": int(found["status"]),
        "bytes": None if found["bytes"] == "-" else int(found["bytes"]),
        "referer": found["referer"],
        "agent": found["agent"],
    }


@given(lines=st.lists(near_lines(ACCESS_FORMATS["combined"]), max_size=8))
def test_well_formed_lines_mean_what_a_naive_reader_says(lines: list[bytes]) -> None:
    combined = ACCESS_FORMATS["combined"]
    for row, line in zip(parsed(combined, b"".join(lines)), lines, strict=True):
        expected = naive(re.sub(r"\r?\n\Z", "", line.decode("utf-8", "replace")))
        if expected:
            assert {name: row[name] for name in expected} == expected
            assert row["parsed"]


@pytest.mark.parametrize("time", TIMES)
def test_a_time_is_one_of_the_calendar_or_absurd_or_the_line_does_not_parse(time: bytes) -> None:
    row = one(ACCESS_FORMATS["common"], b'::1 - - [%b] "GET / HTTP/1.0" 200 5\n' % time)
    expected = naive_time(time.decode())
    assert (row["time"], row["zone"]) == (expected or (None, None))
    months = "|".join(MONTHS).encode()
    assert row["parsed"] == bool(re.fullmatch(rb"\d\d/(%b)/\d{4}(:\d\d){3} [+-]\d{4}" % months, time, re.ASCII))
    assert row["absurd"] == (row["parsed"] and expected is None)


def test_a_time_more_than_a_day_ahead_is_absurd_and_the_line_is_kept() -> None:
    line = b'::1 - - [%b] "GET / HTTP/1.0" 200 5\n'
    data = line % b"23/Nov/2026:12:00:00 +0000" + line % b"23/Nov/2026:12:00:01 +0000"
    frame = ACCESS_FORMATS["common"].parse(split(data), None, Receipt(1_795_348_800_000_000))  # 2026-11-22T12:00:00Z
    assert frame["absurd"].to_list() == [False, True]
    assert frame["parsed"].all()
    assert [raw is not None for raw in frame["raw"]] == [False, True]
    assert b"".join(render(ACCESS_FORMATS["common"], frame).to_list()) == data


# --- facts of the protocol ---

STAMP = b"[10/Oct/2000:13:55:36 -0700]"


def combined(
    request: bytes = b"GET / HTTP/1.1", *, head: bytes = b"192.0.2.1 - -", rest: bytes = b'200 5 "-" "x"'
) -> bytes:
    return b'%b %b "%b" %b\n' % (head, STAMP, request, rest)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(combined(), {"method": "GET", "path": "/", "protocol": "HTTP/1.1"}, id="a plain request"),
        pytest.param(
            combined(b"\\x16\\x03\\x01\\x02\\x00", rest=b'400 226 "-" "-"'),
            {"method": None, "path": "\\x16\\x03\\x01\\x02\\x00", "protocol": None, "status": 400, "bytes": 226},
            id="TLS on a plain port, escaped",
        ),
        pytest.param(
            combined(b"\x16\x03\x01\x02", rest=b'400 226 "-" "-"'),
            {"method": None, "path": "\x16\x03\x01\x02", "raw": None},
            id="TLS on a plain port, raw bytes",
        ),
        pytest.param(
            combined(b"-", rest=b'408 0 "-" "-"'), {"method": None, "path": "-", "status": 408}, id="a timeout"
        ),
        pytest.param(
            combined(b"", rest=b'400 0 "-" "-"'), {"method": None, "path": "", "status": 400}, id="nothing asked for"
        ),
        pytest.param(combined(b"GET /"), {"method": None, "path": "GET /", "protocol": None}, id="HTTP/0.9"),
        pytest.param(combined(b"GET  HTTP/1.1"), {"method": None, "path": "GET  HTTP/1.1"}, id="an empty path"),
        pytest.param(combined(b"GET HTTP/1.1"), {"method": None, "path": "GET HTTP/1.1"}, id="no path"),
        pytest.param(combined(b"GET / HTTP/3"), {"method": "GET", "protocol": "HTTP/3"}, id="HTTP/3"),
        pytest.param(combined(b"GET /a b HTTP/1.1"), {"method": "GET", "path": "/a b"}, id="a blank in the path"),
        pytest.param(
            combined(b"CONNECT example.com:443 HTTP/1.1"),
            {"method": "CONNECT", "path": "example.com:443"},
            id="CONNECT",
        ),
        pytest.param(combined(head=b"::1 - -"), {"client": "::1"}, id="IPv6"),
        pytest.param(combined(head=b"fe80::1%eth0 - -"), {"client": "fe80::1%eth0"}, id="IPv6 with a zone"),
        pytest.param(combined(head=b"crawl.example.com - -"), {"client": "crawl.example.com"}, id="a host name"),
        pytest.param(combined(head=b"192.0.2.1:4711 - -"), {"client": "192.0.2.1:4711"}, id="address and port"),
        pytest.param(combined(b"GET /\\x22a\\x5C HTTP/1.1"), {"path": "/\\x22a\\x5C", "raw": None}, id="nginx escapes"),
        pytest.param(combined(b'GET /\\"a\\" HTTP/1.1'), {"path": '/\\"a\\"', "raw": None}, id="Apache's quotes"),
        pytest.param(
            combined(rest=b'200 5 "-" "ends in a backslash \\\\"'),
            {"agent": "ends in a backslash \\\\", "raw": None},
            id="Apache's backslash before the closing quote",
        ),
        pytest.param(
            combined(rest=b'200 5 "a\\\\" "b"'), {"referer": "a\\\\", "agent": "b"}, id="the same before another field"
        ),
        pytest.param(combined(head=b"::1 - Frank Miller"), {"remote_user": "Frank Miller"}, id="a user with a blank"),
        pytest.param(combined(head=b'::1 - ""'), {"remote_user": '""'}, id="an empty user"),
        pytest.param(
            combined(rest=b'200 5 "-" "the "best" browser"'),
            {"agent": 'the "best" browser', "status": 200, "raw": None},
            id="unescaped quotes in the agent",
        ),
        pytest.param(
            combined(b'GET /?q="a" HTTP/1.1'), {"path": '/?q="a"', "status": 200, "agent": "x"}, id="and in the path"
        ),
        pytest.param(combined(rest=b'200 - "-" "x"'), {"bytes": None, "raw": None}, id="no bytes"),
        pytest.param(
            combined(rest=b'200 007 "-" "x"'),
            {"bytes": 7, "raw": combined(rest=b'200 007 "-" "x"')[:-1]},
            id="leading zeros",
        ),
        pytest.param(
            combined(rest=b'200 9999999999999999 "-" "x"'),
            {"bytes": 9_999_999_999_999_999, "parsed": True},
            id="16 digits",
        ),
        pytest.param(combined(rest=b'200 12345678901234567 "-" "x"'), {"bytes": None, "parsed": False}, id="17 digits"),
        pytest.param(combined(rest=b'099 5 "-" "x"'), {"status": 99, "raw": None}, id="status with a leading zero"),
        pytest.param(combined(rest=b'2000 5 "-" "x"'), {"status": None, "parsed": False}, id="status with four digits"),
        pytest.param(combined(rest=b'200 5 "" ""'), {"referer": "", "agent": "", "raw": None}, id="empty fields"),
        pytest.param(combined(rest=b'200 5 "-" "\xff"'), {"agent": "\ufffd", "parsed": True}, id="invalid UTF-8"),
        pytest.param(combined().replace(b"\n", b"\r\n"), {"ending": 1, "agent": "x", "raw": None}, id="CRLF"),
        pytest.param(combined()[:-1], {"ending": 2, "raw": None}, id="no newline"),
        pytest.param(combined(rest=b'200 5 "-" "x" 0.001'), {"parsed": False}, id="more than the format has"),
        pytest.param(combined(rest=b"200 5"), {"parsed": False}, id="less than the format has"),
        pytest.param(b"\n", {"parsed": False, "raw": b""}, id="an empty line"),
    ],
)
def test_facts_of_access_logs(line: bytes, expected: dict[str, Any]) -> None:
    row = one(ACCESS_FORMATS["combined"], line)
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize("host", ["example.com:443", "example.com", "[2001:db8::1]:443"])
def test_a_virtual_host_stands_in_front(host: str) -> None:
    row = one(ACCESS_FORMATS["vhost_combined"], host.encode() + b" " + combined())
    assert (row["host"], row["client"], row["status"]) == (host, "192.0.2.1", 200)


@pytest.mark.parametrize(
    ("field", "text", "micros"),
    [
        ("duration", b"0.042", 42_000),
        ("duration", b"999999999.999", 999_999_999_999_000),
        ("duration", b"-", None),
        ("duration_s", b"3", 3_000_000),
        ("duration_s", b"9999999999", 9_999_999_999_000_000),
        ("duration_ms", b"42", 42_000),
        ("duration_ms", b"9999999999999", 9_999_999_999_999_000),
        ("duration_us", b"42", 42),
        ("duration_us", b"9999999999999999", 9_999_999_999_999_999),
        ("duration_us", b"-", None),
    ],
)
def test_a_duration_is_stored_in_microseconds_and_written_back(field: str, text: bytes, micros: int | None) -> None:
    row = one(Template("custom", f"{{client}} {{{field}}}"), b"::1 " + text + b"\n")
    assert (row["duration"], row["parsed"], row["raw"]) == (micros, True, None)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        *(("bytes", b"007"), ("bytes", b"00"), ("duration", b"00.042"), ("duration_s", b"03")),
        *(("duration_ms", b"042"), ("duration_us", b"00042"), ("time", b"[09/May/2018:16:00:60 +0000]")),
        *(("time", b"[09/May/2018:16:00:39 -0000]"), ("time_iso", b"2018-05-09T16:00:39-00:00")),
    ],
)
def test_what_is_read_but_would_be_written_otherwise_is_kept_as_it_came(field: str, text: bytes) -> None:
    inner = f"{{{field}}}" if field != "time" else "[{time}]"
    row = one(Template("custom", f"{{client}} {inner}"), b"::1 " + text + b"\n")
    assert (row["parsed"], row["raw"]) == (True, b"::1 " + text)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("duration", b"9999999999.000"),
        ("duration", b"9999999999999999.999"),
        ("duration", b"1.5"),
        ("duration_s", b"99999999999"),
        ("duration_ms", b"99999999999999"),
        ("duration_ms", b"9999999999999999"),
        ("duration_us", b"99999999999999999"),
    ],
)
def test_a_duration_too_large_to_store_is_a_line_that_does_not_parse(field: str, text: bytes) -> None:
    row = one(Template("custom", f"{{client}} {{{field}}}"), b"::1 " + text + b"\n")
    assert (row["duration"], row["parsed"], row["raw"]) == (None, False, b"::1 " + text)


def test_fields_without_a_column_are_a_json_object() -> None:
    template = Template("custom", '{status} {trace} "{upstream}"')
    row = one(template, '200 a"b\\ "é\x01\t"\n'.encode())
    assert json.loads(row["attributes"]) == {"trace": 'a"b\\', "upstream": "é\x01\t"}


# --- lines that once led out of the chunk ---


@pytest.mark.parametrize("last", ["{rest}", "{agent}", "{request}", "{bytes}"])
@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"abc\nd 5\n", [False, True]), (b"abc", [False]), (b"\n\n 5", [False, False, True]), (b"abc\n", [False])],
)
def test_a_last_field_does_not_begin_on_the_next_line(last: str, data: bytes, expected: list[bool]) -> None:
    template = Template("custom", "{client} " + last)
    assert [row["parsed"] for row in parsed(template, data)] == expected
    assert written_back(template, data) == data


def test_a_quote_on_the_next_line_does_not_end_a_field_of_this_one() -> None:
    template = Template("custom", '{client}"{rest}')
    assert [row["parsed"] for row in parsed(template, b'abc\nd"5\n')] == [False, True]


def test_an_escaped_quote_does_not_end_a_field_even_where_the_rest_would_fit() -> None:
    row = one(Template("custom", '{status} "{agent}" {referer}'), b'200 "y\\" z" w\n')
    assert (row["agent"], row["referer"]) == ('y\\" z', "w")


def test_blanks_within_a_time_are_counted_before_the_next_blank_is_looked_for() -> None:
    template = Template("custom", "{client} {time} {user} {agent}")
    line = b"::1 10/Oct/2000:13:55:36 -0700 frank two words\n"
    starts, ends, valid = template._cut_at_literals(Scanner(split(line)))
    assert valid.all()
    cut = [line[start:end] for (start,), (end,) in zip(starts, ends, strict=True)]
    assert cut == [b"::1", b"10/Oct/2000:13:55:36 -0700", b"frank", b"two words"]


# --- templates that are none ---


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("", 0, "no field"),
        ("no fields", 9, "no field"),
        ("{{client}}", 10, "no field"),
        ("{client", 0, "without its partner"),
        ("{client} }", 9, "without its partner"),
        ("{client} {", 9, "without its partner"),
        ("{client} {}", 10, "a field named ''"),
        ("{client} {Status}", 10, "a field named 'Status'"),
        ("{client} {a b}", 10, "a field named 'a b'"),
        ("{client} {1st}", 10, "a field named '1st'"),
        ("{client}\n{status}", 8, "a newline"),
        ("{client}{agent}", 8, "side by side"),
        ("{status} {client}{x}", 17, "side by side"),
        ("{client} {client}", 9, "both fill the column 'client'"),
        ("{time} {time_iso}", 7, "both fill the column 'time'"),
        ("{request} {path}", 10, "both fill the column 'path'"),
        ("{duration} {duration_us}", 11, "both fill the column 'duration'"),
        ("{trace} {trace}", 8, "both fill the column"),
    ],
)
def test_an_error_in_a_template_is_pointed_at(text: str, at: int, message: str) -> None:
    with pytest.raises(TemplateError, match=message) as caught:
        Template("custom", text)
    assert caught.value.at == at
    *_, shown, caret = str(caught.value).split("\n")
    assert shown == "  " + text.replace("\n", " ")
    assert caret == " " * (at + 2) + "^"


def test_a_field_of_fixed_width_may_stand_beside_the_next() -> None:
    assert one(Template("custom", "{status}{bytes}"), b"200123\n")["bytes"] == 123


def test_fitting_tells_well_behaved_lines_from_tolerated_ones() -> None:
    data = combined() + combined(rest=b'200 5 "-" "the "best" browser"') + b"nothing\n"
    assert ACCESS_FORMATS["combined"].fitting(split(data)) == (1, 2)
