"""Formats as data: what the samples of the catalog say, what users may write, and what is stored for ever."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from heeler.errors import TemplateError, UsageError
from heeler.formats import members_of, render
from heeler.formats.choose import FORMATS, format_named, formats_with, guesses
from heeler.formats.definitions import catalog_entries, entries_in, restored
from heeler.formats.lines import split
from heeler.formats.nested import fitted
from heeler.formats.samples import disagreements
from heeler.formats.timestamps import Receipt
from heeler.formats.w3c import W3c

RECEIPT = Receipt(1_795_348_800_000_000)  # 2026-11-22T12:00:00Z
ENTRIES = catalog_entries()
SAMPLES = [(name, number) for name, entry in ENTRIES.items() for number in range(len(entry.get("samples", ())))]
NOT_CHOSEN = {"stamped", "stamped_slash"}
"""A line of these is also one of a format that says more."""


def test_every_format_of_the_catalog_has_a_title_and_a_sample() -> None:
    assert [name for name, entry in ENTRIES.items() if not entry.get("title") or not entry.get("samples")] == []


def test_every_sample_has_the_columns_that_it_says() -> None:
    assert list(disagreements(ENTRIES, FORMATS, RECEIPT.received_us)) == []


@pytest.mark.parametrize(("name", "number"), SAMPLES)
def test_a_sample_is_told_by_its_columns_where_the_format_is_fitted_to_it(name: str, number: int) -> None:
    """Nearly no line needs to be kept beside its columns; those that do are listed here, with what is lost."""
    known = FORMATS[name]
    lines = split(ENTRIES[name]["samples"][number]["line"].encode())
    kept = fitted(known, lines).parse(lines, None, RECEIPT)["raw"][0]
    nanoseconds, commas_between = name == "cri", (name, number) == ("packer_machine", 1)
    assert (kept is not None) == (nanoseconds or commas_between)


@pytest.mark.parametrize("name", [name for name in ENTRIES if name not in NOT_CHOSEN])
def test_the_samples_of_a_format_are_recognised_as_its(name: str) -> None:
    lines = split("".join(sample["line"] + "\n" for sample in ENTRIES[name]["samples"]).encode())
    first, *_ = guesses(lines)
    assert first.rate == 1.0
    assert first.format.name == name


@pytest.mark.parametrize("name", FORMATS)
def test_a_stored_format_renders_what_it_stored_whatever_has_changed_since(name: str) -> None:
    known = FORMATS[name]
    entry = ENTRIES.get(name, {"samples": []})
    raw = "".join(sample["line"] + "\n" for sample in entry["samples"]).encode()
    for member in members_of(fitted(known, split(raw))):
        again = restored(member.name, member.table, member.text)
        assert (again.name, again.table, again.text) == (member.name, member.table, member.text)
        assert again.columns == member.columns
        records = member.parse(split(raw), None, RECEIPT)
        assert render(again, records).to_list() == raw.splitlines(keepends=True)


def test_the_definition_that_is_stored_is_all_that_is_needed() -> None:
    """The catalog may change: a level word, a layout and a pattern are what they were when records were stored."""
    text = json.dumps(
        {
            "kind": "pattern",
            "pattern": "(?<time>) (?<level>)! (?<message>.*)",
            "levels": {"oh": "error"},
            "written": {"time": "{YYYY}-{MM}-{DD}T{hh}:{mm}:{ss}{+ZZ:zz}"},
        }
    )
    line = b"2026-11-22T10:15:40+01:00 oh! no"
    records = restored("mine", "log", text).parse(split(line), None, RECEIPT)
    assert (records["severity"][0], records["raw"][0]) == (17, None)
    assert render(restored("mine", "log", text), records)[0] == line


# --- of users ---

OWN = """
[formats.mine]
title = "ours"
pattern = '(?<time>) (?<level>)/(?<program>[a-z]+) (?<message>.*)'
levels = { bad = "error", fine = "info" }

