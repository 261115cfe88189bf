"""The read model of `watch` against items 4 and 5 of its specification, done again line by line in plain Python."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.lines import split
from heeler.rules.alert import HighTraffic
from heeler.views.snapshot import AlertLine, Block
from heeler.views.traffic import COLUMNS
from heeler.views.watching import Said, Watching

BASE = 1_795_342_500  # 2026-11-22 10:15:00 UTC
DAY = 86_400
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Hit:
    """One line that parses; ``at`` counts from `BASE`."""

    at: int
    zone: int = 0
    client: str = "10.0.0.1"
    request: str = "GET /api/user HTTP/1.1"
    status: int = 200
    size: int | None = 10

    @property
    def second(self) -> int:
        return BASE + self.at

    def line(self) -> str:
        local = datetime.fromtimestamp(self.second, timezone(timedelta(minutes=self.zone)))
        stamp = f"{local.day:02}/{MONTHS[local.month - 1]}/{local:%Y:%H:%M:%S %z}"
        size = "-" if self.size is None else self.size
        return f'{self.client} - - [{stamp}] "{self.request}" {self.status} {size}\n'


@dataclass(frozen=True)
class Garbage:
    """One line that no format reads."""

    def line(self) -> str:
        return "no log line\n"


@dataclass(frozen=True)
class Passing:
    """Time passes without a line, up to so many microseconds after `BASE`."""

    to_us: int


Line = Hit | Garbage


def frame(lines: Iterable[Line]) -> pl.DataFrame:
    data = "".join(line.line() for line in lines).encode()
    return ACCESS_FORMATS["common"].parse(split(data), COLUMNS)


# --- the oracle -------------------------------------------------------------------------------------------------------


@dataclass
class Interval:
    hits: list[Hit] = field(default_factory=list)
    unparsed: int = 0


class Oracle:
    """Items 4 and 5 word for word: one line at a time, one second at a time, nothing remembered as a sum."""

    def __init__(self, rule: HighTraffic, interval_s: int) -> None:
        self.limit = rule.threshold * rule.window_s
        self.window_s = rule.window_s
        self.interval_s = interval_s
        self.said: list[Said] = []
        self.clock_us: int | None = None
        self.newest_stamp: int | None = None
        self.zone = 0
        self.counted: Counter[int] = Counter()
        self.firing = False
        self.held: Hit | None = None
        self.skewed = 0
        self.start = 0
        self.open = Interval()

    def line(self, line: Line) -> None:
        if isinstance(line, Garbage):
            self.open.unparsed += 1
            return
        if self.held:
            if line.second >= self.held.second - DAY:
                self._count(self.held)
            else:
                self.skewed += 1
            self.held = None
        if self.clock_us is not None and line.second * 1_000_000 > self.clock_us + DAY * 1_000_000:
            self.held = line
        else:
            self._count(line)

    def pass_to(self, to_us: int) -> None:
        if self.clock_us is not None and to_us > self.clock_us:
            self._walk(to_us // 1_000_000, skip=False)
            self.clock_us = to_us

    def end(self) -> None:
        self.skewed += self.held is not None
        if self.clock_us is not None:
            self._evaluate(self.clock_us // 1_000_000)
            self.said.append(self._block())

    def _count(self, hit: Hit) -> None:
        if self.clock_us is None:
            self.clock_us = hit.second * 1_000_000
            self.start = hit.second
        self._walk(hit.second, skip=hit.second - self.clock_us // 1_000_000 > self.window_s)
        self.clock_us = max(self.clock_us, hit.second * 1_000_000)
        if self.newest_stamp is None or hit.second >= self.newest_stamp:
            self.newest_stamp, self.zone = hit.second, hit.zone
        self.counted[hit.second] += 1
        self.open.hits.append(hit)

    def _walk(self, to: int, *, skip: bool) -> None:
        assert self.clock_us is not None
        first = self.clock_us // 1_000_000
        closed = False
        # When nothing was read for a window and an interval, nothing more happens until the next line.
        for second in range(first, min(to, first + self.window_s + self.interval_s) if skip else to):
            self._evaluate(second)
            if second + 1 == self.start + self.interval_s:
                if not (skip and closed):
                    self.said.append(self._block())
                closed = True
                self.open = Interval()
                self.start += self.interval_s
        self.start += max(0, to - self.start) // self.interval_s * self.interval_s

    def _evaluate(self, second: int) -> None:
        hits = sum(self.counted[second - back] for back in range(self.window_s))
        if hits > self.limit and not self.firing:
            self.firing = True
            self.said.append(AlertLine("high traffic", "triggered", hits, second, self.zone))
        elif hits < self.limit and self.firing:
            self.firing = False
            self.said.append(AlertLine("high traffic", "recovered", hits, second, self.zone))

    def _block(self) -> Block:
        hits = self.open.hits

        def ranked(names: Iterable[str]) -> list[tuple[str, int]]:
            return sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0]))

        return Block(
            start_s=self.start,
            end_s=self.start + self.interval_s,
            zone_minutes=self.zone,
            hits=len(hits),
            sections=tuple(ranked(section_of(hit.request) for hit in hits)[:10]),
            status=tuple(sorted(ranked(f"{hit.status // 100}xx" for hit in hits))),
            methods=tuple(ranked(method_of(hit.request) for hit in hits)[:10]),
            top_clients=tuple(ranked(hit.client for hit in hits)[:10]),
            clients=len({hit.client for hit in hits}),
            errors=sum(400 <= hit.status <= 599 for hit in hits),
            server_errors=sum(500 <= hit.status <= 599 for hit in hits),
            bytes=sum(hit.size or 0 for hit in hits),
            unparsed=self.open.unparsed,
        )


def method_of(request: str) -> str:
    return request.split(maxsplit=1)[0] if request.count(" ") == 2 else "-"


def section_of(request: str) -> str:
    return "/" + request.split()[1].split("?", maxsplit=1)[0].split("/")[1] if request.count(" ") == 2 else "(invalid)"


def spoken(watching: Watching, story: Iterable[Line | Passing], cuts: Sequence[int] = ()) -> list[Said]:
    """Tell ``watching`` the story in batches; ``cuts`` are their lengths, in turn, the last takes what is left."""
    said: list[Said] = []
    batch: list[Line] = []
    lengths = iter(cuts)
    length = next(lengths, 1000)
    for event in story:
        if isinstance(event, Passing):
            said += watching.feed(frame(batch))
            said += watching.advance(BASE * 1_000_000 + event.to_us)
            batch = []
            continue
        batch.append(event)
        if len(batch) >= length:
            said += watching.feed(frame(batch))
            batch, length = [], next(lengths, 1000)
    return [*said, *watching.feed(frame(batch)), *watching.finish()]


def expected(rule: HighTraffic, interval_s: int, story: Iterable[Line | Passing]) -> Oracle:
    oracle = Oracle(rule, interval_s)
    for event in story:
        if isinstance(event, Passing):
            oracle.pass_to(BASE * 1_000_000 + event.to_us)
        else:
            oracle.line(event)
    oracle.end()
    return oracle


RULES = st.builds(
    HighTraffic,
    threshold=st.sampled_from([Fraction(0), Fraction(1, 10), Fraction(1, 3), Fraction(1), Fraction(2), Fraction(7, 2)]),
    window_s=st.integers(1, 12),
)

STEPS = st.one_of(
    st.tuples(st.just("hit"), st.sampled_from([0, 0, 0, 1, 1, 2, 3])),
    st.tuples(st.just("burst"), st.integers(2, 30)),
    st.tuples(st.just("late"), st.integers(1, 30)),
    st.tuples(st.just("silence"), st.integers(1, 40)),
    st.tuples(st.just("far"), st.sampled_from([DAY - 1, DAY, DAY + 1, 3 * DAY, 400 * DAY])),
    st.tuples(st.just("skewed"), st.sampled_from([DAY + 1, 30 * DAY])),
    st.tuples(st.just("garbage"), st.just(0)),
)
LIVE_STEPS = st.one_of(STEPS, st.tuples(st.just("passing"), st.integers(1, 25_000_000)))

DETAILS = st.tuples(
    st.sampled_from(
        ["GET /api/user HTTP/1.1", "POST /api HTTP/1.0", "GET / HTTP/1.1", "GET /b?x=1/2 HTTP/1.1", "\\x16"]
    ),
    st.sampled_from([101, 200, 204, 301, 399, 400, 404, 499, 500, 503, 599]),
    st.sampled_from([0, 0, 0, 120, -210]),
    st.integers(1, 13),
    st.sampled_from([None, 0, 7, 10**9]),
)


def told(steps: Sequence[tuple[tuple[str, int], tuple[str, int, int, int, int | None]]]) -> list[Line | Passing]:
    """Turn drawn steps into a story; ``now_us`` is where the log and the clock have come."""
    story: list[Line | Passing] = []
    now_us = 0
    for (kind, size), (request, status, zone, client, length) in steps:
        at = now_us // 1_000_000
        # Thirteen names of clients and of sections, so that some do not make it among the ten.
        hit = Hit(at, zone, f"10.0.0.{client}", request.replace("/b", f"/b{client}"), status, length)
        if kind == "garbage":
            story.append(Garbage())
        elif kind == "passing":
            now_us += size
            story.append(Passing(now_us))
        elif kind == "burst":
            story += [hit] * size
        elif kind == "late":
            story.append(replace(hit, at=at - size))
        elif kind == "skewed":
            story.append(replace(hit, at=at + size))
        else:
            now_us = (at + size) * 1_000_000
            story.append(replace(hit, at=at + size))
    return story


STORIES = st.lists(st.tuples(STEPS, DETAILS), max_size=60).map(told)
LIVE_STORIES = st.lists(st.tuples(LIVE_STEPS, DETAILS), max_size=60).map(told)
CUTS = st.lists(st.integers(1, 40), max_size=20)


@settings(max_examples=80)
@given(rule=RULES, interval_s=st.integers(1, 15), story=STORIES, cuts=CUTS)
def test_a_replay_says_what_the_specification_says_however_it_is_cut(
    rule: HighTraffic, interval_s: int, story: list[Line | Passing], cuts: list[int]
) -> None:
    oracle = expected(rule, interval_s, story)
    watching = Watching(rule, interval_s)

    assert spoken(watching, story, cuts) == oracle.said

    assert watching.clock.skewed == oracle.skewed
    assert watching.parsed == sum(isinstance(line, Hit) for line in story) - oracle.skewed
    assert watching.unparsed == sum(isinstance(line, Garbage) for line in story)
    assert (watching.firing is not None) == oracle.firing


@settings(max_examples=80)
@given(rule=RULES, interval_s=st.integers(1, 15), story=LIVE_STORIES, cuts=CUTS)
def test_time_that_passes_without_lines_closes_seconds_and_blocks_too(
    rule: HighTraffic, interval_s: int, story: list[Line | Passing], cuts: list[int]
) -> None:
    assert spoken(Watching(rule, interval_s), story, cuts) == expected(rule, interval_s, story).said


SAMPLE = [
    Hit(0, request="GET /report HTTP/1.0", size=123),
    Hit(2, request="GET /api/user HTTP/1.0", size=234),
    Hit(3, request="POST /api/user HTTP/1.0", size=34),
    Hit(3, request="POST /api/user HTTP/1.0", status=503, size=12),
]
DEFAULT = HighTraffic(Fraction(10), 120)
SMALL = HighTraffic(Fraction(1), 3)


def alerts(said: Iterable[Said]) -> list[tuple[str, int, int]]:
    return [(one.state, one.time_s - BASE, one.hits) for one in said if isinstance(one, AlertLine)]


def blocks(said: Iterable[Said]) -> list[tuple[int, int]]:
    return [(one.end_s - BASE, one.hits) for one in said if isinstance(one, Block)]


def us(seconds: float) -> int:
    return BASE * 1_000_000 + round(seconds * 1_000_000)


def test_the_four_lines_of_the_sample_make_one_block() -> None:
    [block] = spoken(Watching(DEFAULT, 10), SAMPLE)

    assert isinstance(block, Block)
    assert block.sections == (("/api", 3), ("/report", 1))
    assert (block.error_rate, block.server_errors, block.bytes, block.hits) == (0.25, 1, 403, 4)
    assert block.status == (("2xx", 3), ("5xx", 1))
    assert block.methods == (("GET", 2), ("POST", 2))
    assert (block.start_s, block.end_s) == (BASE, BASE + 10)


@pytest.mark.parametrize(
    ("hits", "expected_alerts"),
    [
        (1200, []),  # exactly ten a second is not above ten a second
        (1201, [("triggered", 119, 1201), ("recovered", 120, 1192)]),
    ],
)
def test_the_average_must_exceed_the_threshold(hits: int, expected_alerts: list[tuple[str, int, int]]) -> None:
    """Ten hits in each of 120 seconds, one of the seconds with one more; then one hit a second."""
    story = [Hit(at // 10) for at in range(1200)] + [Hit(119)] * (hits - 1200) + [Hit(120)]

    assert alerts(Watching(DEFAULT, 10).feed(frame([*story, Hit(121)]))) == expected_alerts


def test_an_alert_that_stands_at_the_threshold_stays() -> None:
    story = [Hit(0)] * 4 + [Hit(3)] * 3 + [Hit(6)] * 3 + [Hit(9)] * 2

    assert alerts(spoken(Watching(SMALL, 10), story)) == [("triggered", 0, 4), ("recovered", 9, 2)]


def test_live_an_alert_recovers_although_traffic_has_stopped_dead() -> None:
    watching = Watching(SMALL, 10)
    assert alerts(watching.feed(frame([Hit(0)] * 2 + [Hit(1)] * 2 + [Hit(2)] * 2))) == [("triggered", 1, 4)]

    assert watching.advance(us(2.999)) == []
    assert watching.advance(us(3)) == []  # second 2 is over, and its window held all
    assert watching.advance(us(4.5)) == []
    assert alerts(watching.advance(us(5.0))) == [("recovered", 4, 2)]
    assert watching.firing is None
    assert watching.advance(us(9.9)) == []
    assert blocks(watching.advance(us(31))) == [(10, 6), (20, 0), (30, 0)]


def test_live_one_long_leap_says_what_many_small_steps_say() -> None:
    leaping, stepping = Watching(SMALL, 4), Watching(SMALL, 4)
    busy = frame([Hit(0)] * 9 + [Hit(1)])

    leap = leaping.feed(busy) + leaping.advance(us(20))
    steps = stepping.feed(busy)
    for tenth in range(10, 201):
        steps += stepping.advance(us(tenth / 10))

    assert steps == leap
    assert alerts(leap) == [("triggered", 0, 9), ("recovered", 3, 1)]


def test_the_end_of_a_replay_evaluates_the_last_second() -> None:
    watching = Watching(SMALL, 10)
    assert watching.feed(frame([Hit(0), Hit(1), Hit(1), Hit(1)])) == []

    said = watching.finish()

    assert alerts(said) == [("triggered", 1, 4)]
    assert blocks(said) == [(10, 4)]
    assert isinstance(said[0], AlertLine), "the alert of a second comes before the block that ends after it"


@pytest.mark.parametrize("story", [[], [Garbage()], [Garbage()] * 3])
def test_an_input_without_requests_says_nothing(story: list[Line]) -> None:
    watching = Watching(DEFAULT, 10)

    assert spoken(watching, story) == []
    assert watching.unparsed == len(story)
    assert watching.hits_in_window() == 0


def test_a_late_line_counts_in_its_own_second_and_in_the_open_block() -> None:
    story = [Hit(0), Hit(0), Hit(11), Hit(9), Hit(9), Hit(9), Hit(12)]

    said = spoken(Watching(SMALL, 10), story)

    assert alerts(said) == [("triggered", 11, 4), ("recovered", 12, 2)]  # at second 9 nobody knew of them
    assert blocks(said) == [(10, 2), (20, 5)]


def test_a_line_later_than_the_window_is_in_no_window() -> None:
    assert alerts(spoken(Watching(SMALL, 10), [Hit(10)] + [Hit(7)] * 50)) == []
    assert alerts(spoken(Watching(SMALL, 10), [Hit(10)] + [Hit(8)] * 50)) == [("triggered", 10, 51)]


def test_a_stamp_that_nobody_confirms_moves_nothing() -> None:
    watching = Watching(SMALL, 10)

    said = spoken(watching, [Hit(0), Hit(1), Hit(DAY * 9), Hit(2), Hit(3)])

    assert blocks(said) == [(10, 4)]
    assert watching.clock.skewed == 1


def test_a_stamp_that_is_confirmed_ends_a_silence_whose_blocks_are_not_printed() -> None:
    watching = Watching(SMALL, 10)

    said = spoken(watching, [Hit(0)] * 4 + [Hit(DAY * 9 + 5), Hit(DAY * 9 + 6)])

    assert blocks(said) == [(10, 4), (DAY * 9 + 10, 2)]
    assert alerts(said) == [("triggered", 0, 4), ("recovered", 3, 0)]
    assert watching.clock.skewed == 0


def test_a_silence_as_long_as_the_window_is_walked_through() -> None:
    rule = HighTraffic(Fraction(1), 30)

    assert blocks(spoken(Watching(rule, 10), [Hit(0), Hit(30)])) == [(10, 1), (20, 0), (30, 0), (40, 1)]
    assert blocks(spoken(Watching(rule, 10), [Hit(0), Hit(31)])) == [(10, 1), (40, 1)]


def test_times_are_told_in_the_zone_of_the_newest_line() -> None:
    story = [Hit(0, zone=60), Hit(5, zone=120), Hit(4, zone=-60), Hit(10, zone=180), Hit(20, zone=0)]

    said = spoken(Watching(DEFAULT, 10), story)

    assert [one.zone_minutes for one in said if isinstance(one, Block)] == [120, 180, 0]


def test_a_silent_log_has_blocks_from_the_start_on() -> None:
    watching = Watching(DEFAULT, 10)
    watching.begin(us(3.2), 0)

    assert blocks(watching.advance(us(25))) == [(13, 0), (23, 0)]
    assert blocks(watching.feed(frame([Hit(24), Hit(33)]))) == [(33, 1)]


def test_the_zone_of_a_log_that_was_silent_at_first_is_that_of_its_lines() -> None:
    """The clock was begun from the machine's, which is always a little ahead of the whole seconds in the lines."""
    watching = Watching(DEFAULT, 10)
    watching.begin(us(0.7), 0)
    watching.advance(us(2.4))
    watching.feed(frame([Hit(2, zone=120)]))

    [block] = watching.advance(us(10))

    assert isinstance(block, Block)
    assert (block.zone_minutes, block.hits) == (120, 1)


