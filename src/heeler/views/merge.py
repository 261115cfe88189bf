"""Several files read as one, by event time."""

from collections.abc import AsyncIterator, Sequence

import polars as pl

from heeler.rules.event_time import EventClock


class Merge:
    """Merges the records of several files by event time, the lines of each file staying in their own order.

    A line stands where the event clock of its own file stood when it was read; of lines that stand at one time, those
    of the file named first come first. The order does not depend on how the files are cut into frames, and about one
    frame of each file is held. After iteration ``skewed`` has the lines whose stamp lies impossibly far ahead.
    """

    def __init__(self, files: Sequence[AsyncIterator[pl.DataFrame]]) -> None:
        self._files = files
        self.skewed = 0

    async def __aiter__(self) -> AsyncIterator[pl.DataFrame]:
        """Yield frames with the columns of those that went in."""
        clocks = [EventClock() for _ in self._files]
        waiting: dict[int, pl.DataFrame] = {}
        unfinished = set(range(len(self._files)))
        while unfinished or waiting:
            for file in sorted(unfinished - waiting.keys()):
                frame = await anext(self._files[file], None)
                if frame is None:
                    unfinished.discard(file)
                    clocks[file].finish()
                    self.skewed += clocks[file].skewed
                elif (admitted := clocks[file].admit(frame).drop("newest_zone")).height:
                    key = pl.col("newest").fill_null(pl.lit(-(2**63), pl.Int64))
                    waiting[file] = admitted.with_columns(key, file=pl.lit(file, pl.Int32))
            if unfinished - waiting.keys():
                continue  # a file whose next line is not known yet could come first
            if not waiting:
                return
            yield self._ready(waiting, unfinished)

    @staticmethod
    def _ready(waiting: dict[int, pl.DataFrame], unfinished: set[int]) -> pl.DataFrame:
        """Take out of ``waiting`` what no line to come can stand before, and return it in order."""
        everything = pl.concat([waiting[file] for file in sorted(waiting)]).sort("newest", "file", maintain_order=True)
        ready = pl.lit(value=True)
        if open_files := [(int(frame["newest"][-1]), file) for file, frame in waiting.items() if file in unfinished]:
            newest, file = min(open_files)
            ready = (pl.col("newest") < newest) | ((pl.col("newest") == newest) & (pl.col("file") <= file))
        left = everything.filter(~ready)
        waiting.clear()
        waiting.update({int(frame["file"][0]): frame for frame in left.partition_by("file", maintain_order=True)})
        return everything.filter(ready).drop("newest", "file")
