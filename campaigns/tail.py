"""Prove that a followed file loses and repeats no line, whatever happens to it: random sequences against a model.

    python campaigns/tail.py [--sequences 20000] [--seed 1]

Things happen to real files: they are written to, also half a line, rotated, copied and truncated, rewritten, deleted,
compressed, linked elsewhere; before the eyes of a reader, several at once between two looks, and while none runs or
one was killed. Every line has a number, so a model knows which must be stored, in which order, and which cannot be
had any more; those must be told of by a record of a gap. The seed decides everything, and is printed for each fault.
"""

import argparse
import gzip
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from heeler.clock import FakeClock
from stage import Action, Stage, shift

Operation = tuple[str, int]
"""What happens, and a number that says how."""

OPERATIONS = {
    "write": 8,
    "half a line": 3,
    "rotate": 4,
    "rotate and create later": 1,
    "rotate and remove": 1,
    "copytruncate": 3,
    "truncate": 1,
    "cut": 1,
    "rewrite": 2,
    "delete": 1,
    "delete and create": 1,
    "compress": 2,
    "write late": 2,
    "link elsewhere": 1,
    "replace by a copy": 1,
    "nothing": 1,
    "let time pass": 2,
    "look": 10,
    "restart": 4,
    "kill": 4,
}
"""What may happen, and how often. Up to the next look, restart or kill it happens at once."""

KEEP = 50
LONGEST = 64
LINE = re.compile(rb"<(\d+)>[^\n]*\n?")


