"""A command as a source: real children that end, stall, flood, complain and leave children of their own."""

import asyncio
import importlib.util
import json
import os
import re
import select
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import ValidationError

from heeler.clock import FakeClock, SystemClock
from heeler.model import Chunk, Position
from heeler.sources import Source, SourceContext
from heeler.sources.command import CommandSettings, CommandSource

HEROKU = Path(__file__).with_name("heroku_logs.py")
_spec = importlib.util.spec_from_file_location("heroku_logs", HEROKU)
assert _spec
assert _spec.loader
heroku_logs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(heroku_logs)

STALL = 300.0
TOO_LONG = 30.0  # seconds after which a test fails instead of hanging


class QuickClock(FakeClock):
    """Waits before a restart pass at once; others do when the test moves the clock."""

    def __init__(self) -> None:
        super().__init__(now_us=1_795_600_000_000_000)
        self.passed: list[float] = []
        self.longer = asyncio.Condition()
        self.waited_for: set[float] = set()

    async def sleep(self, seconds: float) -> None:
        if seconds <= 64:
            self.passed.append(seconds)
            await self.advance(seconds)
            return
        async with self.longer:
            self.waited_for.add(seconds)
            self.longer.notify_all()
        await super().sleep(seconds)


async def _unseen(_: object) -> frozenset[str]:
    return frozenset()


def source_of(
    command: object,
    clock: FakeClock | SystemClock,
    *,
    positions: Mapping[str, Position] = {},
    notice: Callable[[str], None] = lambda _: None,
    longest: int = 1 << 20,
    **settings: object,
) -> CommandSource:
    made = CommandSettings.model_validate({"kind": "command", "command": command, "grace": "30s", **settings})
    context = SourceContext("app", clock, positions, _unseen, notice)
    return CommandSource(made, context, longest_line_bytes=longest, gather_seconds=0)


def lives(folder: Path, *plan: tuple[int, int, str]) -> list[str]:
    """Return the command of a Heroku whose lives go like this."""
    (folder / "lives.json").write_text(json.dumps(plan))
    return [sys.executable, "-I", "-S", str(HEROKU), str(folder)]


@asynccontextmanager
async def reading(source: Source) -> AsyncGenerator[AsyncGenerator[Chunk, None], None]:
    """Read a source, and close it."""
    chunks = source.read()
    assert isinstance(chunks, AsyncGenerator)
    async with asyncio.timeout(TOO_LONG):
        try:
            yield chunks
        finally:
            await source.close()
            await chunks.aclose()


def output(chunks: list[Chunk], part: str = "stdout") -> bytes:
    return b"".join(chunk.data for chunk in chunks if chunk.part == part)


def whats(chunks: list[Chunk]) -> list[str]:
    return [event.what for chunk in chunks for event in chunk.events]


def collect(source: CommandSource, is_enough: Callable[[list[Chunk]], bool]) -> list[Chunk]:
    """Read until it is enough, close, and return that and what was left."""

    async def read() -> list[Chunk]:
        seen: list[Chunk] = []
        async with reading(source) as chunks:
            async for chunk in chunks:
                seen.append(chunk)
                if is_enough(seen):
                    await source.close()
        return seen

    return asyncio.run(read())


# --- what it gives ---


def test_what_it_writes_comes_byte_for_byte_with_its_last_line() -> None:
    text = b"one\r\n\ntwo \xff\x00\x1b[0m\nhalf"
    script = f"import os; os.write(1, {text!r}); os.write(2, b'oops\\nagain\\n')"
    source = source_of([sys.executable, "-I", "-S", "-c", script], QuickClock())

    chunks = collect(source, lambda seen: bool(whats(seen)))

    assert output(chunks) == text
    assert output(chunks, "stderr") == b"oops\nagain\n"
    assert {(chunk.part, chunk.stream) for chunk in chunks} == {("stdout", "app"), ("stderr", "app.stderr")}
    assert {chunk.part: chunk.position["lines"] for chunk in chunks} == {"stdout": 3, "stderr": 2}


