"""The commented example says every setting, and each of them is right as soon as its comment sign is gone."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from heeler.config.described import parts_of, settings_of
from heeler.config.section import Section
from heeler.daemon.checking import try_samples
from heeler.daemon.configuration import OF_KINDS, Configuration, configured
from heeler.daemon.example import example_text
from heeler.formats.timestamps import Receipt

_SETTING = re.compile(r"#(\w+) = (.*)")
_HEADER = re.compile(r"#?\[([\w.-]+)\]")


class Example(NamedTuple):
    section: str
    name: str
    line: str
    required: bool


def examples() -> list[Example]:
    found, section, comment = [], "", ""
    for line in example_text().splitlines():
        if header := _HEADER.fullmatch(line):
            section = header[1]
        elif setting := _SETTING.fullmatch(line):
            found.append(Example(section, setting[1], line[1:], comment.endswith("It must be given.")))
        comment = f"{comment} {line.removeprefix('# ')}" if line.startswith("# ") else ""
    return found


EXAMPLES = examples()

_TCP, _TLS = 'tcp = "127.0.0.1:5514"', 'tls = "127.0.0.1:6514"'
_CERTIFICATE = 'certificate = "a.pem"'
NEEDED = {
    ("sources.example-syslog", ""): [_TCP],
    ("sources.example-syslog", "tcp"): [],
    ("sources.example-syslog", "udp"): [],
    ("sources.example-syslog", "tls"): [_CERTIFICATE],
    ("sources.example-syslog", "certificate"): [_TLS],
    ("sources.example-syslog", "key"): [_TLS, _CERTIFICATE],
    ("sources.example-syslog", "clients"): [_TLS, _CERTIFICATE],
    ("sources.example-http", "tls_key"): ["tls_certificate = 'a.pem'"],
    ("rules.example", ""): ["above = 10.0"],
    ("rules.example", "above"): [],
    ("rules.example", "below"): [],
    ("rules.example", "absent"): [],
    ("rules.example", "recover_above"): ["below = 1.0"],
    ("rules.example", "of"): ["aggregate = 'ratio'", "above = 0.5"],
}
"""What some settings need beside them, by section and name; without a name, what the others of a section need."""


def test_as_it_is_written_it_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "heeler.toml"
    file.write_text(example_text())

    assert configured(file).settings == Configuration()


@pytest.mark.parametrize("one", EXAMPLES, ids=lambda one: f"{one.section}.{one.name}")
def test_each_setting_is_right_without_its_comment_sign(
    one: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAME", "a-secret-that-is-long")
    monkeypatch.setenv("ALERT_URL", "mailto://user:secret@example.com")
    needed = [
        other.line
        for other in EXAMPLES
        if other.section == one.section and other.required and other != one and other.name != "kind"
    ]
    if one.section.startswith("formats") and one.name not in {"pattern", "template"}:
        needed.append("pattern = '(?<time>) (?<level>) (?<message>.*)'")
    if one.section.startswith("redact") and one.name not in {"replacement", "hash_key"}:
        needed.append("replacement = '*'")
    if one.section.startswith(("sources", "notify")) and one.name != "kind":
        needed.append(f"kind = '{one.section.rpartition('-')[2]}'")
    needed += NEEDED.get((one.section, one.name), NEEDED.get((one.section, ""), []))
    lines = [f"[{one.section}]"] if one.section else []
    if one.section.startswith("redact"):
        lines = ["[sources.shop]", "kind = 'file'", "paths = ['x']", *lines]
    if one.name == "notify":
        lines = ["[notify.ops]", "kind = 'log'", "path = 'x'", *lines]
    if one.section.count(".") == 2:  # a section within a source: what the source needs comes before it
        outer = one.section.rpartition(".")[0]
        lines = [f"[{outer}]", *(other.line for other in EXAMPLES if other.section == outer and other.required), *lines]
    file = tmp_path / "heeler.toml"
    file.write_text("\n".join([*lines, *needed, one.line]))

    try_samples(configured(file), Receipt(1_795_348_800_000_000))


def every(section: type[Section], path: str = "") -> Iterator[tuple[str, str, str]]:
    yield from ((path, one.name, one.default) for one in settings_of(section))
    for part in parts_of(section):
        if part.section in OF_KINDS:
            for kind, settings in OF_KINDS[part.section].items():
                yield from every(settings, f"{part.name}.example-{kind}")
        else:
            yield from every(part.section, f"{path}.{part.name}".strip(".") + (".example" if part.many else ""))


def test_every_setting_stands_in_it_with_its_default_where_no_example_says_more() -> None:
    said = {(one.section, one.name): one.line.partition(" = ")[2] for one in EXAMPLES}

    assert said.keys() == {(section, name) for section, name, _ in every(Configuration)}
    for section, name, default in every(Configuration):
        if default not in {"", '""', "[]", "{}"}:
            assert tomllib.loads(f"x = {said[section, name]}") == tomllib.loads(f"x = {default}")


def test_every_setting_has_a_sentence() -> None:
    def silent(section: type[Section]) -> list[str]:
        found = [f"{section.__name__}.{one.name}" for one in settings_of(section) if not one.sentence.endswith(".")]
        return found + [name for part in parts_of(section) for name in silent(part.section)]

    assert silent(Configuration) == []
    assert [name for kinds in OF_KINDS.values() for settings in kinds.values() for name in silent(settings)] == []
