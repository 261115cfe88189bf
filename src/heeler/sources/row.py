"""The row of files that stand and have stood at one path: those that are being read, and how far the others were read.

It only keeps them in order; `heeler.sources.lineage` decides which file has which place in it.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heeler.clock import Clock
from heeler.sources.claims import Claims
from heeler.sources.descriptors import Descriptors
from heeler.sources.file_identity import Identity
from heeler.sources.file_lines import OpenFile
from heeler.sources.file_position import KnownFiles, Place
from heeler.sources.generations import AnyFile, Generation
from heeler.sources.rotated_files import Listings

if TYPE_CHECKING:
    from heeler.model import SourceEvent


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are followed; the same for all of one source."""

    clock: Clock
    chunk_bytes: int
    longest: int
    grace_seconds: float
    descriptors: Descriptors
    listings: Listings
    claims: Claims


class Row:
    """The generations of one path that are being read, oldest first, beside all places that are known.

    ``finished`` has parts and places of those that were let go, for whoever stores positions; None for one that can be
    forgotten. ``events`` happened to the path, and to files of which nothing is read any more.
    """

    def __init__(self, known: KnownFiles, reading: Reading) -> None:
        self.generations: list[Generation] = []
        self.finished: dict[str, Place | None] = {}
        self.events: list[SourceEvent] = []
        self.known = known
        self._reading = reading

    @property
    def parts(self) -> set[str]:
        """The parts that are being read."""
        return {one.part for one in self.generations}

    def append(self, file: AnyFile, *, rotated: bool = False, before: int | None = None) -> Generation:
        """Read a file of which nothing was read: the newest, or the one just ``before`` another."""
        part, number = self.known.add(file.identity, before)
        if isinstance(file, OpenFile) and not file.offset:
            self._reading.claims.go_on(file, self.known)
        new = self._add(Generation(part, number, file, rotated=rotated))
        if later := [one for one in self.generations if one.number == before]:
            # What happened before that one happened before this one.
            new.events, later[0].events = later[0].events, []
        return new

    def resume(self, part: str, place: Place, file: AnyFile, *, rotated: bool = True) -> Generation:
        """Read on in a file of which something was read, and that has gone on to ``place``."""
        # A copy is another file; the one that it was made of is free for other content.
        self.known.places[part] = replace(place, identity=file.identity)
        return self._add(Generation(part, place.generation, file, place, rotated=rotated))

    def _add(self, generation: Generation) -> Generation:
        generation.quiet_since = self._reading.clock.monotonic()
        self.claim(generation)
        self.generations.append(generation)
        self._sort()
        return generation

    def _sort(self) -> None:
        self.generations.sort(key=lambda one: one.number)

    def make_newest(self, generation: Generation) -> None:
        """Give the file at the path the highest number, whatever it had when it stood there before."""
        if generation.number < self.known.last_number:
            generation.number = self.known.number()
            self.known.places[generation.part] = generation.place
            self._sort()

    def exchange(self, generation: Generation, file: AnyFile) -> None:
        """Read on in another file that holds the same."""
        self._close(generation)
        generation.file = file
        self.claim(generation)

    def release(self, generation: Generation) -> None:
        """Take a file out of the row. It stays open for whoever goes on with it."""
        self.generations.remove(generation)

    def finish(self, generation: Generation) -> None:
        """Close a file. How far it was read is kept, also where it is gone: it may come back as a compressed copy."""
        self._close(generation)
        self.generations.remove(generation)
        generation.done = True
        place = replace(generation.place, identity=generation.copy or generation.file.identity)
        self.known.places[generation.part] = self.finished[generation.part] = place
        for event in generation.events:
            self.tell_behind(generation.number, event)

    def drop(self, part: str) -> None:
        """Forget how far a file was read."""
        self.known.places.pop(part, None)
        self.finished[part] = None

    def take_back(self, dropped: dict[str, Place]) -> None:
        """Know again how far files were read."""
        self.known.places |= dropped
        for part in dropped:
            self.finished.pop(part, None)

    def close(self) -> None:
        """Let go of all files."""
        for generation in self.generations:
            self._close(generation)
        self.generations.clear()

    def tell_behind(self, number: int, event: "SourceEvent") -> None:
        """Say what happened behind a generation: it is told with what is read next."""
        behind = next((one for one in self.generations if one.number > number), None)
        (behind.events if behind else self.events).append(event)

    def claim(self, generation: Generation) -> None:
        """Let nobody else read the file."""
        self._reading.claims.take(generation.file.identity, self)
        self._reading.claims.note(generation.file.identity, self.known)

    def is_free(self, device: int, inode: int) -> bool:
        """Tell whether no other path reads a file."""
        return self._reading.claims.is_free(device, inode, self)

    def _close(self, generation: Generation) -> None:
        self._reading.claims.release(generation.file.identity, self)
        generation.file.close()

    # --- what is known of a file ---

    def is_held(self, identity: Identity) -> bool:
        """Tell whether a file is being read."""
        return any(one.file.identity.may_be(identity) or one.copy == identity for one in self.generations)

    def is_other(self, identity: Identity) -> bool:
        """Tell whether a file is known, here or under another path, so that it is no missed one and no copy."""
        return (
            self.is_held(identity) or not self.is_free(identity.device, identity.inode) or bool(self.known.of(identity))
        )

    def is_known(self, file: AnyFile) -> bool:
        """Tell whether a rotated file is known, or a copy of one that is: the whole of it, as many begin alike.

        One that is open may have more: it was written to while it was copied or compressed.
        """
        if self.is_other(file.identity) or any(one.offset and file.is_copy(one) for one in self.known.places.values()):
            return True
        end = file.end
        return end.offset > 0 and any(holds(one.file, end) for one in self.generations)

    def is_read(self, file: AnyFile) -> bool:
        """Tell whether something of a rotated file was read: then all that are older were found before it."""
        known = [place for _, place in self.known.of(file.identity)] if file.grows else []
        return any(place.offset and holds(file, place) for place in known) or any(
            place.done and place.offset and file.is_copy(place) for place in self.known.places.values()
        )


def holds(file: AnyFile, place: Place) -> bool:
    """Tell whether a file that grows holds what was read up to ``place``; not where it cannot be read now."""
    try:
        return isinstance(file, OpenFile) and file.holds(place)
    except OSError:
        return False  # it was closed for a while, and has moved


def is_begun_by(file: OpenFile, other: AnyFile) -> bool:
    """Tell whether a file holds all that the other does, and so much that not many do."""
    end = other.end
    return end.offset > 0 and holds(file, end) and file.tells(end)
