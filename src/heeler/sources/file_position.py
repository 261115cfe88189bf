"""How far files have been read: the positions that are stored, the same for files that are followed or taken whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from heeler.model import Position
from heeler.sources.file_identity import Identity

MARK_BYTES = 256
"""So many bytes at the head, and before the offset, tell a file that grew from one that was rewritten."""

WAITING = "-"
"""Ends the name of the part that says: this path was discovered when no file stood there."""


TELLING_BYTES = 32
"""With fewer bytes than these, and no whole line, many files begin."""

NUMBERS_APART = 1 << 20
"""Between the numbers of two generations there is room for so many that are found later."""


def digest(some: bytes) -> str:
    """Return what tells these bytes from others, in hexadecimal."""
    return blake2b(some, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Place:
    """How far one file has been read, and what lets it be known again.

    ``offset`` counts bytes of the content, decompressed where it is compressed. ``head`` and ``mark`` are digests of up
    to `MARK_BYTES` at the beginning and before the offset. ``generation`` rises with each file that stands at one path,
    see `KnownFiles.add`. ``done`` says that it was rotated away and read to its end. An ``unfinished`` last line of so
    many bytes is stored already; ``trouble`` was told of the end of the content. ``written_ns`` is when the file was
    written last, by the clock of its file system, when so much of it had been read.
    """

    identity: Identity
    offset: int
    head: str
    mark: str
    generation: int = 0
    done: bool = False
    unfinished: int = 0
    unfinished_mark: str = digest(b"")
    trouble: str = ""
    written_ns: int = 0

    @property
    def length(self) -> tuple[int, int]:
        """How well content can tell it: by how much was read; of two places with as much the newer one is meant."""
        return self.offset, self.generation

    def precedes(self, identity: Identity, written_ns: int, since_ns: int) -> bool:
        """Tell whether a file that content cannot place came after this one, or is it with another content.

        None was born before ``since_ns``; births are 0 where the file system does not know them.
        """
        is_younger = not (identity.birth_ns and since_ns) or identity.birth_ns >= since_ns
        # Not "later than": the clocks of file systems tick a few milliseconds apart.
        return identity.may_be(self.identity) or (is_younger and written_ns >= self.written_ns)


def position_of(place: Place) -> Position:
    """Return the position to store."""
    return {
        "discovered": True,
        "device": place.identity.device,
        "inode": place.identity.inode,
        "birth": place.identity.birth_ns,
        "offset": place.offset,
        "head": place.head,
        "hash": place.mark,
        "generation": place.generation,
        "done": place.done,
        "unfinished": place.unfinished,
        "unfinished_hash": place.unfinished_mark,
        "trouble": place.trouble,
        "written": place.written_ns,
    }


def place_of(position: Position) -> Place:
    """Return what `position_of` was given."""
    names = ("device", "inode", "birth", "offset", "generation", "unfinished", "written")
    device, inode, birth, offset, generation, unfinished, written = (int(str(position.get(one, 0))) for one in names)
    head, mark, rest, trouble = (str(position.get(name, "")) for name in ("head", "hash", "unfinished_hash", "trouble"))
    done = bool(position.get("done"))
    if 0 < generation < NUMBERS_APART:
        generation = (generation + 1) * NUMBERS_APART  # an older version left no room between them
    identity = Identity(device, inode, birth)
    return Place(identity, offset, head, mark, generation, done, unfinished, rest, trouble, written)


def prefix_of(group: str, stream: str) -> str:
    """Return what the names of the parts of a stream begin with."""
    return f"{storable(group)}\0{storable(stream)}\0"


def storable(name: str) -> str:
    r"""Return a name that can be stored: of a path, bytes that are no UTF-8 are written as ``\xNN``."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def by_prefix(positions: Mapping[str, Position]) -> dict[str, dict[str, Position]]:
    """Return positions by the prefix of their part."""
    found: dict[str, dict[str, Position]] = {}
    for part, position in positions.items():
        found.setdefault(part[: part.rfind("\0") + 1], {})[part] = position
    return found


class KnownFiles:
    """The files of one stream of which something was read, each by the name of its part.

    A name is the prefix, device and inode, and a number that rises whenever other content is found there, so that
    nothing of the old content is touched.
    """

    def __init__(self, prefix: str, positions: Mapping[str, Position]) -> None:
        """Take from ``positions`` those that begin with ``prefix``."""
        self._prefix = prefix
        own = {part: position for part, position in positions.items() if part.startswith(prefix) and position}
        self.discovered = bool(own)
        """Whether the stream was ever looked at. What appears after that is read from its start."""
        self.origin = place_of(own[self.waiting]) if self.waiting in own else None
        """Where nothing has been read: what stood there, or when the path was discovered without a file."""
        self.places = {part: place_of(position) for part, position in own.items() if part != self.waiting}
        self._used = set(self.places)
        self._last = max((place.generation for place in self.places.values()), default=NUMBERS_APART)

    @property
    def waiting(self) -> str:
        """The part that has the position of a path without a file."""
        return self._prefix + WAITING

    @property
    def newest(self) -> tuple[str, Place] | None:
        """The file of which something was read, or is, that stood at the path last."""
        return max(self.places.items(), key=lambda one: one[1].generation, default=None)

    def of(self, identity: Identity) -> list[tuple[str, Place]]:
        """Return the parts that were read of what may be this file, the longest first: it is that which fits."""
        found = [one for one in self.places.items() if one[1].identity.may_be(identity)]
        return sorted(found, key=lambda one: one[1].length, reverse=True)

    def longer(self, place: Place) -> list[Place]:
        """Return the places before which more was read than before ``place``; of files that begin alike, also these."""
        return [one for one in self.places.values() if one.length > place.length]

    def discover(self, now_ns: int) -> None:
        """Take note that there is no file yet; what comes after this moment is new."""
        self.discovered = True
        self.origin = Place(Identity(0, 0, now_ns), 0, digest(b""), digest(b""), written_ns=now_ns)

    def add(self, identity: Identity, before: int | None = None) -> tuple[str, int]:
        """Return the name of a part for content that was not read before, and the number of its generation.

        It is the newest, or the one just ``before`` another: so it has its place before anything of it was read, and
        whoever is killed meanwhile finds the rest in its place as well.
        """
        name = f"{self._prefix}{identity.device}:{identity.inode}:"
        # Not the name of one that was just forgotten: what is told of the two may overtake each other.
        numbers = [int(part.removeprefix(name)) for part in self._used if part.startswith(name)]
        part = f"{name}{max(numbers, default=-1) + 1}"
        self._used.add(part)
        number = self.number(before)
        self.places[part] = Place(identity, 0, digest(b""), digest(b""), number)
        self.discovered = True
        return part, number

    @property
    def last_number(self) -> int:
        """The highest number of a generation that was given."""
        return self._last

    def number(self, before: int | None = None) -> int:
        """Return a number for a generation: higher than all, or just ``before`` another."""
        if before is None:
            self._last += NUMBERS_APART
            return self._last
        lower = [place.generation for place in self.places.values() if place.generation < before]
        return min(max(lower, default=before - NUMBERS_APART) + 1, before)
