"""What a process is to run: the parts of the configuration that can change while it runs."""

import itertools
import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Protocol

from pydantic import ValidationError

from heeler.daemon.configuration import Configuration, Configured
from heeler.errors import UsageError
from heeler.formats.choose import FORMATS, Formats
from heeler.model import Chunk
from heeler.notify.settings import NotifierSettings
from heeler.rules.rule import Rule
from heeler.sources.command import CommandSettings
from heeler.sources.settings import SourceSettings
from heeler.store.retention import Keep

Prepare = Callable[[Chunk], tuple[Chunk, Mapping[str, int]]]
"""Changes a chunk before anything else looks at it, and tells by rule how often."""


class Mirror(Protocol):
    """Keeps lines as plain files too."""

    def write(self, group: str, stream: str, data: bytes) -> None:
        """Append lines of a stream."""
        ...

    def close(self) -> None:
        """Make everything durable and let go of the files."""
        ...


@dataclass(frozen=True, slots=True)
class Setup:
    """The sources by name, the formats to choose from, how much is kept, and what is done to lines."""

    sources: Mapping[str, SourceSettings]
    known: Formats = field(default_factory=lambda: FORMATS)
    keep: Keep = field(default_factory=Keep)
    prepare: Mapping[str, Prepare] = field(default_factory=dict)
    """By source, what redacts its lines."""

    redact: object = None
    """What the configuration says of redaction, to compare."""

    rules: Sequence[Rule] = ()
    notifiers: Mapping[str, NotifierSettings] = field(default_factory=dict)

    def changes(self, name: str, new: "Setup") -> bool:
        """Tell whether a source that runs must end: it is gone, switched off, or would read or store otherwise."""
        settings = new.sources.get(name)
        return (
            settings is None
            or not settings.enabled
            or settings != self.sources[name]
            or _definitions(self.known) != _definitions(new.known)
            or self.redact != new.redact
        )


def setup_of(configured: Configured) -> Setup:
    """Return what a configuration says is to run."""
    settings = configured.settings
    redactions = {name: configured.redaction(name) for name in settings.sources}
    prepare = {name: one.redacted for name, one in redactions.items() if one is not None}
    return Setup(
        settings.sources,
        configured.formats,
        settings.keep.keep(),
        prepare,
        settings.redact,
        rules_of(settings),
        settings.notify,
    )


def rules_of(settings: Configuration) -> list[Rule]:
    """Return the rules that are followed, the built-in one first."""
    built_in = settings.high_traffic.rule()
    return [
        *([] if built_in is None else [built_in]),
        *(one.rule(name) for name, one in settings.rules.items() if one.enabled),
    ]


def with_commands(setup: Setup, commands: Sequence[str]) -> Setup:
    """Return a setup that also runs these commands; each is a source named after its app, or its program.

    Raises `UsageError` for what is no command.
    """
    sources = dict(setup.sources)
    for text in commands:
        try:
            settings = CommandSettings(kind="command", command=text)  # type: ignore[arg-type]  # read from its text
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise UsageError(f"The command {text!r} cannot be run: {reason}") from error
        sources[_free_name(settings.app or PurePath(settings.command[0]).name, sources)] = settings
    return replace(setup, sources=sources)


def _free_name(wanted: str, taken: Container[str]) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]", "_", wanted) or "command"
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(one for one in itertools.chain([name], numbered) if one not in taken)


def _definitions(known: Formats) -> dict[str, tuple[str, str]]:
    return {name: (one.table, one.text) for name, one in known.own.items()}
