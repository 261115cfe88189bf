"""What SQL of users may say. `tests/store/test_sql.py` holds the same lists against the engine."""

import json

import duckdb
import pytest

from heeler.errors import QueryError
from heeler.query.sql_allowed import FUNCTIONS, TABLE_FUNCTIONS, folded, refusals
from heeler.query.user_sql import ENGINES_OWN, LONGEST_TEXT, checked

ALLOWED = r"""
select * from access
from access
from access select path where status = 404
select 1;
select count(*), count() from logs -- a comment
SELECT Status, COUNT(*) FILTER (WHERE bytes > 1) AS n FROM ACCESS GROUP BY ALL HAVING n > 1 ORDER BY 2 LIMIT 5 OFFSET 1
select path, quantile_cont(bytes, 0.95) from access group by path qualify row_number() over (order by path) = 1
select time::date, cast(bytes as int), try_cast(path as int), extract(hour from time) from access
select time_bucket(interval '10s', time) t, date_trunc('hour', time), epoch(time), strftime(time, '%H') from access
select * from access where time > now() - interval 1 hour and path like '/a%' and agent ilike '%bot%'
select path ~ 'a', regexp_extract(path, '^/([^/]*)', 1), path similar to 'a', path glob '*a', path[1:3] from access
select case when status >= 500 then 'bad' else 'good' end, coalesce(bytes, 0), nullif(status, 1), if(parsed, 1, 2)
select status in (1, 2), status between 1 and 2, not parsed, path is null, path is not distinct from 'a' from access
with a as (select 1 x), b as (select x from a) select * from a join b using (x)
with recursive t as (select 1 x union all select x + 1 from t where x < 10) select sum(x) from t
select * from range(10) r(i), generate_series(1, 2) g, unnest([1, 2]) u
select * from (values (1, 'a'), (2, 'b')) v(x, y) natural join (select 1 x)
select * from access a left join log b on a.log_group = b.log_group asof join hits h using (time)
select * exclude (raw), columns('a.*') from access
select a.* replace (1 as status) from access a
select distinct on (client) client from access order by client nulls last
select lag(bytes) over w, first_value(bytes ignore nulls) over w from access window w as (order by time)
select sum(bytes) over (order by time range between interval 1 minute preceding and current row) from access
select {'a': 1}.a, [x + 1 for x in [1, 2] if x > 1], list_transform([1], lambda x: x + 1), map {'a': 1}, (1, 2), row(1)
select attributes->>'$.a', json_extract(attributes, '$.b'), json_keys(attributes) from log
select 1 union all select 2 except select 3 intersect select 4
select (select max(bytes) from access), exists (select 1 from log), 1 = any (select 1)
select 5 // 2, 5 % 2, 2 ** 3, 7 & 3, 1 << 2, 'a' || 'b', -1, 'a' ^@ 'b', upper('a'), 'a'.upper(), sqrt(2), round(1.5)
select grouping(status), sum(bytes) from access group by cube (status), rollup (path), grouping sets ((status), ())
select * from access tablesample 10%
select * from access using sample 10
select arg_max(path, bytes), string_agg(path, ',' order by time), list(distinct status), histogram(status) from access
select approx_quantile(bytes, 0.5), approx_count_distinct(client), mode() within group (order by status) from access
select percentile_cont(0.5) within group (order by bytes), median(bytes), stddev(bytes), any_value(path) from access
select substring(path from 1 for 2), trim(both '/' from path), position('a' in path), overlay('ab' placing 'c' from 1)
select time at time zone 'Europe/Berlin', current_date, current_timestamp, today(), age(time) from access
select 'it''s', e'\n', $$text$$, 0x10, 1e3, 1_000, date '2026-01-01', timestamp '2026-01-01 10:00:00', null, true
select "path", "Path" from "access" as "My table"
select path collate nocase from access order by all
select unnest([1, 2]), unnest({'a': 1}, recursive := true)
select struct_pack(a := 1, b := 2), list_value(1, 2), split_part(path, '/', 2), string_split(path, '/') from access
select * from access, lateral (select access.bytes + 1) l
select * from log semi join access using (log_stream) anti join hits using (time)
select rule, state, hits, time from alerts
select max(lines) from streams
"""

