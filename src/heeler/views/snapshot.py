"""What a screen of `heeler watch` shows at one instant: frozen values, made by the read model, drawn by the screens.

All seconds are whole seconds of event time since 1970 (UTC); ``zone_minutes`` says how the log itself writes them.
All texts are log text made safe by `heeler.views.escape.printable`.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Block:
    """Traffic of one interval ``[start_s, end_s)``.

    ``sections`` and ``top_clients`` hold at most ten, by hits, ties by name. ``status`` has the classes that occur
    (``"2xx"``). ``errors`` counts status 400-599, ``server_errors`` status 500-599.
    """

    start_s: int
    end_s: int
    zone_minutes: int
    hits: int
    sections: tuple[tuple[str, int], ...]
    status: tuple[tuple[str, int], ...]
    methods: tuple[tuple[str, int], ...]
    top_clients: tuple[tuple[str, int], ...]
    clients: int
    errors: int
    server_errors: int
    bytes: int
    unparsed: int

    @property
    def rate(self) -> float:
        """Hits a second over the interval."""
        return self.hits / (self.end_s - self.start_s)

    @property
    def error_rate(self) -> float:
        """The share (0 to 1) of hits with status 400-599."""
        return self.errors / self.hits if self.hits else 0.0


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One transition of an alert. ``hits`` are those in the window that ends with second ``time_s``."""

    alert: str
    state: Literal["triggered", "recovered"]
    hits: int
    time_s: int
    zone_minutes: int


@dataclass(frozen=True, slots=True)
class FileStatus:
    """How one watched file fares. ``format`` is None until enough lines were seen to tell."""

    path: str
    state: Literal["waiting", "following", "ended"]
    format: str | None
    lines: int
    parsed: int
    bytes: int
    message: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a screen needs, at one instant.

    ``second_hits`` are hits per second, oldest first, the last one being second ``now_s - 1`` (the last whole one);
    ``current`` is the block that is still open, ``last`` the newest whole one; ``firing`` the alert that is open now;
    ``history`` has the newest transition last; ``lines`` and ``invalid`` the newest line last.
    """

    now_s: int
    zone_minutes: int
    second_hits: tuple[int, ...]
    current: Block | None
    last: Block | None
    window_s: int
    window_hits: int
    threshold: float
    firing: AlertLine | None
    history: tuple[AlertLine, ...]
    lines: tuple[str, ...]
    invalid: tuple[str, ...]
    files: tuple[FileStatus, ...]
    parsed: int
    unparsed: int
    skewed: int
