"""Values as people write them: durations, sizes, rates, addresses, paths, names and secrets.

Each is a type for the fields of a `heeler.config.section.Section`. What cannot be understood raises `ValueError` with a
sentence (pydantic takes no other error for a wrong value); whoever reads the file adds where it stands. Defaults are
not read: they are written in code as numbers of the unit.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationInfo

from heeler.errors import UsageError
from heeler.units import LONGEST_S, SECONDS, duration_s, rate_per_s

SIZES = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}
"""The units of a size, in bytes."""

MOST_NAME_CHARACTERS = 64
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{MOST_NAME_CHARACTERS - 1}}}", re.ASCII)
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([A-Za-z0-9_.*-]*)):(\d{1,5})", re.ASCII)
_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Written:
    """How values of a type are written.

    ``type`` says it in words, ``example`` is TOML, and ``text`` writes a value as a text where TOML has no such type.
    """

    type: str
    example: str
    text: Callable[[Any], str] | None = None


class Hidden(ValueError):
    """What is wrong with a value that must not be shown."""


class Within(ValueError):
    """A text in a setting cannot be understood; ``at`` is the character of it where understanding ended."""

    def __init__(self, sentence: str, at: int) -> None:
        super().__init__(sentence)
        self.at = at


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to listen. An empty host means every address of the machine."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_SIZE = re.compile(rf"(\d{{1,12}}(?:\.\d{{1,12}})?)\s?({'|'.join(SIZES)})", re.ASCII)
_ENVIRONMENT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)


def _duration(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is no duration; write a number with a unit in quotes, such as "60s".')  # noqa: TRY004
    try:
        seconds = duration_s(value, "The duration")
    except UsageError as error:
        raise ValueError(str(error)) from error
    if seconds > LONGEST_S:
        raise ValueError(f"The duration {value!r} is too long; the longest is {LONGEST_S // 86_400}d.")
    return float(seconds)


def _rate(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is no rate; write a number a second in quotes, such as "10/s".')  # noqa: TRY004
    try:
        return float(rate_per_s(value, "The rate"))
    except UsageError as error:
        raise ValueError(str(error)) from error


def _size(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is no size; write a number with a unit in quotes, such as "10GB".')  # noqa: TRY004
    if value.strip() == "0":
        return 0
    if found := _SIZE.fullmatch(value.strip()):
        return int(Fraction(found[1]) * SIZES[found[2]])
    raise ValueError(f"{value!r} is no size; give a number with a unit ({', '.join(SIZES)}), such as 10GB.")


def _secret(value: object, info: ValidationInfo) -> object:
    """Return the secret that ``${NAME}`` in the environment or ``file:PATH`` holds."""
    if isinstance(value, SecretStr):
        return value
    if isinstance(value, str) and (found := _ENVIRONMENT.fullmatch(value)):
        if not os.environ.get(found[1]):
            raise ValueError(f"The environment has no {found[1]}. Set it where Heeler is started, or use file:PATH.")
        return os.environ[found[1]]
    if isinstance(value, str) and value.startswith("file:"):
        path = Path(path_in(value.removeprefix("file:"), info))
        try:
            secret = path.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise ValueError(f"The secret in {path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"The secret in {path} is not UTF-8 text.") from error
        if not secret:
            raise ValueError(f"The secret in {path} is empty.")
        return secret
    raise Hidden("A secret does not stand in the configuration itself; write ${NAME} or file:PATH.")


def path_in(value: str, info: ValidationInfo) -> str:
    """Return a path as absolute; it is relative to the folder of the file that it stands in."""
    if not value or "\0" in value:
        raise ValueError(f"{value!r} is no path.")
    try:
        expanded = Path(value).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{value!r} begins with the home of nobody who is known here.") from error
    return str(Path((info.context or {}).get("folder", "."), expanded).absolute())


def _path(value: Path, info: ValidationInfo) -> Path:
    return Path(path_in(str(value), info))


def _endpoint(value: object) -> object:
    if isinstance(value, Endpoint):
        return value
    found = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if not found or int(found[3]) > _HIGHEST_PORT:
        raise ValueError(f'{value!r} is no address to listen on; write HOST:PORT, such as "127.0.0.1:8515" or ":8515".')
    host = found[1] or found[2]
    return Endpoint("" if host == "*" else host, int(found[3]))


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} is no name; use letters, digits, '-', '_' and '.', a letter or digit first, at most "
            f"{MOST_NAME_CHARACTERS}."
        )
    return value


def duration_text(seconds: float) -> str:
    """Return a short way to write a duration that is read as exactly so many seconds again."""
    return _shortest(seconds, SECONDS, _duration)


def rate_text(per_s: float) -> str:
    """Return a short way to write a rate that is read as exactly the same again."""
    return _shortest(per_s, {f"/{unit}": 1 / SECONDS[unit] for unit in "smh"}, _rate)


def size_text(count: int) -> str:
    """Return the shortest way to write a size: what is read as exactly so many bytes again."""
    return _shortest(count, {unit: Fraction(length) for unit, length in SIZES.items()}, _size)


def _shortest(value: float, units: Mapping[str, Fraction], read: Callable[[object], object]) -> str:
    """Return a number and a unit: the largest unit of which it is a whole number, else the first that is exact."""
    exact = Fraction(str(value))
    if not value:
        return f"0{next(iter(units))}"
    for unit, length in sorted(units.items(), key=lambda one: -one[1]):
        if (exact / length).denominator == 1 and exact / length < 10**12:
            return f"{exact / length}{unit}"
    written = [f"{_decimal(exact / length)}{unit}" for unit, length in units.items()]
    return min((text for text in written if _reads_as(text, value, read)), key=len, default=written[0])


def _decimal(number: Fraction) -> str:
    whole, part = divmod(round(number * 10**12), 10**12)
    return f"{whole}.{part:012d}".rstrip("0").rstrip(".")


def _reads_as(text: str, value: float, read: Callable[[object], object]) -> bool:
    try:
        return read(text) == value
    except ValueError:
        return False


Duration = Annotated[float, BeforeValidator(_duration), Written("duration", '"60s"', duration_text)]
"""Seconds, written as ``"90s"`` or ``"1.5m"``."""

Rate = Annotated[float, BeforeValidator(_rate), Written("rate", '"10/s"', rate_text)]
"""A number a second, written as ``"10/s"`` or ``"600/m"``."""

Size = Annotated[int, BeforeValidator(_size), Written("size", '"10MB"', size_text)]
"""Bytes, written as ``"10GB"`` or ``"8MiB"``."""

Secret = Annotated[SecretStr, BeforeValidator(_secret), Written("secret", '"${NAME}"')]
"""A text that is shown nowhere, written as ``"${NAME}"`` (of the environment) or ``"file:PATH"``."""

PathText = Annotated[str, AfterValidator(path_in), Written("path", '"/path/to/file"')]
"""A path or a pattern of paths; relative ones are relative to the folder of the configuration."""

PathIn = Annotated[Path, AfterValidator(_path), Written("path", '"/path/to/file"')]
"""A path as `PathText` is one, for those who want a path."""

Address = Annotated[Endpoint, BeforeValidator(_endpoint), Written("address", '"127.0.0.1:8515"', str)]
"""Where to listen, written as ``"127.0.0.1:8515"``, ``"[::1]:8515"``, or ``":8515"`` for every address."""

Name = Annotated[str, AfterValidator(_name), Written("name", '"web"')]
"""A name that is safe in paths, in metrics and on terminals."""