REFUSED = """
select * from read_csv('/etc/passwd')
select * from read_csv_auto('/etc/passwd')
select * from read_text('/etc/passwd')
select * from read_blob('/etc/passwd')
select * from read_parquet('x.parquet')
select * from read_parquet(['x.parquet'], union_by_name := true)
select * from parquet_scan('x.parquet')
select * from parquet_metadata('x.parquet')
select * from read_json('x.json')
select * from read_json_auto('x.json')
select * from read_json_objects('x.json')
select * from read_ndjson('x.json')
select * from read_duckdb('x.db')
select * from sqlite_scan('x.db', 't')
select * from postgres_scan('host=localhost', 'public', 't')
select * from mysql_query('x', 'select 1')
select * from iceberg_scan('x')
select * from delta_scan('x')
select * from seq_scan('access')
select * from arrow_scan(1, 2, 3)
select * from pandas_scan(1)
select * from python_map_function(1)
select * from sniff_csv('/etc/passwd')
select * from glob('/*')
select * from query('select 1')
select * from query_table('access')
select * from query_table(['access', 'log'])
select * from json_execute_serialized_sql('{}')
select json_serialize_sql('select 1')
select json_deserialize_sql('{}')
select json_serialize_plan('select 1')
select * from duckdb_settings()
select * from duckdb_secrets()
select * from duckdb_tables
select * from duckdb_functions() where function_name = 'x'
select * from duckdb_logs()
select * from pragma_table_info('access')
select * from pragma_version()
select * from pragma_database_list
select * from sqlite_master
select * from sqlite_schema
select * from information_schema.tables
select * from pg_catalog.pg_class
select * from pg_class
select * from system.main.duckdb_settings
select * from main.access
select * from memory.main.access
select * from access.x
select * from 'file.parquet'
select * from "file.parquet"
select * from '/etc/passwd'
select * from "/etc/passwd"
select * from 'https://example.org/x.csv'
select * from 's3://bucket/x.parquet'
from '/etc/passwd'
from read_text('/etc/passwd')
table duckdb_settings
select * from (select * from (select * from read_text('/etc/passwd')))
select * from access where path in (select content from read_text('/etc/passwd'))
select (select content from read_text('/etc/passwd'))
select * from access join read_text('/etc/passwd') on true
select * from access, lateral (select * from read_text(path))
select 1 union all select content from read_text('/etc/passwd')
with a as (select * from read_text('/etc/passwd')) select * from a
with recursive a as (select * from read_text('x') union all select * from a) select * from a
with a as materialized (select * from 'x.csv') select * from a
with x as (select * from duckdb_settings), duckdb_settings as (select 1) select * from x
with duckdb_settings as (select * from duckdb_settings) select * from duckdb_settings
select * from (with duckdb_settings as (select 1) select * from duckdb_settings) a, duckdb_settings b
with duc\u212adb_settings as (select 1) select * from duckdb_settings
with "/etc/passwd" as (select 1 x) select * from (select * from "/etc/passwd/../passwd")
select * from READ_TEXT('/etc/passwd')
select * from Read_Text ('/etc/passwd')
select * from "read_text"('/etc/passwd')
select * from "READ_TEXT" ('/etc/passwd')
select * from main.read_text('/etc/passwd')
select * from system.main.read_text('/etc/passwd')
select * from read_text/* a comment */('/etc/passwd')
select * from/**/read_text('/etc/passwd')
select * from `read_text`('/etc/passwd')
select * from [read_text]('/etc/passwd')
select * from re\u0430d_text('/etc/passwd')
select * from read\u200b_text('/etc/passwd')
select * from \uff52ead_text('/etc/passwd')
select getenv('HOME')
select GETENV('HOME')
select "getenv"('HOME')
select getenv/**/('HOME')
select main.getenv('HOME')
select system.main.getenv('HOME')
select 'HOME'.getenv()
select upper(getenv('HOME'))
select [getenv(x) for x in ['HOME']]
select list_transform(['HOME'], lambda x: getenv(x))
select count(*) filter (where getenv('HOME') = '/') from access
select sum(1) over (order by getenv('HOME')) from access
select 1 order by getenv('HOME')
select 1 limit getenv('HOME')
select case when true then getenv('HOME') end
select current_setting('threads')
select getvariable('x')
select version()
select current_database()
select current_schemas(true)
select current_query()
select pg_sleep(10)
select sleep_ms(10000)
select write_log('x')
select nextval('s')
select setseed(0.5)
select error('x')
select in_search_path('a', 'b')
select txid_current()
select pg_get_viewdef(1)
select has_table_privilege('access', 'select')
select $1
select $name
select ?
copy access to 'x.csv'
copy (select * from access) to 'x.parquet'
copy access from 'x.csv'
export database 'x'
import database 'x'
attach 'x.db'
attach 'x.db' as y (type sqlite)
detach y
use y
install httpfs
load httpfs
force install httpfs
pragma enable_profiling
pragma database_list
pragma table_info('access')
set enable_external_access = true
set variable x = 1
reset threads
call pragma_version()
call enable_logging()
create table x as select 1
create or replace view access as select 1
create macro f(x) as x
create secret s (type s3)
create type t as enum ('a')
insert into access select 1
update access set status = 1
delete from access
delete from access returning *
drop view access
alter table access rename to x
truncate access
vacuum
checkpoint
begin transaction
prepare x as select 1
execute x
explain select 1
explain analyze select 1
describe access
summarize access
show tables
select * from (describe access)
select * from (show tables)
select * from (summarize access)
pivot access on status
select * from (pivot access on status using count(*))
select * into x from access
select * from access at (version => 1)
merge into access using log on true when matched then delete
with a as (insert into access values (1) returning *) select * from a
with a as (delete from access returning *) select * from a
select 1; select 2
select 1; drop view access
select 1;; select content from read_text('x')
select 1 /* ; */ ; copy access to 'x'
comment on table access is 'x'
select * from st_read('x')
select * from which_secret('x', 's3')
select * from enable_logging()
select * from checkpoint()
select * from register_external_resource('x', 'y')
select * from test_all_types()
select * from repeat('x', 10)
select * from upper('access')
select * from json_each('{}')
selec 1
select
(
;

"""


