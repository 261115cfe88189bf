"""What can be set, read from the models: the single source of the reference, the commented example and the errors."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from heeler.config.places import KeyPath
from heeler.config.section import Section
from heeler.config.values import Written

_WORDS: Mapping[object, Written] = {
    bool: Written("true or false", "true"),
    int: Written("whole number", "1"),
    float: Written("number", "1.0"),
    str: Written("text", '"…"'),
    Path: Written("path", '"/path/to/file"'),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name within its section, type in words, default and example as TOML, and its sentence.

    ``default`` is empty where there is none; then ``required`` tells whether it must be given.
    """

    name: str
    type: str
    default: str
    required: bool
    example: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Part:
    """A section within a section: ``[name]``, or ``[name.NAME]`` where ``many`` can be, and its own sentence."""

    name: str
    many: bool
    section: type[Section]
    sentence: str


def settings_of(section: type[Section]) -> Iterator[Setting]:
    """Yield the settings that stand in a section itself, in their order."""
    for name, field in section.model_fields.items():
        if _part(field):
            continue
        written = _written(field.annotation, field.metadata)
        required = field.is_required()
        default = "" if required else _toml(field.get_default(call_default_factory=True), written)
        example = _toml(field.examples[0], written) if field.examples else default or written.example
        yield Setting(field.alias or name, written.type, default, required, example, _sentence(field))


def parts_of(section: type[Section]) -> Iterator[Part]:
    """Yield the sections within a section."""
    for name, field in section.model_fields.items():
        if part := _part(field):
            yield Part(name, part[1], part[0], _sentence(field))


def section_at(section: type[Section], path: KeyPath) -> type[Section] | None:
    """Return the section that the settings at ``path`` within ``section`` are of; None where that is no section."""
    here: Any = section
    for key in path:
        if isinstance(here, type) and issubclass(here, Section):
            field = here.model_fields.get(str(key))
            here = field.annotation if field else None
        else:
            # An item of a list or of a table of sections.
            here = next((one for one in get_args(_plain(here)) if _is_section(_plain(one)) or get_args(one)), None)
        here = _plain(here)
    return here if _is_section(here) else None


def _sentence(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _is_section(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _plain(annotation: Any) -> Any:  # noqa: ANN401 - a type as typing has it
    """Return what an annotation is about, without `Annotated` and ``| None``."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, UnionType) and type(None) in get_args(annotation):
            annotation = next(one for one in get_args(annotation) if one is not type(None))
        else:
            return annotation


def _part(field: FieldInfo) -> tuple[type[Section], bool] | None:
    plain = _plain(field.annotation)
    if _is_section(plain):
        return plain, False
    of = [_plain(one) for one in get_args(plain)]
    if get_origin(plain) in (dict, Mapping) and len(of) == 2 and _is_section(of[1]):
        return of[1], True
    return None


def _written(annotation: Any, metadata: Sequence[object] = ()) -> Written:  # noqa: ANN401 - a type as typing has it
    """Return how values of a type are written."""
    for one in metadata:
        if isinstance(one, Written):
            return one
    if get_origin(annotation) is Annotated:
        inner, *about = get_args(annotation)
        return _written(inner, about)
    if get_origin(annotation):
        return _written_generic(get_origin(annotation), get_args(annotation))
    return _WORDS.get(annotation, Written("table", "{}") if _is_section(annotation) else Written("text", '"…"'))


def _written_generic(origin: object, arguments: tuple[Any, ...]) -> Written:
    if origin is Literal:
        written = ", ".join(map(_toml, arguments))
        return Written(f"one of {written}" if len(arguments) > 1 else written, _toml(arguments[0]))
    found = [_written(one) for one in arguments if one not in (type(None), ...)]
    if origin in (Union, UnionType):
        return found[0] if len(found) == 1 else Written(" or ".join(one.type for one in found), found[0].example)
    item = found[-1]
    if origin in (dict, Mapping):
        return Written(f"table: {item.type}", f"{{ NAME = {item.example} }}", item.text)
    return Written(f"list: {item.type}", f"[{item.example}]", item.text)


def _toml(value: object, written: Written | None = None) -> str:
    """Return a value as TOML has it; empty for None."""
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(one, written) for one in value)}]"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(str(key))} = {_toml(one, written)}" for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, bool):
        return str(value).lower()
    if written and written.text and not isinstance(value, str):
        return json.dumps(written.text(value))
    return str(value) if isinstance(value, int | float) else _text(str(value))


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def _text(text: str) -> str:
    """Return a text in quotes, in those that leave backslashes alone where it has some."""
    return f"'{text}'" if "\\" in text and "'" not in text else json.dumps(text, ensure_ascii=False)