[formats.edge]
table = "access"
template = '{time_iso} {client} {method} {path} {status} {pop}'
"""


def test_a_format_of_a_user_is_read_chosen_and_named_as_any_other(tmp_path: Path) -> None:
    file = tmp_path / "heeler.toml"
    file.write_text(OWN)
    formats = formats_with(entries_in(file)[0])
    line = b"2026-11-22 10:15:40 bad/db no disk\n"
    assert guesses(split(line * 3), formats)[0].format.name == "mine"
    (row,) = format_named("mine", formats).parse(split(line), None, RECEIPT).to_dicts()
    assert (row["severity"], row["program"], row["message"]) == (17, "db", "no disk")
    assert format_named("edge", formats).table == "access"
    assert format_named("syslog", formats).name == "syslog"


def test_a_format_of_a_user_may_take_the_place_of_one_that_comes_with_heeler() -> None:
    formats = formats_with({"python": {"pattern": "(?<message>py .*)"}})
    assert guesses(split(b"py a\n"), formats)[0].format is formats["python"]
    assert list(formats).count("python") == 1


@pytest.mark.parametrize(
    ("definition", "sentence", "caret"),
    [
        ("pattern = '(?<message>a(?=b))'", "looks around", 12),
        ("pattern = '(?<message>a)(?<!b)'", "looks around", 13),
        ("pattern = '(?<message>a)\\1'", "refers back to a group", 13),
        ("pattern = '(?<message>(?P=message))'", "refers back to a group", 11),
        ("pattern = '(?<message>a++)'", "has a possessive quantifier", 12),
        ("pattern = '(?<message>(?>a))'", "has an atomic group", 11),
        ("pattern = '(?<message>[a'", "is no regular expression: unclosed character class", 12),
        ("pattern = 'x(?<message>(a)'", "is no regular expression: unclosed group", 1),
        ("pattern = 'nothing'", "has no named group", 7),
        ("pattern = '(?<time>) (?<message>.*)'\ntypes = { time = \"isoo\" }", "is said to be 'isoo'; known are iso", 3),
        ("template = '{client} {'", "without its partner", 9),
    ],
)
def test_a_pattern_that_cannot_be_is_shown_with_a_caret(
    definition: str, sentence: str, caret: int, tmp_path: Path
) -> None:
    file = tmp_path / "heeler.toml"
    file.write_text(f"[formats.mine]\n{definition}\n")
    with pytest.raises(TemplateError, match=sentence) as caught:
        formats_with(entries_in(file)[0])
    assert caught.value.at == caret
    assert str(caught.value).splitlines()[-1] == "  " + " " * caret + "^"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[formats.mine]\npattern = 'a", "is no TOML: Expected"),
        ("formats = 1", "must hold a table for each format"),
        ("[formats.mine]\ntitle = 'x'", "needs a template, a pattern, or a kind"),
        ("[formats.mine]\nkind = 'xml'", "needs a template, a pattern, or a kind"),
        ("[formats.plain]\npattern = '(?<message>a)'", "cannot be named 'plain'"),
        ("[formats.mine]\nkind = 'json'", "needs a template, a pattern, or a kind"),
        ("[formats.mine]\ntable = 'logs'\npattern = '(?<message>a)'", "there are access and log"),
        ("[formats.mine]\npattern = '(?<level>)'\nlevels = { x = 'dire' }", "cannot be understood"),
        ("[formats.mine]\nkind = 'json'\ncolumns = { colour = ['c'] }", "fills the column 'colour'; there are time"),
        ("[formats.mine]\npattern = '(?<message>.*)'\ninner = ['syslogs']", "Did you mean 'syslog'?"),
    ],
)
def test_a_definition_that_cannot_be_is_told_in_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "heeler.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=sentence):
        formats_with(entries_in(file)[0])


def test_fields_that_a_header_names_anew_are_read_from_there_on() -> None:
    known = W3c("w3c", {"fields": "date time c-ip cs-method cs-uri-stem sc-status"})
    raw = (
        b"2026-11-22 10:15:40 192.0.2.7 GET /a 200\r\n"
        b"#Fields: date time cs-method cs-uri-stem c-ip sc-status time-taken\r\n"
        b"2026-11-22 10:15:41 GET /b 192.0.2.8 404 15\r\n"
    )
    rows = known.parse(split(raw), None, RECEIPT)
    assert rows.select("client", "path", "status").rows() == [
        ("192.0.2.7", "/a", 200),
        (None, None, None),
        ("192.0.2.8", "/b", 404),
    ]
    assert rows["parsed"].to_list() == [True] * 3
    assert b"".join(render(known, rows).to_list()) == raw
    after = known.following(raw)
    (row,) = after.parse(split(b"2026-11-22 10:15:42 GET /c 192.0.2.9 500 8\r\n"), None, RECEIPT).to_dicts()
    assert (row["path"], row["duration"], row["raw"]) == ("/c", timedelta(milliseconds=8), None)
