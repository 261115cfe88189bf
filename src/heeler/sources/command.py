"""A command as a source: what it writes are lines, and when it ends or falls silent it is started again."""

import asyncio
import itertools
import os
import random
import shlex
from collections.abc import AsyncGenerator, Mapping
from pathlib import PurePath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, SecretStr, TypeAdapter, ValidationError

from heeler.config.values import Duration, Secret
from heeler.model import LONGEST_LINE_BYTES, Chunk, Position, SourceEvent
from heeler.sources import SourceContext, SourceHealth
from heeler.sources.command_child import Child
from heeler.sources.command_chunks import Chunks, in_words
from heeler.sources.command_life import Life
from heeler.sources.settings import SourceSettings

HEROKU_STALL_SECONDS = 300.0
HEROKU_REPLAY_LINES = 200
"""`heroku logs --tail` begins with about 100 recent lines."""

GATHER_SECONDS = 0.02
"""How long lines wait for more after some came, so that a command that never rests costs little."""

_HEALTHY_SECONDS = 60.0
"""After a life that lasted as long as this, waits are short again."""

_SHELL = frozenset({"|", "||", "&", "&&", ";", ">", ">>", "<", "2>", "2>&1"})


def _command(value: object) -> object:
    if not isinstance(value, str):
        # What has been through a validator is no longer the list of a file, which alone may become a tuple.
        return tuple(value) if isinstance(value, list) else value
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"{value!r} cannot be split into words: {error}.") from error
    if found := next((word for word in words if word in _SHELL), None):
        raise ValueError(f'There is no shell to understand {found}; write ["sh", "-c", "…"] if you need one.')
    return tuple(words)


def _word(value: str) -> str:
    if "\0" in value:
        raise ValueError("A word of a command cannot hold a NUL.")
    return value


def _variable(value: object) -> object:
    """Return the value of a variable: what a reference leads to, or the text itself."""
    if not isinstance(value, str) or not value.startswith(("${", "file:")):
        return value
    try:
        return TypeAdapter[SecretStr](Secret).validate_python(value)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error


class CommandSettings(SourceSettings):
    """A command whose lines are read, started again whenever it ends.

    It gets no input, and no shell is between. Its standard error is a stream of its own, ``STREAM.stderr``. It ends
    with Heeler, however that ends.
    """

    other_parts: ClassVar[tuple[str, ...]] = ("stderr",)

    kind: Literal["command"]
    """A command."""

    command: Annotated[
        tuple[Annotated[str, BeforeValidator(_word)], ...],
        BeforeValidator(_command),
        Field(min_length=1, examples=[("heroku", "logs", "--tail", "--app", "shop")]),
    ]
    """The command and its arguments, as a list or as one text that is split at blanks, with quotes as in a shell."""

    stream: str = ""
    """The stream of its lines; empty for the name of the source."""

    env: dict[str, Annotated[SecretStr, BeforeValidator(_variable)]] = Field(default_factory=dict)
    """Variables of its environment besides those of Heeler: texts, ``"${NAME}"`` or ``"file:PATH"``; shown nowhere."""

    cwd: str = ""
    """The folder it runs in; empty for that of Heeler."""

    pty: bool = False
    """Whether it writes to a terminal: programs that write lines in blocks otherwise write each at once then."""

    stall_after: Duration | None = None
    """After how much silence it is started again, ``"0s"`` for never; unset 5 minutes for ``heroku logs``."""

    replay_lines: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """How many of its last lines it may repeat when it is started again. Unset 200 for ``heroku logs``, else 0."""

    restart_after: Annotated[Duration, Field(gt=0)] = 1.0
    """How long to wait before it is started again; twice as long each time that it ends at once."""

    restart_at_most: Annotated[Duration, Field(gt=0)] = 60.0
    """The longest wait before it is started again."""

    grace: Annotated[Duration, Field(ge=0, le=60)] = 5.0
    """How long it may take to end after SIGTERM before it gets SIGKILL."""

    def open(self, context: SourceContext) -> "CommandSource":
        """See `SourceSettings.open`."""
        return CommandSource(self, context)

    @property
    def is_heroku(self) -> bool:
        """Whether it is the ``heroku logs`` of Heroku's command line."""
        names = [PurePath(word).name for word in self.command]
        return "heroku" in names and "logs" in names[names.index("heroku") :]

    @property
    def app(self) -> str:
        """The Heroku app whose logs it reads; empty where it names none."""
        for flag, value in itertools.pairwise(self.command):
            if self.is_heroku and flag in ("-a", "--app"):
                return value
        joined = [word.removeprefix("--app=") for word in self.command if word.startswith("--app=")]
        return joined[0] if self.is_heroku and joined else ""

    @property
    def stall_seconds(self) -> float | None:
        """After how much silence it is started again; None for never."""
        if self.stall_after is None:
            return HEROKU_STALL_SECONDS if self.is_heroku else None
        return self.stall_after or None

    @property
    def repeats(self) -> int:
        """How many of its last lines it may repeat."""
        return self.replay_lines if self.replay_lines is not None else HEROKU_REPLAY_LINES * self.is_heroku


