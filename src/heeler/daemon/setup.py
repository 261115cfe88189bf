"""What a process is to run: the parts of the configuration that can change while it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from heeler.daemon.configuration import Configured
from heeler.formats.choose import FORMATS, Formats
from heeler.model import Chunk
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
    return Setup(settings.sources, configured.formats, settings.keep.keep(), prepare, settings.redact)


def _definitions(known: Formats) -> dict[str, tuple[str, str]]:
    return {name: (one.table, one.text) for name, one in known.own.items()}
