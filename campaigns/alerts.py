"""Rules over random traffic, with lateness, skew, silence, floods and restarts, against an oracle that sees all.

Each curve is some minutes of trouble: requests of a few sections at random rates, in floods and silences, late by some
seconds, a few stamped ahead. The real engine gets them in chunks of any size, over a real lake. At random moments it is
thrown away, as by kill -9: what was not committed is lost with it, lines come again, and a new engine begins where the
lake ended. The oracle counts each second by itself, from the lines alone, as slowly as can be read. The incidents in
the lake must be the oracle's, to the second: none missing, none opened twice, none without its recovery.

    python campaigns/alerts.py [CURVES] [SEED]
"""

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

from heeler.daemon.alerting import rows_of
from heeler.formats.choose import FORMATS
from heeler.formats.lines import split
from heeler.formats.text import text_of
from heeler.query.language import parse
from heeler.rules.aggregate import Aggregate
from heeler.rules.engine import Engine
from heeler.rules.history import Stood, restored
from heeler.rules.limit import Limit
from heeler.rules.partial import Seen
from heeler.rules.rule import Rule
from heeler.store import AlertRow, Batch, Tick
from heeler.store.alerts import alert_history, last_transitions_us, newest_us, open_alerts
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader
from heeler.units import SECOND_US

BEGIN_S = 1_790_000_000
LATE_S = 5
FIRST_KILL = 70
SECTIONS = ("/api", "/shop", "/jobs")
FORMAT = FORMATS["common"]

Incident = tuple[str, str, int, str]
"""Rule, group, second, state."""