@pytest.mark.parametrize("other_s", [-9 * DAY, -3600, -60, -5, 3600, 9 * DAY], ids=lambda seconds: f"{seconds}s")
def test_a_log_with_another_clock_than_the_machine_is_watched_by_its_own(other_s: int) -> None:
    """However far the clocks are apart, that time must not be missing from the window of the alert."""
    watching = Watching(HighTraffic(Fraction(1, 60), 180), 10)
    watching.begin(us(0), 0)
    watching.advance(us(4))
    story: list[Line] = [Hit(other_s + at) for at in (0, 1, 1, 2, 2, 3)]

    said = watching.feed(frame(story[:1])) + watching.feed(frame(story[1:])) + watching.finish()

    assert alerts(said) == [("triggered", other_s + 2, 5)]
    assert blocks(said) == [(other_s + 10, 6)]


def test_the_chart_shows_the_last_whole_seconds_and_stays_small() -> None:
    watching = Watching(DEFAULT, 10)
    watching.feed(frame([Hit(0), Hit(1), Hit(1), Hit(3), Hit(1)]))
    assert watching.second_hits(4) == (0, 1, 3, 0)

    for at in range(0, 5000, 50):
        watching.feed(frame([Hit(at + second) for second in range(50)]))

    assert watching.second_hits(600) == (1,) * 600
    assert len(watching.recent) <= 1300
