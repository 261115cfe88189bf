"""Generated traffic: the same for the same seed, valid, in order, and as much of it as was asked for."""

import asyncio
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_address
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heeler.clock import FakeClock
from heeler.errors import UsageError
from heeler.generate import Spike, Traffic, batches, blocks, parse_spike, write_live
from heeler.generate.lines import BLOCK_LINES

START_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
COMBINED = re.compile(
    rb"(?P<client>[0-9a-f.:]+) - (?P<user>\S+) "
    rb"\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    rb'"(?P<request>[^"\n]*)" (?P<status>[1-5]\d\d) (?P<bytes>[1-9]\d*|-) "(?P<referer>[^"\n]+)" "(?P<agent>[^"\n]+)"\n'
)
REQUEST = re.compile(rb"(GET|HEAD|POST|PUT|DELETE|OPTIONS) (/[!-~]*) HTTP/(1\.1|2\.0)")

small = settings(max_examples=20, deadline=None)
traffics = st.builds(
    Traffic,
    seed=st.integers(0, 1 << 40),
    rate=st.floats(0.5, 2000),
    spikes=st.lists(
        st.builds(Spike, at_s=st.floats(0, 60), length_s=st.floats(0.1, 30), rate=st.floats(0, 3000)), max_size=3
    ).map(tuple),
    malformed=st.sampled_from([0.0, 0.0002, 0.3]),
    invalid=st.sampled_from([0.0, 0.01, 0.5]),
)


def text(traffic: Traffic, lines: int, batch_lines: int = 1000) -> bytes:
    return b"".join(batches(traffic, START_US, lines, batch_lines=batch_lines))


def arrivals_s(traffic: Traffic, until_s: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    seconds: list[float] = []
    for block in blocks(traffic, START_US):
        seconds += ((block.due_us - START_US) / 1e6).tolist()
        if seconds[-1] > until_s:
            return np.array([second for second in seconds if second <= until_s])
    raise AssertionError


# The same seed


@small
@given(traffics, st.integers(0, 9000), st.integers(1, 9000), st.integers(1, 9000))
def test_the_size_of_the_batches_changes_no_byte(traffic: Traffic, lines: int, one: int, other: int) -> None:
    assert text(traffic, lines, one) == text(traffic, lines, other)


@small
@given(traffics, st.integers(0, 5000), st.integers(0, 5000))
def test_fewer_lines_are_the_beginning_of_more(traffic: Traffic, fewer: int, more: int) -> None:
    assert text(traffic, fewer + more).startswith(text(traffic, fewer))


@small
@given(st.integers(1, 9000), st.integers(1, 4000))
def test_batches_are_whole_lines_and_full_but_for_the_last(lines: int, batch_lines: int) -> None:
    counts = [batch.count(b"\n") for batch in batches(Traffic(), START_US, lines, batch_lines=batch_lines)]
    assert sum(counts) == lines
    assert set(counts[:-1]) <= {batch_lines}
    assert all(batch.endswith(b"\n") for batch in batches(Traffic(), START_US, lines, batch_lines=batch_lines))


def test_another_seed_gives_other_traffic() -> None:
    assert text(Traffic(seed=1), 100) != text(Traffic(seed=2), 100)


def test_a_spike_moves_requests_in_time_and_changes_nothing_else() -> None:
    def without_time(traffic: Traffic) -> bytes:
        return re.sub(rb"\[.*?\] ", b"", text(traffic, 5000))

    calm = Traffic(rate=3)
    assert without_time(calm) == without_time(replace(calm, spikes=(Spike(10, 20, 500),)))


# What a line looks like


@small
@given(traffics)
def test_every_line_is_a_combined_line(traffic: Traffic) -> None:
    lines = text(replace(traffic, invalid=0), 5000).splitlines(keepends=True)
    assert [line for line in lines if not COMBINED.fullmatch(line)] == []


def test_clients_belong_to_nobody() -> None:
    clients = [ip_address(line.split(b" ")[0].decode()) for line in text(Traffic(), 20_000).splitlines()]
    assert [client for client in clients if not client.is_private or client.is_loopback] == []
    assert {client.version for client in clients} == {4, 6}


def test_the_traffic_looks_like_a_site() -> None:
    lines = text(Traffic(malformed=0), 50_000)
    found = [match for match in map(COMBINED.fullmatch, lines.splitlines(keepends=True)) if match]
    requests = [REQUEST.fullmatch(match["request"]) for match in found]
    sections = Counter(request[2].split(b"?")[0].split(b"/")[1] for request in requests if request)
    statuses = Counter(int(match["status"]) for match in found)

    assert len(found) == 50_000
    assert None not in requests
    assert 210 < len(lines) / 50_000 < 245
    assert len(sections) >= 12
    assert {b"", b"api", b"pages", b"static", b"login"} <= set(sections)
    assert 0.6 < statuses[200] / 50_000 < 0.9
    assert {301, 304, 401, 404, 500, 503} <= set(statuses)
    assert 0.001 < sum(count for status, count in statuses.items() if status >= 500) / 50_000 < 0.03
    assert {match["bytes"] for match in found if match["status"] == b"304"} == {b"-"}
    assert len({match["agent"] for match in found}) >= 45
    assert len({match["user"] for match in found}) > 5
    assert Counter(match["user"] for match in found)[b"-"] > 40_000
    paths = Counter(request[2] for request in requests if request).most_common()
    assert len(paths) > 3000
    assert sum(count for _, count in paths[:100]) > 50_000 / 4


@pytest.mark.parametrize("share", [0.0, 0.01, 1.0])
def test_malformed_requests_come_in_their_share(share: float) -> None:
    lines = text(Traffic(malformed=share), 20_000).splitlines(keepends=True)
    malformed = sum(not REQUEST.fullmatch(match["request"]) for match in map(COMBINED.fullmatch, lines) if match)
    assert malformed / 20_000 == pytest.approx(share, rel=0.25)


@pytest.mark.parametrize("share", [0.0, 0.01, 1.0])
def test_invalid_lines_come_in_their_share(share: float) -> None:
    lines = text(Traffic(malformed=0, invalid=share), 20_000).splitlines(keepends=True)
    assert sum(not COMBINED.fullmatch(line) for line in lines) / 20_000 == pytest.approx(share, rel=0.25)


def test_the_shares_change_the_lines_that_they_hit_and_no_others() -> None:
    clean, spoilt = (
        text(traffic, 20_000).splitlines()
        for traffic in (Traffic(malformed=0, invalid=0), Traffic(malformed=0.01, invalid=0.01))
    )
    assert sum(a != b for a, b in zip(clean, spoilt, strict=True)) / 20_000 == pytest.approx(0.02, rel=0.25)


def test_invalid_lines_hold_bytes_that_are_no_utf_8() -> None:
    assert b"\xff\xfe caf\xe9" in text(Traffic(invalid=0.5), 1000)


# Time


@small
@given(traffics)
def test_event_times_never_go_back(traffic: Traffic) -> None:
    due_us = np.concatenate([block.due_us for block in islice(blocks(traffic, START_US), 3)])
    assert due_us[0] >= START_US
    assert (np.diff(due_us) >= 0).all()


@pytest.mark.parametrize(
    "zone",
    [UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=3, minutes=30)), timezone(-timedelta(minutes=30))],
    ids=str,
)
def test_a_line_carries_the_second_of_its_event_in_the_zone_of_the_log(zone: timezone) -> None:
    traffic = Traffic(zone=zone, rate=0.01)
    block = next(blocks(traffic, START_US))
    for due_us, line in zip(block.due_us.tolist(), text(traffic, 500).splitlines(keepends=True), strict=False):
        match = COMBINED.fullmatch(line)
        assert match
        expected = datetime.fromtimestamp(due_us // 1_000_000, tz=zone)
        assert match["time"].decode() == expected.strftime("%d/%b/%Y:%H:%M:%S %z")


@pytest.mark.parametrize("rate", [0.5, 10.0, 700.0])
def test_requests_arrive_at_the_rate_like_a_poisson_process(rate: float) -> None:
    seconds = int(20_000 / rate)
    counts = np.bincount(arrivals_s(Traffic(rate=rate), seconds).astype(int), minlength=seconds)[:seconds]
    assert counts.mean() == pytest.approx(rate, rel=0.05)
    # The variance of a Poisson count is its mean. Few whole seconds say little about it.
    assert counts.var() == pytest.approx(rate, rel=8 / seconds**0.5)


def test_a_spike_raises_the_rate_for_its_time_only() -> None:
    seconds = arrivals_s(Traffic(rate=5, spikes=(Spike(200, 100, 80),)), 500)
    before, during, after = (np.sum((seconds >= at) & (seconds < until)) for at, until in pairwise((0, 200, 300, 500)))
    assert before == pytest.approx(1000, rel=0.15)
    assert during == pytest.approx(8000, rel=0.05)
    assert after == pytest.approx(1000, rel=0.15)


def test_a_spike_of_nothing_is_an_outage() -> None:
    seconds = arrivals_s(Traffic(rate=50, spikes=(Spike(0, 10, 0), Spike(20, 10, 0), Spike(30, 5, 0))), 60)
    assert np.sum((seconds < 10) | ((seconds >= 20) & (seconds < 35))) == 0
    assert len(seconds) == pytest.approx(50 * 35, rel=0.1)


def test_of_overlapping_spikes_the_later_named_one_counts() -> None:
    seconds = arrivals_s(Traffic(rate=1, spikes=(Spike(0, 30, 300), Spike(10, 10, 20))), 30)
    assert np.sum((seconds >= 10) & (seconds < 20)) == pytest.approx(200, rel=0.25)
    assert np.sum(seconds >= 20) == pytest.approx(3000, rel=0.1)


# Live


def test_live_lines_are_those_of_a_file_and_come_at_their_time() -> None:
    traffic = Traffic(rate=300, spikes=(Spike(10, 5, 2000),))
    writes: list[tuple[int, bytes]] = []

    async def scenario() -> int:
        clock = FakeClock(START_US)
        running = asyncio.create_task(
            write_live(traffic, clock, lambda data: writes.append((clock.now_us(), data)), seconds=30)
        )
        while not running.done():
            await asyncio.sleep(0)
            await clock.advance(0.05)
        return await running

    written = asyncio.run(scenario())

    due_us = iter(np.concatenate([block.due_us for block in islice(blocks(traffic, START_US), 10)]).tolist())
    assert written == len(arrivals_s(traffic, 30))
    assert b"".join(data for _, data in writes) == text(traffic, written)
    assert len(writes) > 5 * 30
    for at_us, data in writes:
        assert data.endswith(b"\n")
        for due in islice(due_us, data.count(b"\n")):
            assert due <= at_us <= due + 200_000


def test_live_writing_ends_after_so_many_lines() -> None:
    written: list[bytes] = []

    async def scenario() -> int:
        clock = FakeClock(START_US)
        running = asyncio.create_task(write_live(Traffic(rate=10), clock, written.append, lines=7))
        for _ in range(100):
            await asyncio.sleep(0)
            await clock.advance(0.1)
        return await running

    assert asyncio.run(scenario()) == 7
    assert b"".join(written) == text(Traffic(rate=10), 7)


class LateClock(FakeClock):
    """Wakes every sleeper an hour late, as after a suspended machine."""

    async def sleep(self, seconds: float) -> None:
        self._step(self.monotonic() + seconds + 3600)


@pytest.mark.parametrize("limit", [{"seconds": 123.0}, {"lines": 2 * BLOCK_LINES + 5}], ids=str)
def test_live_writing_far_behind_catches_up_over_blocks_and_no_further(limit: dict[str, float]) -> None:
    written: list[bytes] = []
    traffic = Traffic(rate=100)
    lines = int(limit.get("lines", len(arrivals_s(traffic, 123))))
    assert lines > 2 * BLOCK_LINES
    assert asyncio.run(write_live(traffic, LateClock(START_US), written.append, **limit)) == lines
    assert b"".join(written) == text(traffic, lines)


def test_live_writing_stops_when_cancelled() -> None:
    async def scenario() -> None:
        clock = FakeClock(START_US)
        running = asyncio.create_task(write_live(Traffic(), clock, lambda _: None))
        await asyncio.sleep(0)
        await clock.advance(5)
        assert clock.sleepers == 1
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(scenario())


@pytest.mark.parametrize("limit", [{"seconds": 0}, {"lines": 0}])
def test_live_writing_of_nothing_ends_at_once(limit: dict[str, float]) -> None:
    assert asyncio.run(write_live(Traffic(), FakeClock(), lambda _: None, **limit)) == 0


# What is refused


@pytest.mark.parametrize(
    ("given_text", "spike"),
    [
        ("20s:15s:60", Spike(20, 15, 60)),
        ("2m:0.5h:7.5", Spike(120, 1800, 7.5)),
        ("0s:500ms:0", Spike(0, 0.5, 0)),
    ],
)
def test_a_spike_is_read(given_text: str, spike: Spike) -> None:
    assert parse_spike(given_text) == spike


@pytest.mark.parametrize(
    "wrong",
    ["", "60", "20s:15s", "20s:15s:60:1", "20:15s:60", "20s:15s:x", "20s:15s:-1", "20s:0s:60", "20s:15w:60",
     "1s:1s:٣", "-1s:1s:1", "1s:1s:nan"],
)  # fmt: skip
def test_a_spike_that_cannot_be_read_is_refused_with_what_is_allowed(wrong: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_spike(wrong)
    assert repr(wrong) in str(caught.value)
    assert "20s:15s:60" in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [{"rate": 0.0}, {"rate": float("nan")}, {"rate": float("inf")}, {"malformed": -0.1}, {"invalid": 1.01},
     {"malformed": 0.6, "invalid": 0.6}],
    ids=str,
)  # fmt: skip
def test_traffic_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        replace(Traffic(), **wrong)  # type: ignore[arg-type] # every one of these fields is a float


@pytest.mark.parametrize(("lines", "batch_lines"), [(-1, 10), (10, 0)])
def test_fewer_than_no_lines_are_refused(lines: int, batch_lines: int) -> None:
    with pytest.raises(UsageError, match="cannot be made"):
        next(batches(Traffic(), START_US, lines, batch_lines=batch_lines))


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(UsageError, match="seed"):
        Traffic(seed=-1)


@pytest.mark.parametrize("wrong", [(-1, 1, 1), (0, 0, 1), (0, 1, -1), (0, float("inf"), 1)])
def test_a_spike_that_cannot_be_is_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(UsageError, match="cannot happen"):
        Spike(*wrong)
