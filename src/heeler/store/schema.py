"""What is stored: the columns of every table, and the tables of the catalog."""

from collections.abc import Mapping

import polars as pl

Schema = Mapping[str, pl.DataType | type[pl.DataType]]

FROM_LINE, FROM_LINE_BEFORE, FROM_RECEIVED = 0, 1, 2
"""Where the time of a record is from: the column ``time_from``."""

RECORD: Schema = {
    "time": pl.Datetime("us"),  # UTC
    "time_from": pl.UInt8,
    "received": pl.Datetime("us"),  # UTC
    "log_group": pl.String,
    "log_stream": pl.String,
    "seq": pl.Int64,
    "head": pl.Int64,  # of a piece of a long line, the seq of its first piece; of a line that goes on, of its record
    "severity": pl.UInt8,  # 1-24, OpenTelemetry log data model
    "format": pl.Int32,  # id in the catalog
    "zone": pl.Int16,  # minutes east of UTC; null where the line has none
    "ending": pl.UInt8,  # heeler.formats.lines: LF, CRLF, NO_ENDING
    "parsed": pl.Boolean,
    "raw": pl.Binary,  # the line without its ending; null where the columns render to it
    "attributes": pl.String,  # a JSON object
}
"""The columns of every record, in whichever table it lives."""

ACCESS: Schema = {
    "client": pl.String,
    "ident": pl.String,
    "remote_user": pl.String,
    "method": pl.String,
    "path": pl.String,
    "protocol": pl.String,
    "status": pl.UInt16,
    "bytes": pl.UInt64,
    "referer": pl.String,
    "agent": pl.String,
    "host": pl.String,
    "duration": pl.Duration("us"),
}
LOG: Schema = {"host": pl.String, "program": pl.String, "pid": pl.String, "message": pl.String}

HITS: Schema = {"time": pl.Datetime("us"), "log_group": pl.String, "hits": pl.Int64}
"""Parsed requests per second, for the rules: deltas, summed when read."""

ROLLUP: Schema = {
    "time": pl.Datetime("us"),  # the start of ten seconds
    "log_group": pl.String,
    "section": pl.String,
    "class": pl.UInt8,  # the hundreds of the status; 0 where there is none
    "hits": pl.Int64,
    "bytes": pl.Int64,
}
"""Traffic in buckets of ten seconds, for views: deltas, summed when read."""

RECORD_TABLES: Mapping[str, Schema] = {"access": {**RECORD, **ACCESS}, "log": {**RECORD, **LOG}}
ROLLUP_TABLES: Mapping[str, Schema] = {"hits": HITS, "rollup": ROLLUP}
TABLES: Mapping[str, Schema] = {**RECORD_TABLES, **ROLLUP_TABLES}

VERSION = 3
"""The version of everything here. A lake of a newer one is refused; one of an older one is migrated."""

CATALOG = """
create table setting (key text primary key, value text not null) strict;
create table log_group (id integer primary key, name text not null unique) strict;
create table log_stream (
    id integer primary key, log_group integer not null references log_group, name text not null,
    next_seq integer not null, first_time integer, last_time integer, lines integer not null, bytes integer not null,
    source text, unique (log_group, name)
) strict;
create table format (
    id integer primary key, name text not null, "table" text not null, definition text not null,
    unique (name, "table", definition)
) strict;
create table position (
    source text not null, part text not null, position text not null, head integer, tick integer not null,
    primary key (source, part)
) strict;
-- A segment is live, or damaged: set aside, never deleted for that.
create table segment (
    id integer primary key, path text not null unique, "table" text not null, rows integer not null,
    min_time integer not null, max_time integer not null, min_received integer not null, max_received integer not null,
    bytes integer not null, sha256 text not null, tick integer not null, ordered integer not null,
    checked integer, damage text
) strict;
-- In position, tick is the last one that moved it, and head is the seq of the first piece of a line that goes on in
-- the next chunk.
-- Few rows of one tick as a compressed Arrow IPC stream. ``unfinished`` names the source and part of a last line
-- without newline that lives here alone until it is joined.
create table recent (
    id integer primary key, "table" text not null, rows integer not null, min_time integer not null,
    max_time integer not null, min_received integer not null, max_received integer not null, tick integer not null,
    unfinished text, unfinished_bytes integer, data blob not null
) strict;
create index recent_unfinished on recent (unfinished) where unfinished is not null;
-- Which streams a segment or a recent blob holds. Exactly one of the two is set.
create table extent (
    segment integer references segment on delete cascade, recent integer references recent on delete cascade,
    stream integer not null references log_stream, first_seq integer not null, last_seq integer not null,
    rows integer not null
) strict;
create index extent_segment on extent (segment);
create index extent_recent on extent (recent);
create index extent_stream on extent (stream, first_seq);
-- Transitions. ``key`` is the group, ``start`` is when the alert was triggered, 0 where nobody follows it (files that
-- were taken in), ``details`` is a JSON object.
create table alert (
    id integer primary key, rule text not null, state text not null, hits integer not null, time integer not null,
    zone integer not null, key text not null default '', start integer not null default 0,
    details text not null default '{}', unique (rule, "key", state, time, start)
) strict;
-- Who is to be told of which transition: waiting, sent, or failed (given up). ``next`` is when it is tried again.
create table outbox (
    alert integer not null references alert on delete cascade, notifier text not null, state text not null,
    attempts integer not null, next integer not null, error text not null, primary key (alert, notifier)
) strict;
create index outbox_waiting on outbox (notifier, next) where state = 'waiting';
create table saved_search (name text primary key, query text not null) strict;
-- What senders that may send again have sent, and when it was committed.
create table seen (source text not null, key text not null, time integer not null, primary key (source, key)) strict;
create index seen_time on seen (source, time);
-- Files that nothing refers to any more, since when, and whether a copy of the catalog knows that too (0 or 1).
create table garbage (
    path text primary key, since integer not null, replaced_tick integer not null, copied integer not null default 0
) strict;
"""
"""The catalog of a lake. All times are UTC microseconds since 1970."""

MIGRATIONS: Mapping[int, tuple[str, ...]] = {
    1: (
        "alter table log_stream add column source text",
        "create table saved_search (name text primary key, query text not null) strict",
    ),
    2: (
        """create table seen (
            source text not null, key text not null, time integer not null, primary key (source, key)
        ) strict""",
        "create index seen_time on seen (source, time)",
        "alter table alert rename to alert_of_version_2",
        """create table alert (
            id integer primary key, rule text not null, state text not null, hits integer not null,
            time integer not null, zone integer not null, key text not null default '',
            start integer not null default 0, details text not null default '{}',
            unique (rule, "key", state, time, start)
        ) strict""",
        """insert into alert (id, rule, state, hits, time, zone)
            select id, rule, state, hits, time, zone from alert_of_version_2""",
        "drop table alert_of_version_2",
        """create table outbox (
            alert integer not null references alert on delete cascade, notifier text not null, state text not null,
            attempts integer not null, next integer not null, error text not null, primary key (alert, notifier)
        ) strict""",
        "create index outbox_waiting on outbox (notifier, next) where state = 'waiting'",
    ),
}
"""By version, the statements that bring a catalog of that version to the next one."""
