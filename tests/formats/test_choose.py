"""Which format a file has: by name, by its own text, and by its first lines; on samples from other projects."""

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

from heeler.errors import TemplateError, UsageError
from heeler.formats.access import ACCESS_FORMATS, COMBINED, COMMON
from heeler.formats.choose import (
    FORMATS,
    Formats,
    best_guess,
    format_named,
    format_of,
    formats_with,
    guesses,
    is_binary,
)
from heeler.formats.definitions import catalog_entries
from heeler.formats.lines import split

OURS = Path(__file__).parents[1] / "data"
SHARED = Path(__file__).parents[3] / "shared" / "data"
SAMPLES = SHARED if SHARED.is_dir() else OURS
"""The larger collection of samples stands beside the repository where this is developed; a clone has a few of them."""

STAMP = b"[10/Oct/2000:13:55:36 -0700]"
LINES = {
    "common": b'192.0.2.1 - - %b "GET / HTTP/1.1" 200 5\n' % STAMP,
    "combined": b'192.0.2.1 - - %b "GET / HTTP/1.1" 200 5 "-" "x"\n' % STAMP,
    "vhost_common": b'example.com:80 192.0.2.1 - - %b "GET / HTTP/1.1" 200 5\n' % STAMP,
    "vhost_combined": b'example.com:80 192.0.2.1 - - %b "GET / HTTP/1.1" 200 5 "-" "x"\n' % STAMP,
    "nginx_main": b'192.0.2.1 - - %b "GET / HTTP/1.1" 200 5 "-" "x" "192.0.2.9"\n' % STAMP,
}


def test_every_built_in_format_has_a_line_here() -> None:
    assert set(LINES) == set(ACCESS_FORMATS)


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("times", [1, 50])
def test_a_file_is_recognised_by_its_lines(name: str, times: int) -> None:
    first, *others = guesses(split(LINES[name] * times))
    assert (first.format.name, first.rate) == (name, 1.0)
    assert all(guess.rate * FORMATS.weight(guess.format.name) <= 0.9 for guess in others)


@pytest.mark.parametrize("name", LINES)
def test_some_lines_that_do_not_parse_lower_the_rate_and_change_nothing_else(name: str) -> None:
    first, *_ = guesses(split(LINES[name] * 8 + b"nothing\n\n"))
    assert (first.format.name, first.rate) == (name, 0.8)


def test_unescaped_quotes_in_a_few_agents_leave_the_format_what_it_is() -> None:
    quoted = LINES["combined"].replace(b'"x"', b'"the "best" browser"')
    first, *_ = guesses(split(LINES["combined"] * 9 + quoted))
    assert first.format.name == "combined"
    assert guesses(split(quoted))[0].format.name == "combined"


OF_CATALOG = {
    name: split("".join(sample["line"] + "\n" for sample in entry["samples"]).encode())
    for name, entry in catalog_entries().items()
}


@pytest.mark.parametrize("name", OF_CATALOG)
def test_the_best_guess_is_the_first_of_all_guesses(name: str) -> None:
    best, (first, *_) = best_guess(OF_CATALOG[name]), guesses(OF_CATALOG[name])
    assert best is not None
    assert (best.format.name, best.format.text, best.rate) == (first.format.name, first.format.text, first.rate)


def test_formats_that_cannot_be_better_are_not_even_made() -> None:
    formats = Formats()
    assert format_of(LINES["combined"] * 9, formats).name == "combined"
    assert format_of(OF_CATALOG["syslog"].data, formats).name == "syslog"
    assert not {"stamped", "python", "postgresql"} & formats._made.keys()


def test_a_format_that_fits_too_much_is_not_the_best_although_it_stands_first_and_fits_all() -> None:
    formats = formats_with({"vague": {"pattern": "(?<message>.*)", "weight": 0.95}})
    best = best_guess(split(LINES["combined"] * 9), formats)
    assert best is not None
    assert best.format.name == "combined"


def test_what_an_entry_of_ones_own_says_of_its_format_counts() -> None:
    own = {"mine": {"title": "ours", "pattern": "(?<message>.*)", "weight": 0.2, "carries": True}}
    formats = formats_with(own)
    assert (formats.title("mine"), formats.weight("mine"), formats.carries("mine")) == ("ours", 0.2, True)
    assert guesses(OF_CATALOG["syslog"], formats)[0].format.name == "syslog"
    assert format_named("mine", formats) is formats["mine"]
    assert [*formats] == ["mine", *FORMATS]
    assert len(formats) == len([*formats])


@pytest.mark.parametrize("data", [b"", b"\n", b"nothing\n" * 5, b"\0\1\2", b"\xff\xfe\n"])
def test_of_what_is_no_access_log_nothing_is_guessed(data: bytes) -> None:
    assert guesses(split(data)) == []


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_found_by_its_name(name: str) -> None:
    assert format_named(name) is FORMATS[name]
    assert FORMATS[name].name == name


@pytest.mark.parametrize(
    ("text", "close"),
    [("combned", "combined"), ("comon", "common"), ("vhost-combined", "vhost_combined"), ("plane", "plain")],
)
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(text: str, close: str) -> None:
    with pytest.raises(UsageError, match=f"There is no format named '{text}'. Did you mean '{close}'?"):
        format_named(text)


