"""What SQL of users may say: the tables, the functions, and the kinds of node of DuckDB's own syntax tree.

Everything is refused that is not listed here. A list of what is dangerous would have to know every function of every
release of the engine; a list of what is harmless needs to know only these. Nothing in it reads files, settings, the
environment, the catalog or the network, waits, or runs text as SQL.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

TABLES = frozenset({"access", "log", "logs", "hits", "rollup", "streams", "alerts"})
"""The tables that a query may read."""

TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
"""The functions that may stand where a table stands."""

_AGGREGATES = """
any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null arg_max_nulls_last arg_min
arg_min_null arg_min_nulls_last argmax argmin array_agg avg bit_and bit_or bit_xor bitstring_agg bool_and bool_or corr
count count_if count_star countif covar_pop covar_samp entropy favg first fsum geomean geometric_mean group_concat
histogram histogram_exact json_group_array json_group_object kahan_sum kurtosis kurtosis_pop last list listagg mad max
max_by mean median min min_by mode percentile_cont percentile_disc product quantile quantile_cont quantile_disc
regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy reservoir_quantile sem
skewness stddev stddev_pop stddev_samp string_agg sum sumkahan var_pop var_samp variance wavg weighted_avg
"""
_WINDOWS = """
cume_dist dense_rank fill first_value lag last_value lead nth_value ntile percent_rank rank rank_dense row_number
"""
_NUMBERS = """
abs acos acosh asin asinh atan atan2 atanh bit_count cbrt ceil ceiling cos cosh cot degrees even exp factorial fdiv
floor fmod gamma gcd greatest greatest_common_divisor isfinite isinf isnan lcm least least_common_multiple lgamma ln
log log10 log2 mod nextafter pi pow power radians random round round_even roundbankers sign signbit sin sinh sqrt tan
tanh trunc
"""
_TEXT = """
array_to_string ascii bar base64 bin bit_length char_length character_length chr concat concat_ws contains
damerau_levenshtein decode editdist3 encode ends_with format format_bytes from_base64 from_binary from_hex hamming
hash hex ilike_escape instr jaccard jaro_similarity jaro_winkler_similarity lcase left left_grapheme len length
length_grapheme levenshtein like_escape lower lpad ltrim md5 md5_number mismatches nfc_normalize not_ilike_escape
not_like_escape octet_length ord overlay parse_dirname parse_dirpath parse_filename parse_formatted_bytes parse_path
position prefix printf regexp_escape regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace
regexp_split_to_array repeat replace reverse right right_grapheme rpad rtrim sha1 sha256 split split_part starts_with
str_split str_split_regex string_split string_split_regex string_to_array strip_accents strlen strpos substr substring
substring_grapheme suffix to_base to_base64 to_binary to_hex translate trim ucase unbin unhex unicode upper url_decode
url_encode
"""
_TIMES = """
age ago century current_date current_localtime current_localtimestamp date_add date_diff date_part date_sub date_trunc
datediff datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear days_in_month decade epoch epoch_ms
epoch_ns epoch_us era get_current_time get_current_timestamp hour isodow isoyear julian last_day make_date make_time
make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz microsecond millennium millisecond minute month
monthname nanosecond normalized_interval now quarter second strftime strptime time_bucket timezone timezone_hour
timezone_minute to_centuries to_days to_decades to_hours to_microseconds to_millennia to_milliseconds to_minutes
to_months to_quarters to_seconds to_timestamp to_weeks to_years today try_strptime week weekday weekofyear year
yearweek
"""
_NESTED = """
array_append array_apply array_cat array_concat array_contains array_distinct array_extract array_filter array_has
array_has_all array_has_any array_indexof array_intersect array_length array_pop_back array_pop_front array_position
array_prepend array_push_back array_push_front array_reverse array_reverse_sort array_slice array_sort array_to_json
array_transform array_unique array_value cardinality element_at flatten generate_series json_array json_array_length
json_contains json_exists json_extract json_extract_path json_extract_path_text json_extract_string json_keys
json_merge_patch json_object json_pretty json_quote json_structure json_type json_valid json_value list_append
list_apply list_avg list_cat list_concat list_contains list_count list_distinct list_element list_extract list_filter
list_first list_grade_up list_has list_has_all list_has_any list_indexof list_intersect list_last list_max list_median
list_min list_mode list_pack list_position list_prepend list_product list_reverse list_reverse_sort list_slice
list_sort list_string_agg list_sum list_transform list_unique list_value list_where map map_concat map_contains
map_entries map_extract map_extract_value map_from_entries map_keys map_values range row row_to_json struct_concat
struct_contains struct_extract struct_extract_at struct_keys struct_pack struct_values to_json unnest
"""
_OTHER = "equi_width_bins gen_random_uuid if nullif typeof uuid uuidv4 uuidv7 coalesce ifnull grouping grouping_id"
FUNCTIONS = frozenset(
    word for words in (_AGGREGATES, _WINDOWS, _NUMBERS, _TEXT, _TIMES, _NESTED, _OTHER) for word in words.split()
)
"""The functions that a query may call, by the names that DuckDB knows them by, in small letters."""

_VALUES = "BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA OPERATOR"
_EXPRESSIONS = frozenset(f"{_VALUES} POSITIONAL_REFERENCE STAR SUBQUERY TYPE WINDOW".split())
_QUERIES = "SELECT_NODE SET_OPERATION_NODE RECURSIVE_CTE_NODE"
_FROM = "BASE_TABLE EMPTY EXPRESSION_LIST JOIN SUBQUERY TABLE_FUNCTION"
_MODIFIERS = "ASCENDING DESCENDING DISTINCT_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER ORDER_DEFAULT ORDER_MODIFIER"
_NODES = frozenset(f"{_QUERIES} {_FROM} {_MODIFIERS}".split())

ALLOWED = (
    f"Allowed is one SELECT over {', '.join(sorted(TABLES))}, with joins, subqueries, WITH, "
    f"{', '.join(sorted(TABLE_FUNCTIONS))} and the functions of numbers, text, times, lists and JSON."
)
"""The sentence that follows what is refused."""

_SMALL = {capital: capital + 32 for capital in range(ord("A"), ord("Z") + 1)}


def folded(name: str) -> str:
    """Return a name as DuckDB compares names: A to Z in small letters, every other character as it is.

    Python's own ``lower`` turns the Kelvin sign into a k, and with it a name that WITH gives into one of the engine.
    """
    return name.translate(_SMALL)


def refusals(statements: list[Any]) -> Iterator[str]:
    """Yield what is not allowed in a statement, as words for a sentence.

    ``statements`` is what DuckDB's ``json_serialize_sql`` made of the text: the tree that it will run, so nothing
    can be read in one way here and in another there.
    """
    if len(statements) != 1:
        yield "anything but one statement"
    for statement in statements:
        yield from _refused(statement, frozenset())


def _refused(part: Any, named: AbstractSet[str]) -> Iterator[str]:  # noqa: ANN401 - any value that JSON has
    """Look at a part of the tree; ``named`` are the names that WITH gives to what can be seen from here."""
    if isinstance(part, list):
        for one in part:
            yield from _refused(one, named)
    elif isinstance(part, dict):
        yield from _refused_here(part, named)
        # A name is known behind its definition. In it, or before, it would be one of the engine's own tables.
        for entry in part.get("cte_map", {}).get("map", []):
            yield from _refused(entry["value"], named)
            named = named | {folded(entry["key"])}
        for key, value in part.items():
            if key == "right" and part.get("type") == "RECURSIVE_CTE_NODE":
                yield from _refused(value, named | {folded(part["cte_name"])})
            elif key != "cte_map":
                yield from _refused(value, named)


def _refused_here(part: dict[str, Any], named: AbstractSet[str]) -> Iterator[str]:
    kind = part.get("type")
    if "class" in part:
        if part["class"] not in _EXPRESSIONS:
            yield _words(part["class"])
    elif isinstance(kind, str) and kind not in _NODES:
        yield _words(kind)
    path = part.get("qualified_name", {}).get("path", [])
    if len(path) > 1:
        yield f"the qualified name {'.'.join(path)}"
    if kind == "BASE_TABLE":
        if folded(part["table_name"]) not in TABLES | named:
            yield f"the table {part['table_name']}"
        if part["at_clause"]:
            yield "AT"
    if kind == "TABLE_FUNCTION" and folded(part["function"].get("function_name", "")) not in TABLE_FUNCTIONS:
        yield f"{part['function'].get('function_name')} as a table"
    if "function_name" in part and not may_be_called(part["function_name"]):
        yield f"the function {part['function_name']}"


def may_be_called(name: str) -> bool:
    """Tell whether a function is on the list; an operator, such as ``+`` or ``~~`` for LIKE, always is."""
    return folded(name) in FUNCTIONS or not any(char.isalnum() or char == "_" for char in name)


def _words(kind: str) -> str:
    return kind.removesuffix("_NODE").replace("_", " ")
