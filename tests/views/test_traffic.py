"""Traffic in intervals of event time, against an oracle that keeps every line and counts with a `Counter`."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.lines import split
from heeler.rules.event_time import EventClock
from heeler.units import SECOND_US
from heeler.views.snapshot import Block
from heeler.views.traffic import COLUMNS, TOP, Traffic

NOON = 1_767_268_800  # 2026-01-01T12:00:00Z
WINDOW_S = 120


@dataclass(frozen=True, slots=True)
class Hit:
    """One line of the log; without a second it is one that does not parse."""

    second: int | None
    section: str = "/"
    method: str = "GET"
    status: int = 200
    size: int | None = 1
    client: str = "192.0.2.1"
    zone: int = 0

    def line(self) -> bytes:
        if self.second is None:
            return b"nothing that an access log has\n"
        stamp = datetime.fromtimestamp(self.second, timezone(timedelta(minutes=self.zone)))
        request = "\\x16\\x03" if self.section == "(invalid)" else f"{self.method} {self.section} HTTP/1.1"
        size = "-" if self.size is None else self.size
        return f'{self.client} - - [{stamp:%d/%b/%Y:%H:%M:%S %z}] "{request}" {self.status:03} {size}\n'.encode()


def records(hits: Iterable[Hit]) -> pl.DataFrame:
    return ACCESS_FORMATS["common"].parse(split(b"".join(hit.line() for hit in hits)), COLUMNS)


def counted(batches: Iterable[Iterable[Hit]], interval_s: int = 10) -> list[Block]:
    """Return the blocks that the batches close, and the one that is still open."""
    clock, traffic = EventClock(), Traffic(interval_s, WINDOW_S)
    closed = [block for batch in batches for block in traffic.count(clock.admit(records(batch)))]
    current = traffic.current()
    return [*closed, current] if current else closed


# --- the oracle ---


@dataclass
class Interval:
    """Every line that was read while the clock stood in one interval."""

    hits: list[Hit] = field(default_factory=list)
    unparsed: int = 0
    zone: int = 0


def top(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))[:TOP])


def block(start_s: int, interval_s: int, lines: Interval) -> Block:
    hits = lines.hits
    return Block(
        start_s=start_s,
        end_s=start_s + interval_s,
        zone_minutes=lines.zone,
        hits=len(hits),
        sections=top(hit.section for hit in hits),
        status=tuple(sorted(Counter(f"{hit.status // 100}xx" for hit in hits if 100 <= hit.status < 600).items())),
        methods=top("-" if hit.section == "(invalid)" else hit.method for hit in hits),
        top_clients=top(hit.client for hit in hits),
        clients=len({hit.client for hit in hits}),
        errors=sum(400 <= hit.status <= 599 for hit in hits),
        server_errors=sum(500 <= hit.status <= 599 for hit in hits),
        bytes=sum(hit.size or 0 for hit in hits),
        unparsed=lines.unparsed,
    )


def by_definition(hits: Iterable[Hit], interval_s: int) -> Iterator[Block]:
    lines, begin, clock, early = Interval(), 0, 0, 0
    begun = False
    for hit in hits:
        if hit.second is None:
            early += not begun
            lines.unparsed += begun
            continue
        if not begun:
            begun, begin, clock = True, hit.second, hit.second
            lines = Interval(unparsed=early)
        if hit.second >= begin + interval_s:
            yield block(begin, interval_s, lines)
            is_silence = hit.second - clock > WINDOW_S
            begin += interval_s
            while begin + interval_s <= hit.second:
                if not is_silence:
                    yield block(begin, interval_s, Interval(zone=lines.zone))
                begin += interval_s
            lines = Interval(zone=lines.zone)
        if hit.second >= clock:
            clock, lines.zone = hit.second, hit.zone
        lines.hits.append(hit)
    if begun:
        yield block(begin, interval_s, lines)


@st.composite
def traffic_of_any_kind(draw: st.DrawFn) -> list[Hit]:
    """Lines mostly in order, with late ones, malformed requests, lines that do not parse, and silences."""
    clock, hits = NOON, []
    for _ in range(draw(st.integers(0, 25))):
        clock += draw(st.sampled_from([0, 0, 0, 1, 3, 9, 10, 11, 35, 119, 120, 121, 130, 500, 80_000]))
        late = draw(st.sampled_from([0, 0, 0, 0, 1, 12, 200]))
        if draw(st.integers(0, 9)) == 0:
            hits.append(Hit(None))
            continue
        hits.append(
            Hit(
                clock - late,
                draw(
                    st.sampled_from(["/", "/a", "/b", "/long-enough-to-be-stored-elsewhere", "(invalid)", "/caf\u00e9"])
                ),
                draw(st.sampled_from(["GET", "POST"])),
                draw(st.sampled_from([200, 101, 302, 399, 400, 404, 499, 500, 599, 600, 99, 999])),
                draw(st.sampled_from([None, 0, 7, 10**15])),
                draw(st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"])),
                draw(st.sampled_from([0, 0, 330, -420])),
            )
        )
    return hits


@settings(max_examples=80)
@given(
    hits=traffic_of_any_kind(),
    interval_s=st.sampled_from([1, 7, 10, 60, 300]),
    cuts=st.lists(st.integers(0, 25), max_size=5),
)
def test_blocks_are_those_of_the_definition_however_the_input_is_cut(
    hits: list[Hit], interval_s: int, cuts: list[int]
) -> None:
    edges = [0, *sorted(min(cut, len(hits)) for cut in cuts), len(hits)]
    assert counted((hits[begin:end] for begin, end in pairwise(edges)), interval_s) == list(
        by_definition(hits, interval_s)
    )


# --- facts ---


def test_the_four_lines_of_the_seed() -> None:
    """A section is what stands before the second slash: three of these hits are in /api, and one of four failed."""
    sample = b"""\