@pytest.mark.parametrize("text", ["", "xyzzy", "!", "nginx log"])
def test_of_a_name_that_is_far_from_all_the_known_ones_are_told(text: str) -> None:
    with pytest.raises(UsageError, match="Known are combined, common") as caught:
        format_named(text)
    assert "Did you mean" not in str(caught.value) or text == "nginx log"


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("{client} {status}", "{client} {status}"),
        ("$remote_addr {$status}", "{client} {{{status}}}"),
        ("%h %>s", "{client} {status}"),
        ("%h %{Referer}i", "{client} {referer}"),
    ],
)
def test_a_format_is_made_of_its_own_text(text: str, template: str) -> None:
    assert (format_named(text).name, format_named(text).text) == ("custom", template)


@pytest.mark.parametrize("text", ["{client", "100 %", "$", "costs $5", "%{%s}t", "{}"])
def test_a_text_that_is_nearly_a_format_is_answered_with_a_place(text: str) -> None:
    with pytest.raises(TemplateError, match=r"\n +\^$"):
        format_named(text)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", False),
        (b"text\n", False),
        (b"caf\xe9\n", False),
        (b"a\0", True),
        (bytes(1), True),
        (b"x" * 8191 + b"\0", True),
        (b"x" * 8192 + b"\0", False),
    ],
)
def test_a_nul_near_the_beginning_is_no_text(data: bytes, *, expected: bool) -> None:
    assert is_binary(data) is expected


# --- samples of other projects ---

RECOGNISED = {
    "access/semicomplete_2015_combined.log": ("combined", 7000, 7000),
    "crowdsec/apache2-logs/apache2-logs.log": ("combined", 6, 9),
    "crowdsec/apache2-malformed/apache2-logs.log": ("combined", 11, 11),
    "crowdsec/nginx-http-malformed/nginx_http-logs.log": ("combined", 12, 12),
    "crowdsec/nginx-http-path-traversal/nginx-http-path-traversal.log": ("combined", 9, 9),
    "crowdsec/nginx-http-sqli-probing/nginx-http-sqli-probing.log": ("combined", 16, 16),
    "crowdsec/nginx-http-xss-probing/nginx-http-xss-probing.log": ("combined", 26, 26),
    "crowdsec/nginx_http-logs/nginx_http-logs.log": ("combined", 7, 9),
    "crowdsec/apache-cve-2021-41773/apache-cve-2021-41773.log": ("common", 2, 3),
    "crowdsec/apache_log4j2_cve-2021-44228/apache_log4j2_cve-2021-44228.log": ("combined", 3, 5),
    "lnav/logfile_access_log.0": ("combined", 3, 3),
    "lnav/logfile_access_log.1": ("combined", 1, 1),
    "lnav/logfile_bad_access_log.0": ("combined", 2, 3),
    "lnav/logfile_shop_access_log.0": ("nginx_main", 1000, 1000),
}
"""The format of each sample, how many of its lines parse, and how many it has."""


@pytest.mark.parametrize("sample", [name for name in RECOGNISED if (SAMPLES / name).is_file()])
def test_a_sample_is_recognised_and_parses(sample: str) -> None:
    name, parsed, count = RECOGNISED[sample]
    lines = split((SAMPLES / sample).read_bytes())
    first, *_ = guesses(lines)
    assert (first.format.name, len(lines)) == (name, count)
    assert first.format.parse(lines, ())["parsed"].sum() == parsed


@pytest.mark.parametrize("sample", ["syslog-logs", "sshd-logs", "sshd-success-logs"])
def test_a_sample_that_is_no_access_log_is_not_taken_for_one(sample: str) -> None:
    file = SAMPLES / "crowdsec" / sample / f"{sample}.log"
    if not file.is_file():
        pytest.skip("this sample is not in tests/data")
    first, *_ = guesses(split(file.read_bytes()))
    assert (first.format.name, first.format.table) == ("syslog", "log")


EXPECTED = re.compile(r'results\["s01-parse"\]\["([^"]+)"\]\[(\d+)\]\.Evt\.Parsed\["(\w+)"\] == (".*")')
COLUMN_OF = {
    "remote_addr": "client",
    "remote_user": "remote_user",
    "verb": "method",
    "request": "path",
    "status": "status",
    "body_bytes_sent": "bytes",
    "http_referer": "referer",
    "http_user_agent": "agent",
}


@pytest.mark.parametrize("sample", ["nginx_http-logs", "nginx-http-malformed", "nginx-proxy-manager-malformed"])
def test_fields_are_those_that_another_parser_reads(sample: str) -> None:
    file = SAMPLES / "crowdsec" / sample / "parser.assert"
    if not file.is_file():
        pytest.skip("this sample is not in tests/data")
    expected: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for found in map(EXPECTED.fullmatch, file.read_text().splitlines()):
        if found:
            expected[found[1], found[2]][found[3]] = json.loads(found[4])
    checked, wrong = 0, []
    for (_, number), fields in expected.items():
        line = split(fields.get("message", "").encode())
        formats = [written for written in ACCESS_FORMATS.values() if written.parse(line, ())["parsed"].any()]
        if not formats or "status" not in fields:
            continue
        (row,) = formats[0].parse(line).to_dicts()
        for name, column in COLUMN_OF.items():
            text = "-" if row[column] is None and column == "bytes" else str(row[column] or "")
            if name in fields and not fields.get("target_fqdn"):
                checked += 1
                wrong += [(sample, number, name)] if text != fields[name] else []
    assert wrong == []
    assert checked >= 32


def test_the_names_of_the_constants_are_the_formats() -> None:
    assert (ACCESS_FORMATS["common"].text, ACCESS_FORMATS["combined"].text) == (COMMON, COMBINED)