@dataclass
class Play:
    """One sequence: the files, their reader, and what the model knows."""

    folder: Path
    chunk_bytes: int = 1 << 16
    last: int = 0
    half: bytes = b""  # what is missing of the line that is being written
    half_number: int = 0
    lost: set[int] = field(default_factory=set)  # cannot be had any more, which a record must tell
    unseen: set[int] = field(default_factory=set)  # may never have been seen: nobody can tell
    again: set[int] = field(default_factory=set)  # may come again
    late: set[int] = field(default_factory=set)  # written to a file that was rotated already
    torn: set[int] = field(default_factory=set)  # never got their end
    files: list[set[int]] = field(default_factory=lambda: [set()])  # which lines were written to each
    stood: set[int] = field(default_factory=set)  # inodes that stood at the path
    links: int = 0

    def __post_init__(self) -> None:
        """Begin with an empty file and a reader that has seen it."""
        self.path = self.folder / "app.log"
        self.path.touch()
        self.stage = Stage(
            self.path, clock=FakeClock(1_700_000_000_000_000), chunk_bytes=self.chunk_bytes, longest_line_bytes=LONGEST
        )
        self.stage.run()

    def happen(self, operations: Sequence[Operation]) -> None:
        """Let it all happen."""
        looks: list[Operation | None] = []
        for name, how in operations:
            if name == "look":
                looks.append(None)
            elif name in ("restart", "kill"):
                self._run(looks, most=how % 4 if name == "kill" else None)
                looks = []
                # What follows up to the next look happens while nobody reads.
            else:
                looks.append((name, how))
        self._run(looks, most=None)
        self._finish()

    def _run(self, looks: list[Operation | None], most: int | None) -> None:
        """Let things happen while a reader runs, those between two looks at once; the first while none did."""
        groups: list[list[Operation]] = [[]]
        for one in looks:
            if one is None:
                groups.append([])
            else:
                groups[-1].append(one)
        for name, how in groups[0]:
            self._happens(name, how)
        self.stage.run(*(self._at_once(group) for group in groups[1:]), most=most)

    def _at_once(self, group: list[Operation]) -> Action:
        async def act() -> None:
            for name, how in group:
                if name == "let time pass":
                    await self.stage.clock.advance((0.5, 1.1, 70)[how % 3])
                else:
                    self._happens(name, how)

        return act

    def _finish(self) -> None:
        """Let everything come to its end: a new file with a line, and time for everything that waits."""
        self._rotate(0)
        self._write(1)
        advance = self.stage.advance
        self.stage.run(*[advance(1.1)] * 4, advance(70), advance(70), lambda: None)

    def _happens(self, name: str, how: int) -> None:
        act = {
            "write": self._write,
            "half a line": self._write_half,
            "rotate": self._rotate,
            "rotate and create later": self._rotate_only,
            "rotate and remove": self._rotate_and_remove,
            "copytruncate": self._copytruncate,
            "truncate": self._truncate,
            "cut": self._cut,
            "rewrite": self._rewrite,
            "delete": self._delete,
            "delete and create": self._delete_and_create,
            "compress": self._compress,
            "write late": self._write_late,
            "link elsewhere": self._link_elsewhere,
            "replace by a copy": self._replace_by_copy,
        }.get(name)
        if act:
            act(how)

    # --- what happens, and what follows for the model ---

    def _line(self) -> bytes:
        self.last += 1
        self.files[-1].add(self.last)
        return b"<%d>%s\n" % (self.last, b"." * (self.last * 7 % 23 if self.last % 5 else self.last * 37 % 150))

    def _append(self, path: Path, data: bytes) -> None:
        with path.open("ab") as file:
            file.write(data)

    def _write(self, how: int) -> None:
        data, self.half = self.half, b""
        lines = [self._whole_line() if not at and not data else self._line() for at in range(how % 5 + (not data))]
        self._append(self.path, data + b"".join(lines))

    def _whole_line(self) -> bytes:
        """Return a line, which makes one with what stands at the end of the file."""
        line = self._line()
        if self.path.exists() and self.path.stat().st_size and not self.path.read_bytes().endswith(b"\n"):
            self.torn.add(self.last)
        return line

    def _write_half(self, how: int) -> None:
        if not self.half:
            line = self._whole_line()
            cut = 1 + how % (len(line) - 1)
            self._append(self.path, line[:cut])
            self.half, self.half_number = line[cut:], self.last

    def _tear(self) -> None:
        """End the line that is being written: nobody completes it."""
        if self.half:
            self.torn.add(self.half_number)
        self.files.append(set())  # whatever ends a line here begins a file
        self.half = b""

    def _numbers(self, path: Path) -> set[int]:
        if not path.exists():
            return set()
        data = path.read_bytes()
        return {int(one[1]) for one in LINE.finditer(gzip.decompress(data) if path.suffix == ".gz" else data)}

    def _destroy(self, kept: frozenset[int] = frozenset()) -> None:
        """Note that the lines but for ``kept`` are gone. Nobody can tell where all that was read is there still."""
        numbers, stored = self._numbers(self.path), set(self.stored())
        gone = self.lost if numbers & stored - kept else self.unseen
        gone |= numbers - stored - kept

    @property
    def real(self) -> Path:
        """The file, where the path is a symbolic link."""
        return self.path.resolve()

    def _rotated(self, number: int) -> Path:
        return self.real.with_name(f"{self.real.name}.{number}")

    def _all_rotated(self) -> list[Path]:
        return [one for one in self.real.parent.iterdir() if one.name.startswith(f"{self.real.name}.")]

    def _rotate_only(self, how: int) -> None:
        del how
        if self.path.exists():
            self._tear()
            self.stood.add(self.path.stat().st_ino)
            shift(self.real, KEEP)
            self.real.rename(self._rotated(1))

    def _rotate(self, how: int) -> None:
        self._rotate_only(how)
        self.real.touch()

    def _rotate_and_remove(self, how: int) -> None:
        """Rotate, and keep one to three rotated files."""
        self._rotate(how)
        stored = set(self.stored())
        let_go = {position.get("inode") for position in self.stage.positions.values() if position.get("done")}
        for old in self._all_rotated():
            if int(old.name.removeprefix(f"{self.real.name}.").partition(".")[0]) > 1 + how % 3:
                numbers = self._numbers(old)
                is_known = numbers & stored or (old.stat().st_ino in self.stood and not self.path.is_symlink())
                # The other is a copy of what was truncated before anybody saw it, or in a folder that nobody knew yet.
                # Or it was let go when it was read to its end, and late lines have come since.
                gone = self.lost if is_known and old.stat().st_ino not in let_go else self.unseen
                gone |= numbers - stored
                old.unlink()

    def _copytruncate(self, how: int) -> None:
        del how
        if self.path.exists():
            self._tear()
            shift(self.real, KEEP)
            self._rotated(1).write_bytes(self.path.read_bytes())
            self.stood.discard(self._rotated(1).stat().st_ino)
            with self.path.open("r+b") as file:
                file.truncate(0)

    def _link_elsewhere(self, how: int) -> None:
        """Let the path be a symbolic link to a new file, as container runtimes do, whatever it was."""
        del how
        self._leave(is_gone=False)
        self.links += 1
        target = self.folder / "targets" / f"{self.links}.log"
        target.parent.mkdir(exist_ok=True)
        target.touch()
        link = self.folder / "link"
        link.symlink_to(target)
        link.replace(self.path)

    def _truncate(self, how: int) -> None:
        del how
        if self.path.exists():
            self._tear()
            self._destroy()
            with self.path.open("r+b") as file:
                file.truncate(0)

    def _cut(self, how: int) -> None:
        if self.path.exists():
            self._tear()
            data = self.path.read_bytes()
            data = data[: how * 7 % (len(data) + 1)]
            whole = {int(one[1]) for one in LINE.finditer(data) if one[0].endswith(b"\n")}
            self._destroy(frozenset(whole))
            with self.path.open("r+b") as file:
                file.truncate(len(data))
            self.torn |= self._numbers(self.path) - whole
            self.again |= self._numbers(self.path)

    def _rewrite(self, how: int) -> None:
        if self.path.exists():
            self._tear()
            self._destroy()
            size = self.path.stat().st_size
            data = b"".join(self._line() for _ in range(1 + how % 4))
            if how % 3 == 0 and len(data) < size:  # of the same size
                data = data[:-1] + b"." * (size - len(data)) + b"\n"
            self.path.write_bytes(data)

    def _leave(self, *, is_gone: bool) -> None:
        """Note what nobody finds any more when the path is gone, or leads elsewhere in the same folder."""
        if self.path.exists():
            self._tear()
        stored, is_link = set(self.stored()), self.path.is_symlink()
        if self.path.exists() and not is_link:
            self.unseen |= self._numbers(self.path) - stored
        family = self.real.parent.iterdir() if is_gone else [self.real, *self._all_rotated()]
        for old in family if is_link else []:
            numbers = self._numbers(old)
            if not numbers & stored:
                self.unseen |= numbers
            elif is_gone or numbers & self.again or (self._is_copy(old) and old != self.real):
                self.lost |= numbers - stored  # nobody knows the folder, and nobody a copy by its inode

    def _is_copy(self, old: Path) -> bool:
        return old.suffix == ".gz" or old.stat().st_ino not in self.stood

    def _delete(self, how: int) -> None:
        del how
        self._leave(is_gone=True)
        self.path.unlink(missing_ok=True)

    def _delete_and_create(self, how: int) -> None:
        self._delete(how)
        self.path.touch()

    def _compress(self, how: int) -> None:
        plain = self._rotated(1 + how % 2)
        if plain.exists():
            has_stood = plain.stat().st_ino in self.stood
            if not self._numbers(plain) & set(self.stored()):
                gone = self.lost if has_stood else self.unseen  # it may have been known by its inode alone
                gone |= self._numbers(plain)
            packed = plain.with_name(plain.name + ".gz")
            packed.write_bytes(gzip.compress(plain.read_bytes(), 1))
            (self.stood.add if has_stood else self.stood.discard)(packed.stat().st_ino)
            plain.unlink()

    def _write_late(self, how: int) -> None:
        old = self._rotated(1 + how % 12 if how % 2 else 1)
        if old.exists() and old.stat().st_ino in self.stood:  # nobody writes to a copy
            data = self._line()
            self.files[-1].discard(self.last)
            self.late.add(self.last)
            if not old.read_bytes().endswith(b"\n") and old.stat().st_size:
                self.torn.add(self.last)  # it makes one line with what was there
            self._append(old, data)

    def _replace_by_copy(self, how: int) -> None:
        """Save the file as an editor does, with a line more."""
        del how
        if self.path.exists() and self.path.stat().st_size and not self.half:
            copy = self.folder / "copy"
            before = self._numbers(self.path)
            copy.write_bytes(self.path.read_bytes() + self._whole_line())
            self.again |= before
            copy.replace(self.real)

    # --- what was stored ---

    def stored(self) -> list[int]:
        """Return the numbers of the lines that were stored whole, in order."""
        return [number for number, whole in self.read() if whole]

    def read(self) -> list[tuple[int, bool]]:
        """Return the number of each line that was stored, and whether it has its end."""
        found: list[tuple[int, bool]] = []
        open_lines: dict[str, bytes] = {}
        for chunk in self.stage.chunks:
            data = open_lines.pop(chunk.part, b"") + chunk.data
            if chunk.piece:
                open_lines[chunk.part] = data
                continue
            found += [(int(one[1]), one[0].endswith(b"\n")) for one in LINE.finditer(data)]
        return found

    def faults(self) -> list[str]:
        """Compare what was stored with the model."""
        stored = self.stored()
        counts, numbers = Counter(stored), set(stored)
        written = set(range(1, self.last + 1)) - self.torn
        missing = written - numbers
        told = sum(event.is_kept for chunk in self.stage.chunks for event in chunk.events)
        found = []
        if doubled := {one for one, count in counts.items() if count > 1} - self.again - self.torn:
            found.append(f"doubled {sorted(doubled)}")
        if wrongly := missing - self.lost - self.unseen:
            found.append(f"lost {sorted(wrongly)}")
        gaps = self._gaps(missing & self.lost - self.unseen - self.late, numbers - self.late)
        if max(len(gaps), bool(missing & self.lost - self.unseen)) > told:
            found.append(f"{told} records of what is lost {gaps}")
        for numbers_of in self.files:
            ordered = [one for one in stored if one in numbers_of - self.again - self.torn]
            if ordered != sorted(ordered):
                found.append(f"out of order {ordered}")
        return found

    def _gaps(self, lost: set[int], stored: set[int]) -> list[list[int]]:
        """Return the lost lines, those together between which none was stored."""
        gaps: list[list[int]] = []
        for number in sorted(lost):
            if gaps and not stored & set(range(gaps[-1][-1], number)):
                gaps[-1].append(number)
            else:
                gaps.append([number])
        return gaps

    @property
    def is_in_order(self) -> bool:
        """Whether also the files came one after the other."""
        ordered = [one for one in self.stored() if one not in self.late | self.again]
        return ordered == sorted(ordered)


