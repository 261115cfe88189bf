"""What a process is to run: the parts of the configuration that can change while it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

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
    known: Formats = FORMATS
    keep: Keep = field(default_factory=Keep)
    prepare: Mapping[str, Prepare] = field(default_factory=dict)
    """By source, what redacts its lines."""
