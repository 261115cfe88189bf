# ruff: noqa: INP001 - a script, part of no package
"""Make docs/reference.md, and the tables in docs/formats.md and docs/configuration.md, from the code.

::

    python docs/generate.py    write them; a test fails when they are stale
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import typer
from typer.core import TyperGroup

from heeler.cli import application
from heeler.config.described import parts_of, settings_of
from heeler.config.section import Section
from heeler.daemon.configuration import OF_KINDS, Configuration
from heeler.formats.choose import FORMATS
from heeler.formats.definitions import catalog_entries
from heeler.formats.fields import FIELDS
from heeler.formats.lines import split
from heeler.formats.logformat import _APACHE_FIELDS, _NGINX_FIELDS
from heeler.formats.stamps import FAMILIES, layout_of

DOCS: Final = Path(__file__).parent

HEAD: Final = """\
# Command line reference

This page is made from the program by `python docs/generate.py`, so it says what `heeler COMMAND --help` says.
`-h` and `--help` work behind every command, and so does `heeler help COMMAND`.

Results go to standard output, everything else to standard error. Colours are used only on a terminal, and not where
`NO_COLOR` is set. A pipe that is closed early ends a command quietly.

| exit code | means |
|---|---|
| 0 | done |
| 1 | nothing found |
| 2 | wrong use: an option, a format, or a file that cannot be what was asked for |
| 3 | the environment failed: permission, disk |
| 130 | interrupted |
"""

_TAIL: Final = '"GET /pages/create HTTP/1.1" 200 512'
_QUOTED: Final = '"https://www.example.com/" "Mozilla/5.0"'
_FROM: Final = f"192.0.2.7 - - [22/Nov/2026:10:15:40 +0000] {_TAIL}"
SAMPLES: Final[Mapping[str, str]] = {
    "combined": f"{_FROM} {_QUOTED}",
    "common": _FROM,
    "vhost_combined": f"www.example.com:443 {_FROM} {_QUOTED}",
    "vhost_common": f"www.example.com:443 {_FROM}",
    "nginx_main": f'{_FROM} {_QUOTED} "203.0.113.9"',
    "plain": "Nov 22 10:15:40 web1 kernel: anything at all",
}
"""A line of each format that is not in the catalog, which has its own."""

_LONGEST_SHOWN: Final = 100

MEANS: Final[Mapping[str, str]] = {
    "client": "the address that asked, or its name",
    "ident": "the identity by RFC 1413, nearly always `-`",
    "user": "the user who logged in, or `-`",
    "host": "the name of the site that was asked",
    "time": "`22/Nov/2026:10:15:40 +0000`",
    "time_iso": "`2026-11-22T10:15:40+00:00`",
    "request": "`GET /path HTTP/1.1`; anything else is a malformed request",
    "method": "`GET`",
    "path": "`/path?query`",
    "protocol": "`HTTP/1.1`",
    "status": "three digits",
    "bytes": "a whole number, or `-`",
    "referer": "the page that led here",
    "agent": "the program that asked",
    "duration": "seconds with three decimals, `0.042`, or `-`",
    "duration_s": "whole seconds, or `-`",
    "duration_ms": "whole milliseconds, or `-`",
    "duration_us": "whole microseconds, or `-`",
}
"""What a field looks like in a line."""


def command_line() -> str:
    """Return the text of docs/reference.md."""
    group = typer.main.get_command(application())
    if not isinstance(group, TyperGroup):
        raise TypeError("The command line is expected to be a group of commands.")
    parts = [HEAD]
    for name, command in group.commands.items():
        parts.append(f"## heeler {name}\n\n{(command.help or '').strip()}\n")
        parts.append("| argument or option | default | means |\n|---|---|---|")
        parts += [_row(vars(parameter)) for parameter in command.params]
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _row(parameter: Mapping[str, object]) -> str:
    options = parameter["opts"]
    names = [str(name) for name in options] if isinstance(options, list) else []
    if names[0].startswith("-"):
        shown = ", ".join(f"`{name}`" for name in names)
    else:
        shown = f"`{parameter['metavar'] or names[0].upper()}`"
    default = parameter["default"]
    default = "" if default is None or default is False or default == "" else f"`{default}`"
    return f"| {shown} | {default} | {parameter.get('help') or ''} |"


def formats_table() -> str:
    """Return the templates that come with Heeler, each with a line that it reads."""
    rows = []
    for name, line in SAMPLES.items():
        known = FORMATS[name]
        if not known.parse(split(line.encode()), ())["parsed"].all():
            raise ValueError(f"{line!r} is no line of {name}.")
        rows.append(f"**`{name}`**\n\n```text\n{known.text}\n{line}\n```")
    return "\n\n".join(rows)


def catalog_table() -> str:
    """Return the formats of the catalog, each with a line that it reads."""
    rows = ["| format | is | table | a line |", "|---|---|---|---|"]
    for name, entry in catalog_entries().items():
        line = entry["samples"][0]["line"]
        shown = line if len(line) <= _LONGEST_SHOWN else line[: _LONGEST_SHOWN - 1] + "…"
        shown = shown.replace("|", "\\|").replace("`", "'")
        rows.append(f"| `{name}` | {entry['title']} | `{FORMATS[name].table}` | `{shown}` |")
    return "\n".join(rows)


def kinds_table() -> str:
    """Return the families of stamps, each with the layout that times are written in where no line tells another."""
    rows = ["| kind | for example |", "|---|---|"]
    rows += [f"| `{name}` | `{layout_of(name)}` |".replace("\t", "⇥") for name in FAMILIES]
    return "\n".join(rows)


def fields_table() -> str:
    """Return the fields that a template may hold."""
    rows = []
    for name, field in FIELDS.items():
        columns = ", ".join(f"`{column}`" for column in field.columns)
        rows.append(f"| `{{{name}}}` | {MEANS[name]} | {columns} |")
    return "| field | in the line | columns it fills |\n|---|---|---|\n" + "\n".join(rows)


def nginx_table() -> str:
    """Return what each nginx variable becomes."""
    rows = [f"| `${name}` | `{{{field}}}` |" for name, field in _NGINX_FIELDS.items()]
    return "| nginx | template |\n|---|---|\n" + "\n".join(rows)


def apache_table() -> str:
    """Return what each Apache directive becomes."""
    rows = [f"| `%{directive}` | `{field}` |" for directive, field in _APACHE_FIELDS.items()]
    return "| Apache | template |\n|---|---|\n" + "\n".join(rows)


def settings_table() -> str:
    """Return every setting of every section, with its type, default and sentence."""
    parts = [_settings("The file itself", "", Configuration)]
    parts += _settings_below(Configuration, "")
    return "\n\n".join(parts)


def _settings_below(section: type[Section], path: str) -> list[str]:
    parts = []
    for part in parts_of(section):
        name = f"{path}{part.name}" + (".NAME" if part.many else "")
        if part.section in OF_KINDS:
            for kind, settings in OF_KINDS[part.section].items():
                parts.append(_settings(f'[{name}] with kind = "{kind}"', settings.__doc__ or "", settings))
                parts += _settings_below(settings, f"{name}.")
        else:
            parts += [_settings(f"[{name}]", part.sentence, part.section), *_settings_below(part.section, f"{name}.")]
    return parts


def _settings(title: str, sentence: str, section: type[Section]) -> str:
    rows = [
        f"### {title}",
        "",
        " ".join(sentence.split()),
        "",
        "| setting | type | default | means |",
        "|---|---|---|---|",
    ]
    for setting in settings_of(section):
        default = "must be given" if setting.required else f"`{setting.default}`" if setting.default else ""
        cells = (f"`{setting.name}`", setting.type, default, setting.sentence)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows if sentence else rows[:1] + rows[3:])


TABLES: Final = {
    "formats": formats_table,
    "catalog": catalog_table,
    "kinds": kinds_table,
    "fields": fields_table,
    "nginx": nginx_table,
    "apache": apache_table,
}


def formats_page(page: str) -> str:
    """Return the page about formats with its tables renewed."""
    return _renewed(page, TABLES, "docs/formats.md")


def configuration_page(page: str) -> str:
    """Return the page about the configuration with its tables renewed."""
    return _renewed(page, {"settings": settings_table}, "docs/configuration.md")


def _renewed(page: str, tables: Mapping[str, Callable[[], str]], name_of_page: str) -> str:
    for name, table in tables.items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(f"{name_of_page} must have the marks {begin} and {end} once.")
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{table()}\n{end}{rest.partition(end)[2]}"
    return page


def main() -> None:
    """Write the pages."""
    DOCS.joinpath("reference.md").write_text(command_line())
    formats = DOCS / "formats.md"
    formats.write_text(formats_page(formats.read_text()))
    configuration = DOCS / "configuration.md"
    configuration.write_text(configuration_page(configuration.read_text()))


if __name__ == "__main__":
    main()
