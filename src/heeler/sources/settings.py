"""What every source can be told, whatever its kind."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from heeler.config.section import Section
from heeler.sources import Source, SourceContext


class SourceSettings(Section):
    """The settings of a source: a section ``[sources.NAME]``. Each kind adds its own, beside its source."""

    positions_under: ClassVar[str] = ""
    """Under what its positions are stored where it shares them with commands; empty for the name of the source."""

    other_parts: ClassVar[tuple[str, ...]] = ()
    """Parts that a configured format is not for: theirs is detected."""

    kind: str
    """What kind of source it is."""

    group: str = ""
    """The group of its lines, where they do not say it themselves; empty for the name of the source."""

    format: str = ""
    """The format of its lines; empty to detect it."""

    zone: str = ""
    """The zone of times that name none, as "Europe/Berlin" or "+02:00"; empty for UTC."""

    enabled: bool = True
    """Whether it runs."""

    def doubts(self) -> Sequence[str]:
        """Return what may keep it from giving lines here and now, a sentence each, for `heeler check`."""
        return ()

    @abstractmethod
    def open(self, context: SourceContext) -> Source:
        """Make the source. Raises a `HeelerError` where that cannot be; `SourceUnavailable` is tried again later."""
