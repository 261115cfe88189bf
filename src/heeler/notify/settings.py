"""What every notifier has: the section `[notify.NAME]` of the configuration begins with it."""

from collections.abc import Sequence
from typing import Protocol

from heeler.config.section import Section
from heeler.config.values import Duration
from heeler.errors import HeelerError
from heeler.notify.notice import Notice


class NotTold(HeelerError):
    """A notice could not be told. Whoever told it tries again."""


class Notifier(Protocol):
    """Tells notices. Belongs to one thread at a time.

    `tell` raises `NotTold` where some of them may not have been told; all are told again then, with the same ids.
    """

    def tell(self, notices: Sequence[Notice]) -> None:
        """Tell some transitions, the oldest first, as one message where that is possible."""
        ...


class NotifierSettings(Section):
    """What all notifiers have. Those of each kind are beside it."""

    kind: str
    """How it tells."""

    every: Duration = 0.0
    """The shortest time between two messages; what comes meanwhile is told together in the next one."""

    repeat: Duration = 0.0
    """How often alerts that go on are told again, for those that forget them otherwise; 0s means never."""

    def open(self) -> Notifier:
        """Return what tells. Raises `UsageError` where something that it needs is not installed."""
        raise NotImplementedError
