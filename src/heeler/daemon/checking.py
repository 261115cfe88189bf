"""What a configuration would do, and what in it is doubtful here and now. Nothing is run or written."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from heeler.config.document import read_document
from heeler.daemon.configuration import Configured
from heeler.errors import ConfigurationError, SettingError
from heeler.formats import Format
from heeler.formats.lines import split
from heeler.formats.severity import graded
from heeler.formats.timestamps import Receipt
from heeler.store.url import lake_folder


class Plan(NamedTuple):
    """What a configured source would do."""

    name: str
    kind: str
    group: str
    format: str
    enabled: bool
    doubts: tuple[str, ...]


def plans(configuration: Configured) -> list[Plan]:
    """Return what each source would do, in the order of the file."""
    return [
        Plan(
            name,
            source.kind,
            source.group or name,
            source.format or "detected",
            source.enabled,
            tuple(source.doubts()) if source.enabled else (),
        )
        for name, source in configuration.settings.sources.items()
    ]


def doubts(configuration: Configured) -> Iterator[str]:
    """Yield a sentence for each thing of the configuration, besides its sources, that may not be what is wanted."""
    settings = configuration.settings
    if not any(source.enabled for source in settings.sources.values()):
        yield "No source is configured, so nothing would be collected."
    if settings.web.listen.host not in {"127.0.0.1", "::1", "localhost"}:
        yield f"{settings.web.listen} can be asked by other machines, and nobody is asked who they are."
    if not settings.report.path and settings.report.model_fields_set:
        yield "[report] has no path, so no report is appended to anything."
    folder = lake_folder(settings.store)
    if folder.exists() and not folder.is_dir():
        yield f"The store {settings.store} is no folder."


def try_samples(configuration: Configured, receipt: Receipt) -> None:
    """Parse the samples of the configured formats. Raises `ConfigurationError` with those that are not as they say."""
    if configuration.path is None:
        return
    document = read_document(configuration.path)
    problems: list[SettingError] = []
    for name, entry in document.values.get("formats", {}).items():
        for number, sample in enumerate(entry.get("samples", ())):
            if why := _unlike(configuration.formats[name], sample, receipt):
                problems.append(
                    document.error(
                        ("formats", name, "samples", number, "line"), f"This sample of the format {name!r} {why}."
                    )
                )
    if problems:
        raise ConfigurationError(problems)


def _unlike(known: Format, sample: Mapping[str, Any], receipt: Receipt) -> str:
    """Return in what the record of a sample is not as the sample says; empty where it is."""
    rows = graded(known.parse(split(sample["line"].encode()), None, receipt)).to_dicts()
    if len(rows) != 1:
        return "is not one line"
    (row,) = rows
    if not row["parsed"]:
        return "does not parse"
    for column, expected in sample.get("expect", {}).items():
        name, _, attribute = column.partition(".")
        value = row.get(name)
        if attribute:
            value = json.loads(value or "{}").get(attribute)
        if _comparable(value) != _comparable(expected):
            return f"has {_comparable(value)!r} as {column}, and not {_comparable(expected)!r}"
    return ""


def _comparable(value: object) -> object:
    """Return a duration as seconds and a time as a text in UTC, as records have it without saying so."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat()
    return value
