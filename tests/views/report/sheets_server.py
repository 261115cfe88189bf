"""A small server of Sheets v4: spreadsheets whose sheets can be added, sized and filled, all of a batch or nothing.

What it does follows https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets/request
"""

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Cells = dict[tuple[int, int], dict[str, Any]]


class Refused(Exception):
    """A request that the service answers with an error."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class SheetsServer:
    """Holds the sheets of one spreadsheet by title: id, size and cells. Faults are answered in their order.

    ``status`` alone is answered instead of doing it; ``-status`` after it was done, as where an answer is lost.
    """

    def __init__(self, spreadsheet: str) -> None:
        self.spreadsheet = spreadsheet
        self.sheets: dict[str, dict[str, Any]] = {
            "Mine": {"id": 0, "size": (1000, 26), "cells": {(0, 0): {"stringValue": "keep"}}}
        }
        self.faults: list[int] = []
        self.requests: list[str] = []
        self.at_once = 0
        self._here = 0
        self._lock = threading.Lock()

    def values(self, title: str) -> list[list[Any]]:
        """Return what people see in a sheet; what would be calculated as its formula behind ``ƒ``."""
        sheet = self.sheets[title]
        rows: list[list[Any]] = [[None] * sheet["size"][1] for _ in range(sheet["size"][0])]
        for (row, column), value in sheet["cells"].items():
            kind, told = next(iter(value.items()))
            rows[row][column] = f"ƒ{told}" if kind == "formulaValue" else told
        return rows

    def answer(self, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:  # noqa: ANN401 - JSON
        with self._lock:
            self.requests.append(f"{method} {path}")
            fault = self.faults.pop(0) if self.faults else 0
            if fault > 0:
                return fault, {"error": {"code": fault, "message": "told to"}}
            base = f"/v4/spreadsheets/{self.spreadsheet}"
            if (method, path) not in {("GET", base), ("POST", f"{base}:batchUpdate")}:
                return 404, {"error": {"code": 404, "message": "Requested entity was not found."}}
            try:
                told = self._told() if method == "GET" else self._batch(body["requests"])
            except Refused as refused:
                return refused.status, {"error": {"code": refused.status, "message": str(refused)}}
            return (-fault, {"error": {"code": -fault, "message": "lost"}}) if fault else (200, told)

    def _told(self) -> dict[str, Any]:
        return {
            "sheets": [{"properties": {"sheetId": one["id"], "title": title}} for title, one in self.sheets.items()]
        }

    def _batch(self, requests: list[dict[str, Any]]) -> dict[str, Any]:
        before = copy.deepcopy(self.sheets)
        try:
            for one in requests:
                ((kind, what),) = one.items()
                {"addSheet": self._add, "updateSheetProperties": self._size, "updateCells": self._fill}[kind](what)
        except Refused:
            self.sheets = before
            raise
        return {"spreadsheetId": self.spreadsheet, "replies": [{}] * len(requests)}

    def _add(self, what: dict[str, Any]) -> None:
        title = what["properties"]["title"]
        if title in self.sheets:
            raise Refused(400, f'A sheet with the name "{title}" already exists. Please enter another name.')
        number = max((one["id"] for one in self.sheets.values()), default=0) + 1
        self.sheets[title] = {"id": number, "size": (1000, 26), "cells": {}}

    def _sheet(self, number: int) -> dict[str, Any]:
        for one in self.sheets.values():
            if one["id"] == number:
                return one
        raise Refused(400, f"No grid with id: {number}")

    def _size(self, what: dict[str, Any]) -> None:
        if set(what["fields"].split(",")) != {"gridProperties.rowCount", "gridProperties.columnCount"}:
            raise Refused(400, "these fields are not known here")
        sheet, grid = self._sheet(what["properties"]["sheetId"]), what["properties"]["gridProperties"]
        sheet["size"] = rows, columns = grid["rowCount"], grid["columnCount"]
        sheet["cells"] = {at: cell for at, cell in sheet["cells"].items() if at[0] < rows and at[1] < columns}

    def _fill(self, what: dict[str, Any]) -> None:
        if what["fields"] != "userEnteredValue" or set(what["range"]) != {"sheetId"}:
            raise Refused(400, "these fields are not known here")
        sheet = self._sheet(what["range"]["sheetId"])
        cells: Cells = {}
        for row, told in enumerate(what["rows"]):
            for column, cell in enumerate(told.get("values", ())):
                if row >= sheet["size"][0] or column >= sheet["size"][1]:
                    raise Refused(400, f"Attempting to write column: {column}, row: {row} beyond the grid.")
                if cell:
                    cells[row, column] = cell["userEnteredValue"]
        sheet["cells"] = cells  # what is in the range and not in the rows is cleared

    @contextmanager
    def running(self) -> Iterator[str]:
        """Serve on loopback, and give the address."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _do(self, method: str) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                status, told = outer.answer(method, self.path.partition("?")[0], body)
                data = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self) -> None:
                self._do("GET")

            def do_POST(self) -> None:
                self._do("POST")

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
