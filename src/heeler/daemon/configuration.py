"""The whole configuration: what `heeler.toml` may say, and reading it with everything that is wrong at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeVar

from platformdirs import user_log_path
from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator

from heeler.config.document import Document, did_you_mean, read_document
from heeler.config.places import KeyPath
from heeler.config.section import Section
from heeler.config.validation import validated
from heeler.config.values import Address, Duration, Endpoint, Hidden, Name, PathText, Secret, Size, Written, path_in
from heeler.daemon.report_settings import ReportSettings
from heeler.errors import ConfigurationError, SettingError, TemplateError, UsageError
from heeler.formats import Format
from heeler.formats.choose import FORMATS, Formats, format_named
from heeler.formats.definitions import made
from heeler.formats.settings import FormatSettings
from heeler.ingest.redaction import Redaction, Rule, hashing, matcher, replacing
from heeler.notify.kinds import NOTIFIERS
from heeler.notify.settings import NotifierSettings
from heeler.rules.settings import HighTrafficSettings, RuleSettings
from heeler.sources.kinds import KINDS
from heeler.sources.settings import SourceSettings
from heeler.store.retention import KEEP_AGE_US, Keep
from heeler.store.url import lake_folder

S = TypeVar("S", bound=Section)

SECOND_US: Final = 1_000_000
SHORTEST_KEY_BYTES: Final = 16


def _store(value: str, info: ValidationInfo) -> str:
    """Return the URL of a store; the path of a lake is relative to the folder of the configuration."""
    try:
        lake_folder(value)  # raises for what is no store
    except UsageError as error:
        raise ValueError(str(error)) from error
    path = value.removeprefix("lake:")
    return f"lake:{path_in(path, info)}" if path else value


Store = Annotated[str, AfterValidator(_store), Written("store", '"lake:/var/lib/heeler/lake"')]
"""A store, written as ``"lake:PATH"``."""


class WebSettings(Section):
    """What is answered over HTTP: whether all is well, and figures for Prometheus."""

    listen: Address = Endpoint("127.0.0.1", 8515)
    """Where `/healthz`, `/readyz` and `/metrics` are served. Nothing asks who asks: keep it to this machine."""


class KeepSettings(Section):
    """How long and how much the store keeps. What goes, goes by whole days of receiving, the oldest first."""

    age: Duration = KEEP_AGE_US / SECOND_US
    """What was received longer ago is dropped; 0s keeps any age."""

    bytes: Size | None = Field(default=None, examples=[10_000_000_000])
    """More than this is dropped; 0 keeps any amount. Without it: 10 GB, or a fifth of the disk if that is less."""

    def keep(self) -> Keep:
        """Return the same as the store has it."""
        return Keep(round(self.age * SECOND_US), self.bytes)


class RedactSettings(Section):
    """A rule by which something is taken out of lines before they are parsed and kept."""

    pattern: str = Field(examples=[r"password=\S+"])
    """What is taken out: a regular expression, as queries have it. It looks at one line at a time."""

    replacement: str | None = Field(default=None, examples=["password=***"])
    """What is put in its place. A rule needs this or hash_key."""

    hash_key: Secret | None = None
    """At least 16 bytes. A keyed hash is put in its place, so that what is equal stays equal, as for addresses."""

    sources: tuple[str, ...] = Field(default=(), examples=[("shop",)])
    """The sources whose lines it looks at; without them all."""

    @field_validator("pattern")
    @classmethod
    def _is_understood(cls, value: str) -> str:
        try:
            matcher(value)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("replacement")
    @classmethod
    def _is_within_a_line(cls, value: str | None) -> str | None:
        if value and not value.isprintable():
            raise ValueError(f"{value!r} holds what is not printable, such as a newline, which would change the lines.")
        return value

    @field_validator("hash_key")
    @classmethod
    def _is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value and len(value.get_secret_value().encode()) < SHORTEST_KEY_BYTES:
            raise Hidden(f"The key has less than {SHORTEST_KEY_BYTES} bytes; `openssl rand -hex 32` makes a good one.")
        return value

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        if (self.replacement is None) == (self.hash_key is None):
            raise ValueError("A rule needs either a replacement or a hash_key.")
        return self

    def rule(self, name: str) -> Rule:
        """Return the rule that does it."""
        if self.hash_key is not None:
            return Rule(name, matcher(self.pattern), hashing(self.hash_key.get_secret_value().encode()))
        return Rule(name, matcher(self.pattern), replacing(self.replacement or ""))


OF_KINDS: Final[Mapping[type[Section], Mapping[str, type[Section]]]] = {
    SourceSettings: KINDS,
    NotifierSettings: NOTIFIERS,
}
"""Sections whose settings depend on their kind, and those of each kind."""


class Configuration(Section):
    """Everything that can be configured. Relative paths are relative to the folder of the file."""

    store: Store = "lake:"
    """Where records are kept. Without a path: the lake in the data directory of the user who runs Heeler."""

    log_path: PathText | None = Field(default=None, examples=["/var/log/heeler/heeler.log"])
    """Where `heeler start` writes Heeler's own log. Without it: heeler.log in the user's log directory."""

    pid_path: PathText | None = Field(default=None, examples=["/run/heeler/heeler.pid"])
    """Where `heeler start` writes its process id. Without it: heeler.pid in the folder of the lake."""

    web: WebSettings = WebSettings()
    """What is answered over HTTP: whether all is well, and figures for Prometheus."""

    keep: KeepSettings = KeepSettings()
    """How long and how much the store keeps. What goes, goes by whole days of receiving, the oldest first."""

    report: ReportSettings = ReportSettings()
    """A report that is appended to a file again and again."""

    sources: dict[Name, SourceSettings] = Field(default={})
    """Where lines come from. The kind says what else can be set."""

    redact: dict[Name, RedactSettings] = Field(default={})
    """Rules by which something is taken out of lines before they are parsed and kept, in their order."""

    high_traffic: HighTrafficSettings = HighTrafficSettings()
    """The built-in rule: parsed requests a second, averaged over a window, above a threshold."""

    rules: dict[Name, RuleSettings] = Field(default={})
    """When somebody is alerted."""

    notify: dict[Name, NotifierSettings] = Field(default={})
    """Who is told of alerts, and how. The kind says what else can be set."""

    formats: dict[str, FormatSettings] = Field(default={})
    """Formats of your own, known by their names like those that come with Heeler."""

    @property
    def log_file(self) -> Path:
        """Where Heeler's own log goes."""
        return Path(self.log_path) if self.log_path else user_log_path("heeler") / "heeler.log"

    @property
    def pid_file(self) -> Path:
        """Where the process id goes."""
        return Path(self.pid_path) if self.pid_path else lake_folder(self.store) / "heeler.pid"


