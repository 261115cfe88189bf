"""Values of a configuration become the settings of a section; what cannot be is told in a sentence, with its place."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from heeler.config.described import section_at
from heeler.config.document import Document, did_you_mean, dotted
from heeler.config.places import KeyPath
from heeler.config.section import Section
from heeler.config.values import Hidden, Within
from heeler.errors import ConfigurationError, SettingError

S = TypeVar("S", bound=Section)

_WANTED: Final[Mapping[str, str]] = {
    "string_type": "a text in quotes",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "tuple_type": "a list in […]",
    "list_type": "a list in […]",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "path_type": "a path in quotes",
}
"""What is allowed, by pydantic's name of the failure."""


def validated(section: type[S], document: Document, path: KeyPath = (), values: Mapping[str, Any] | None = None) -> S:
    """Return the section that stands at ``path`` of a document; ``values`` where they are not all that stand there.

    Types are strict: a number in quotes is no number. Validators find the folder of the file in the context, as
    ``folder``. Raises `ConfigurationError` with everything that is wrong.
    """
    if values is None:
        values = document.values
        for part in path:
            values = values[part]  # type: ignore[index]  # a path leads through tables and arrays only
    # TOML has the types of JSON, and dates, which no setting is. Only from JSON does strictness let a list be a tuple.
    text = json.dumps(values, default=lambda date: {"date": str(date)})
    try:
        return section.model_validate_json(text, strict=True, context={"folder": document.folder})
    except ValidationError as error:
        raise ConfigurationError(list(_errors(error, section, document, path))) from error


def _errors(
    error: ValidationError, section: type[Section], document: Document, path: KeyPath
) -> Iterator[SettingError]:
    details = error.errors(include_url=False)
    hidden = [
        path + one["loc"]
        for one in details
        if one["type"] == "extra_forbidden" or isinstance(one.get("ctx", {}).get("error"), Hidden)
    ]
    for one in details:
        yield _told(one, section, document.hiding(hidden), path, is_hidden=path + one["loc"] in hidden)


def _told(
    detail: ErrorDetails, section: type[Section], document: Document, path: KeyPath, *, is_hidden: bool
) -> SettingError:
    here = path + detail["loc"]
    if here[-1:] == ("[key]",):  # pydantic's word for a name of a table that cannot be
        here = here[:-1]
    context = detail.get("ctx", {})
    kind = detail["type"]
    if kind == "extra_forbidden":
        return document.error(here, _unknown(section, path, detail["loc"]), of_value=False)
    if kind == "missing":
        within = section_at(section, detail["loc"][:-1])
        field = within.model_fields.get(str(detail["loc"][-1])) if within else None
        means = f": {_lowered(field.description)}" if field and field.description else "."
        return document.error(here, f"{_section(here[:-1])} needs {detail['loc'][-1]!r}{means}", of_value=False)
    stands = document.nearest_place(here)
    read = document.read_at(stands) if stands == here and not is_hidden else ""
    named = dotted(stands) or "The file"
    if kind == "value_error":
        error = context["error"]
        return document.error(here, f"{named}: {error}", within=error.at if isinstance(error, Within) else None)
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", str(context["expected"]))
        hint = did_you_mean(read.strip("\"'"), known)
        return document.error(here, f"{named} is {read}, and must be {context['expected']}.{hint}")
    if kind in {"too_short", "too_long"}:
        most = "at least" if kind == "too_short" else "at most"
        number = context.get("min_length", context.get("max_length"))
        return document.error(here, f"{named} is {read}, and must hold {most} {number}.")
    wanted = _WANTED.get(kind)
    must = f"must be {wanted}" if wanted else _lowered(detail["msg"].replace("Input should be", "must be")).rstrip(".")
    return document.error(here, f"{named} is {read}, and {must}." if read else f"{named} {must}.")


def _unknown(section: type[Section], path: KeyPath, loc: KeyPath) -> str:
    within = section_at(section, loc[:-1])
    known = sorted(field.alias or name for name, field in within.model_fields.items()) if within else []
    hint = did_you_mean(str(loc[-1]), known)
    return f"{_section(path + loc[:-1])} has no setting {loc[-1]!r}.{hint} There are {', '.join(known)}."


def _section(path: KeyPath) -> str:
    return f"[{dotted(path)}]" if path else "The file"


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() or sentence[1:2] == " " else sentence