def test_a_line_that_is_too_long_comes_in_pieces() -> None:
    script = "import os; os.write(1, b'short\\n' + b'x' * 25 + b'\\nend\\n')"
    source = source_of([sys.executable, "-I", "-S", "-c", script], QuickClock(), longest=10)

    chunks = [chunk for chunk in collect(source, lambda seen: bool(whats(seen))) if chunk.data]

    assert [(chunk.data, chunk.piece) for chunk in chunks] == [
        (b"short\n", False),
        (b"x" * 10, True),
        (b"x" * 10, True),
        (b"xxxxx\nend\n", False),
    ]


def test_a_terminal_makes_a_program_write_each_line_at_once_and_leaves_its_bytes_alone() -> None:
    script = "import signal; print('out'); print('cr\\r'); signal.pause()"
    command = [sys.executable, "-I", "-S", "-c", script]

    chunks = collect(source_of(command, QuickClock(), pty=True), lambda seen: output(seen).count(b"\n") == 2)

    assert output(chunks) == b"out\ncr\r\n"


def test_it_runs_where_and_with_what_was_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEELER_TEST_TOKEN", "hush-hush")
    (tmp_path / "key").write_text("from-a-file\n")
    env = {"TOKEN": "${HEELER_TEST_TOKEN}", "KEY": f"file:{tmp_path / 'key'}", "PLAIN": "text"}
    command = ["sh", "-c", 'echo "$TOKEN $KEY $PLAIN"; pwd; cat; echo "no $KEY" >&2; exit 1']
    told: list[str] = []
    source = source_of(command, QuickClock(), env=env, cwd=str(tmp_path), notice=told.append)

    chunks = collect(source, lambda seen: bool(whats(seen)))

    assert output(chunks) == f"hush-hush from-a-file text\n{tmp_path}\n".encode()
    assert [event.message for event in chunks[-1].events] == ["The command exited with 1; it said: no •••"]
    shown = f"{source.health()} {told} {source._settings} {source._settings.model_dump()} {chunks[-1].events}"
    assert "from-a-file" not in shown
    assert "hush-hush" not in shown


# --- how it ends and starts again ---


def test_each_end_is_a_record_with_its_reason_and_it_is_started_again(tmp_path: Path) -> None:
    plan = [(0, 3, "exit:0"), (3, 6, "exit:3"), (6, 9, "kill"), (9, 12, "torn")]
    source = source_of(lives(tmp_path, *plan), QuickClock())

    chunks = collect(source, lambda seen: whats(seen).count("exited") == 4)

    ends = [event for chunk in chunks for event in chunk.events if event.what == "exited"]
    assert [event.message for event in ends] == [
        "The command exited with 0.",
        "The command exited with 3.",
        "The command was killed by SIGKILL.",
        "The command exited with 0.",
    ]
    assert all(event.is_kept for event in ends)
    assert output(chunks) == b"".join(map(heroku_logs.line, range(12))) + heroku_logs.line(999)[:40]
    assert source.health().restarts == 3
    assert not source.health().alive


def test_it_is_started_again_when_it_is_silent(tmp_path: Path) -> None:
    async def scenario() -> tuple[list[Chunk], CommandSource]:
        clock = QuickClock()
        source = source_of(lives(tmp_path, (0, 2, "stall"), (2, 4, "stall")), clock, stall_after="5m")
        seen: list[Chunk] = []
        async with reading(source) as chunks:
            while output(seen).count(b"\n") < 4:
                coming = asyncio.ensure_future(anext(chunks))
                if output(seen).count(b"\n") == 2 and "stalled" not in whats(seen):
                    async with clock.longer:
                        clock.waited_for.clear()
                        await clock.longer.wait_for(lambda: STALL in clock.waited_for)
                    assert source.health().alive
                    await clock.advance(STALL)
                seen.append(await coming)
        return seen, source

    chunks, source = asyncio.run(scenario())

    (event,) = [event for chunk in chunks for event in chunk.events if event.what == "stalled"]
    assert event.message == "The command was silent for 300 s, and was killed by SIGTERM."
    assert event.is_kept
    assert source.health().counters["stalls"] == 1


