"""The token filter of a segment hides no record, rarely keeps what has none, and disturbs no reader of the file."""

import io
import re
from contextlib import closing
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from query_oracle import has_token
from query_records import agents, clients, paths, words

from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.lines import split
from heeler.query.conditions import Scope, compiled
from heeler.query.frame import FrameTests
from heeler.query.language import parse
from heeler.query.tree import Equal, Text, Token
from heeler.store import Batch, Tick, ordered
from heeler.store.lake import Lake
from heeler.store.matching import Matcher
from heeler.store.reading import LakeReader
from heeler.store.schema import TABLES
from heeler.store.token_filter import TokenFilters, candidates, sought_by, token_hashes
from heeler.store.upkeep import Upkeep

NOW_US = 1_764_100_000_000_000
HASHES = [
    9397532982502424366,
    13994042013671343850,
    4343237324211444446,
    1047558875548257253,
    1047558875548257253,
    4852210816738694036,
    3642281041154549716,
    17527419338357325597,
]
texts = st.text(alphabet="aZ09_ .:-é\n/", max_size=40)


@given(texts)
def test_tokens_are_the_runs_of_word_characters(text: str) -> None:
    tokens = [token.lower() for token in re.findall("[A-Za-z0-9_]+", text)]
    alone = {int(token_hashes(token.encode())[0]) for token in tokens}
    assert {int(one) for one in token_hashes(text.encode())[: len(tokens)]} == alone
    assert len(alone) == len(set(tokens))


def test_hashes_never_change_as_files_hold_them() -> None:
    assert token_hashes(b"heeler Herds_9 10.0.0.1 averylongtokenthatgoeson").tolist() == HASHES


@given(
    st.sampled_from(["192.0.2.7", "2001:db8:0:1", "1.2.3.4.5", "ab:cd:ef:01"]), st.sampled_from(["", " ", "x ", "-"])
)
def test_an_address_is_known_as_a_whole(address: str, before: str) -> None:
    tokens = len(re.findall("[A-Za-z0-9_]+", address))
    own = set(token_hashes(address.encode())[tokens:].tolist())
    assert own
    assert own <= set(token_hashes(f"{before}{address} and more".encode()).tolist())
    changed = set(token_hashes(address.replace("2", "3").replace("f", "e").encode()).tolist())
    assert not own & changed


def lake_of(folder: Path, lines: list[str], group_rows: int) -> None:
    known = ACCESS_FORMATS["combined"]
    data = "".join(f"{line}\n" for line in lines).encode()
    with pytest.MonkeyPatch.context() as patch, closing(Lake(folder)) as lake:
        patch.setattr(ordered, "ROW_GROUP_ROWS", group_rows)
        read = known.parse(split(data), {*known.columns, "section"})
        lake.commit(Tick((Batch("file", "f", {"o": 1}, "app", "web", known, read, NOW_US, len(data)),)))
        list(Upkeep(lake).everything(NOW_US))


def line(client: str, path: str, agent: str, number: int) -> str:
    return f'{client} - - [25/Nov/2026:10:00:{number % 60:02} +0000] "GET {path} HTTP/1.1" 200 {number} "-" "{agent}"'


lines = st.lists(
    st.builds(line, clients, paths, agents | st.just("bot/1.0"), st.integers(0, 99_999)), min_size=1, max_size=12
)
asked = (
    st.builds(Token, words)
    | st.builds(Text, st.sampled_from(["users?id=200 HTTP", "GET /key/", "/api/users HTTP/1.1", "out)", "(timed out)"]))
    | st.builds(Equal, st.just("client"), clients)
    | st.builds(Equal, st.just("path"), paths)
    | st.builds(Equal, st.just("agent"), agents)
)