@dataclass(frozen=True, slots=True)
class Configured:
    """A configuration that was read and is right: ``path`` is its file, None where there is none."""

    path: Path | None
    settings: Configuration
    formats: Formats

    def redaction(self, source: str) -> Redaction | None:
        """Return what redacts the lines of a source; None where nothing does."""
        rules = [
            one.rule(name) for name, one in self.settings.redact.items() if source in one.sources or not one.sources
        ]
        return Redaction(rules) if rules else None


def configured(path: Path | None) -> Configured:
    """Read a configuration; without a file, everything is as it is by default.

    Raises `ConfigurationError` with everything that is wrong, and what `read_document` raises.
    """
    if path is None:
        return Configured(None, Configuration(), FORMATS)
    document = read_document(path)
    problems: list[SettingError] = []
    rest = {name: value for name, value in document.values.items() if name not in ("sources", "notify")}
    settings = _kept(problems, lambda: validated(Configuration, document, (), rest))
    sources = _of_kinds(document, "sources", KINDS, problems)
    notifiers = _of_kinds(document, "notify", NOTIFIERS, problems)
    own = _formats(document, problems)
    problems += _unknown_formats(document, sources, own)
    if settings is not None:
        problems += _unknown_sources(document, settings)
        problems += _unknown_notifiers(document, settings)
    if problems or settings is None:
        raise ConfigurationError(problems)
    settings = settings.model_copy(update={"sources": sources, "notify": notifiers})
    return Configured(path, settings, Formats(own) if own else FORMATS)


def _kept(problems: list[SettingError], read: Callable[[], Any]) -> Any:  # noqa: ANN401 - what `read` returns
    try:
        return read()
    except ConfigurationError as error:
        problems += error.errors
        return None


