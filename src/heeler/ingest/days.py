"""The days of stamps that have no date, counted over all chunks of a file.

Nothing in such a file says its days but that its last stamp is near to when it was last written, and that each step
back of more than twelve hours is a midnight. So its midnights are counted before the first chunk is read by them.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from heeler.formats import Format
from heeler.formats.lines import split
from heeler.formats.patterns import Pattern
from heeler.formats.timestamps import ClockSpan, Receipt
from heeler.model import Chunk
from heeler.sources import Source


class Days:
    """The days of one file, whose chunks are given in their order."""

    def __init__(self, again: Callable[[], Source] | None) -> None:
        """``again`` reads the same chunks once more; None where that cannot be, then each chunk is dated by itself."""
        self._again = again
        self._first_day: int | None = None
        self._read: ClockSpan | None = None

    async def known_for(self, chunk: Chunk, known: Format, receipt: Receipt) -> Receipt:
        """Return what is known of a chunk, with the day of its last stamp where its stamps have none."""
        if self._again is None or (span := await asyncio.to_thread(_span, known, chunk.data)) is None:
            return receipt
        if self._first_day is None:
            whole = await self._whole(known) or span
            self._first_day = receipt.day_of(whole.last_s) - whole.midnights
        self._read = self._read.then(span) if self._read else span
        return replace(receipt, last_day=self._first_day + self._read.midnights)

    async def _whole(self, known: Format) -> ClockSpan | None:
        """Return the span of all stamps that are still to be read."""
        whole: ClockSpan | None = None
        if self._again is None:
            return whole
        source = self._again()
        try:
            async for chunk in source.read():
                span = await asyncio.to_thread(_span, known, chunk.data)
                whole = whole.then(span) if whole and span else whole or span
        finally:
            await source.close()
        return whole


def _span(known: Format, data: bytes) -> ClockSpan | None:
    outer = getattr(known, "outer", known)
    return outer.clock(split(data)) if isinstance(outer, Pattern) else None