127.0.0.1 - james [09/May/2018:16:00:39 +0000] "GET /report HTTP/1.0" 200 123
127.0.0.1 - jill [09/May/2018:16:00:41 +0000] "GET /api/user HTTP/1.0" 200 234
127.0.0.1 - frank [09/May/2018:16:00:42 +0000] "POST /api/user HTTP/1.0" 200 34
127.0.0.1 - mary [09/May/2018:16:00:42 +0000] "POST /api/user HTTP/1.0" 503 12
"""
    traffic = Traffic(10, WINDOW_S)
    assert list(traffic.count(EventClock().admit(ACCESS_FORMATS["common"].parse(split(sample), COLUMNS)))) == []
    found = traffic.current()
    assert found is not None
    assert found.sections == (("/api", 3), ("/report", 1))
    assert f"{found.error_rate:.2%}" == "25.00%"
    assert found.server_errors == 1
    assert found.status == (("2xx", 3), ("5xx", 1))
    assert found.methods == (("GET", 2), ("POST", 2))
    assert (found.hits, found.rate, found.bytes, found.clients) == (4, 0.4, 403, 1)
    begin = int(datetime(2018, 5, 9, 16, 0, 39, tzinfo=UTC).timestamp())
    assert (found.start_s, found.end_s) == (begin, begin + 10)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param([0, 9], [(0, 2)], id="the tenth second is still in the block"),
        pytest.param([0, 10], [(0, 1), (10, 1)], id="the eleventh is not"),
        pytest.param([3, 12, 13], [(3, 2), (13, 1)], id="blocks start at the second of the first line"),
        pytest.param([0, 10, 9, 5], [(0, 1), (10, 3)], id="a late line counts in the current block"),
        pytest.param([0, 35], [(0, 1), (10, 0), (20, 0), (30, 1)], id="empty blocks in between are printed"),
        pytest.param([0, 120], [(0, 1), *((at, 0) for at in range(10, 120, 10)), (120, 1)], id="as long as the window"),
        pytest.param([0, 121], [(0, 1), (120, 1)], id="of a longer silence they are not, and the steps go on"),
        pytest.param([0, 125, 135], [(0, 1), (120, 1), (130, 1)], id="after it all goes on"),
        pytest.param([0, 86_399], [(0, 1), (86_390, 1)], id="a silence of a day costs nothing"),
    ],
)
def test_where_blocks_begin_and_which_are_printed(seconds: list[int], expected: list[tuple[int, int]]) -> None:
    blocks = counted([[Hit(NOON + second)] for second in seconds])
    assert [(found.start_s - NOON, found.hits) for found in blocks] == expected


def test_ten_sections_by_hits_and_ties_by_name() -> None:
    names = [f"/s{number:02}" for number in range(15)]
    hits = [Hit(NOON, name) for name in reversed(names)] + [Hit(NOON, "/s14")]
    (found,) = counted([hits])
    assert found.sections == (("/s14", 2), *((name, 1) for name in names[:9]))


def test_lines_that_do_not_parse_are_counted_apart_even_before_the_first_that_does() -> None:
    batches = [[Hit(None)], [Hit(None), Hit(NOON), Hit(None)], [Hit(NOON + 10), Hit(None)]]
    assert [(found.hits, found.unparsed) for found in counted(batches)] == [(1, 3), (1, 1)]


def test_an_interval_without_hits_has_no_error_rate() -> None:
    empty = counted([[Hit(NOON), Hit(NOON + 25)]])[1]
    assert (empty.hits, empty.error_rate, empty.rate, empty.sections, empty.status) == (0, 0.0, 0.0, (), ())


def test_the_bytes_of_the_greatest_responses_do_not_end_the_count() -> None:
    (found,) = counted([[Hit(NOON, size=10**16 - 1)] * 900])
    assert found.bytes == 900 * (10**16 - 1)


def test_before_the_first_line_there_is_no_block() -> None:
    assert counted([]) == []
    assert counted([[], [Hit(None)]]) == []
    assert list(Traffic(10, WINDOW_S).advance(NOON)) == []


def test_live_a_block_ends_although_no_line_comes() -> None:
    clock, traffic = EventClock(), Traffic(10, WINDOW_S)
    assert list(traffic.count(clock.admit(records([Hit(NOON, zone=60)])))) == []
    assert list(traffic.advance(NOON + 9)) == []
    assert [(one.start_s, one.hits, one.zone_minutes) for one in traffic.advance(NOON + 10)] == [(NOON, 1, 60)]
    assert list(traffic.advance(NOON + 10)) == []
    assert [(one.start_s, one.hits) for one in traffic.advance(NOON + 35)] == [(NOON + 10, 0), (NOON + 20, 0)]
    clock.advance((NOON + 35) * SECOND_US)
    late = traffic.count(clock.admit(records([Hit(NOON + 31), Hit(NOON + 41)])))
    assert [(one.start_s, one.hits) for one in late] == [(NOON + 30, 1)]
    current = traffic.current()
    assert current is not None
    assert (current.start_s, current.hits) == (NOON + 40, 1)


def test_live_a_silent_log_starts_when_watching_does() -> None:
    clock, traffic = EventClock(), Traffic(10, WINDOW_S)
    traffic.start(NOON, 120)
    traffic.start(NOON + 5, 0)
    clock.start(NOON * SECOND_US, 120)
    assert [(one.start_s, one.hits, one.zone_minutes) for one in traffic.advance(NOON + 12)] == [(NOON, 0, 120)]
    clock.advance((NOON + 12) * SECOND_US)
    assert [one.hits for one in traffic.count(clock.admit(records([Hit(NOON + 14), Hit(NOON + 20)])))] == [1]


def test_what_is_kept_is_the_open_interval_alone() -> None:
    clock, traffic = EventClock(), Traffic(10, WINDOW_S)
    for minute in range(50):
        hits = [Hit(NOON + 60 * minute + second, f"/{minute}-{second}") for second in range(60)]
        list(traffic.count(clock.admit(records(hits))))
        assert len(traffic._totals) == 1
        assert traffic._names.height <= 10 + 2
