"""The text that `heeler init` writes: every setting, commented out, with its sentence; made from the models."""

import textwrap
from collections.abc import Iterator
from typing import Final

from heeler.config.described import Part, parts_of, settings_of
from heeler.config.section import Section
from heeler.daemon.configuration import OF_KINDS, Configuration

_HEAD: Final = """\
# The configuration of Heeler.
#
# Every setting stands here with its default, or with an example where that says more. Take away the "#" right before
# a name, or before a "[section]", to use it. `heeler check` says whether all is right, and what would run.
#
# Durations are written as "60s", "5m" or "30d", sizes as "10MB" or "8GiB", rates as "10/s". Relative paths are relative
# to the folder of this file. A secret does not stand here: write "${NAME}" for one in the environment, or
# "file:PATH" for one in a file.
"""
_WIDTH: Final = 118
_NAMED: Final = "example"


def example_text() -> str:
    """Return the text of the commented file."""
    return "\n".join([_HEAD, *_lines(Configuration, "", live=True)]).rstrip() + "\n"


def _lines(section: type[Section], path: str, *, live: bool, kind: str = "") -> Iterator[str]:
    for setting in sorted(settings_of(section), key=lambda one: not one.required):
        value = f'"{kind}"' if kind and setting.name == "kind" else setting.example
        yield from _comment(setting.sentence + (" It must be given." if setting.required else ""))
        yield f"#{setting.name} = {value}"
        yield ""
    for part in parts_of(section):
        if part.section in OF_KINDS:
            yield from _kinds(part)
            continue
        name = f"{path}{part.name}" + (f".{_NAMED}" if part.many else "")
        yield from _comment(part.sentence)
        yield f"[{name}]" if live and not part.many else f"#[{name}]"
        yield ""
        yield from _lines(part.section, f"{name}.", live=live and not part.many)


def _kinds(part: Part) -> Iterator[str]:
    yield from _comment(part.sentence)
    yield ""
    for kind, settings in OF_KINDS[part.section].items():
        yield from _comment(settings.__doc__ or "")
        name = f"{part.name}.{_NAMED}-{kind}"
        yield f"#[{name}]"
        yield ""
        yield from _lines(settings, f"{name}.", live=False, kind=kind)


def _comment(sentence: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(" ".join(sentence.split()), _WIDTH)]
