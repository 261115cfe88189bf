"""Requests counted for monitoring, by group, section and class of status, in bounded memory."""

from collections.abc import Iterator

import polars as pl

from heeler.store.records import OTHER

MOST_SECTIONS = 200
"""Sections told by name for each group: each is a time series in whatever reads them for years."""

MOST_GROUPS = 200

Key = tuple[str, str, int]
"""Group, section, class of status (2 for 2xx; 0 where it is not known)."""


class TrafficCounters:
    """Rising counters of requests and bytes. Sections and groups beyond the first so many count as `OTHER`."""

    def __init__(self) -> None:
        self._counts: dict[Key, list[int]] = {}
        self._sections: dict[str, set[str]] = {}

    def add(self, rollup: pl.DataFrame | None) -> None:
        """Add rows of the table ``rollup``."""
        if rollup is None or not rollup.height:
            return
        summed = rollup.group_by("log_group", "section", "class").agg(pl.col("hits", "bytes").sum())
        for group, section, status, hits, size in summed.iter_rows():
            counts = self._counts.setdefault(self._key(group, section, status), [0, 0])
            counts[0] += hits
            counts[1] += size or 0

    def __iter__(self) -> Iterator[tuple[Key, int, int]]:
        """Yield each key with its requests and bytes."""
        for key, (hits, size) in self._counts.items():
            yield key, hits, size

    def _key(self, group: str, section: str, status: int | None) -> Key:
        if group not in self._sections and len(self._sections) >= MOST_GROUPS:
            group = OTHER
        known = self._sections.setdefault(group, set())
        if section not in known and len(known) >= MOST_SECTIONS:
            section = OTHER
        known.add(section)
        return group, section, status or 0
