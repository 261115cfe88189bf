"""What the documentation says is so: it names everything there is, its commands run, and its links lead somewhere."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import typer
from typer.core import TyperGroup

from heeler.cli import application
from heeler.formats.choose import FORMATS
from heeler.formats.definitions import catalog_entries
from heeler.formats.fields import FIELDS

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
EXAMPLE = re.compile(r"(192\.0\.2|198\.51\.100|203\.0\.113)\.\d+|127\.0\.0\.1")
FORBIDDEN = re.compile(r"/work\b|/root\b|/home/|pypi\.org/simple|proxy\.golang|registry\.", re.IGNORECASE)


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(name: str) -> str:
    return (ROOT / name).read_text()


def test_the_reference_is_what_the_program_says_today() -> None:
    assert page("docs/reference.md") == generator().command_line(), "Run `python docs/generate.py`."


def test_the_tables_of_formats_are_what_the_program_says_today() -> None:
    text = page("docs/formats.md")

    assert text == generator().formats_page(text), "Run `python docs/generate.py`."


def test_the_tables_of_settings_are_what_the_models_say_today() -> None:
    text = page("docs/configuration.md")

    assert text == generator().configuration_page(text), "Run `python docs/generate.py`."


def test_every_command_and_option_is_in_the_reference() -> None:
    """Looked for without the generator, which could leave one out."""
    group = typer.main.get_command(application())
    assert isinstance(group, TyperGroup)
    sections = dict(
        re.findall(r"^## heeler (\S+)\n(.*?)(?=^## |\Z)", page("docs/reference.md"), re.DOTALL | re.MULTILINE)
    )

    assert sections.keys() == group.commands.keys()
    for name, command in group.commands.items():
        for option in (opt for parameter in command.params for opt in parameter.opts if opt.startswith("-")):
            assert f"`{option}`" in sections[name], f"{name} {option}"


def test_every_field_and_format_is_in_the_page_on_formats() -> None:
    text = page("docs/formats.md")

    assert [name for name in FIELDS if f"`{{{name}}}`" not in text] == []
    assert [name for name in FORMATS if f"`{name}`" not in text] == []


def test_every_field_has_its_words_and_no_words_are_left_over() -> None:
    made = generator()

    assert made.MEANS.keys() == FIELDS.keys()
    assert made.SAMPLES.keys() | catalog_entries().keys() == FORMATS.keys()


@pytest.mark.parametrize("name", [name for name in NAMES if CONSOLE.search(page(name))])
def test_the_commands_print_what_the_page_says(name: str, tmp_path: Path) -> None:
    """``$ `` begins a command and ``> `` continues it; what follows is printed, ``…`` standing for anything.

    The blocks of a page are run one after the other in one folder.
    """
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": search, "PYTHONWARNINGS": "default"}
    for block in CONSOLE.findall(page(name)):
        for command, expected in steps(block):
            done = subprocess.run(
                ["/bin/bash", "-c", command],
                cwd=tmp_path,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=60,
                check=False,
            )
            printed = done.stdout.decode()
            assert matches(expected, printed), f"$ {command}\n{printed}\nis not\n{expected}"


def steps(block: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif line.startswith("> ") and not found[-1][1]:
            found[-1] = (found[-1][0] + line[2:], "")
        else:
            found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def matches(expected: str, printed: str) -> bool:
    """A line of ``…`` alone stands for any lines, within a line for any text of it."""
    pattern = re.escape(expected).replace("…\\\n", "…\n")
    pattern = re.sub(r"^…\n", r"(?:.*\\n)*", pattern, flags=re.MULTILINE).replace("…", ".*")
    return re.fullmatch(pattern, printed) is not None


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a\n", "a\n", True),
        ("a\n", "b\n", False),
        ("a\n", "a\nb\n", False),
        ("a … c\n", "a b c\n", True),
        ("a … c\n", "a\nb c\n", False),
        ("a\n…\nc\n", "a\nb\nb\nc\n", True),
        ("a\n…\nc\n", "a\nb\n", False),
        ("a.c\n", "abc\n", False),
        ("", "a\n", False),
    ],
)
def test_printed_text_is_compared_exactly_but_for_the_ellipsis(expected: str, printed: str, *, same: bool) -> None:
    assert matches(expected, printed) is same


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    broken = []
    for link in LINK.findall(re.sub(r"```.*?```", "", page(name), flags=re.DOTALL)):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(link)

    assert broken == []


def anchors(text: str) -> set[str]:
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}


@pytest.mark.parametrize("name", NAMES)
def test_no_page_names_a_machine_or_an_address_of_somebody(name: str) -> None:
    text = page(name)

    assert FORBIDDEN.findall(text) == []
    assert [address for address in ADDRESS.findall(text) if not EXAMPLE.fullmatch(address)] == []
