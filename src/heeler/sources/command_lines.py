"""The lines of what a command writes: cut out of its reads, and held back until it is known which were there before."""

from dataclasses import dataclass, field

from heeler.model import CHUNK_BYTES, SourceEvent
from heeler.sources.command_replay import Tail, hash_of, overlap, stamp_of


@dataclass(frozen=True, slots=True)
class Cut:
    """Whole lines, or a ``piece`` of one that is too long and goes on in the next cut."""

    data: bytes
    piece: bool = False

    def lines(self, most: int | None = None) -> list[bytes]:
        """Return its last ``most`` lines (all without a number), each with its ending. A piece counts as a line.

        A line without an ending is left out: what is repeated of it may be longer.
        """
        if self.piece:
            return [self.data]
        parts = self.data.split(b"\n") if most is None else self.data.rsplit(b"\n", most + 1)[-(most + 1) :]
        return [part + b"\n" for part in parts[:-1]]

    @property
    def count(self) -> int:
        """How many lines these are."""
        return 1 if self.piece else self.data.count(b"\n")


class LineCutter:
    """Cuts what one output of one life writes into lines, however it is read.

    No more than one incomplete line is kept. Of a line longer than ``longest`` bytes there are pieces of just so many
    from its start, each as soon as it is known that something follows.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Cut]:
        """Take the next bytes, and return what is complete now."""
        rest, longest = self._rest, self._longest
        rest += data
        cuts: list[Cut] = []
        begin = at = 0
        while True:
            newline = rest.rfind(b"\n", at, at + longest)
            if newline >= 0:
                at = newline + 1
                continue
            if at > begin:
                cuts.append(Cut(bytes(rest[begin:at])))
            begin = at
            if len(rest) - at <= longest:
                break
            at = begin = at + longest
            cuts.append(Cut(bytes(rest[at - longest : at]), piece=True))
        del rest[:at]
        return cuts

    def rest(self) -> list[Cut]:
        """Return the last line, that has no ending and will never have one."""
        data = bytes(self._rest)
        self._rest.clear()
        return [Cut(data)] if data else []


@dataclass(slots=True)
class Given:
    """What is given on: a cut, the tail after it, and what happened before it."""

    cut: Cut
    tail: Tail
    events: tuple[SourceEvent, ...] = ()


@dataclass(slots=True)
class _Held:
    """The first lines of a life, while it is not known which were given on before."""

    known: Tail
    cuts: list[Cut] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    size: int = 0


class Lines:
    """The standard output of a command over all its lives: each line is given on once.

    After a restart the first lines are held until they tell whether they repeat known ones, or for as long as the
    caller waits: `is_holding` says so, and `release` ends it. Where none is repeated a gap is told. A command that
    repeats nothing (``repeats`` 0) has a gap at each restart, as nobody knows what it would have written.
    """

    def __init__(self, tail: Tail, repeats: int, longest: int) -> None:
        self.tail = tail
        self.repeated = 0
        """How many lines were left out because they had been given on."""
        self._repeats = repeats
        self._longest = longest
        self._cutter = LineCutter(longest)
        self._held: _Held | None = None

    @property
    def is_holding(self) -> bool:
        """Whether there are lines that wait."""
        return self._held is not None and bool(self._held.cuts)

    def begin(self) -> None:
        """Take note that the command was started."""
        self._cutter = LineCutter(self._longest)
        self._held = _Held(self.tail) if self.tail.lines else None

    def feed(self, data: bytes, received: str) -> list[Given]:
        """Take the next bytes, ``received`` at a time in words, and return what can be given on."""
        cuts = self._cutter.feed(data)
        if self._held is None:
            return [self._given(cut, received) for cut in cuts]
        self._hold(self._held, cuts)
        return self.release(received) if self._is_known(self._held) else []

    def release(self, received: str) -> list[Given]:
        """Return what is held without those lines that are repeated; hold nothing more in this life."""
        held, self._held = self._held, None
        if held is None:
            return []
        if not held.cuts:
            self._held = held
            return []
        repeated = overlap(held.known.hashes, held.hashes).repeated
        self.repeated += repeated
        given = [self._given(cut, received) for cut in _joined(held.cuts[repeated:])]
        if not repeated:
            given[0].events = (_gap(held, received),)
        return given

    def end(self, received: str) -> list[Given]:
        """Take note that the life is over, and return what is left of it."""
        given = self.release(received)
        self._held = None
        return [*given, *(self._given(cut, received) for cut in self._cutter.rest())]

    def _hold(self, held: _Held, cuts: list[Cut]) -> None:
        for cut in cuts:
            lines = cut.lines()
            held.cuts += [Cut(line, cut.piece) for line in lines]
            held.hashes += map(hash_of, lines)
            held.size += len(cut.data)

    def _is_known(self, held: _Held) -> bool:
        """Tell whether more lines would change nothing, or no more may be held."""
        if not held.cuts:
            return False
        if len(held.cuts) >= self._repeats or held.size >= CHUNK_BYTES:
            return True
        found = overlap(held.known.hashes, held.hashes)
        # With fewer known lines than it repeats, it may begin with older ones, and the known ones come then.
        return not found.is_open and (found.is_whole or len(held.known.hashes) >= self._repeats)

    def _given(self, cut: Cut, received: str) -> Given:
        self.tail = self.tail.after(cut.lines(max(self._repeats, 1)), cut.count, self._repeats, received)
        return Given(cut, self.tail)


def _joined(lines: list[Cut]) -> list[Cut]:
    """Return lines as few cuts."""
    cuts: list[Cut] = []
    whole: list[bytes] = []
    for line in [*lines, Cut(b"", piece=True)]:
        if not line.piece:
            whole.append(line.data)
            continue
        if whole:
            cuts.append(Cut(b"".join(whole)))
            whole = []
        if line.data:
            cuts.append(line)
    return cuts


def _gap(held: _Held, received: str) -> SourceEvent:
    first = stamp_of(held.cuts[0].data, received)
    message = f"Lines may be missing between {held.known.last} and {first}: the command had ended, and repeated none."
    return SourceEvent("gap", message, lost_bytes=-1)
