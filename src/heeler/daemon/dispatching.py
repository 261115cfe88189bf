"""Telling what is in the outbox, until it is told: retries, pauses, and one message for a storm."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Final

from heeler.clock import Clock
from heeler.daemon.intake import Intake
from heeler.daemon.own_thread import in_own_thread
from heeler.daemon.status import NotifierStatus
from heeler.errors import HeelerError, UsageError
from heeler.notify.notice import Notice
from heeler.notify.settings import Notifier, NotifierSettings
from heeler.query import tree
from heeler.query.language import parse
from heeler.store.alerts import Due, StoredAlert, due_notifications, not_told, open_alerts, outbox_counts, told
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader
from heeler.store.searching import LINE, Search, Wanted
from heeler.units import SECOND_US

Shown = Callable[[str | bytes], str]
"""Makes text that comes from lines harmless."""

MOST_AT_ONCE: Final = 500
MOST_WITH_LINES: Final = 5
LINES_EACH: Final = 3
LONGEST_LINE: Final = 500
LINES_SECONDS: Final = 5.0
LONGEST_WAIT_S: Final = 300
GIVE_UP_US: Final = 86_400 * SECOND_US
"""A notice so old that still cannot be told is of no use to anybody; it is kept as failed."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Dispatcher:
    """Tells. Each message is told in a thread of its own, so that a notifier that hangs holds up no other."""

    def __init__(self, intake: Intake, shown: Shown) -> None:
        self._intake = intake
        self._shown = shown
        self._settings: dict[str, NotifierSettings] = {}
        self._notifiers: dict[str, Notifier] = {}
        self._telling: dict[str, asyncio.Task[None]] = {}
        self._sent_at: dict[str, float] = {}
        self._repeated_at: dict[str, float] = {}
        self._errors: dict[str, str] = {}
        self._counts: dict[str, dict[str, int]] = {}

    def use(self, settings: Mapping[str, NotifierSettings]) -> None:
        """Tell by these notifiers from here on."""
        same = [name for name in self._notifiers if settings.get(name) == self._settings[name]]
        self._notifiers = {name: self._notifiers[name] for name in same}
        self._settings = dict(settings)

    def status(self) -> list[NotifierStatus]:
        """Tell how each notifier fares."""
        return [
            NotifierStatus(name, one.kind, **self._counts.get(name, {}), last_error=self._errors.get(name, ""))
            for name, one in self._settings.items()
        ]

    async def run(self) -> None:
        """Tell what is to be told, until this is cancelled; what is being told then is told again at the next start."""
        try:
            while True:
                await self.step()
                await self._intake.clock.sleep(1)
        finally:
            for task in self._telling.values():
                task.cancel()

    async def step(self) -> None:
        """Begin to tell what is due."""
        catalog, clock = self._intake.lake.catalog, self._intake.clock
        by_name: dict[str, list[Due]] = {}
        for one in await self._intake.in_writer(due_notifications, catalog, clock.now_us(), MOST_AT_ONCE):
            by_name.setdefault(one.notifier, []).append(one)
        self._telling = {name: task for name, task in self._telling.items() if not task.done()}
        for name, dues in by_name.items():
            if name not in self._telling and not self._is_early(name):
                self._telling[name] = asyncio.create_task(self._tell(name, dues))
        for name, settings in self._settings.items():
            is_due = clock.monotonic() - self._repeated_at.get(name, 0.0) >= settings.repeat
            if settings.repeat and is_due and name not in self._telling:
                self._repeated_at[name] = clock.monotonic()
                self._telling[name] = asyncio.create_task(self._repeat(name))
        self._counts = await self._intake.in_writer(outbox_counts, catalog)

    def _is_early(self, name: str) -> bool:
        """Tell whether a notifier has told something so lately that the next has to wait."""
        if name not in self._settings or name not in self._sent_at:
            return False
        return self._intake.clock.monotonic() - self._sent_at[name] < self._settings[name].every

    async def _tell(self, name: str, dues: Sequence[Due]) -> None:
        catalog, clock = self._intake.lake.catalog, self._intake.clock
        reader = Notices(self._intake.lake, clock, self._shown)
        try:
            notices = await in_own_thread(lambda: reader.of([due.alert for due in dues]))
            await self._told_by(name, notices)
        except Exception as error:  # noqa: BLE001 - whatever a notifier raises, it is told and tried again
            sentence = str(error) if isinstance(error, HeelerError) else f"A fault: {error!r}."
            self._complain(name, sentence)
            now_us = clock.now_us()
            wait_s = min(2 ** min(dues[0].attempts, 10), LONGEST_WAIT_S)
            old = [due for due in dues if now_us - due.alert.time_us > GIVE_UP_US and due.attempts]
            young = [due for due in dues if due not in old]
            await self._intake.in_writer(not_told, catalog, old, None, sentence)
            await self._intake.in_writer(not_told, catalog, young, now_us + wait_s * SECOND_US, sentence)
        else:
            self._errors.pop(name, None)
            self._sent_at[name] = clock.monotonic()
            await self._intake.in_writer(told, catalog, dues)

    async def _repeat(self, name: str) -> None:
        """Tell again what goes on; a failure needs no memory, as it is soon told again."""
        alerts = await self._intake.in_writer(open_alerts, self._intake.lake.catalog)
        own = [alert for alert in alerts if name in alert.details.get("notify", ())]
        if own:
            reader = Notices(self._intake.lake, self._intake.clock, self._shown)
            try:
                await self._told_by(name, await in_own_thread(lambda: reader.of(own)))
            except Exception as error:  # noqa: BLE001 - as above
                self._complain(name, str(error))

    async def _told_by(self, name: str, notices: Sequence[Notice]) -> None:
        if name not in self._settings:
            raise UsageError(f"There is no notifier {name!r} any more.")
        if name not in self._notifiers:
            self._notifiers[name] = await in_own_thread(self._settings[name].open)
        notifier = self._notifiers[name]
        await in_own_thread(lambda: notifier.tell(notices))

    def _complain(self, name: str, sentence: str) -> None:
        if self._errors.get(name) != sentence:
            self._intake.notice(f"notify.{name}: {sentence} It is tried again.")
        self._errors[name] = sentence


