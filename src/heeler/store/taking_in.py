"""Taking segments in again that a copy of the catalog does not know, from what each says of itself.

The rules, in which "before" and "after" are those of ticks:

- A merged segment is taken in instead of what it replaces. A flush counts only with all of its files.
- Up to the last flush, and up to the copy, everything is in segments, so every tick's segment there is taken in.
- After that a tick is taken in while it is whole: no record of it lived in the catalog alone, no file of it is missing,
  and each of its streams goes on where the tick before ended. Positions are those after the last whole tick.
- Segments of later ticks are moved aside. Their lines come after the positions, so sources that can be read again
  give them again, and nothing is stored twice.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from heeler.store.ordered import metadata_of
from heeler.store.plan import METADATA_VERSION, Part, insert_part, times_of
from heeler.store.records import hits_of, rollup_of
from heeler.store.schema import RECORD_TABLES
from heeler.store.segment import digest, sync
from heeler.store.setting import number_of, set_number

ASIDE = "aside"
"""The folder of a lake for segments that are not served and never deleted."""


@dataclass(frozen=True, slots=True)
class Found:
    """A segment's file, and what it says of itself."""

    path: str
    says: dict[str, Any]

    @property
    def tick(self) -> int:
        """The tick that it holds, or the last of several."""
        return int(self.says["tick"])

    @property
    def merge(self) -> int:
        """The number of the merge that wrote it, 0 for a segment of one tick."""
        return int(self.says.get("merge", 0))


def take_in(folder: Path, catalog: sqlite3.Connection) -> list[str]:
    """Bring a catalog, empty or a copy, up to what lies in ``folder``, inside the caller's transaction.

    Returns sentences for people.
    """
    return list(_TakingIn(folder, catalog).run())


