"""The report that the process that collects appends to a file, again and again.

A report is about the time between two moments at which one is due, by the times in the lines. It is made a little
later, when the lines that were written until then are stored. The file itself tells how far reports have come: the
first one after a pause begins where the last one in it ended, so no line is left out of all of them.
"""

import asyncio
import os
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from heeler.clock import Clock
from heeler.daemon.report_settings import ReportSettings
from heeler.daemon.running import Daemon
from heeler.errors import HeelerError
from heeler.query.tree import Query
from heeler.store.reading import LakeReader
from heeler.units import SECOND_US
from heeler.views.report.reading import ReportQuestion, read_report
from heeler.views.report.text import BRIEF, brief

LARGEST_BYTES, KEPT = 10_000_000, 5
"""The file is rotated before it becomes larger; so many older ones are kept, as PATH.1 and so on."""

GRACE_S: Final = 3
"""A report is made so long after its end: lines are read and stored about once a second."""

LONGEST_SLEEP_S: Final = 10.0
"""The clock is looked at again after this, as it may be set in between."""

_SET_BACK_US: Final = 3_600 * SECOND_US
_TAIL_BYTES: Final = 1 << 20
_DATE: Final = re.compile(rb"^ +Report for DATE: (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)$", re.MULTILINE)


def appending(settings: ReportSettings) -> Callable[[Daemon], AbstractAsyncContextManager[None]]:
    """Return what appends reports while its context is open; nothing where no path is set."""

    @asynccontextmanager
    async def serve(daemon: Daemon) -> AsyncIterator[None]:
        if settings.path is None:
            yield
            return
        intake = daemon.intake
        reports = Reports(settings, Path(settings.path), intake.lake.folder, intake.clock, intake.notice)
        task = asyncio.create_task(reports.run(), name="report")
        try:
            yield
        finally:
            reports.ending.set()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return serve


class Reports:
    """Appends reports about the lake in ``folder`` to the file at ``path``.

    ``ending`` can be set from any thread, and stops a report that is being made.
    """

    def __init__(
        self, settings: ReportSettings, path: Path, folder: Path, clock: Clock, notice: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._path = path
        self._folder = folder
        self._clock = clock
        self._notice = notice
        self.ending = threading.Event()

    async def run(self) -> None:
        """Append each report when it is due, until cancelled. What fails is told, and made good by the next one."""
        told_us = await asyncio.to_thread(last_told_us, self._path)
        while True:
            now_us = self._clock.now_us()
            if told_us is not None and told_us - now_us > _SET_BACK_US:
                told_us = None  # the clock was set back by more than a correction: begin anew
            due_us = self._settings.due_after_us(now_us if told_us is None else max(now_us, told_us))
            if not await self._comes(due_us + GRACE_S * SECOND_US):
                continue
            since_us = self._settings.due_before_us(due_us) if told_us is None else told_us
            try:
                await asyncio.to_thread(self._append, since_us, due_us)
                told_us = due_us
            except (HeelerError, OSError) as error:
                self._notice(f"The report to {self._path} was not made: {error} The next one is about this time too.")
                told_us = since_us

    async def _comes(self, moment_us: int) -> bool:
        """Wait for a moment; return False where the clock is set back meanwhile by more than a correction."""
        wait_us = moment_us - self._clock.now_us()
        while wait_us > 0:
            await self._clock.sleep(min(wait_us / SECOND_US, LONGEST_SLEEP_S))
            before_us, wait_us = wait_us, moment_us - self._clock.now_us()
            if wait_us > before_us + _SET_BACK_US:
                return False
        return True

    def _append(self, since_us: int, until_us: int) -> None:
        with closing(LakeReader(self._folder)) as reader:
            question = ReportQuestion(Query(), since_us, until_us, self._settings.top, until_us, BRIEF)
            report = read_report(reader, question, self._going_on)
        append("".join([*brief(report, cow=self._settings.cow), "\n"]).encode(), self._path)

    def _going_on(self) -> None:
        if self.ending.is_set():
            raise HeelerError("Heeler ends.")


def append(data: bytes, path: Path, largest_bytes: int = LARGEST_BYTES) -> None:
    """Append to a file, whole or not at all, and rotate it before if it would become too large."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if (size := path.stat().st_size) and size + len(data) > largest_bytes:
            _rotate(path)
    with path.open("ab", buffering=0) as file:
        before = os.fstat(file.fileno()).st_size
        if file.write(data) != len(data):
            file.truncate(before)
            raise OSError(f"There is no room for it in {path.parent}.")


def _rotate(path: Path) -> None:
    for number in range(KEPT - 1, 0, -1):
        with suppress(FileNotFoundError):
            path.with_name(f"{path.name}.{number}").replace(path.with_name(f"{path.name}.{number + 1}"))
    path.replace(path.with_name(f"{path.name}.1"))


def last_told_us(path: Path) -> int | None:
    """Return the end of the newest report in a file, UTC microseconds; None where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
            dates = _DATE.findall(file.read())
        told = datetime.fromisoformat(dates[-1].decode()).replace(tzinfo=UTC)
    except (OSError, IndexError, ValueError):
        return None  # no file yet, or one that something else was written to
    return round(told.timestamp()) * SECOND_US
