"""SQL of users: read, held against a list of what is allowed, and refused in a sentence that says what is.

This is the first of two readings. It finds the place for the caret and the tables that are asked for, before anything
is started; `heeler.query.sql_allowed.refusals` is the second, over the tree of the engine that will run the text.
"""

import logging
import re
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from heeler.errors import QueryError
from heeler.query.sql_allowed import ALLOWED, FUNCTIONS, TABLE_FUNCTIONS, TABLES, folded

LONGEST_TEXT = 100_000
"""Characters; a longer statement is nothing that a person wrote."""

_QUERIES = (
    "Select Subquery Union Intersect Except With CTE Table TableAlias From Join Lateral Unnest Values TableSample"
)
_CLAUSES = """
Where Group GroupingSets Cube Rollup Having Qualify Order Ordered Limit Offset Fetch Distinct Window WindowSpec Filter
WithinGroup IgnoreNulls RespectNulls HavingMax
"""
_VALUES = """
Identifier Column Star Columns Alias Aliases Literal Boolean Null RawString ByteString Paren Tuple Array Struct Bracket
Slice Comprehension Lambda Case If In Interval Var AtTimeZone DataType DataTypeParam ColumnDef
JSONPath JSONPathRoot JSONPathKey JSONPathSubscript JSONPathWildcard JSONPathSlice JSONPathRecursive
"""
_STRUCTURE = frozenset(f"{_QUERIES} {_CLAUSES} {_VALUES}".split())
"""The nodes of sqlglot that are no functions and no operators."""

_SYNTAX = frozenset({"cast", "try_cast", "extract", "exists"})
"""What looks like a call and is none."""

ENGINES_OWN = ("duckdb_", "information_schema", "pg_", "pragma_", "sqlite_")
"""So begin the tables of the engine itself. WITH may not name one so, because where it is not seen that table is."""

_CALLS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?=\()")


@dataclass(frozen=True, slots=True)
class UserSql:
    """A statement that may be run, and the tables that it reads."""

    text: str
    tables: frozenset[str]


def checked(text: str) -> UserSql:
    """Read the SQL of a user. Raises `QueryError`, with the place, for everything that is not on the list."""
    if len(text) > LONGEST_TEXT:
        raise QueryError(f"The SQL has more than {LONGEST_TEXT:,} characters.", text[:60], 60)
    if "\0" in text:
        raise QueryError("The SQL has a NUL character.", text.replace("\0", " "), text.index("\0"))
    statement = _parsed(text)
    tables = set()
    names = {folded(cte.alias) for cte in statement.find_all(exp.CTE)}
    for name in names:
        if name.startswith(ENGINES_OWN):
            raise _refused(f"the name {name} in WITH", text, name)
    for node in statement.walk():
        _check(node, text, names)
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            tables.add(folded(node.name))
    return UserSql(text, frozenset(tables & TABLES))


def _parsed(text: str) -> exp.Query:
    # What it would warn of (text that it takes for an unknown command) is refused below.
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    try:
        statements = [one for one in sqlglot.parse(text, read="duckdb") if one is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        lines = text.split("\n")
        line = min(int(first.get("line") or 1), len(lines)) - 1
        at = sum(len(one) + 1 for one in lines[:line]) + max(0, int(first.get("col") or 1) - 1)
        at = max(0, at - len(str(first.get("highlight") or " ")) + 1)
        raise QueryError(f"The SQL cannot be read here. {ALLOWED}", text, min(at, len(text))) from error
    except (SqlglotError, RecursionError) as error:
        raise QueryError(f"The SQL cannot be read. {ALLOWED}", text, 0) from error
    if len(statements) != 1:
        what = "more than one statement" if statements else "no statement"
        raise QueryError(f"The SQL has {what}. {ALLOWED}", text, 0)
    statement = statements[0]
    if not isinstance(statement, exp.Select | exp.SetOperation | exp.Subquery):
        raise QueryError(f"{type(statement).__name__.upper()} is not allowed. {ALLOWED}", text, 0)
    return statement


def _check(node: exp.Expr, text: str, names: set[str]) -> None:
    """Refuse a node that is not on the list; ``names`` are those that WITH gives."""
    if isinstance(node, exp.Table):
        _check_table(node, text, names)
    elif isinstance(node, exp.Dot) and isinstance(node.expression, exp.Func) and isinstance(node.this, exp.Identifier):
        raise _refused(f"the qualified name {node.this.name}.{_called(node.expression)[0]}", text, node.this.name)
    elif type(node).__name__ in _STRUCTURE:
        pass
    elif isinstance(node, exp.Func):
        called = _called(node)
        if not any(folded(name) in FUNCTIONS | _SYNTAX for name in called):
            raise _refused(f"the function {called[0]}", text, called[0])
    elif not isinstance(node, exp.Binary | exp.Unary | exp.Predicate):
        raise _refused(_words(node), text, "")
    if isinstance(node, exp.Select) and not node.expressions:
        raise _refused("SELECT of nothing", text, "")


def _check_table(node: exp.Table, text: str, names: set[str]) -> None:
    if isinstance(node.this, exp.Func):
        called = _called(node.this)
        if not any(folded(name) in TABLE_FUNCTIONS for name in called):
            raise _refused(f"{called[0]} as a table", text, called[0])
    elif not isinstance(node.this, exp.Identifier) or node.db or node.catalog:
        raise _refused(f"the table {node.sql('duckdb')}", text, node.name)
    elif folded(node.name) not in TABLES | names:
        raise _refused(f"the table {node.name}", text, node.name)


def _called(node: exp.Func) -> list[str]:
    """Return the names that a function goes by, that which DuckDB would be told first."""
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        return [node.name]
    rendered = _CALLS.match(node.sql("duckdb"))
    own = [name for name in node.sql_names() if name]
    # What is not rendered as a call is syntax: CASE, CAST, an operator.
    return [rendered[0].lower(), *own] if rendered else [*own, "coalesce"]


def _refused(what: str, text: str, word: str) -> QueryError:
    found = re.search(re.escape(word), text, re.IGNORECASE) if word else None
    return QueryError(f"Not allowed is {what}. {ALLOWED}", text, found.start() if found else 0)


def _words(node: exp.Expr) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).upper()
