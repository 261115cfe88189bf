"""The section of a request: what stands before the second slash of its path, whatever the path looks like."""

import re

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.lines import split
from heeler.formats.section import INVALID, sections
from heeler.formats.template import Template

PATHS = [
    ("/pages/create", "/pages"),
    ("/report", "/report"),
    ("/", "/"),
    ("/api/user", "/api"),
    ("/api/user?x=/y/z", "/api"),
    ("/api?x=/y/z", "/api"),
    ("/?a=b", "/"),
    ("/#top", "/"),
    ("/a#b/c", "/a"),
    ("/a%2Fb/c", "/a%2Fb"),
    ("//a//b", "/a"),
    ("///", "/"),
    ("//", "/"),
    ("//?a", "/"),
    ("/../../etc/passwd", "/.."),
    ("/./a", "/."),
    ("/.env", "/.env"),
    ("/a;b=c/d", "/a;b=c"),
    ("/a b/c", "/a b"),
    ("/ /c", "/ "),
    ("/caf\u00e9/x", "/caf\u00e9"),
    ("/\\x22/x", "/\\x22"),
    ('/\\"a/x', '/\\"a'),
    ("/twelve-bytes/x", "/twelve-bytes"),
    ("/" + "x" * 5000 + "/y", "/" + "x" * 5000),
    ("/" + "x" * 15 + "/y", "/" + "x" * 15),
    ("/" + "x" * 63 + "/y", "/" + "x" * 63),
    ("http://example.com/a/b", "/a"),
    ("http://example.com", "/"),
    ("http://example.com/", "/"),
    ("http://example.com?a=/b", "/"),
    ("http://example.com//a/b", "/a"),
    ("HTTPS://example.com:443/a", "/a"),
    ("http:///a/b", "/a"),
    ("example.com:443", "example.com:443"),
    ("*", "*"),
    ("a/b", "a"),
    ("${jndi:ldap://192.0.2.1/a}", "${jndi:ldap:"),
]


def of_path(path: str) -> str:
    """Return the section by the rule as one would write it for one path."""
    scheme = re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*", path)
    if scheme:
        path = "/" + path[scheme.end() :].lstrip("/")
    path = re.sub("^/+", "/", path)
    path = re.split("[?#]", path)[0]
    return path[0] + path[1:].split("/")[0] if path else ""


def read(method: str | None, path: str) -> str | None:
    frame = pl.DataFrame({"method": [method], "path": [path]}, {"method": pl.String, "path": pl.String})
    section: str | None = sections(frame)[0]
    return section


def in_line(request: str) -> bytes:
    return f'::1 - - [10/Oct/2000:13:55:36 -0700] "{request}" 200 5\n'.encode()


def read_from_lines(*requests: str) -> list[str | None]:
    lines = split(b"".join(map(in_line, requests)))
    return ACCESS_FORMATS["common"].parse(lines, ("section",))["section"].to_list()


@pytest.mark.parametrize(("path", "section"), PATHS)
def test_a_path_has_one_section_read_from_columns_or_from_lines(path: str, section: str) -> None:
    assert read("GET", path) == section
    assert read_from_lines(f"GET {path} HTTP/1.1") == [section]
    assert of_path(path) == section


def test_the_sections_of_many_lines_are_those_of_each() -> None:
    requests = [f"GET {path} HTTP/1.1" for path, _ in PATHS]
    malformed = ["-", "", "GET /", "\\x16\\x03", "get /a HTTP/1.1"]
    mixed = [text for pair in zip(requests, malformed * 9, strict=False) for text in pair]
    expected = [text for pair in zip([section for _, section in PATHS], [INVALID] * 45, strict=False) for text in pair]
    assert read_from_lines(*mixed) == expected


@pytest.mark.parametrize("path", ["", "-", "/", "/a/b", "\\x16\\x03\\x01"])
def test_a_malformed_request_is_in_no_section(path: str) -> None:
    assert read(None, path) == INVALID


@pytest.mark.parametrize(
    "request_text", ["", "-", "GET /", "GET", "\\x16\\x03\\x01", "get /a HTTP/1.1", "GET  HTTP/1.1"]
)
def test_a_malformed_request_line_is_in_no_section(request_text: str) -> None:
    assert read_from_lines(request_text) == [INVALID]


def test_a_line_that_does_not_parse_has_no_section_of_its_own() -> None:
    lines = split(in_line("GET /a/b HTTP/1.1") + b"nothing\n" + in_line("GET /b HTTP/1.1"))
    frame = ACCESS_FORMATS["common"].parse(lines, ("section",))
    assert frame.filter("parsed")["section"].to_list() == ["/a", "/b"]


def test_nothing_asked_is_nothing_answered() -> None:
    assert sections(pl.DataFrame(schema={"method": pl.String, "path": pl.String})).to_list() == []
    assert read_from_lines() == []


SEGMENTS = st.sampled_from(
    ["/", "//", "a", "?", "#", "http://", "é", "x" * 14, "x" * 70, ".", ":", "*", " ", "\\", "%"]
)


@given(paths=st.lists(st.lists(SEGMENTS, min_size=1, max_size=7).map("".join), max_size=5))
@example(paths=["?a=b"])
@example(paths=["/a", "http://x"])
def test_any_path_has_the_section_of_the_rule(paths: list[str]) -> None:
    expected = [of_path(path) for path in paths]
    assert [read("GET", path) for path in paths] == expected
    whole = [path for path in paths if path.strip(" ")]
    assert read_from_lines(*(f"GET {path} HTTP/1.1" for path in paths if path.strip(" "))) == [
        of_path(path) for path in whole
    ]


def test_a_format_with_a_field_for_the_path_alone_has_sections_too() -> None:
    template = Template("custom", "{method} {path} {status}")
    frame = template.parse(split(b"GET /a/b 200\n"))
    assert sections(frame).to_list() == ["/a"]
