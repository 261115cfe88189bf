"""Random records: lines of several formats, read as a lake reads them, and random queries that may find some."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl
from hypothesis import strategies as st
from query_oracle import Record

from heeler.formats import Format
from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.choose import PLAIN
from heeler.formats.lines import Lines, split
from heeler.formats.template import Template
from heeler.formats.timestamps import Receipt
from heeler.query import tree
from heeler.store import Batch
from heeler.store.records import completed, numbered


class Verbatim:
    """Lines that stand as they are in ``attributes``, as those of JSON and logfmt do."""

    name = "verbatim"
    text = "{attributes}"
    table = "log"
    columns: tuple[str, ...] = ("attributes", "message")
    offers = frozenset(columns)

    def parse(
        self, lines: Lines, columns: Collection[str] | None = None, receipt: Receipt | None = None
    ) -> pl.DataFrame:
        del receipt
        del columns
        frame = PLAIN.parse(lines)
        # A copy of a part of the line, as typed columns are, that is not written again.
        return frame.rename({"message": "attributes"}).with_columns(message=pl.lit("Zebra crossing"))

    def rendered(self) -> pl.Expr:
        return pl.col("attributes")


FORMATS: dict[int, Format] = {
    1: ACCESS_FORMATS["combined"],
    2: ACCESS_FORMATS["common"],
    3: Template("glued", "v{client}_{status}k {trace} {duration}"),
    4: PLAIN,
    5: Verbatim(),
    6: Template("messages", "{time_iso} {host} {message}", "log"),
}
TABLES = {"access": (1, 2, 3), "log": (4, 5, 6)}

_WORDS = (
    "GET get users \u212aey key \u0130d id É é a_b 200 20 0 10.0.0.1 2001:db8::5 Nov ov/20 25/ +0100 /api timed out"
)
words = st.sampled_from([*_WORDS.split(), '"', " ", "/", "=", "-", "\\", "[", "1.1", "\ufffd", "'"])
texts = st.lists(words, min_size=1, max_size=3).map("".join)
clients = st.sampled_from(
    ["10.0.0.1", "10.200.3.4", "192.0.2.7", "2001:db8::5", "2001:DB8:0:0:0:0:0:5", "host.example", "-"]
)
paths = st.sampled_from(["/", "/api/users", "/API/users?id=200", "/key/\u212aey", "/a b", "/é", '/\\"x'])
agents = st.sampled_from(["-", "Mozilla/5.0 (timed out)", "key id", "É\u0130", "", "a_b GET"])


@st.composite
def _access(draw: st.DrawFn) -> bytes:
    method, path = draw(st.sampled_from(["GET", "POST", ""])), draw(paths)
    minute, status = draw(st.integers(0, 3)), draw(st.sampled_from([200, 404, 503]))
    size, agent = draw(st.sampled_from(["0", "200", "-", "4521"])), draw(st.none() | agents)
    request = f"{method} {path} HTTP/1.1" if method else path
    line = f'{draw(clients)} - bob [25/Nov/2026:10:{minute:02}:40 +0100] "{request}" {status} {size}'
    return (line if agent is None else f'{line} "-" "{agent}"').encode()


access_lines = _access()
glued_lines = st.builds(
    lambda client, status, trace, duration: f"v{client}_{status}k {trace} {duration}".encode(),
    clients,
    st.sampled_from([200, 404]),
    st.sampled_from(["key", "id_200", "é", "-"]),
    st.sampled_from(["0.042", "1.500", "-"]),
)
message_lines = st.builds(lambda host, text: f"2026-11-25T10:00:40+01:00 {host} {text}".encode(), clients, texts)
json_lines = st.sampled_from(
    [
        b'{"user": {"id": 42}, "level": "timed out", "ok": true}',
        b'{"user.id": "42", "user": {"id": 7}, "n": 1.50, "key": null}',
        b'{"level": "k\\u0065y", "list": [1, 2], "n": 500}',
        b'{"broken": ',
        b'{"level": "\\"quoted\\"", "n": "0200", "key": ""}',
        b"level=timed user.id=42 n=500 ok",
        b"key=id key=200 level=",
    ]
)
any_lines = texts.map(str.encode) | st.binary(max_size=8).filter(lambda data: b"\n" not in data)
LINES = {1: access_lines, 2: access_lines, 3: glued_lines, 4: texts.map(str.encode), 5: json_lines, 6: message_lines}


@dataclass(frozen=True)
class Records:
    """Some records of a table: each as a line, and all as the frame that a lake has of them."""

    table: str
    frame: pl.DataFrame
    each: Sequence[Record]


@st.composite
def records(draw: st.DrawFn, table: str) -> Records:
    found = []
    for number in TABLES[table]:
        some = draw(st.lists(LINES[number] | any_lines, max_size=5))
        whole = [line for line in some if line and b"\n" not in line and not line.endswith(b"\r")]
        if whole:
            found.append(records_of(number, whole, draw(st.sampled_from(["web1", "web10", "key"]))))
    frame = pl.concat([one.frame for one in found]) if found else pl.DataFrame(schema={"format": pl.Int32})
    return Records(table, frame, [record for one in found for record in one.each])


def records_of(number: int, lines: Sequence[bytes], stream: str = "web1") -> Records:
    """Read lines as a format does, into the rows that a lake has of them."""
    known = FORMATS[number]
    read = known.parse(split(b"".join(line + b"\n" for line in lines)), known.columns)
    batch = Batch("file", "part", {}, "app", stream, known, read, 1_764_000_000_000_000, 0, 0, piece=False)
    frame = numbered(completed(batch, [number]).drop("continues"), (1, 2), None)
    each = [Record(line, row, known.name) for line, row in zip(lines, frame.iter_rows(named=True), strict=True)]
    return Records(known.table, frame, each)


pieces = st.sampled_from(
    ["GET", "k", "key", r"\d", r"\w", r"\s", r"\W", ".", "é", "[a-z]", "[^0-9]", r"\.", "0", r"\/", " "]
)
repeats = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,3}", "+?"])
simple = st.lists(st.builds("{}{}".format, pieces, repeats), min_size=1, max_size=3).map("".join)
alternatives = st.lists(simple, min_size=1, max_size=2).map("|".join)
# A repeat of repeats can take Python's engine, which the oracle uses, longer than there is time.
few_repeats = st.sampled_from(["", "?", "{2}"])
grouped = st.builds("{}({}){}{}".format, simple, alternatives, few_repeats, simple) | alternatives
edges = st.sampled_from(["{}", "^{}", "{}$", r"\b{}", r"{}\b", "(?i){}", r"(?i)\b{}"])
patterns = st.builds(lambda edge, text: edge.format(text), edges, grouped)


WHOLE = ["group", "stream", "format", "host", "client", "user", "method", "path", "protocol", "program", "ident", "pid"]
MORE = ["referer", "agent", "message", "user.id", "level", "n", "key", "ok", "list", "trace"]
values = (
    texts
    | clients
    | paths
    | agents
    | st.sampled_from(
        [
            "web1",
            "web",
            "combined",
            "plain",
            "42",
            "timed",
            "timed out",
            "500",
            "true",
            "1.50",
            "[1,2]",
            "0200",
            '"quoted"',
            "",
        ]
    )
)
numbers = st.sampled_from(["-60", "0", "60", "42", "200", "404", "500", "4521"])
fields = st.sampled_from(WHOLE + MORE)
number_fields = st.sampled_from(["status", "bytes", "zone", "seq", "severity"])
measured = number_fields | st.sampled_from(["n", "level", "pid", "user.id"])
seconds = st.sampled_from(["0.042", "1.5", "0.25"])
operators = st.sampled_from(["<", "<=", ">", ">="])
moments = st.sampled_from(["2026-11-25T09:01:00", "2026-11-25T09:02:40", "2026-11-25"])
networks = st.sampled_from(
    ["10.0.0.0/8", "10.128.0.0/9", "192.0.2.0/28", "2001:db8::/32", "2001:db8::4/126", "0.0.0.0/0"]
)


def _ordered(field: str, ends: Sequence[str]) -> tree.Range:
    low, high = sorted(ends, key=float)
    return tree.Range(field, low, high)


def leaves_of(parts: st.SearchStrategy[str]) -> st.SearchStrategy[tree.Condition]:
    """Return conditions of every kind, of which those about text look for some of ``parts``."""
    any_part = parts | texts
    of_parts = st.one_of(
        st.builds(tree.Text, any_part),
        st.builds(tree.Token, any_part),
        st.builds(tree.Regex, parts.map(_as_regex)),
        st.builds(tree.Equal, fields, any_part),
        st.builds(tree.Prefix, fields, any_part),
    )
    return st.one_of(
        of_parts,
        of_parts,
        st.builds(tree.Regex, patterns),
        st.builds(tree.Equal, fields, values),
        st.builds(tree.Equal, number_fields, numbers),
        st.builds(tree.Equal, st.just("parsed"), st.sampled_from(["true", "false"])),
        st.builds(tree.Equal, st.just("duration"), seconds),
        st.builds(tree.Prefix, fields | number_fields, values.filter(bool)),
        st.builds(tree.Match, fields | number_fields, patterns.map(lambda text: text.replace(" ", r"\s"))),
        st.builds(tree.Exists, fields | number_fields | st.just("duration")),
        st.builds(tree.Compare, measured, operators, numbers),
        st.builds(tree.Compare, st.just("severity"), operators, st.sampled_from(["warn", "error"])),
        st.builds(tree.Compare, st.just("duration"), operators, seconds),
        st.builds(_ordered, measured, st.tuples(numbers, numbers)),
        st.builds(tree.Network, st.sampled_from(["client", "host", "trace"]), networks),
        st.builds(tree.When, st.sampled_from(["since", "from", "until", "to"]), moments),
    )


def _as_regex(text: str) -> str:
    """Return a regex that finds a part of a line, with its first digit and letter as classes."""
    escaped = "".join(
        char if char.isalnum() or char == " " else rf"\x{ord(char):02x}" if char < "\x80" else char for char in text
    )
    return re.sub("[0-9]", r"\\d", escaped, count=1) if "\\x" not in escaped else escaped


def conditions_of(parts: st.SearchStrategy[str]) -> st.SearchStrategy[tree.Condition]:
    """Return conditions, joined by AND, OR and NOT; see `leaves_of`."""
    return st.recursive(
        leaves_of(parts),
        lambda inner: st.one_of(
            st.lists(inner, min_size=2, max_size=3).map(tree.all_of),
            st.lists(inner, min_size=2, max_size=3).map(tree.any_of),
            inner.map(tree.none_of),
        ),
        max_leaves=4,
    )


@st.composite
def part_of(draw: st.DrawFn, lines: Sequence[str]) -> str:
    """Return a part of a line, in any case, often of whole words with what stands between them."""
    line = draw(st.sampled_from(lines))
    begin = draw(st.integers(0, max(len(line) - 1, 0)))
    part = line[begin : begin + draw(st.integers(1, 24))]
    if draw(st.booleans()):
        part = part.strip() or "x"
    return draw(st.sampled_from([part, part, part.lower(), part.upper()])) or "x"


conditions = conditions_of(texts)
leaves = leaves_of(texts)
