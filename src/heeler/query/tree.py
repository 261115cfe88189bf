"""A query as a value. ``str()`` of it parses back to the same query."""

import re
from dataclasses import dataclass

_BARE = re.compile(r'[^\s"]+')


@dataclass(frozen=True, slots=True)
class Equals:
    """The field holds exactly this value."""

    field: str
    value: str

    def __str__(self) -> str:
        if _BARE.fullmatch(self.value):
            return f"{self.field}:{self.value}"
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.field}:"{escaped}"'


@dataclass(frozen=True, slots=True)
class Query:
    """All of these hold; with none, every record is meant."""

    conditions: tuple[Equals, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, self.conditions))

    def value_of(self, field: str) -> str | None:
        """Return what ``field`` must equal, if the query says."""
        return next((one.value for one in self.conditions if one.field == field), None)
