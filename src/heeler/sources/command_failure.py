"""What is said of a command that ended or complains: in a sentence, without the secrets that it was given."""

import re
from collections.abc import Iterable

_LONGEST = 300
_SHORTEST_SECRET = 6

_NAMED: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (
        re.compile(rb"ENOTFOUND|EAI_AGAIN|getaddrinfo|Could not resolve host|Name or service not known"),
        "The name of its server cannot be resolved; this machine is offline or has no DNS.",
    ),
    (
        re.compile(
            rb"Invalid credentials|[Uu]nauthorized|not logged in|heroku login|"
            rb"(?:[Hh][Tt][Tt][Pp]|[Ss]tatus|[Ee]rror|[Cc]ode)\W{0,3}401\b"
        ),
        "Its key is refused or missing; for Heroku set HEROKU_API_KEY to a token of `heroku authorizations:create`.",
    ),
    (
        re.compile(rb"Permission denied \(|Host key verification failed"),
        "The server refused the login; check key and known hosts of this user.",
    ),
    (
        re.compile(rb"ECONNREFUSED|ECONNRESET|ETIMEDOUT|Connection (?:refused|reset|timed out)"),
        "Its server cannot be reached.",
    ),
)
"""What commands write when something is wrong that people can mend, and what to say of it."""


class Complaints:
    """What one life of a command wrote to its standard error."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted((one for one in secrets if len(one) >= _SHORTEST_SECRET), key=len, reverse=True)
        self._last = ""
        self._named = ""

    def hear(self, data: bytes) -> None:
        """Take note of lines."""
        line = data.rstrip().rpartition(b"\n")[2].strip()
        if line:
            self._last = self._without_secrets(line.decode("utf-8", "backslashreplace"))[:_LONGEST]
        for pattern, sentence in _NAMED:
            if pattern.search(data):
                self._named = sentence

    @property
    def last(self) -> str:
        """The last line, without secrets and not too long."""
        return self._last

    @property
    def is_named(self) -> bool:
        """Whether it wrote something of which is known what it means."""
        return bool(self._named)

    def of(self, how: str) -> str:
        """Say ``how`` the command fares, with what it wrote last."""
        said = f"; it said: {self._last}" if self._last else "."
        return f"{self._named} The command {how}{said}".strip()

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "•••")
        return text
