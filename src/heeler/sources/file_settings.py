"""What the source of files can be told. Apart from the source, so that `heeler watch` does not wait for pydantic."""

from typing import ClassVar, Literal

from pydantic import Field

from heeler.config.values import Duration, PathText
from heeler.sources import SourceContext
from heeler.sources.file import GRACE_SECONDS, FileSource
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