@dataclass(frozen=True)
class Line:
    """A request: when it was stamped, in which second it arrives, its section and status."""

    stamped_s: int
    arrives_s: int
    section: str
    status: int

    @property
    def told_s(self) -> int:
        """The time that it counts for: nothing is from after it was received."""
        return min(self.stamped_s, self.arrives_s)

    @property
    def text(self) -> bytes:
        """The line as a server writes it."""
        time = datetime.fromtimestamp(self.stamped_s, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        return f'10.0.0.1 - - [{time}] "GET {self.section}/x HTTP/1.1" {self.status} 5\n'.encode()


def rules(chance: random.Random) -> list[Rule]:
    """Return rules of every kind, with numbers of chance."""
    window_s = chance.choice([5, 20, 60])
    rate = Fraction(chance.choice([1, 2, 5]))
    timed = Limit(rate, for_s=chance.randrange(8), keep_s=chance.randrange(8), recover=rate / 2)
    return [
        Rule("rate", Limit(rate), window_s, lateness_s=LATE_S),
        Rule("timed", timed, window_s, lateness_s=LATE_S),
        Rule("section", Limit(rate), window_s, by="section", lateness_s=LATE_S),
        Rule("absent", Limit(Fraction(1, 2), above=False), 30, aggregate=Aggregate("count"), lateness_s=LATE_S),
        Rule("share", Limit(Fraction(1, 4)), window_s, parse("status:5xx").where, Aggregate("ratio"),
             parse("").where, lateness_s=LATE_S),
    ]  # fmt: skip


def curve(chance: random.Random, seconds: int, skewed: int) -> list[list[Line]]:
    """Return the lines that arrive in each second, ``skewed`` of about a hundred stamped ahead."""
    arrivals: list[list[Line]] = [[] for _ in range(seconds)]
    arrivals[0] = [Line(BEGIN_S, BEGIN_S, SECTIONS[0], 200)]
    at = 1
    while at < seconds:
        length = chance.randrange(5, 60)
        rate = chance.choice([0, 0, 1, 2, 6, 20])
        failing = chance.choice([0.0, 0.1, 0.5])
        for second in range(at, min(at + length, seconds)):
            for _ in range(chance.randrange(rate + 1) * 2):
                arrives_s = BEGIN_S + second
                skew = chance.choices([0, -chance.randrange(LATE_S), chance.randrange(1, 4_000)], [80, 18, skewed])[0]
                status = 500 if chance.random() < failing else 200
                stamped_s = max(arrives_s + skew, BEGIN_S)
                arrivals[second].append(Line(stamped_s, arrives_s, chance.choice(SECTIONS), status))
        at += length
    return arrivals


@dataclass
class House:
    """A lake, an engine, and what was fed and not committed yet. ``now`` is in seconds, as the clock of the machine."""

    lake: Lake
    rules: Sequence[Rule]
    engine: Engine
    waiting: list[tuple[Batch, list[Line]]] = field(default_factory=list)
    alerts: list[AlertRow] = field(default_factory=list)
    restarts: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1 << 30)))

    def feed(self, lines: Sequence[Line], now: int) -> None:
        """Take in a chunk, as a collector does."""
        data = b"".join(line.text for line in lines)
        records = FORMAT.parse(split(data), {*FORMAT.columns, "section"})
        position = {"offset": next(self.numbers)}
        batch = Batch("source", "part", position, "web", "log", FORMAT, records, now * SECOND_US, len(data))
        rows = self.lake.complete(batch)
        seen = Seen(rows.rows, text_of(split(data).readable()), rows.formats)
        self.alerts += rows_of(self.engine.feed(self.engine.partials.of(seen), float(now)))
        self.waiting.append((batch, list(lines)))

    def commit(self) -> None:
        """Commit what waits, as one tick."""
        self.lake.commit(Tick(tuple(batch for batch, _ in self.waiting), tuple(self.alerts)))
        self.waiting, self.alerts = [], []

    def kill(self, now: int) -> list[Line]:
        """Lose all that is not committed, and begin again where the lake ended; return the lines to read again."""
        lost = [line for _, lines in self.waiting for line in lines]
        self.waiting, self.alerts = [], []
        self.restarts += 1
        newest, received = newest_us(self.lake.catalog) or (now * SECOND_US, now * SECOND_US)
        starts: dict[str, dict[str, int]] = {}
        for alert in open_alerts(self.lake.catalog):
            starts.setdefault(alert.rule, {})[alert.key] = alert.start_us // SECOND_US
        last = {rule: time_us // SECOND_US for rule, time_us in last_transitions_us(self.lake.catalog).items()}
        with closing(LakeReader(self.lake.folder)) as reader:
            stood = Stood(min(newest, received), received, starts, last)
            self.engine = restored(self.rules, reader, stood, float(now))
        return lost


def run_curve(seed: int, folder: Path, seconds: int = 400) -> tuple[list[Incident], list[Incident], int]:
    """Return the incidents in the lake, those of the oracle, and how often the engine was killed."""
    chance = random.Random(seed)
    own = rules(chance)
    # What is stamped ahead counts for when it was received, which is another time when it has to be read again.
    is_skewed = seed % 4 == 0
    arrivals = curve(chance, seconds, 2 if is_skewed else 0)
    told: list[Line] = []
    with closing(Lake(folder)) as lake:
        lake.register(FORMAT)
        house = House(lake, own, Engine(own))
        for one in house.engine.evaluations:
            one.start(BEGIN_S, float(BEGIN_S))
        backlog: list[Line] = []
        down_until = 0
        for second, arriving in enumerate(arrivals):
            now = BEGIN_S + second
            backlog += arriving
            if second < down_until:
                continue
            while backlog:
                size = chance.randrange(1, len(backlog) + 1)
                house.feed(backlog[:size], now)
                backlog = backlog[size:]
            house.alerts += rows_of(house.engine.advance(float(now)))
            if chance.random() < 0.3:
                house.commit()
            if not is_skewed and second > FIRST_KILL and chance.random() < 0.02:
                down_until = second + chance.choice([1, 1, 10, 40])
                backlog = house.kill(now)
        told = [line for lines in arrivals for line in lines]
        if backlog:
            house.feed(backlog, BEGIN_S + seconds)
        for second in range(seconds, seconds + 400):
            house.alerts += rows_of(house.engine.advance(float(BEGIN_S + second)))
        house.commit()
        rows = alert_history(lake.catalog)
    opened = {(one.rule, one.key, one.start_us) for one in rows if one.state == "triggered"}
    found = [
        # Who is told of a recovery must know of what.
        (one.rule, one.key, one.time_us // SECOND_US, one.state if (one.rule, one.key, one.start_us) in opened else "?")
        for one in rows
    ]
    return sorted(found), sorted(oracle(own, told)), house.restarts


def oracle(own: Sequence[Rule], lines: Sequence[Line]) -> Iterator[Incident]:
    """Yield what must have been told, by looking at every second."""
    for rule in own:
        keys = sorted({line.section for line in lines}) if rule.by else [""]
        for key in keys:
            mine = [line for line in lines if not rule.by or line.section == key]
            for second, state in _of(rule, mine):
                yield rule.name, key, second, state


def _of(rule: Rule, lines: Sequence[Line]) -> Iterator[tuple[int, str]]:
    whole = Counter(line.told_s for line in lines)
    failed = Counter(line.told_s for line in lines if line.status >= 500)
    firing, since = False, None
    for second in range(BEGIN_S, BEGIN_S + 700):
        window = range(second - rule.window_s + 1, second + 1)
        count = sum(whole[one] for one in window)
        if rule.name == "absent":
            beyond, over = count == 0, count > 0
        elif rule.name == "share":
            failing = sum(failed[one] for one in window)
            beyond, over = failing * 4 > count, failing * 4 < count or count == 0
        else:
            limit = rule.limit.limit * rule.window_s
            back = limit if rule.limit.recover is None else rule.limit.recover * rule.window_s
            beyond, over = count > limit, count < back
        turns = over if firing else beyond
        since = (second if since is None else since) if turns else None
        if since is not None and second - since >= (rule.limit.keep_s if firing else rule.limit.for_s):
            firing, since = not firing, None
            yield second, "triggered" if firing else "recovered"


def difference(found: Sequence[Incident], expected: Sequence[Incident]) -> Mapping[str, Sequence[Incident]]:
    """Return what is missing and what is too much; nothing where all is right."""
    missing, extra = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    return {name: sorted(one) for name, one in (("missing", missing), ("too much", extra)) if one}


def main() -> int:
    """Run curves and say what came out."""
    curves = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    incidents = restarts = wrong = 0
    for seed in range(first, first + curves):
        with tempfile.TemporaryDirectory() as folder:
            found, expected, killed = run_curve(seed, Path(folder) / "lake")
        incidents, restarts = incidents + len(expected), restarts + killed
        if differs := difference(found, expected):
            wrong += 1
            print(f"seed {seed}: {dict(differs)}")
    print(f"{curves} curves, {incidents:,} transitions, {restarts:,} restarts, {wrong} curves differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
