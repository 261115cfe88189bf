"""What a chunk adds to rules is what a search of the same lines finds and counts, by whichever way it was found."""

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from heeler.formats.choose import FORMATS
from heeler.formats.lines import split
from heeler.formats.text import text_of
from heeler.query.language import parse
from heeler.rules.aggregate import aggregate
from heeler.rules.limit import Limit
from heeler.rules.partial import Partials, Seen
from heeler.rules.rule import Rule
from heeler.rules.series import Series
from heeler.store import Batch, Tick
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader
from heeler.store.searching import Search, Wanted

if TYPE_CHECKING:
    from heeler.formats import Format

RECEIVED_US = 1_795_400_000_000_000
ACCESS = (
    "".join(
        f"10.0.0.{n % 5} - {('-', 'ann')[n % 2]} [22/Nov/2026:10:15:{n % 60:02d} +0000] "
        f'"GET /{("api", "shop/x", "É")[n % 3]}/{n % 7} HTTP/1.1" {(200, 404, 500)[n % 3]} {n * 10} '
        f'"-" "Agent/{n % 4} (Bot)"\n'
        for n in range(200)
    ).encode()
    + b"no such line \xff\n"
)
JSON = "".join(
    f'{{"time":"2026-11-22T10:15:{n % 60:02d}Z","level":"{("info", "error")[n % 2]}",'
    f'"msg":"took {n % 9}","user":{{"id":{n % 6}}}}}\n'
    for n in range(200)
).encode()

QUERIES = [
    "", "status:404", "status:5xx OR status:404", "-status:200", "path:/api/1", "path:/api/1 status:200", "path:/nope",
    "bot", "BOT status:404", "agent/1", "=Bot", "=agent", "/Agent.[12]/", "É", "client:10.0.0.1 user:ann", "-bot",
    "agent:bot", "method:GET", "parsed:false", "group:web", "group:other", "stream:log bot", "client:10.0.0.0/30",
    "severity:error", "took", '"took 3"', "user.id:3", "user.id:>3", "msg:*", "error OR bot", "bytes:>500", "such",
    "path:/api/1 OR path:/api/2", "path:/api*", "/(?i)AGENT/ -status:404",
]  # fmt: skip


@pytest.fixture(scope="module", params=["combined", "json"])
def chunk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Seen, LakeReader]]:
    known: Format = FORMATS[request.param]
    data = ACCESS if request.param == "combined" else JSON
    folder = tmp_path_factory.mktemp("lake") / "lake"
    with closing(Lake(folder)) as lake:
        lake.register(known)
        records = known.parse(split(data), {*known.columns, "section"} if known.table == "access" else None)
        batch = Batch("s", "p", {"o": 1}, "web", "log", known, records, RECEIVED_US, len(data))
        done = lake.complete(batch)
        lake.commit(Tick((batch,)))
        with closing(LakeReader(folder)) as reader:
            yield Seen(done.rows, text_of(split(data).readable()), done.formats), reader


def rule(name: str, query: str, computed: str = "count", **more: object) -> Rule:
    return Rule(name, Limit(Fraction(1)), 60, parse(query).where, aggregate(computed), **more)  # type: ignore[arg-type]


def test_a_rule_counts_what_a_search_finds_alone_and_among_all_others(chunk: tuple[Seen, LakeReader]) -> None:
    seen, reader = chunk
    together = Partials([rule(query, query) for query in QUERIES])
    found = together.of(seen)
    assert together.failed == {}
    for number, query in enumerate(QUERIES):
        expected = Search(reader, Wanted(parse(query), RECEIVED_US)).count()
        alone = Partials([rule(query, query)]).of(seen)
        assert sum(row.hits for row in found[number].rows) if number in found else expected == 0, query
        assert (sum(row.hits for row in found[number].rows) if number in found else 0) == expected, query
        assert (sum(row.hits for row in alone[0].rows) if alone else 0) == expected, query


def value(seen: Seen, one: Rule, key: str = "") -> object:
    """Return the value of everything that was seen in one window."""
    partials = Partials([one])
    series = Series(10**6)
    for row in partials.of(seen)[0].rows:
        if row.key == key:
            series.add(row.stamped_s, row.stamped_s, row.bucket, row.weight)
            series.add(row.stamped_s, row.stamped_s, -1, row.hits)
    while (next_s := series.next_s()) is not None and next_s <= RECEIVED_US // 10**6:
        series.step()
    assert partials.failed == {}
    return one.aggregate.value(series.sums, 60)


@pytest.mark.parametrize("computed", ["sum bytes", "distinct client", "p50 bytes", "p99 bytes", "ratio"])
def test_aggregates_are_what_the_lines_say(chunk: tuple[Seen, LakeReader], computed: str) -> None:
    seen, _ = chunk
    if "path" not in seen.records.columns:
        pytest.skip("The JSON lines have none of these fields.")
    numbers = [n * 10 for n in range(200)]
    of = parse("parsed:true").where if computed == "ratio" else None
    got = value(seen, rule("rule", "status:404" if computed == "ratio" else "", computed, of=of))
    expected = {
        "sum bytes": Fraction(sum(numbers)), "distinct client": 5, "p50 bytes": 990, "p99 bytes": 1970,
        "ratio": Fraction(67, 200),
    }[computed]  # fmt: skip
    assert got == (pytest.approx(expected, rel=0.011) if computed.startswith("p") else expected)


def test_attributes_are_measured_and_counted_by(chunk: tuple[Seen, LakeReader]) -> None:
    seen, _ = chunk
    if "path" in seen.records.columns:
        pytest.skip("The access lines have no attributes.")
    assert value(seen, rule("rule", "", "distinct user.id")) == 6
    assert value(seen, rule("rule", "", "sum user.id", by="user.id"), "3") == Fraction(3 * 33)


def test_groups_are_those_of_a_field_or_the_section(chunk: tuple[Seen, LakeReader]) -> None:
    seen, _ = chunk
    keys = {row.key for row in Partials([rule("rule", "", by="section")]).of(seen)[0].rows}
    assert keys == ({"(invalid)", "/api", "/shop", "/É"} if "path" in seen.records.columns else {""})
