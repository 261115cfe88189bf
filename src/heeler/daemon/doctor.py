"""Whether Heeler can do its work here: one finding for each thing looked at. Nothing is changed."""

import errno
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from heeler.clock import Clock
from heeler.config.values import Endpoint
from heeler.daemon.background import ask
from heeler.daemon.configuration import Configured
from heeler.daemon.status import Status
from heeler.errors import EnvironmentFailed, HeelerError, NothingFound
from heeler.store.catalog import FILE as CATALOG_FILE
from heeler.store.catalog import open_for_reading
from heeler.store.retention import Usage, pause_reason
from heeler.store.url import lake_folder
from heeler.store.verify import damage_of, to_check

EARLIEST_US: Final = 1_767_225_600_000_000
"""2026-01-01: Heeler is younger, so a clock that says less is wrong."""

CLOCK_SKEW_US: Final = 60_000_000
FEWEST_FILES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Finding:
    """What came out of one check: a sentence, and where it is not fine what to do."""

    check: str
    fine: bool
    sentence: str


Asked = Callable[[Path], Sequence[Finding]]
"""Asks the daemon that collects into a lake how it fares: whether it runs, how far each source is behind."""


def findings(read: Configured, clock: Clock, asked: Asked, usage: Usage = shutil.disk_usage) -> Iterator[Finding]:
    """Look at everything that is quick to look at, and yield what comes out."""
    settings = read.settings
    folder = lake_folder(settings.store)
    of_daemon = asked(folder)
    yield Finding("configuration", fine=True, sentence=_configuration(read))
    yield from _permissions({"lake": folder, "log": settings.log_file.parent})
    for name, source in settings.sources.items():
        doubts = source.doubts() if source.enabled else ()
        yield from (Finding(f"source {name}", fine=False, sentence=doubt) for doubt in doubts)
        if not doubts:
            state = "what it needs is there" if source.enabled else "it is not enabled"
            yield Finding(f"source {name}", fine=True, sentence=f"{state[0].upper()}{state[1:]}.")
    yield _port(settings.web.listen, is_running=bool(of_daemon))
    yield from _disk(folder, usage)
    yield from _store(folder, clock)
    yield from of_daemon


def verification(folder: Path, found: list[Finding]) -> Iterator[str]:
    """Read every segment again and compare its hash; yield the name of each, and add what comes out to ``found``."""
    if not (folder / CATALOG_FILE).exists():
        return
    with closing(open_for_reading(folder)) as catalog:
        listed = to_check(catalog, 1 << 62)
    count = 0
    for segment in listed:
        yield segment.path
        damage = damage_of(folder, segment.path, segment.sha256)
        if damage and not _is_listed(folder, segment.id):
            continue  # it was merged or dropped meanwhile
        count += 1
        if damage:
            sentence = f"{folder / segment.path} ({segment.rows:,} rows). {damage} Put it back from a backup."
            found.append(Finding("verify", fine=False, sentence=sentence))
    if not any(one.check == "verify" for one in found):
        found.append(Finding("verify", fine=True, sentence=f"{count:,} files are as they were written."))


def _is_listed(folder: Path, segment: int) -> bool:
    with closing(open_for_reading(folder)) as catalog:
        return catalog.execute("select 1 from segment where id = ?", (segment,)).fetchone() is not None


def _configuration(read: Configured) -> str:
    return f"{read.path} is right." if read.path else "There is none; everything is as it is by default."


def _permissions(folders: dict[str, Path]) -> Iterator[Finding]:
    for what, folder in folders.items():
        there = next(one for one in (folder, *folder.parents) if one.exists())
        if not there.is_dir():
            sentence = f"{there} is in the way of the {what}: it is no directory."
            yield Finding("permissions", fine=False, sentence=sentence)
        elif not os.access(there, os.W_OK | os.X_OK):
            sentence = f"This user may not write the {what} in {there}; change its owner, or configure another place."
            yield Finding("permissions", fine=False, sentence=sentence)
        else:
            yield Finding("permissions", fine=True, sentence=f"The {what} can be written in {there}.")


