"""The tree of errors is the table of exit codes."""

import inspect
import re

import pytest

from heeler import errors
from heeler.errors import (
    EnvironmentFailed,
    Exit,
    HeelerError,
    NothingFound,
    SourceEnded,
    TemplateError,
    UsageError,
)

TREE = dict(re.findall(r"(\w+) +(\d+)   ", errors.__doc__ or ""))


def test_the_tree_in_the_page_is_the_tree_in_the_code() -> None:
    found = {
        name: str(int(kind.exit_code))
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, HeelerError)
    }

    assert found == TREE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (HeelerError, 3),
        (NothingFound, 1),
        (UsageError, 2),
        (TemplateError, 2),
        (EnvironmentFailed, 3),
        (SourceEnded, 0),
    ],
)
def test_an_error_has_the_exit_code_of_the_command_line(error: type[HeelerError], code: int) -> None:
    assert error.exit_code == code


def test_exit_codes_are_those_of_the_command_line() -> None:
    assert {code.name: int(code) for code in Exit} == {
        "DONE": 0,
        "NOTHING_FOUND": 1,
        "USAGE": 2,
        "ENVIRONMENT": 3,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize("text", ["{client} {oops}", "{client}\t{oops}", "{client}\n{oops}"])
def test_a_template_error_shows_the_place_in_one_line_with_a_caret(text: str) -> None:
    error = TemplateError("There is no field oops.", text, 9)

    assert str(error) == "There is no field oops.\n  {client} {oops}\n           ^"
    assert (error.text, error.at) == (text, 9)
