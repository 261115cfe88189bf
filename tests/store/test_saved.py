"""Saved searches: kept in the catalog, and never such that they cannot be used."""

from pathlib import Path

import pytest

from heeler.errors import QueryError, UsageError
from heeler.store.lake import Lake
from heeler.store.saved import save_search, saved_searches


def test_a_search_is_saved_replaced_and_removed_beside_a_writer(folder: Path, lake: Lake) -> None:
    save_search(folder, "errors", "status:5xx")
    save_search(folder, "busy.1", "@errors -path:/health")
    assert saved_searches(folder) == {"errors": "status:5xx", "busy.1": "@errors -path:/health"}
    save_search(folder, "errors", "error")
    save_search(folder, "busy.1", "")
    assert saved_searches(folder) == {"errors": "error"}
    lake.close()


@pytest.mark.parametrize(
    ("name", "query", "told"),
    [
        ("two words", "a", "cannot be called"),
        ("", "a", "cannot be called"),
        ("-x", "a", "cannot be called"),
        ("a", "(", "does not work"),
        ("a", "@a", "or itself"),
        ("a", "@b", "no saved search named 'b'"),
        ("a", "", "no saved search named 'a'"),
    ],
)
def test_what_could_not_be_used_is_not_saved(folder: Path, lake: Lake, name: str, query: str, told: str) -> None:
    with pytest.raises((UsageError, QueryError), match=told):
        save_search(folder, name, query)
    assert saved_searches(folder) == {}
    lake.close()
