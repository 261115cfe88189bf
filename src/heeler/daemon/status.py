"""What a running process tells of itself and of its sources: plain data, for those who ask as well."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How one source fares: what it says itself, and what was counted of it."""

    name: str
    kind: str
    alive: bool
    doing: str
    lag_bytes: int | None
    size_bytes: int | None
    lines: int
    bytes: int
    lines_per_second: float
    unparsed: int
    events: int
    restarts: int
    last_line: str | None
    last_error: str
    redacted: dict[str, int]
    counters: dict[str, int]


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """How a rule fares: the groups that fire, lines that came too late to count, and why it could not be evaluated."""

    name: str
    firing: list[str]
    late: int
    last_error: str


@dataclass(frozen=True, slots=True)
class NotifierStatus:
    """How one notifier fares: notices that wait, were told, and were given up."""

    name: str
    kind: str
    waiting: int = 0
    sent: int = 0
    failed: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """How the process fares."""

    pid: int
    version: str
    uptime_seconds: float
    store: str
    lines: int
    bytes: int
    waiting_bytes: int
    memory_bytes: int
    sources: list[SourceStatus]
    rules: list[RuleStatus] = field(default_factory=list)
    notifiers: list[NotifierStatus] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as `heeler status --json` prints it."""
        return asdict(self)

    @classmethod
    def read(cls, told: dict[str, Any]) -> "Status":
        """Return what `as_json` made."""
        values = {name: told[name] for name in cls.__dataclass_fields__}
        return cls(
            **values
            | {
                "sources": [SourceStatus(**one) for one in told["sources"]],
                "rules": [RuleStatus(**one) for one in told["rules"]],
                "notifiers": [NotifierStatus(**one) for one in told["notifiers"]],
            }
        )