class CommandSource:
    """Runs a command again and again. Implements `heeler.sources.Source`.

    What it writes is read only when somebody takes chunks; otherwise its pipe fills, and it waits. So one read is all
    the memory that a flood can take. Positions cannot make a command go back: what is stored with its lines is by
    which it knows those again that a new life repeats (see `heeler.sources.command_replay`).
    """

    def __init__(
        self,
        settings: CommandSettings,
        context: SourceContext,
        *,
        longest_line_bytes: int = LONGEST_LINE_BYTES,
        gather_seconds: float = GATHER_SECONDS,
    ) -> None:
        self._settings = settings
        self._clock = context.clock
        self._notice = context.notice
        self._gather_seconds = gather_seconds
        self._chunks = Chunks(
            settings.stream or context.name,
            context.clock,
            context.positions,
            repeats=settings.repeats,
            longest=longest_line_bytes,
        )
        # Not for secrets: daemons that lost the same server must not come back all at once.
        self._chance = random.Random(f"{context.name} {context.clock.now_us()}")  # noqa: S311
        self._secrets = [value.get_secret_value() for value in settings.env.values()]
        self._closing = asyncio.Event()
        self._life: Life | None = None
        self._doing = "has not been started yet"
        self._last_error = self._last_end = ""
        self._failures = self._lives = self._stalls = 0

    async def read(self) -> AsyncGenerator[Chunk, None]:
        """See `Source.read`. Ends when the source is closed, with what the command wrote until then."""
        life = None
        try:
            while not self._closing.is_set():
                began = self._clock.monotonic()
                life = self._life = self._begin()
                is_over = life.is_over
                while not is_over:
                    is_over = await self._something_happens(life)
                    for chunk in life.take():
                        yield chunk
                    self._hear(life)
                for chunk in life.close():
                    yield chunk
                if not self._closing.is_set():
                    delay = self._delay(self._clock.monotonic() - began)
                    yield self._chunks.event(self._ended(life, delay))
                    await self._wait(delay)
        finally:
            await self.close()
            if life is not None:
                life.close()

    async def committed(self, positions: Mapping[str, Position]) -> None:
        """Do nothing: a command cannot be told."""

    async def stop(self) -> None:
        """See `Source.stop`."""
        await self.close()

    async def close(self) -> None:
        """See `Source.close`. Waits until nothing of the command is left; what it wrote can still be read."""
        self._closing.set()
        if self._life is not None and self._life.child is not None:
            self._life.child.end()
            await asyncio.wait([self._life.child.ended])

    def health(self) -> SourceHealth:
        """See `Source.health`."""
        said = self._life.complaints.last if self._life else ""
        return SourceHealth(
            alive=self._life is not None and not self._life.is_over,
            doing=f"{self._doing}; it said: {said}" if said else self._doing,
            restarts=max(self._lives - 1, 0),
            last_error=self._last_error,
            counters={
                "repeated_lines": self._chunks.lines.repeated,
                "stalls": self._stalls,
                "stderr_lines": self._chunks.error_lines,
            },
        )

    def _begin(self) -> Life:
        settings = self._settings
        own = {name: value.get_secret_value() for name, value in settings.env.items()}

        def start() -> Child:
            return Child(
                settings.command,
                environment=os.environ | own,
                folder=settings.cwd,
                pty=settings.pty,
                grace_seconds=settings.grace,
            )

        self._lives += 1
        life = Life(start, self._chunks, self._secrets, settings.stall_seconds)
        if life.child is not None:
            self._doing = f"runs since {in_words(self._clock.now_us())} as process group {life.child.group}"
        return life

    def _hear(self, life: Life) -> None:
        """Renew what is known of its errors: they are over when lines come."""
        if life.complaints.is_named:
            self._last_error = life.complaints.of(life.how)
        elif life.has_lines:
            self._last_error = ""

    def _ended(self, life: Life, delay: float) -> SourceEvent:
        """Say how a life ended. What repeats without a line between, as when a machine is offline, is kept once."""
        self._stalls += life.stalled
        self._last_error = life.complaints.of(life.how)
        self._doing = f"waits since {in_words(self._clock.now_us())} for {delay:.1f} s to be started again"
        repeated = self._last_error == self._last_end and not life.has_lines
        self._last_end = self._last_error
        what = "stalled" if life.stalled else "exited"
        return SourceEvent(what, self._last_error, lost_bytes=0, repeated=repeated)

    def _delay(self, lived_seconds: float) -> float:
        """Return how long to wait: longer each time that it ended soon, and somewhat by chance."""
        self._failures = 0 if lived_seconds >= _HEALTHY_SECONDS else self._failures + 1
        # The exponent is bounded, for a float is: a command may be down for months.
        longest = self._settings.restart_after * 2.0 ** min(max(self._failures - 1, 0), 64)
        return min(longest, self._settings.restart_at_most) * self._chance.uniform(0.5, 1.0)

    async def _something_happens(self, life: Life) -> bool:
        """Wait until there is something to read or to do, and tell whether the life is over."""
        began = self._clock.monotonic()
        wrote = await self._wait(life.patience_seconds, life.child)
        if wrote and self._gather_seconds and not life.is_over:
            await self._clock.sleep(self._gather_seconds)
        life.waited(self._clock.monotonic() - began)
        # Told before the rest is read: then nothing is written after it.
        return life.is_over

    async def _wait(self, seconds: float | None, child: Child | None = None) -> bool:
        """Return after so many seconds, when the source is closed, or when ``child`` ended or, True then, wrote."""
        loop = asyncio.get_running_loop()
        wrote = asyncio.Event()
        fds = [output.fd for output in (child.output, child.errors) if not output.at_end] if child else []
        waits: list[asyncio.Future[Any]] = [loop.create_task(wrote.wait())]
        if not self._closing.is_set():
            waits.append(loop.create_task(self._closing.wait()))
        if seconds is not None:
            waits.append(loop.create_task(self._clock.sleep(seconds)))
        for fd in fds:
            loop.add_reader(fd, wrote.set)
        try:
            await asyncio.wait([*waits, child.ended] if child else waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for fd in fds:
                loop.remove_reader(fd)
            for wait in waits:
                wait.cancel()
        return wrote.is_set()