def random_operations(chance: random.Random) -> list[Operation]:
    """Return a sequence."""
    names = chance.choices(list(OPERATIONS), list(OPERATIONS.values()), k=chance.randrange(3, 30))
    return [(name, chance.randrange(1000)) for name in names]


def play(operations: Sequence[Operation], chunk_bytes: int = 1 << 16) -> Play:
    """Let a sequence happen and return what came of it."""
    with tempfile.TemporaryDirectory(prefix="heeler-tail-") as place:
        one = Play(Path(place), chunk_bytes)
        one.happen(operations)
        return one


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"seed {options.seed}")
    begun, bad, mixed = time.monotonic(), 0, 0
    for number in range(options.sequences):
        chance = random.Random(f"{options.seed}/{number}")
        chunk_bytes = chance.choice([16, 64, 1 << 16])
        operations = random_operations(chance)
        played = play(operations, chunk_bytes)
        mixed += not played.is_in_order
        if found := played.faults():
            bad += 1
            print(f"sequence {number}: {'; '.join(found)}\n  {operations}")
        if (number + 1) % 1000 == 0:
            print(f"{number + 1:,} sequences, {bad} with faults, {time.monotonic() - begun:.0f} s", flush=True)
    print(
        f"seed {options.seed}: {options.sequences:,} sequences, {bad} with faults; in {mixed} lines of one file came "
        "after some of a later one"
    )
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
