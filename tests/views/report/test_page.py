"""The page, read by a parser of HTML: text of a log is text in it, whatever it holds."""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heeler.views.escape import printable
from heeler.views.report.model import Report
from heeler.views.report.page import as_html

Made = Callable[..., Report]

TAGS = re.compile(
    "html|head|meta|title|style|body|h1|h2|dl|div|dt|dd|svg|text|rect|line|path|table|thead|tbody|tr|t[hd]"
)
ATTRIBUTES = re.compile(
    "lang|charset|http-equiv|content|name|id|class|xmlns|viewbox|role|aria-label|[xy][12]?|width|height|d|text-anchor"
)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</td></table><svg onload=alert(1)>",
    "</title></style><!--",
    "&lt;b&gt;&#0;\x00\x1b[2J\u202e",
    "javascript:alert(1)",
]


class Reader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.cells: list[str] = []
        self.texts: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")
        if tag == "td":
            self.cells.append("")
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        self.texts[inside] = self.texts.get(inside, "") + data
        if inside == "td":
            self.cells[-1] += data


def with_text(report: Report, text: str) -> Report:
    """Put a text wherever a report has text of a log."""
    tables = {
        name: pl.concat(
            [frame, pl.DataFrame({key: [text] for key in texts}, schema=dict.fromkeys(texts, pl.String))],
            how="diagonal",
        )
        for name, frame in report.tables.items()
        if (texts := [key for key, dtype in frame.schema.items() if dtype == pl.String])
    }
    return replace(report, query=text, tables={**report.tables, **tables})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    text=st.one_of(
        st.sampled_from(HOSTILE), st.text(alphabet=st.sampled_from("<>&\"'=/ -!ab;#x\x00\n\u202e"), max_size=40)
    )
)
def test_text_of_a_log_is_text_in_the_page(made: Made, text: str) -> None:
    page = as_html(with_text(made([("/", 3)], [(2, 1, 0)]), text))
    read = Reader(page)

    assert [tag for tag in read.tags if not TAGS.fullmatch(tag)] == []
    assert [name for name in read.attributes if not ATTRIBUTES.fullmatch(name)] == []
    assert read.cells.count(printable(text)) >= 8
    assert read.texts["h1"].startswith(printable(f"Report of {text}: ") if text else "Report: ")
    assert not {"\x00", "\x1b", "\u202e"} & set(page)


def test_the_policy_allows_the_style_of_the_page_and_nothing_else(made: Made) -> None:
    read = Reader(as_html(made([("/", 3)], [(2, 1, 0)])))
    policy = next(value for value in read.attributes["content"] if "default-src" in value)
    digest = base64.b64encode(hashlib.sha256(read.texts["style"].encode()).digest()).decode()

    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_it_loads_nothing(made: Made) -> None:
    page = as_html(made([("http://192.0.2.1/x.js", 3)], [(2, 1, 0)]))

    assert not re.search(r"<(?:script|link|img|iframe|object)|\b(?:src|href|style)=|url\(|@import", page)
    assert "prefers-color-scheme: dark" in page


@pytest.mark.parametrize("counts", [[], [(0, 0, 0)], [(1, 2, 3)] * 120])
def test_any_length_of_period_is_a_page(made: Made, counts: list[tuple[int, int, int]]) -> None:
    read = Reader(as_html(made([], counts)))

    assert read.texts["dd"].startswith(f"{sum(map(sum, counts)):,}")
