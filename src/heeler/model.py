"""The values that the rooms hand to each other. All are frozen; none knows where it came from or where it goes."""

from collections.abc import Mapping
from dataclasses import dataclass

Position = Mapping[str, int | str | bool | None]
"""How far a part has been read. JSON-able, and opaque to everybody but the source that made it."""

LONGEST_LINE_BYTES = 1 << 20
"""A line longer than this travels and is stored as consecutive pieces without an ending, so memory stays bounded."""

CHUNK_BYTES = 8 << 20
"""How much a source reads at once: large enough that Python's share of the work is small, small enough for memory."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One read of one part: whole lines, and the position after them.

    ``data`` ends with a newline, except that a source may end it anywhere when the line will never be completed
    (end of a file that is not followed, a rotated file whose last line has no newline) or is longer than
    `LONGEST_LINE_BYTES`. ``position`` is where reading goes on after these bytes; it is stored in the same
    transaction as they are. ``received_us`` is UTC microseconds. ``events`` are what happened before these bytes.

    A source for a store says more of such an end. Where ``unfinished_bytes`` is not 0 the last line has so many bytes
    and may still grow: ``position`` lies before it, and the next chunk of the part brings it again, longer. ``piece``
    tells that the data ends inside a line that goes on in the next chunk. ``path`` is under which name a followed file
    was found; its parts are the files that stood there. An empty ``position`` says that the part can be forgotten.

    A source that is told to whom its lines belong says so by ``group`` and ``stream``; where they are empty the group
    is the configured one, and the stream the path or the part. ``keys`` name what the lines were sent as (a frame, an
    event): the store keeps them, so that the same ones can be recognised when they are sent again. ``awaited`` says
    that a sender waits for the commit.
    """

    part: str
    data: bytes
    position: Position
    received_us: int
    events: tuple["SourceEvent", ...] = ()
    unfinished_bytes: int = 0
    piece: bool = False
    path: str = ""
    group: str = ""
    stream: str = ""
    keys: tuple[str, ...] = ()
    awaited: bool = False


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """Something that happened to a part and that a reader of its lines must know of: a rotation, a gap, a wait.

    ``lost_bytes`` is None where no line is missing because of it, -1 where it cannot be known how much is, and 0 where
    a place between two lines must be known although nothing is missing. ``repeated`` says that it was told before,
    with what is committed already.
    """

    what: str
    message: str
    lost_bytes: int | None = None
    repeated: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether it belongs to the log: then a store keeps it as a record in its place among the lines.

        What only tells how a part fares (it is waited for, it was rotated and read to its end) is told and forgotten.
        """
        return self.lost_bytes is not None and not self.repeated
