"""A session that watches traffic of its own making: `heeler demo`."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Self

from heeler.clock import Clock
from heeler.generate import Spike, Traffic, write_live
from heeler.rules.alert import HighTraffic
from heeler.views.invalid import InvalidLines
from heeler.views.snapshot import AlertLine, Snapshot
from heeler.views.watch import WatchOptions, WatchSession
from heeler.views.watching import Said

_SPIKES = tuple(Spike(at_s=10 + 60 * minute, length_s=12, rate=60) for minute in range(24 * 60))
TRAFFIC = Traffic(rate=8.0, spikes=_SPIKES, malformed=0.002, invalid=0.002)
RULE = HighTraffic(Fraction(20), window_s=10)
"""A window short enough that the alert of the spike fires and recovers within half a minute."""


class DemoSession:
    """Writes an access log into a temporary folder and watches it. Use as a context manager: it leaves nothing behind.

    With ``screen`` it goes on until it is cancelled, a spike each minute; else it ends when the alert has recovered.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        invalid: InvalidLines,
        say: Callable[[Sequence[Said]], None],
        notice: Callable[[str], None],
        screen: bool,
    ) -> None:
        self._clock = clock
        self._say = say
        self._screen = screen
        self._recovered = asyncio.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="heeler-demo-")
        self._log = Path(self._folder.name, "access.log")
        self._log.touch()
        options = WatchOptions((str(self._log),), RULE, interval_s=5, from_start=True, screen=screen)
        self._session = WatchSession(options, clock, invalid=invalid, say=self._hear, notice=notice)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    async def run(self, changed: Callable[[], None]) -> None:
        """See `WatchSession.run`."""
        with self._log.open("ab", buffering=0) as log:
            writing = asyncio.create_task(write_live(TRAFFIC, self._clock, log.write))
            watching = asyncio.create_task(self._session.run(changed))
            recovered = asyncio.create_task(self._recovered.wait())
            tasks = (writing, watching, recovered)
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def snapshot(self) -> Snapshot:
        """See `WatchSession.snapshot`."""
        return self._session.snapshot()

    def _hear(self, said: Sequence[Said]) -> None:
        self._say(said)
        if not self._screen and any(isinstance(one, AlertLine) and one.state == "recovered" for one in said):
            self._recovered.set()