class Notices:
    """Makes notices of transitions, with the lines that led to them. Any thread."""

    def __init__(self, lake: Lake, clock: Clock, shown: Shown) -> None:
        self._folder = lake.folder
        self._clock = clock
        self._shown = shown

    def of(self, alerts: Sequence[StoredAlert]) -> list[Notice]:
        """Return what is told of some transitions, of the first few with lines."""
        return [self._notice(alert, with_lines=at < MOST_WITH_LINES) for at, alert in enumerate(alerts)]

    def _notice(self, alert: StoredAlert, *, with_lines: bool) -> Notice:
        details = alert.details
        window_s = int(details.get("window_s", 1))
        start_us = alert.start_us or alert.time_us
        query = link_to(str(details.get("query", "")), start_us - (window_s - 1) * SECOND_US, alert.time_us + SECOND_US)
        first, last = self._lines(query) if with_lines else ([], [])
        return Notice(
            alert.identity,
            alert.rule,
            self._shown(alert.key),
            alert.state,
            alert.hits,
            details.get("value"),
            float(details.get("limit", 0)),
            window_s,
            alert.time_us,
            start_us,
            alert.zone_minutes,
            str(details.get("severity", "warning")),
            str(details.get("text", "")),
            first,
            last,
            query,
        )

    def _lines(self, query: str) -> tuple[list[str], list[str]]:
        """Return the first and the last lines that a query finds, as far as that is quick."""
        ends_at = self._clock.monotonic() + LINES_SECONDS

        def going_on() -> None:
            if self._clock.monotonic() > ends_at:
                raise UsageError("It takes too long to find the lines.")

        try:
            with closing(LakeReader(self._folder)) as reader:
                found = Search(reader, Wanted(parse(query), self._clock.now_us()), going_on)
                first = next(found.oldest_first(), None)
                firsts = [] if first is None else first.head(LINES_EACH)[LINE].to_list()
                lasts = [line for rows in found.newest(LINES_EACH) for line in rows[LINE].to_list()]
        except HeelerError as error:
            return [f"({error})"], []
        return [self._short(line) for line in firsts], [self._short(line) for line in lasts]

    def _short(self, line: bytes) -> str:
        return self._shown(line)[:LONGEST_LINE]


def link_to(query: str, since_us: int, until_us: int) -> str:
    """Return a query for the lines of a time, as `heeler search` has it."""
    times = [tree.When("from", _iso(since_us)), tree.When("to", _iso(until_us))]
    return str(tree.all_of([parse(query).where, *times]))


def _iso(time_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat(timespec="seconds").replace("+00:00", "Z")