def _port(listen: Endpoint, *, is_running: bool) -> Finding:
    if is_running:
        return Finding("port", fine=True, sentence=f"{listen} is the daemon's that runs.")
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as a server does, for what lingers
        try:
            listener.bind((listen.host, listen.port))
        except OSError as error:
            remedy = "Stop what listens there" if error.errno == errno.EADDRINUSE else "Allow it"
            sentence = f"{listen} cannot be listened on: {error.strerror}. {remedy}, or set listen of [web] to another."
            return Finding("port", fine=False, sentence=sentence)
    return Finding("port", fine=True, sentence=f"{listen} is free.")


def _disk(folder: Path, usage: Usage) -> Iterator[Finding]:
    there = next(one for one in (folder, *folder.parents) if one.is_dir())
    reason = pause_reason(there, usage)
    free = usage(there)[2]
    room = os.statvfs(there)
    if reason:
        yield Finding("disk", fine=False, sentence=f"{reason} Free some, or set [keep] bytes to less.")
    elif room.f_files > 0 and room.f_favail < FEWEST_FILES:  # some file systems have no such limit, and say 0
        sentence = f"Only {room.f_favail:,} more files can be made in {there}; remove some."
        yield Finding("disk", fine=False, sentence=sentence)
    else:
        yield Finding("disk", fine=True, sentence=f"{free / 1e9:,.1f} GB are free in {there}.")


def _store(folder: Path, clock: Clock) -> Iterator[Finding]:
    newest = 0
    if not (folder / CATALOG_FILE).exists():
        yield Finding("store", fine=True, sentence=f"There is no lake in {folder} yet; the first lines make one.")
    else:
        try:
            with closing(open_for_reading(folder)) as catalog:
                damaged = catalog.execute("select path from segment where damage is not null").fetchall()
                newest = catalog.execute("select coalesce(max(max_received), 0) from segment").fetchone()[0]
        except (HeelerError, sqlite3.Error) as error:
            yield Finding("store", fine=False, sentence=f"The lake in {folder} cannot be read. {error}")
        else:
            yield from _damaged(folder, [path for (path,) in damaged])
    yield _clock(clock.now_us(), newest)


def _damaged(folder: Path, paths: Sequence[str]) -> Iterator[Finding]:
    for path in paths:
        sentence = f"{folder / path} is damaged and set aside; put it back from a backup."
        yield Finding("store", fine=False, sentence=sentence)
    if not paths:
        yield Finding("store", fine=True, sentence=f"The lake in {folder} can be read.")


def _clock(now_us: int, newest_us: int) -> Finding:
    if now_us < EARLIEST_US:
        sentence = "The clock says a time before Heeler existed; set it, or let NTP set it."
        return Finding("clock", fine=False, sentence=sentence)
    if newest_us > now_us + CLOCK_SKEW_US:
        ahead = (newest_us - now_us) // 1_000_000
        sentence = f"The clock is {ahead:,} s before the newest record of the store; let NTP set it."
        return Finding("clock", fine=False, sentence=sentence)
    return Finding("clock", fine=True, sentence="The clock is not behind what is stored.")


def fares(folder: Path) -> Sequence[Finding]:
    """Ask the process that collects into the lake in ``folder``, and tell of it and of each source; nothing if none."""
    try:
        status = Status.read(ask(folder, "status"))
    except NothingFound:
        return ()
    except EnvironmentFailed as error:
        return (Finding("daemon", fine=False, sentence=str(error)),)
    found = [Finding("daemon", fine=True, sentence=f"It collects as process {status.pid}.")]
    for one in status.sources:
        behind = f", {one.lag_bytes:,} bytes behind" if one.lag_bytes else ""
        state = f"{one.lines:,} lines{behind}" if one.alive else one.last_error or one.doing or "It gives no lines."
        found.append(Finding(f"running {one.name}", fine=one.alive, sentence=state))
    return found
