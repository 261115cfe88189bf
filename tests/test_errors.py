"""The tree of errors is the table of exit codes."""

import inspect

import pytest

from heeler import errors
from heeler.errors import Exit, HeelerError, TemplateError

CODES = {
    "HeelerError": 3,
    "NothingFound": 1,
    "UsageError": 2,
    "PlacedError": 2,
    "TemplateError": 2,
    "QueryError": 2,
    "EnvironmentFailed": 3,
    "SourceUnavailable": 3,
    "SourceEnded": 0,
}


def test_every_error_has_the_exit_code_that_the_page_promises() -> None:
    found = {
        name: int(kind.exit_code)
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, HeelerError)
    }

    assert found == CODES


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_the_tree_in_the_page_is_the_tree_in_the_code(name: str, code: int) -> None:
    rows = [line.split() for line in (errors.__doc__ or "").splitlines() if f"{name} " in line]

    assert [row[row.index(name) + 1] for row in rows] == [str(code)]


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
