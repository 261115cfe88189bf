"""Lines are cut the same however they are read, and each is given on once over all lives."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from heeler.sources.command_lines import Cut, Given, LineCutter, Lines
from heeler.sources.command_replay import Tail

TEXT = st.text("ab\r\n", max_size=60).map(str.encode)


def pieces_of(text: bytes, longest: int) -> list[bytes]:
    """Cut a text into lines, and those that are too long into pieces: the slow and plain way."""
    found = []
    for line in text.split(b"\n"):
        rest = line + b"\n"
        while len(rest) > longest:
            found.append(rest[:longest])
            rest = rest[longest:]
        found.append(rest)
    found[-1] = found[-1].removesuffix(b"\n")
    if not found[-1]:
        found.pop()
    return found


def one_by_one(cuts: list[Cut]) -> list[bytes]:
    return [line for cut in cuts for line in (cut.lines() if cut.piece or cut.data.endswith(b"\n") else [cut.data])]


@given(text=TEXT, longest=st.integers(1, 8), data=st.data())
def test_lines_are_cut_the_same_however_they_are_read(text: bytes, longest: int, data: st.DataObject) -> None:
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    cutter = LineCutter(longest)
    cuts = []
    for begin, end in zip([0, *ends], [*ends, len(text)], strict=True):
        cuts += cutter.feed(text[begin:end])
    rest = cutter.rest()

    assert b"".join(cut.data for cut in [*cuts, *rest]) == text
    assert all(cut.piece != cut.data.endswith(b"\n") for cut in cuts)
    assert all(len(cut.data) == longest for cut in cuts if cut.piece)
    assert all(len(cut.data) <= longest for cut in rest)
    # Where the very end falls together with that of a piece, nothing follows, so it is none.
    assert one_by_one([*cuts, *rest]) == pieces_of(text, longest)


@given(text=TEXT, most=st.integers(1, 5))
def test_the_last_lines_of_a_cut_are_the_last_of_all(text: bytes, most: int) -> None:
    cut = Cut(text)
    assert cut.lines(most) == cut.lines()[-most:]
    assert cut.count == len(cut.lines())


class Server(RuleBasedStateMachine):
    """A server whose lines all differ, and a command that shows it from some line on, again and again.

    Whatever is repeated, and wherever it is cut, the lines that are given on are those that were shown, each once and
    in order, and a gap stands where none was repeated, and nowhere else.
    """

    @initialize(repeats=st.integers(1, 6))
    def begins(self, repeats: int) -> None:
        self.repeats = repeats
        self.lines = Lines(Tail(), repeats, 100)
        self.shown = self.at = 0  # the numbers of the line after all that were shown, and of the next one
        self.since = 0  # the first line after the last gap: who did not repeat more then does not later
        self.gap_due = False
        self.expected: list[bytes] = []
        self.given: list[bytes] = []
        self.lines.begin()

    def take(self, given: list[Given]) -> None:
        for one in given:
            self.given += [event.what.encode() for event in one.events]
            self.given += one.cut.lines()

    @rule(count=st.integers(1, 8), cut=st.integers(0, 6))
    def shows_lines(self, count: int, cut: int) -> None:
        text = b"".join(b"line %d\n" % number for number in range(self.at, self.at + count))
        if self.gap_due:
            self.expected.append(b"gap")
            self.since = self.at
        self.expected += [b"line %d\n" % number for number in range(max(self.at, self.shown), self.at + count)]
        self.at += count
        self.shown = max(self.shown, self.at)
        self.gap_due = False
        self.take(self.lines.feed(text[:cut], "now"))
        self.take(self.lines.feed(text[cut:], "now"))

    @rule(back=st.integers(0, 6), missed=st.integers(0, 3), heeler_too=st.booleans())
    def is_started_again(self, back: int, missed: int, *, heeler_too: bool) -> None:
        """Show the last lines once more, no more than it may repeat, or miss some."""
        self.take(self.lines.end("now"))
        assert self.given == self.expected, "nothing is kept back in the end"
        if heeler_too:
            self.lines = Lines(self.lines.tail, self.repeats, 100)
        self.lines.begin()
        back = min(back, self.repeats, self.shown - self.since)
        self.at = self.shown - back if back else self.shown + missed
        self.gap_due = not back and self.shown > 0

    @precondition(lambda self: self.at == self.shown)
    @rule()
    def is_waited_for(self) -> None:
        """Time passes when it has repeated what it will: nothing is held any longer."""
        self.take(self.lines.release("now"))
        assert self.given == self.expected

    @invariant()
    def each_line_is_given_once_and_gaps_are_told(self) -> None:
        assert self.given == self.expected[: len(self.given)]


TestServer = Server.TestCase
TestServer.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