def _tables(document: Document, name: str, problems: list[SettingError]) -> Mapping[str, Mapping[str, Any]]:
    """Return the tables within the table ``name``; anything else there is a problem."""
    tables = document.values.get(name, {})
    if not isinstance(tables, dict):
        problems.append(document.error((name,), f"{name} must hold a table for each, as [{name}.NAME]."))
        return {}
    for key, table in tables.items():
        if not isinstance(table, dict):
            sentence = f"{name}.{key} must be a table, as [{name}.{key}]."
            problems.append(document.error((name, key), sentence, of_value=False))
    return {key: table for key, table in tables.items() if isinstance(table, dict)}


def _of_kinds(
    document: Document, section: str, kinds: Mapping[str, type[S]], problems: list[SettingError]
) -> dict[str, S]:
    """Return what stands in the tables of a section whose kinds have settings of their own."""
    found: dict[str, S] = {}
    tables = _tables(document, section, problems)
    _kept(problems, lambda: validated(_Names, document, (), {section: dict.fromkeys(tables, 0)}))
    for name, table in tables.items():
        path: KeyPath = (section, name)
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in kinds:
            problems.append(_wrong_kind(document, path, kind, kinds))
        elif settings := _kept(problems, lambda: validated(kinds[kind], document, path)):  # noqa: B023 - called at once
            found[name] = settings
    return found


class _Names(Section):
    sources: dict[Name, int] = Field(default={})
    notify: dict[Name, int] = Field(default={})


def _wrong_kind(document: Document, path: KeyPath, kind: object, kinds: Mapping[str, object]) -> SettingError:
    known = ", ".join(kinds)
    what = {"sources": "source", "notify": "notifier"}[str(path[0])]
    if kind is None:
        return document.error(path, f"{'.'.join(map(str, path))} says no kind of {what}. There are {known}.")
    hint = did_you_mean(str(kind), kinds)
    return document.error((*path, "kind"), f"There is no kind of {what} {str(kind)!r}.{hint} There are {known}.")


def _formats(document: Document, problems: list[SettingError]) -> dict[str, Format]:
    """Return the formats that can be made; whether their tables have the right settings was seen before."""
    found: dict[str, Format] = {}
    for name, entry in _tables(document, "formats", []).items():
        path: KeyPath = ("formats", name)
        if not _kept([], lambda: validated(FormatSettings, document, path)):  # noqa: B023 - called at once
            continue
        try:
            found[name] = made(entry, name, {**FORMATS, **found})
        except TemplateError as error:
            at = next((key for key in ("template", "pattern") if entry.get(key) == error.text), None)
            problems.append(document.error((*path, at) if at else path, str(error)))
        except UsageError as error:
            problems.append(document.error(path, str(error)))
    return found


def _unknown_formats(
    document: Document, sources: Mapping[str, SourceSettings], own: Mapping[str, Format]
) -> list[SettingError]:
    problems = []
    tables = document.values.get("formats", {})
    known = {**dict.fromkeys(tables if isinstance(tables, dict) else ()), **FORMATS, **own}
    for name, source in sources.items():
        if source.format and source.format not in known:
            try:
                format_named(source.format, FORMATS)
            except UsageError as error:
                sentence = str(error).partition(" Known are ")[0]
                problems.append(document.error(("sources", name, "format"), sentence))
    return problems


def _unknown_sources(document: Document, settings: Configuration) -> list[SettingError]:
    problems = []
    known = list(_tables(document, "sources", []))
    for name, rule in settings.redact.items():
        for number, source in enumerate(rule.sources):
            if source not in known:
                there = f" There are {', '.join(known)}." if known else ""
                sentence = f"There is no source {source!r}.{did_you_mean(source, known)}{there}"
                problems.append(document.error(("redact", name, "sources", number), sentence))
    return problems


def _unknown_notifiers(document: Document, settings: Configuration) -> list[SettingError]:
    problems = []
    known = list(_tables(document, "notify", []))
    there = f" There are {', '.join(known)}." if known else " [notify.NAME] makes one."
    named: list[tuple[KeyPath, tuple[str, ...]]] = [(("high_traffic", "notify"), settings.high_traffic.notify)]
    named += [(("rules", name, "notify"), rule.notify) for name, rule in settings.rules.items()]
    for path, names in named:
        for number, name in enumerate(names):
            if name not in known:
                sentence = f"There is no notifier {name!r}.{did_you_mean(name, known)}{there}"
                problems.append(document.error((*path, number), sentence))
    return problems
