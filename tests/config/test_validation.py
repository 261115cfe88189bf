"""What is wrong with a section is told in sentences, all at once, each at its place."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from heeler.config.document import read_document
from heeler.config.section import Section
from heeler.config.validation import validated
from heeler.config.values import Duration, Secret
from heeler.errors import ConfigurationError


class Door(Section):
    kind: Literal["open", "shut"] = "open"
    """How it is."""

    width: int = Field(default=3, ge=1)
    """How wide."""

    key: Secret | None = None
    """What opens it."""


class House(Section):
    street: str
    """Where it stands."""

    floors: tuple[int, ...] = ()
    cold: bool = False
    rest: Duration = 1.0
    front: Door = Door()
    doors: dict[str, Door] = Field(default={})
    windows: tuple[Door, ...] = ()


def errors_of(text: str, tmp_path: Path) -> list[str]:
    file = tmp_path / "h.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        validated(House, read_document(file))
    return [f"{one.line}:{one.column} {one.sentence}" for one in caught.value.errors]


def test_a_section_that_is_right_has_its_values(tmp_path: Path) -> None:
    file = tmp_path / "h.toml"
    file.write_text('street = "x"\nfloors = [1, 2]\nrest = "5m"\n[doors.back]\nwidth = 4\n[[windows]]\nkind = "shut"\n')

    read = validated(House, read_document(file))

    assert (read.street, read.floors, read.rest) == ("x", (1, 2), 300.0)
    assert read.doors == {"back": Door(width=4)}
    assert read.windows == (Door(kind="shut"),)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("cold = 'yes'", "2:8 cold is 'yes', and must be true or false."),
        ("cold = 1", "2:8 cold is 1, and must be true or false."),
        ("floors = 3", "2:10 floors is 3, and must be a list in […]."),
        ("floors = [1, '2']", "2:14 floors[1] is '2', and must be a whole number."),
        ("floors = [1, 2.5]", "2:14 floors[1] is 2.5, and must be a whole number."),
        ("rest = 1", '2:8 rest: 1 is no duration; write a number with a unit in quotes, such as "60s".'),
        ("front = 1", "2:9 front is 1, and must be a table."),
        ("front = { width = 0 }", "2:19 front.width is 0, and must be greater than or equal to 1."),
        ("front.kind = 'opn'", "2:14 front.kind is 'opn', and must be 'open' or 'shut'. Did you mean 'open'?"),
        (
            "front = { widht = 1 }",
            "2:11 [front] has no setting 'widht'. Did you mean 'width'? There are key, kind, width.",
        ),
        ("[doors.back]\ncolour = 1", "3:1 [doors.back] has no setting 'colour'. There are key, kind, width."),
        ("[[windows]]\n[[windows]]\nkimd = 1", "4:1 [windows[1]] has no setting 'kimd'. Did you mean 'kind'?"),
        ("doors = { 'a b' = 7 }", "2:19 doors.'a b' is 7, and must be a table."),
        ("street = 1979-05-27", "1:10 street is 1979-05-27, and must be a text in quotes."),
    ],
)
def test_what_is_wrong_is_told_with_what_was_read_and_what_is_allowed(line: str, sentence: str, tmp_path: Path) -> None:
    text = line if line.startswith("street") else f'street = "x"\n{line}\n'

    (told,) = errors_of(text, tmp_path)

    assert told.startswith(sentence)


def test_what_is_missing_is_told_with_its_sentence(tmp_path: Path) -> None:
    assert errors_of("", tmp_path) == ["1:1 The file needs 'street': where it stands."]


def test_everything_is_told_at_once(tmp_path: Path) -> None:
    told = errors_of("cold = 1\nwarm = 2\n[front]\nwidth = 'x'\n", tmp_path)

    assert [one.partition(" ")[0] for one in told] == ["1:1", "1:8", "2:1", "4:9"]


def test_no_secret_is_shown_whichever_error_shows_its_line(tmp_path: Path) -> None:
    file = tmp_path / "h.toml"
    file.write_text(
        'street = "x"\nfront = { key = "hunter2", width = 0, passwrd = "hunter3" }\n[doors.a]\nkey = 12345\n'
    )

    with pytest.raises(ConfigurationError) as caught:
        validated(House, read_document(file))

    assert len(caught.value.errors) == 4
    assert not [secret for secret in ("hunter", "12345") if secret in str(caught.value) + repr(caught.value.errors)]
