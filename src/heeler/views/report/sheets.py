"""Sending days to a spreadsheet of Google Sheets (API v4), a sheet for each day.

A sheet is replaced whole, by one request that the service carries out entirely or not at all, so it does not matter how
often a day is sent. Text is sent as text, not to be understood, and is no formula whatever it begins with.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from heeler.errors import EnvironmentFailed, UsageError
from heeler.views.report.days import Cell, Rows

SCOPE = "https://www.googleapis.com/auth/spreadsheets"
AT_ONCE = 4
"""Days that are sent side by side."""

TRIES = 4
"""How often what failed for the moment (429, 5xx, the network) is tried again, waiting longer each time:
some 15 s in all."""

_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Spreadsheet:
    """Where to send: the id in the address of a spreadsheet, and the key file of a service account that may edit it.

    ``endpoint`` is another address of the service; only there nothing needs to be proved (``key_file`` empty).
    """

    id: str
    key_file: str
    endpoint: str = ""


def send(target: Spreadsheet, days: Mapping[str, Rows]) -> None:
    """Replace the sheet of each day, made where there is none; sheets with other names are left alone.

    Raises `UsageError` where the extra ``gdrive`` is missing or the key file is none, and `EnvironmentFailed` that says
    which days were not sent.
    """
    service = _Service(target)
    try:
        ids = service.sheets(list(days))
    except service.faults as error:
        raise EnvironmentFailed(f"Nothing was sent. {_reason(error)}") from error
    failed: dict[str, Exception] = {}

    def replace(day: str) -> None:
        try:
            service.batch([*_sized(ids[day], days[day]), _filled(ids[day], days[day])])
        except service.faults as error:
            failed[day] = error

    with ThreadPoolExecutor(AT_ONCE, "sheets") as workers:
        list(workers.map(replace, days))
    if failed:
        missing = ", ".join(sorted(failed))
        raise EnvironmentFailed(
            f"{len(failed)} of {len(days)} days were not sent ({missing}); sending again repeats nothing. "
            f"{_reason(failed[min(failed)])}"
        )


class _Service:
    """The few requests that are needed. May be used by several threads at once."""

    def __init__(self, target: Spreadsheet) -> None:
        try:
            import google_auth_httplib2  # noqa: PLC0415 - an extra that few need
            import httplib2  # noqa: PLC0415 - the same
            from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - the same
            from googleapiclient.discovery import build  # noqa: PLC0415 - the same
            from googleapiclient.errors import HttpError  # noqa: PLC0415 - the same
        except ImportError as error:
            raise UsageError(
                "Sending to Google Sheets needs more than is installed: pip install 'heeler[gdrive]'."
            ) from error
        credentials = _credentials(target)

        def connection(*_: object) -> Any:  # noqa: ANN401 - the library has no types
            # One for each request: httplib2 is not made for several threads.
            return google_auth_httplib2.AuthorizedHttp(credentials, httplib2.Http(timeout=_TIMEOUT_S))

        self.faults: tuple[type[Exception], ...] = (HttpError, GoogleAuthError, OSError, httplib2.HttpLib2Error)
        self._refused = HttpError
        self._id = target.id
        self._connection = connection
        options = {"api_endpoint": target.endpoint.rstrip("/") + "/"} if target.endpoint else None
        self._sheets = build(
            "sheets",
            "v4",
            http=connection(),
            static_discovery=True,
            cache_discovery=False,
            client_options=options,
        ).spreadsheets()

    def sheets(self, days: list[str]) -> dict[str, int]:
        """Return the id of the sheet of each day, and make those that are missing."""
        found = self._ids()
        missing = [{"addSheet": {"properties": {"title": day}}} for day in days if day not in found]
        if not missing:
            return found
        try:
            self.batch(missing)
        except self._refused:
            # Somebody else made one of them in between, or an answer was lost and the request sent again.
            found = self._ids()
            if any(day not in found for day in days):
                raise
            return found
        return self._ids()

    def _ids(self) -> dict[str, int]:
        told = self._done(self._sheets.get(spreadsheetId=self._id, fields="sheets.properties(sheetId,title)"))
        return {one["properties"]["title"]: one["properties"].get("sheetId", 0) for one in told.get("sheets", ())}

    def batch(self, requests: list[dict[str, Any]]) -> None:
        """Let the service do several things, all of them or none."""
        self._done(self._sheets.batchUpdate(spreadsheetId=self._id, body={"requests": requests}))

    def _done(self, request: Any) -> Any:  # noqa: ANN401 - the library has no types
        with closing(self._connection()) as connection:
            return request.execute(http=connection, num_retries=TRIES)


def _credentials(target: Spreadsheet) -> Any:  # noqa: ANN401 - the library has no types
    from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415 - an extra that few need
    from google.oauth2.service_account import Credentials  # noqa: PLC0415 - the same

    if not target.key_file:
        if target.endpoint:
            return AnonymousCredentials()  # type: ignore[no-untyped-call]  # the library has no types
        raise UsageError("The key file of a service account is needed; --key FILE names it.")
    try:
        return Credentials.from_service_account_file(target.key_file, scopes=[SCOPE])  # type: ignore[no-untyped-call]  # as above
    except OSError as error:
        raise UsageError(f"The key file {target.key_file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"{target.key_file} is no key file of a service account: {error}") from error


def _reason(error: Exception) -> str:
    """Return why, in a sentence or two."""
    status = getattr(error, "status_code", None)
    if status is None:
        return f"Google Sheets cannot be reached: {error}."
    hint = {
        403: " Share the spreadsheet with the address in the key file, as an editor.",
        404: " Is the id that in the address of the spreadsheet, between /d/ and /edit?",
    }.get(status, "")
    return f"Google Sheets answered {status}: {getattr(error, 'reason', error)}.{hint}"


def _sized(sheet: int, rows: Rows) -> Iterator[dict[str, Any]]:
    """Yield the request that makes a sheet as large as its rows, and no larger."""
    grid = {"rowCount": max(len(rows), 1), "columnCount": max((len(row) for row in rows), default=0) or 1}
    properties = {"sheetId": sheet, "gridProperties": grid}
    fields = "gridProperties.rowCount,gridProperties.columnCount"
    yield {"updateSheetProperties": {"properties": properties, "fields": fields}}


def _filled(sheet: int, rows: Rows) -> dict[str, Any]:
    """Return the request that puts the rows in place of everything in a sheet."""
    values = [
        {"values": [{"userEnteredValue": _value(cell)} if cell is not None else {} for cell in row]} for row in rows
    ]
    return {"updateCells": {"range": {"sheetId": sheet}, "rows": values, "fields": "userEnteredValue"}}


def _value(cell: Cell) -> dict[str, Cell]:
    return {"stringValue": cell} if isinstance(cell, str) else {"numberValue": cell}
