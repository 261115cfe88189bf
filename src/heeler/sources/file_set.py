"""Following many files at once: each in its turn, few of them open, and the idle ones at no cost."""

from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path

from heeler.model import Chunk, Position, SourceEvent
from heeler.sources.file_changes import LOOK_SECONDS, Waker
from heeler.sources.file_following import Follower
from heeler.sources.file_names import Names
from heeler.sources.file_position import WAITING, KnownFiles, by_prefix, prefix_of
from heeler.sources.rotated_files import rotated_from
from heeler.sources.row import Reading

LOOKS = 500
"""So many files are looked at each time. Of more than these each has its turn some seconds later."""

RESCAN_SECONDS = 10.0
"""How often patterns are matched in any case; sooner when something appeared that could match."""


DISCOVERED: Position = {"discovered": True}
"""The position of a pattern that was matched."""


class FileSet:
    """The followers of the files that ``names`` say. Implements `heeler.sources.blocking.Reader`."""

    ended = False

    def __init__(
        self,
        names: Names,
        reading: Reading,
        waker: Waker,
        *,
        group: str,
        positions: Mapping[str, Position],
        from_start: bool,
    ) -> None:
        self._names = names
        self._reading = reading
        self._waker = waker
        self._group = group
        self._stored = by_prefix(positions)
        self._from_start = from_start
        self._followers: dict[str, Follower] = {}
        self._targets: dict[str, Follower] = {}
        self._queue: deque[Follower] = deque()
        self._turn: deque[Follower] = deque()
        self._timed: set[Follower] = set()
        self._changed: set[str] = set()
        self._anything = True
        self._appeared = False
        self._scanned = self._looked = float("-inf")
        self._chunks: deque[Chunk] = deque()
        self._trouble = ""
        for prefix, stored in self._stored.items():
            reading.claims.know(KnownFiles(prefix, stored))

    def noticed(self, changed: frozenset[str] | None) -> None:
        """Take note of what the waker told."""
        if changed is None:
            self._anything = True
        else:
            self._changed |= changed

    def next(self) -> Chunk | None:
        """Return what comes next of any file, or None where there is nothing now."""
        self._look()
        if self._chunks:
            return self._chunks.popleft()
        while self._queue:
            follower = self._queue.popleft()
            follower.is_queued = False
            chunk = follower.next()
            (self._timed.add if follower.waits_for_time else self._timed.discard)(follower)
            if chunk:
                self._queued(follower)  # behind the others: a file that floods delays nobody by more than its turn
                return chunk
        return None

    def sizes(self) -> tuple[int, int, int]:
        """Return how many files are followed, how many bytes they have, and how many of these are not read yet.

        As they were when they were last looked at. May be called in any thread.
        """
        sizes = [follower.sizes for follower in list(self._followers.values())]
        return len(sizes), sum(size for size, _ in sizes), sum(lag for _, lag in sizes)

    def close(self) -> None:
        """Let go of all files. May be called more than once."""
        for follower in self._followers.values():
            follower.close()

    def _look(self) -> None:
        now = self._reading.clock.monotonic()
        if self._anything or self._changed or now - self._looked >= LOOK_SECONDS:
            self._reading.listings.forget()
        soon = self._appeared or self._waker.is_partial
        if self._anything or now - self._scanned >= (LOOK_SECONDS if soon else RESCAN_SECONDS):
            new = self._scan(now)
            self._look_at(list(self._followers.values()) if self._anything else new)
            self._look_behind(self._followers.values() if self._anything else ())
        if self._anything:
            self._looked = now
        else:
            self._look_at_changed()
            if now - self._looked >= LOOK_SECONDS:
                self._looked = now
                self._look_at(list(self._timed))
                turn = [self._take_turn() for _ in range(min(LOOKS, len(self._turn)))]
                self._look_at(turn)
                self._look_behind(turn if self._waker.trouble else ())
        self._anything = False

    def _look_at_changed(self) -> None:
        changed, self._changed = self._changed, set()
        behind: set[Follower] = set()
        for path in changed:
            if follower := self._at(path):
                if follower.path.is_symlink() and str(follower.path.resolve()) not in self._targets:
                    self._watch(self._names.look().directories)
                self._look_at([follower])
            else:
                folder, _, name = path.rpartition("/")
                behind |= {found for base in rotated_from(name) if (found := self._at(f"{folder}/{base}"))}
                self._appeared = self._appeared or self._names.may_match(path)
        # Once each: one rotation renames every file that was rotated before it.
        self._look_behind(behind)

    def _at(self, path: str) -> Follower | None:
        return self._followers.get(path) or self._targets.get(path)

    def _look_behind(self, followers: Iterable[Follower]) -> None:
        for follower in followers:
            follower.look_behind()
            self._queued(follower)

    def _look_at(self, followers: list[Follower]) -> None:
        for follower in followers:
            follower.look()
            self._queued(follower)

    def _take_turn(self) -> Follower:
        self._turn.rotate(-1)
        return self._turn[-1]

    def _queued(self, follower: Follower) -> None:
        if not follower.is_queued:
            follower.is_queued = True
            self._queue.append(follower)

    def _scan(self, now: float) -> list[Follower]:
        """Begin to follow what appeared, and watch the directories in which something may; return what is new."""
        found = self._names.look()
        is_first = self._scanned == float("-inf")
        self._scanned, self._appeared = now, False
        new = [self._follow(path, is_first=is_first) for path in found.paths if path not in self._followers]
        self._leave(set(found.paths))
        self._watch(found.directories)
        self._tell_patterns()
        self._tell_trouble()
        return new

    def _follow(self, path: str, *, is_first: bool) -> Follower:
        prefix = prefix_of(self._group, path)
        known = KnownFiles(prefix, self._stored.get(prefix, {}))
        is_named = path in self._names.plain
        # What a pattern matches only now was not there before; a path that is named is followed from where it is.
        from_start = self._from_start or (not is_named and (not is_first or self._were_discovered()))
        follower = Follower(Path(path), known, self._reading, from_start=from_start, says_waiting=is_named)
        self._followers[path] = follower
        self._turn.append(follower)
        return follower

    def _were_discovered(self) -> bool:
        """Tell whether the patterns were matched by an earlier run: what is new since then is read from its start."""
        return all(self._stored.get(prefix_of(self._group, pattern)) for pattern in self._names.patterns)

    def _leave(self, found: set[str]) -> None:
        """Forget files that a pattern matched, and that are gone and read to their end."""
        for path in [path for path in self._followers if path not in found]:
            if self._followers[path].is_idle:
                follower = self._followers.pop(path)
                follower.close()
                self._turn.remove(follower)
                self._timed.discard(follower)

    def _watch(self, directories: Iterable[str]) -> None:
        """Watch these directories and those where symbolic links lead: what changes there is told under that name."""
        self._targets = {}
        for follower in self._followers.values():
            if follower.path.is_symlink():
                self._targets[str(follower.path.resolve())] = follower
        behind = (path.rpartition("/")[0] or "/" for path in self._targets)
        self._waker.watch({*directories, *behind}, self._concerns)

    def _concerns(self, path: str, appeared: bool) -> bool:  # noqa: FBT001 - the form of `Waker.watch`
        if path in self._followers or path in self._targets:
            return True
        folder, _, name = path.rpartition("/")
        bases = (f"{folder}/{base}" for base in rotated_from(name))
        return any(base in self._followers or base in self._targets for base in bases) or (
            appeared and self._names.may_match(path)
        )

    def _tell_patterns(self) -> None:
        """Say which patterns were matched: what they match after a restart is read from its start."""
        for pattern in self._names.patterns:
            if not self._stored.get(prefix := prefix_of(self._group, pattern)):
                self._stored[prefix] = {prefix + WAITING: DISCOVERED}
                self._tell(prefix, DISCOVERED, pattern)

    def _tell_trouble(self) -> None:
        """Say where the kernel does not tell of changes."""
        if self._waker.trouble and self._waker.trouble != self._trouble:
            path = next(iter(self._followers), "")
            self._tell(prefix_of(self._group, ""), {}, path, SourceEvent("polling", self._waker.trouble))
        self._trouble = self._waker.trouble

    def _tell(self, prefix: str, position: Position, path: str, *events: SourceEvent) -> None:
        now_us = self._reading.clock.now_us()
        self._chunks.append(Chunk(prefix + WAITING, b"", position, now_us, events, path=path))
