"""Positions of files: what is stored is what is loaded, and the order of the files of one path."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.sources.file_identity import Identity
from heeler.sources.file_position import NUMBERS_APART, KnownFiles, Place, digest, place_of, position_of, prefix_of

if TYPE_CHECKING:
    from heeler.model import Position

PREFIX = prefix_of("default", "/var/log/app.log")
naturals = st.integers(0, 1 << 62)
digests = st.binary(max_size=4).map(digest)


def place(offset: int = 0, generation: int = 0, inode: int = 1) -> Place:
    return Place(Identity(1, inode, inode), offset, digest(b"%d" % offset), digest(b"%d" % offset), generation)


@given(
    st.builds(
        Place,
        st.builds(Identity, naturals, naturals, naturals),
        naturals,
        digests,
        digests,
        st.just(0) | st.integers(NUMBERS_APART, 1 << 62),
        st.booleans(),
        naturals,
        digests,
        st.text(),
        naturals,
    )
)
def test_what_is_stored_is_what_is_loaded(stored: Place) -> None:
    assert place_of(position_of(stored)) == stored


def test_a_file_that_is_found_later_has_its_number_just_before_another_also_once_it_is_stored() -> None:
    known = KnownFiles(PREFIX, {})
    (first, _), (last, number), (between, _) = (
        known.add(Identity(1, 1)),
        known.add(Identity(1, 2)),
        known.add(Identity(1, 3), known.last_number),
    )
    (nearer, _), (newest, _) = known.add(Identity(1, 4), number), known.add(Identity(1, 5))

    stored = KnownFiles(PREFIX, {part: position_of(one) for part, one in known.places.items()})

    for files in (known, stored):
        ordered = sorted(files.places, key=lambda part: files.places[part].generation)
        assert ordered == [first, between, nearer, last, newest]
        assert len({one.generation for one in files.places.values()}) == 5


def test_what_an_older_version_stored_keeps_its_order_and_gets_room_between() -> None:
    old: dict[str, Position] = {
        f"{PREFIX}1:{inode}:0": {**position_of(place(inode=inode)), "generation": inode - 1} for inode in (1, 2, 3)
    }
    known = KnownFiles(PREFIX, old)
    second = known.places[f"{PREFIX}1:2:0"].generation

    between, _ = known.add(Identity(1, 4), before=second)
    newest, _ = known.add(Identity(1, 5))

    ordered = sorted(known.places, key=lambda part: known.places[part].generation)
    assert ordered == [*list(old)[:1], between, *list(old)[1:], newest]


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_contents_of_a_file_the_one_of_which_most_was_read_comes_first(order: int) -> None:
    places = [place(8, 2 * NUMBERS_APART), place(4, 3 * NUMBERS_APART), place(8, 4 * NUMBERS_APART)][::order]
    known = KnownFiles(PREFIX, {f"{PREFIX}1:1:{at}": position_of(one) for at, one in enumerate(places)})
    longest = place(8, 4 * NUMBERS_APART)

    assert known.of(longest.identity)[0][1] == longest
    assert [one for _, one in known.of(longest.identity)][-1].offset == 4
    assert known.longer(longest) == []
    assert {one.generation for one in known.longer(replace(longest, offset=4))} == {
        2 * NUMBERS_APART,
        4 * NUMBERS_APART,
    }