@settings(max_examples=25)
@given(lines, asked, st.integers(1, 5))
def test_no_row_that_matches_is_left_out(
    tmp_path_factory: pytest.TempPathFactory, some: list[str], condition: Token | Text | Equal, group_rows: int
) -> None:
    folder = tmp_path_factory.mktemp("filter")
    lake_of(folder, some, group_rows)
    with closing(LakeReader(folder)) as reader:
        (piece,) = reader.pieces(["access"])
        engine = FrameTests(reader.formats(), "access")
        test = compiled(condition, Scope(set(TABLES["access"]), reader.formats()))
        assert piece.path is not None
        kept = candidates(piece.path, sought_by(test, engine.has_tokens_of))
        matching = piece.frame().collect().select(found=engine.expression(engine.spread(test)))["found"].to_numpy()
        kept = np.zeros(len(some), np.bool_) if kept is not None and not len(kept) else kept
        assert kept is None or not (matching & ~kept).any()
        assert Matcher(condition, reader.formats()).count(piece) == int(matching.sum())
        if isinstance(condition, Token):
            assert int(matching.sum()) == sum(has_token(one, condition.value) for one in some)


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("numbered")
    lake_of(folder, [line(f"10.0.{n // 250}.{n % 250}", f"/id{n:06}x", "bot", n) for n in range(20_000)], 1000)
    return folder


def test_a_token_that_is_somewhere_leaves_few_row_groups(numbered: Path) -> None:
    with closing(LakeReader(numbered)) as reader:
        (piece,) = reader.pieces(["access"])
        assert piece.path is not None
        engine = FrameTests(reader.formats(), "access")
        kept = []
        for text in [f"=id{n:06}x" for n in range(0, 20_000, 400)] + [f"client:10.0.{n}.7" for n in range(80)]:
            test = compiled(parse(text).where, Scope(set(TABLES["access"]), reader.formats()))
            rows = candidates(piece.path, sought_by(test, engine.has_tokens_of))
            assert rows is not None
            kept.append(int(rows.sum()))
        assert min(kept) == 1000
        assert sum(kept) / len(kept) < 1200  # one row group is right, and hardly another is searched in vain
        nothing = compiled(parse("=nowhere").where, Scope(set(TABLES["access"]), reader.formats()))
        rows = candidates(piece.path, sought_by(nothing, engine.has_tokens_of))
        assert rows is not None
        assert not len(rows)


@pytest.mark.parametrize("text", ["=25", "=nov", "=10", "id000001x", "-=id000001x", "status:200", "=id000001x OR GET"])
def test_what_a_filter_cannot_tell_is_searched_whole(numbered: Path, text: str) -> None:
    with closing(LakeReader(numbered)) as reader:
        (piece,) = reader.pieces(["access"])
        assert piece.path is not None
        engine = FrameTests(reader.formats(), "access")
        test = compiled(parse(text).where, Scope(set(TABLES["access"]), reader.formats()))
        assert candidates(piece.path, sought_by(test, engine.has_tokens_of)) is None


def test_other_readers_see_a_parquet_file_like_any(numbered: Path) -> None:
    (path,) = (numbered / "segments" / "access").rglob("*.parquet")
    assert b"HLTF" in path.read_bytes()
    assert pl.read_parquet(path).height == 20_000
    assert pq.read_table(path).num_rows == 20_000
    assert duckdb.read_parquet(str(path)).count("seq").fetchall() == [(20_000,)]
    assert pl.read_parquet(io.BytesIO(path.read_bytes()), columns=["path"])["path"].n_unique() == 20_000


def test_a_segment_without_filters_is_searched_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pl.DataFrame({"path": ["/a"]}).write_parquet(path)
    test = compiled(parse("path:/zzz").where, Scope({"path"}))
    assert candidates(path, sought_by(test, lambda _: True)) is None


def test_a_filter_of_nothing_holds_nothing() -> None:
    filters = TokenFilters()
    filters.add(pl.DataFrame({"path": pl.Series([], dtype=pl.String)}))
    assert filters.written().endswith(b"HLTF")
    assert not np.frombuffer(filters.written()[:32], np.uint8).any()
