"""What the source of files can be told. Apart from the source, so that `heeler watch` does not wait for pydantic."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from heeler.config.values import Duration, PathText
from heeler.sources import SourceContext
from heeler.sources.file import GRACE_SECONDS, FileSource
from heeler.sources.file_names import Names
from heeler.sources.settings import SourceSettings


class FileSettings(SourceSettings):
    """Files that grow, and survive rotation. Nothing is lost while Heeler is down: it reads on where it was."""

    positions_under: ClassVar[str] = "file"  # as `heeler ingest` has it: what it took in is not read again

    kind: Literal["file"]
    """What kind of source it is."""

    paths: tuple[PathText, ...] = Field(min_length=1, examples=[("/var/log/nginx/*.log",)])
    """Files, patterns and directories. A file that does not exist yet is waited for."""

    from_start: bool = False
    """Whether files that exist already are read from their beginning; else only what comes after the first start."""

    grace: Duration = GRACE_SECONDS
    """How long a rotated file is looked at after its last growth: writers may go on in it for a while."""

    def doubts(self) -> Sequence[str]:
        """Return a sentence for each path that cannot be read as it is now."""
        return [doubt for path in self.paths if (doubt := _doubt(path))]

    def open(self, context: SourceContext) -> FileSource:
        """Make the source that follows these files."""
        return FileSource(
            *self.paths,
            clock=context.clock,
            follow=True,
            group=self.group or context.name,
            from_start=self.from_start,
            positions=context.positions,
            grace_seconds=self.grace,
        )


def _doubt(path: str) -> str:
    names = Names([path])
    found = names.look()
    if closed := next((one for one in found.paths if Path(one).exists() and not os.access(one, os.R_OK)), None):
        return f"{closed} may not be read by this user."
    if missing := next((one for one in sorted(found.directories) if not Path(one).is_dir()), None):
        return f"The directory {missing} does not exist; it is waited for."
    if closed := next((one for one in found.directories if not os.access(one, os.R_OK | os.X_OK)), None):
        return f"The directory {closed} may not be looked into by this user."
    if names.patterns and not found.paths:
        return f"{path} matches no file yet."
    if any(not Path(one).exists() for one in found.paths):
        return f"{path} does not exist yet; it is waited for."
    return ""