def of_the_engine(text: str) -> list[str]:
    """Return what the second reading refuses: that of DuckDB's own tree."""
    with duckdb.connect() as connection:
        row = connection.execute("select json_serialize_sql(?)", [text]).fetchone()
    tree = json.loads(row[0]) if row else {}
    return ["syntax"] if tree["error"] else list(refusals(tree["statements"]))


@pytest.mark.parametrize("text", ALLOWED.strip().splitlines())
def test_what_people_ask_is_allowed_by_both_readings(text: str) -> None:
    assert checked(text).text == text
    assert of_the_engine(text) == []


@pytest.mark.parametrize("text", REFUSED.strip("\n").split("\n"))
def test_the_first_reading_refuses_with_a_sentence(text: str) -> None:
    with pytest.raises(QueryError, match=r"Allowed is one SELECT over access, alerts, .*\n"):
        checked(text)


@pytest.mark.parametrize("text", REFUSED.strip("\n").split("\n"))
def test_the_second_reading_refuses_it_too(text: str) -> None:
    assert of_the_engine(text) != []


def test_the_tables_that_are_asked_for_are_told() -> None:
    text = "with hits as (select 1 x) select * from Access, (select * from LOGS) where 1 in (select lines from streams)"
    assert checked(text).tables >= {"access", "logs", "streams"}
    assert checked("with a as (select 1) select * from a").tables == set()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("select path, getenv('X') from access", "getenv"),
        ("select * from access, passwords", "passwords"),
        ("select *\nfrom access,\n  read_csv('x')", "read_csv"),
    ],
)
def test_a_caret_stands_below_what_is_refused(text: str, word: str) -> None:
    with pytest.raises(QueryError) as caught:
        checked(text)
    assert caught.value.at == text.index(word)


@pytest.mark.parametrize(
    "text", ["select " + "(" * 5000 + "1" + ")" * 5000, "select " + "-" * 3000 + "1", "x" * 200_000]
)
def test_monsters_are_refused(text: str) -> None:
    with pytest.raises(QueryError):
        checked(text)


def test_the_longest_text_is_not_cut() -> None:
    text = "select '" + "x" * (LONGEST_TEXT - 9) + "'"
    assert checked(text).text == text
    with pytest.raises(QueryError, match="more than 100,000"):
        checked(text + " ")


def test_a_nul_is_refused() -> None:
    with pytest.raises(QueryError, match="NUL"):
        checked("select 1\0")


def test_only_letters_of_ascii_are_folded() -> None:
    assert folded("AbZ\u212a\u0130") == "abz\u212a\u0130"


def test_no_name_of_with_can_be_that_of_a_table_of_the_engine() -> None:
    with duckdb.connect() as connection:
        rows = connection.execute("select view_name, schema_name from duckdb_views() where internal").fetchall()
    unqualified = {name for name, schema in rows if schema != "information_schema"}
    assert len(unqualified) > 20
    assert [name for name in unqualified if not name.startswith(ENGINES_OWN)] == []


DANGER = """
read _scan env setting query pragma duckdb sniff glob secret variable sleep log_ pg_ privilege nextval currval setval
serialize install attach copy schema database
"""


def test_no_function_on_the_list_sounds_like_the_world_outside() -> None:
    assert [name for name in FUNCTIONS | TABLE_FUNCTIONS if any(word in name for word in DANGER.split())] == []


def test_every_function_on_the_list_is_one_of_the_engine() -> None:
    """A name that the engine does not know might be given to something else by a later release."""
    with duckdb.connect() as connection:
        known = {
            row[0].lower() for row in connection.execute("select function_name from duckdb_functions()").fetchall()
        }
    by_syntax = {"coalesce", "ifnull", "grouping", "grouping_id", "percentile_cont", "percentile_disc"}
    assert FUNCTIONS - known - by_syntax == set()


def test_no_function_on_the_list_can_fail_to_be_pure_by_reading_a_table() -> None:
    """Of the names on the list only these are table functions of the engine, and may not stand where a table stands."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select distinct function_name from duckdb_functions() where function_type in ('table', 'table_macro')"
        ).fetchall()
    assert {row[0] for row in rows} & FUNCTIONS - TABLE_FUNCTIONS == {"histogram", "repeat"}