def test_trouble_is_named_and_kept_once_and_waits_grow(tmp_path: Path) -> None:
    plan = [(0, 0, "offline")] * 7 + [(0, 1, "refused")]
    clock = QuickClock()
    source = source_of(lives(tmp_path, *plan), clock, restart_after="1s", restart_at_most="20s")
    errors = []

    def is_enough(seen: list[Chunk]) -> bool:
        errors.append(source.health().last_error)
        return whats(seen).count("exited") == 8

    chunks = collect(source, is_enough)

    ends = [event for chunk in chunks for event in chunk.events if event.what == "exited"]
    assert [event.is_kept for event in ends] == [True, *[False] * 6, True]
    assert errors[1] == (
        "The name of its server cannot be resolved; this machine is offline or has no DNS. The command exited with 1; "
        "it said: ▸    ENOTFOUND: getaddrinfo ENOTFOUND api.heroku.com api.heroku.com:443"
    )
    assert "Its key is refused or missing; for Heroku set HEROKU_API_KEY" in errors[-1]
    assert all(low <= wait <= high for wait, (low, high) in zip(clock.passed, BOUNDS, strict=False))
    assert len(set(clock.passed[4:7])) == 3, "there is chance in the waits"


BOUNDS = [(0.5, 1), (1, 2), (2, 4), (4, 8), (8, 16), (10, 20), (10, 20)]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"command": ["/nowhere/heroku"]}, "/nowhere/heroku cannot be run: No such file or directory."),
        ({"command": ["true"], "cwd": "/nowhere"}, "The command cannot be started: No such file or directory."),
    ],
)
def test_what_cannot_run_is_told_and_tried_again(settings: dict[str, object], error: str) -> None:
    source = source_of(settings["command"], QuickClock(), cwd=settings.get("cwd", ""))

    chunks = collect(source, lambda seen: whats(seen).count("exited") == 2)

    assert error in source.health().last_error
    assert source.health().restarts == 1
    assert whats(chunks) == ["exited", "exited"]


# --- each line once ---


def stored(chunks: list[Chunk]) -> dict[str, Position]:
    return {chunk.part: json.loads(json.dumps(chunk.position)) for chunk in chunks}


def test_what_heroku_repeats_is_given_once_also_after_a_restart_of_heeler(tmp_path: Path) -> None:
    command = lives(tmp_path, (0, 20, "exit:0"), (12, 25, "exit:0"), (25 - 8, 40, "exit:0"), (28, 44, "stall"))
    source = source_of(command, QuickClock(), replay_lines=10)
    before = collect(source, lambda seen: whats(seen).count("exited") == 3)
    again = source_of(command, QuickClock(), replay_lines=10, positions=stored(before))

    after = collect(again, lambda seen: heroku_logs.line(43) in output(seen))

    assert output([*before, *after]) == b"".join(map(heroku_logs.line, range(44)))
    assert "gap" not in whats([*before, *after])
    assert (source.health().counters["repeated_lines"], again.health().counters["repeated_lines"]) == (16, 12)
    assert after[-1].position["lines"] == 44


def test_a_gap_is_told_with_its_start_and_end(tmp_path: Path) -> None:
    command = lives(tmp_path, (0, 20, "exit:0"), (30, 40, "exit:0"))

    chunks = collect(source_of(command, QuickClock(), replay_lines=10), lambda seen: whats(seen).count("exited") == 2)

    assert whats(chunks) == ["exited", "gap", "exited"]
    (chunk,) = [chunk for chunk in chunks if "gap" in whats([chunk])]
    assert chunk.events[0].lost_bytes == -1
    assert "between 2026-11-25T10:00:19.000000+00:00 and 2026-11-25T10:00:30.000000+00:00" in chunk.events[0].message
    assert chunk.data.startswith(heroku_logs.line(30))


