"""Values as people write them: durations, sizes, rates and secrets.

Each is a type for the fields of a `heeler.config.section.Section`. What cannot be understood raises `ValueError` with a
sentence (pydantic takes no other error for a wrong value); whoever reads the file adds where it stands. Defaults are
not read: they are written in code as numbers of the unit.
"""

import os
import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, SecretStr

from heeler.errors import UsageError
from heeler.units import duration_s, rate_per_s

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

_SIZE = re.compile(rf"(\d{{1,12}}(?:\.\d{{1,12}})?)\s?({'|'.join(SIZES)})", re.ASCII)
_ENVIRONMENT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)


def _duration(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is no duration; write a number with a unit in quotes, such as "60s".')  # noqa: TRY004
    try:
        return float(duration_s(value, "The duration"))
    except UsageError as error:
        raise ValueError(str(error)) from error


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


def _secret(value: object) -> object:
    """Return the secret that ``${NAME}`` in the environment or ``file:PATH`` holds."""
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text.")  # noqa: TRY004
    if found := _ENVIRONMENT.fullmatch(value):
        if found[1] not in os.environ:
            raise ValueError(f"The environment has no {found[1]}. Set it where Heeler is started, or use file:PATH.")
        return SecretStr(os.environ[found[1]])
    if value.startswith("file:"):
        path = Path(value.removeprefix("file:"))
        try:
            return SecretStr(path.read_text(encoding="utf-8").rstrip("\r\n"))
        except OSError as error:
            raise ValueError(f"The secret in {path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"The secret in {path} is not UTF-8 text.") from error
    raise ValueError("A secret does not stand in the configuration itself; write ${NAME} or file:PATH.")


Duration = Annotated[float, BeforeValidator(_duration)]
"""Seconds, written as ``"90s"`` or ``"1.5m"``."""

Rate = Annotated[float, BeforeValidator(_rate)]
"""A number a second, written as ``"10/s"`` or ``"600/m"``."""

Size = Annotated[int, BeforeValidator(_size)]
"""Bytes, written as ``"10GB"`` or ``"8MiB"``."""

Secret = Annotated[SecretStr, BeforeValidator(_secret)]
"""A text that is shown nowhere, written as ``"${NAME}"`` (of the environment) or ``"file:PATH"``."""