class _TakingIn:
    def __init__(self, folder: Path, catalog: sqlite3.Connection) -> None:
        self._folder = folder
        self._catalog = catalog
        self._copied_tick = number_of(catalog, "tick")
        self._copied_merge = number_of(catalog, "merge")
        self._gone: set[str] = set()
        self._taken: list[Found] = []
        self._told: list[str] = []
        # By number: from after which tick to which one a flush reached.
        self._flushes: dict[str, list[int]] = {}

    def run(self) -> Iterator[str]:
        listed = {row[0] for row in self._catalog.execute("select path from segment")}
        known = listed | {row[0] for row in self._catalog.execute("select path from garbage")}
        files = sorted(
            file.relative_to(self._folder).as_posix() for file in (self._folder / "segments").rglob("*.parquet")
        )
        unknown = [path for path in files if path not in known]
        new = [found for path in unknown if (found := self._read(path))]
        whole_to = self._take_merged(new)
        ticks: dict[int, list[Found]] = {}
        for found in new:
            if not found.merge and found.path not in self._gone and found.tick > self._copied_tick:
                ticks.setdefault(found.tick, []).append(found)
        for tick in sorted(tick for tick in ticks if tick <= whole_to):
            for found in ticks.pop(tick):
                if not self._is_taken_already(found):
                    self._take(found)
        last = max(self._copied_tick, whole_to)
        self._replace(whole_to)
        while self._is_whole(group := ticks.get(last + 1, [])):
            last += 1
            for found in ticks.pop(last):
                self._take(found)
            self._count_again(group)
        self._set_numbers(new, whole_to, last)
        yield from self._told
        yield f"{len(self._taken)} segments were taken in again, up to tick {last}."
        taken = {found.path for found in self._taken}
        self._keep_numbers([found for group in ticks.values() for found in group])
        yield from self._put_aside([path for path in unknown if path not in taken | self._gone])
        yield from self._missing(listed, set(files))
        yield (
            "What was stored after that and lay in the catalog alone is lost here: sources are read again from their "
            "positions then, and what they do not have any more is a gap."
        )

    def _read(self, path: str) -> Found | None:
        """Return a segment that can be read to its end and holds as many rows as it says."""
        try:
            says = metadata_of(self._folder / path)
            pl.read_parquet(self._folder / path)
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            self._told.append(f"The segment {self._folder / path} cannot be read: {_first_line(error)}.")
            return None
        return Found(path, says) if says.get("version") == METADATA_VERSION else None

    def _take_merged(self, new: list[Found]) -> int:
        """Take merged segments in, the newest first; return up to which tick that makes everything whole."""
        whole_to = 0
        for found in sorted((one for one in new if one.merge), key=lambda one: -one.merge):
            replaces = set(found.says["replaces"])
            if found.merge <= self._copied_merge or found.path in self._gone or replaces & self._gone:
                continue  # it was never finished, or another took its place or that of what it was made of
            if "flush" in found.says and not self._is_finished(found, new):
                continue
            self._gone |= replaces
            self._flushes |= found.says["flushes"]
            self._take(found)
            whole_to = max(whole_to, int(found.says["whole_to"]))
        return whole_to

    def _is_finished(self, flush: Found, new: list[Found]) -> bool:
        """Tell whether all files of a flush are there or replaced, and no later flush began from before it."""
        there = {found.path for found in new if found.merge == flush.merge}
        there |= {path for path in self._gone if f"/m{flush.merge:010d}-" in path}
        begun_before = any(
            after < flush.tick for number, (after, _) in self._flushes.items() if int(number) > flush.merge
        )
        return len(there) == flush.says["files"] and not begun_before

    def _is_taken_already(self, found: Found) -> bool:
        """Tell whether a tick's records are in a merged segment too: then the tick was begun and never committed."""
        if found.says["table"] not in RECORD_TABLES:
            return False
        names = ["log_group", "log_stream", "seq"]
        own = pl.read_parquet(self._folder / found.path, columns=names)
        for taken in self._taken:
            if taken.says["table"] == found.says["table"] and _may_overlap(taken, found):
                other = pl.scan_parquet(self._folder / taken.path).select(names)
                if own.lazy().join(other, on=names, how="semi").head(1).collect().height:
                    self._told.append(
                        f"The segment {self._folder / found.path} is of a tick that was begun and never committed; "
                        "it is left where it is."
                    )
                    return True
        return False

    def _is_whole(self, group: list[Found]) -> bool:
        if not group or any(found.says["states"] != group[0].says["states"] for found in group):
            return False
        here = sorted(found.says["table"] for found in group if found.says["table"] in RECORD_TABLES)
        tables = [(table, place) for table, _, place in group[0].says["tables"] if table in RECORD_TABLES]
        # An unfinished line need not be there: the position lies before it.
        if sorted(table for table, place in tables if place == "segment") != here:
            return False
        if any(place == "recent" for _, place in tables):
            return False
        return all(self._next_seq(state[0], state[1]) == state[2] for state in group[0].says["states"])

    def _next_seq(self, group: str, name: str) -> int:
        row = self._catalog.execute(
            "select next_seq from log_stream join log_group on log_group.id = log_group "
            "where log_group.name = ? and log_stream.name = ?",
            (group, name),
        ).fetchone()
        return row[0] if row else 1

    def _take(self, found: Found) -> None:
        says = found.says
        self._catalog.executemany(
            'insert or ignore into format (id, name, "table", definition) values (?, ?, ?, ?)', says["formats"]
        )
        for state in says["states"]:
            self._set_state(state)
        for source, part, position, head, tick in says["positions"]:
            self._catalog.execute(
                "insert into position (source, part, position, head, tick) values (?, ?, ?, ?, ?) on conflict do "
                "update set position = excluded.position, head = excluded.head, tick = excluded.tick "
                "where excluded.tick >= position.tick",
                (source, part, position, head, tick),
            )
            # The position lies before the unfinished line of that part, which is read again or has been joined.
            self._catalog.execute("delete from recent where unfinished = ? and tick < ?", (f"{source}\0{part}", tick))
        self._list(found)
        self._taken.append(found)

    def _set_state(self, state: list[Any]) -> None:
        group, name, _, next_seq, first, last, lines, size = state[:8]
        source = state[8] if len(state) > 9 else None  # the first segments did not name it
        self._catalog.execute("insert or ignore into log_group (name) values (?)", (group,))
        self._catalog.execute(
            "insert into log_stream (log_group, name, next_seq, first_time, last_time, lines, bytes, source) "
            "select id, ?, ?, ?, ?, ?, ?, ? from log_group where name = ? "
            "on conflict do update set "  # newest: seq rises
            "next_seq = excluded.next_seq, first_time = excluded.first_time, last_time = excluded.last_time, "
            "lines = excluded.lines, bytes = excluded.bytes, source = excluded.source "
            "where excluded.next_seq >= log_stream.next_seq",
            (name, next_seq, first, last, lines, size, source, group),
        )

    def _list(self, found: Found) -> None:
        file, table = self._folder / found.path, found.says["table"]
        names = ["time", "received"] if table in RECORD_TABLES else ["time"]
        rows = pl.read_parquet(file, columns=names)
        received = tuple(found.says["received"]) if "received" in found.says else None
        if received is None and table not in RECORD_TABLES:
            received = _day_us(found.path), _day_us(found.path)
        row = self._catalog.execute(
            'insert into segment (path, "table", rows, min_time, max_time, min_received, max_received, bytes, sha256, '
            "tick, ordered) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning id",
            (
                found.path,
                table,
                rows.height,
                *times_of(rows, received),
                file.stat().st_size,
                digest(file),
                found.tick,
                int(found.merge > 0),
            ),
        ).fetchone()
        self._catalog.executemany(
            "insert into extent (segment, stream, first_seq, last_seq, rows) select ?, log_stream.id, ?, ?, ? "
            "from log_stream join log_group on log_group.id = log_group "
            "where log_group.name = ? and log_stream.name = ?",
            [(row[0], first, last, count, group, name) for group, name, first, last, count in found.says["streams"]],
        )

    def _replace(self, whole_to: int) -> None:
        """Forget what merged segments have taken the place of."""
        self._catalog.execute("delete from recent where unfinished is null and tick <= ?", (whole_to,))
        for path in sorted(self._gone):
            self._catalog.execute("delete from segment where path = ?", (path,))
            if (self._folder / path).exists():
                self._catalog.execute(
                    "insert or ignore into garbage (path, since, replaced_tick) values (?, 0, ?)", (path, whole_to)
                )

    def _count_again(self, group: list[Found]) -> None:
        """Make what was counted of a tick again where it lay in the catalog alone."""
        lost = {table for table, _, place in group[0].says["tables"] if place == "recent"} - set(RECORD_TABLES)
        for found in group:
            if not lost or found.says["table"] != "access":
                continue
            rows = pl.read_parquet(self._folder / found.path)
            received = times_of(rows)[2:]
            for (log_group,), records in rows.partition_by("log_group", as_dict=True).items():
                for table, count in (("hits", hits_of), ("rollup", rollup_of)):
                    deltas = count(str(log_group), records) if table in lost else None
                    if deltas is not None and deltas.height:
                        insert_part(self._catalog, Part(table, deltas, received_us=received), found.tick, None)

    def _set_numbers(self, new: list[Found], whole_to: int, last: int) -> None:
        # No number is given twice, so that no file is written over another.
        set_number(self._catalog, "tick", max([last, *(found.tick for found in new)]))
        set_number(self._catalog, "flush", max(whole_to, number_of(self._catalog, "flush")))
        set_number(self._catalog, "merge", max([number_of(self._catalog, "merge"), *(found.merge for found in new)]))

    def _keep_numbers(self, later: list[Found]) -> None:
        """Give no seq again that a record in a segment put aside has."""
        for found in later:
            for group, name, _, last, _ in found.says["streams"]:
                self._catalog.execute(
                    "update log_stream set next_seq = max(next_seq, ?) where name = ? and log_group = "
                    "(select id from log_group where name = ?)",
                    (last + 1, name, group),
                )

    def _put_aside(self, paths: list[str]) -> Iterator[str]:
        """Move what is not taken in out of the way: upkeep would remove it as a file that nobody knows."""
        for path in paths:
            target = self._folder / ASIDE / Path(path).relative_to("segments")
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._folder / path).rename(target)
            sync(target.parent)
            yield f"The segment {target} was put aside, because its tick, or one before, cannot be had whole."

    def _missing(self, listed: set[str], files: set[str]) -> Iterator[str]:
        for path in sorted(listed - files - self._gone):
            self._catalog.execute("update segment set damage = 'The file is missing.' where path = ?", (path,))
            yield f"The segment {self._folder / path} is missing."


def _may_overlap(one: Found, other: Found) -> bool:
    streams = {(group, name): (first, last) for group, name, first, last, _ in one.says["streams"]}
    for group, name, first, last, _ in other.says["streams"]:
        begin, end = streams.get((group, name), (1, 0))
        if begin <= last and first <= end:
            return True
    return False


def _day_us(path: str) -> int:
    """Return the start of the day that names the folder of a segment."""
    day = pl.Series([Path(path).parent.name]).str.to_date().cast(pl.Datetime("us")).to_physical()
    return int(day[0])


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].removesuffix(".")