def test_few_lines_that_do_not_end_what_is_repeated_wait_no_longer_than_seconds(tmp_path: Path) -> None:
    """Only three lines are known, so older ones may come first; then nothing more comes."""
    command = lives(tmp_path, (10, 13, "exit:0"), (8, 14, "stall"))

    chunks = collect(source_of(command, QuickClock(), replay_lines=100), lambda seen: output(seen).count(b"\n") == 4)

    assert output(chunks) == b"".join(map(heroku_logs.line, range(10, 14)))


# --- nothing of it is left ---

STUBBORN = "trap '' TERM; sleep 1000 & echo $$ $!; while :; do sleep 1000; done"


async def ended(pids: list[int]) -> None:
    """Wait until these processes, that run now, have ended; whoever reaps them may take its time."""
    loop = asyncio.get_running_loop()
    for fd in [os.pidfd_open(pid) for pid in pids]:
        gone = asyncio.Event()
        loop.add_reader(fd, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(fd)
            os.close(fd)


def test_closing_ends_all_of_its_group_even_what_ignores_being_asked() -> None:
    async def scenario() -> None:
        source = source_of(["sh", "-c", STUBBORN], SystemClock(), grace="50ms")
        async with reading(source) as chunks:
            pids = list(map(int, (await anext(chunks)).data.split()))
            gone = asyncio.ensure_future(ended(pids))
            await asyncio.sleep(0)
            await source.close()
            assert [chunk async for chunk in chunks] == []
            await gone

    asyncio.run(scenario())


def test_reading_that_is_cancelled_leaves_nothing_running() -> None:
    async def scenario() -> None:
        source = source_of(["sh", "-c", STUBBORN], SystemClock(), grace="50ms")
        seen: asyncio.Queue[bytes] = asyncio.Queue()

        async def read() -> None:
            async for chunk in source.read():
                seen.put_nowait(chunk.data)

        async with asyncio.timeout(TOO_LONG):
            reader = asyncio.create_task(read())
            pids = list(map(int, (await seen.get()).split()))
            gone = asyncio.ensure_future(ended(pids))
            await asyncio.sleep(0)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            await gone
        assert children() == []
        assert not source.health().alive

    asyncio.run(scenario())


def test_what_it_writes_while_it_ends_is_read() -> None:
    script = "trap 'echo last; exit' TERM; echo first; while :; do sleep 0.01; done"

    chunks = collect(source_of(["sh", "-c", script], SystemClock()), lambda seen: b"first" in output(seen))

    assert output(chunks) == b"first\nlast\n"


def test_what_it_left_running_ends_with_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")

    async def scenario() -> None:
        source = source_of(["sh", "-c", f"sleep 1000 & echo $!; read go < {tmp_path / 'go'}"], QuickClock())
        async with reading(source) as chunks:
            (left,) = map(int, (await anext(chunks)).data.split())
            gone = asyncio.ensure_future(ended([left]))
            await asyncio.sleep(0)
            await asyncio.to_thread((tmp_path / "go").write_text, "\n")
            assert whats([await anext(chunks)]) == ["exited"]
            await gone

    asyncio.run(scenario())


def group_of(source: CommandSource) -> list[int]:
    assert source._life
    assert source._life.child
    group = source._life.child.group
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            found.append(int(stat.parent.name))
    return found


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def test_a_guard_that_is_killed_takes_its_command_with_it() -> None:
    async def scenario() -> list[Chunk]:
        source = source_of(["sh", "-c", STUBBORN], QuickClock())
        async with reading(source) as chunks:
            pids = list(map(int, (await anext(chunks)).data.split()))
            gone = asyncio.ensure_future(ended(pids))
            await asyncio.sleep(0)
            assert source._life
            assert source._life.child
            os.kill(source._life.child.group, signal.SIGKILL)
            await gone
            return [await anext(chunks)]

    (chunk,) = asyncio.run(scenario())

    assert chunk.events[0].message == "The command was killed together with its guard."


VICTIM = """
import asyncio, sys
sys.path[:0] = [{src!r}, {tests!r}]
from test_command import STUBBORN, source_of
from heeler.clock import SystemClock

async def main():
    async for chunk in source_of(["sh", "-c", STUBBORN], SystemClock(), grace="50ms").read():
        print(chunk.data.decode(), flush=True)

asyncio.run(main())
"""


def test_it_dies_with_heeler_however_that_ends() -> None:
    here = Path(__file__).parent
    script = VICTIM.format(src=str(here.parents[1] / "src"), tests=str(here))
    victim = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert victim.stdout
    with victim:
        pids = list(map(int, victim.stdout.readline().split()))
        assert len(pids) == 2
        fds = [os.pidfd_open(pid) for pid in pids]
        victim.kill()
    for fd in fds:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        assert poll.poll(TOO_LONG * 1000), "it lives on"
        os.close(fd)


def children() -> list[int]:
    return [int(pid) for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]


def test_many_lives_leave_no_zombie_and_no_open_file() -> None:
    async def scenario() -> tuple[list[object], list[object]]:
        source = source_of(["/bin/true"], QuickClock())
        left: list[object] = []
        async with reading(source) as chunks:
            for life in range(200):
                await anext(chunks)
                if life in {2, 199}:
                    left += [(children(), len(os.listdir("/proc/self/fd")))]  # noqa: PTH208 - names are all
        return left[:1], left[1:]

    few, many = asyncio.run(scenario())

    assert few == many
    assert few[0] == ([], few[0][1])  # type: ignore[index]


# --- floods ---

MOST_BYTES = 2 << 20


def written_by(pid: int) -> int:
    return int(re.findall(r"wchar: (\d+)", Path(f"/proc/{pid}/io").read_text())[0])


def test_a_flood_waits_for_whoever_reads_it() -> None:
    async def scenario() -> None:
        source = source_of(["yes", "a line of a flood"], QuickClock())
        async with reading(source) as chunks:
            taken = len((await anext(chunks)).data)
            (flood,) = [pid for pid in group_of(source) if name_of(pid) == "yes"]
            tracemalloc.start()
            for _ in range(40):
                chunk = await anext(chunks)
                taken += len(chunk.data)
                assert len(chunk.data) <= MOST_BYTES + 18  # the rest of a line
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            for _ in range(500):
                await asyncio.sleep(0)
            written = written_by(flood)
            assert written <= taken + (1 << 18), "somebody reads what nobody took"
            assert peak < 6 * MOST_BYTES

    asyncio.run(scenario())


# --- settings ---


def made(**settings: object) -> CommandSettings:
    return CommandSettings.model_validate({"kind": "command", **settings})


def test_a_text_is_split_into_words_as_a_shell_does() -> None:
    assert made(command="ssh host 'tail -F' \"a b\"").command == ("ssh", "host", "tail -F", "a b")
    assert made(command=["a b", "|"]).command == ("a b", "|")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"command": "heroku logs | grep x"}, 'There is no shell to understand |; write ["sh", "-c", "…"]'),
        ({"command": "echo 'a"}, "cannot be split into words: No closing quotation."),
        ({"command": ""}, "at least 1 item"),
        ({"command": ["a\0b"]}, "cannot hold a NUL"),
        ({"command": "x", "env": {"A": "${HEELER_IS_NOT_SET}"}}, "The environment has no HEELER_IS_NOT_SET."),
        ({"command": "x", "restart_after": "0s"}, "greater than 0"),
        ({"command": "x", "replay_lines": -1}, "greater than or equal to 0"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(sentence)):
        made(**settings)


@pytest.mark.parametrize(
    ("command", "stall", "repeats"),
    [
        ("heroku logs --tail --app x", 300, 200),
        ("/usr/local/bin/heroku logs -t", 300, 200),
        ("npx heroku logs -t", 300, 200),
        ("heroku ps", None, 0),
        ("ssh host tail -F /var/log/syslog", None, 0),
    ],
)
def test_heroku_is_known(command: str, stall: float | None, repeats: int) -> None:
    settings = made(command=command)

    assert (settings.stall_seconds, settings.repeats) == (stall, repeats)
    assert made(command=command, stall_after="0s").stall_seconds is None
    assert made(command=command, stall_after="7s", replay_lines=3).stall_seconds == 7
