# ruff: noqa: INP001 - a script, part of no package
"""Make docs/images/watch.svg, or show the same made-up traffic live.

::

    python docs/screenshot.py          write the picture for the README
    python docs/screenshot.py --live   run the screen on traffic that goes on (q quits)
    python docs/screenshot.py --idle   run the screen on traffic that stands still, to measure what an idle screen costs
"""

import asyncio
import html
import random
import re
import sys
from collections import Counter, deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from heeler.clock import SystemClock
from heeler.views.snapshot import AlertLine, Block, FileStatus, Snapshot
from heeler.views.tui.app import WatchApp, run_watch

PICTURE: Final = Path(__file__).parent / "images" / "watch.svg"
COLUMNS, ROWS = 100, 32
CELL, LINE = 12.2, 24.4  # how the exported picture sets its letters
TEXT: Final = re.compile(r'<text class="(?P<ink>[^"]+)" x="(?P<x>[^"]+)" y="(?P<y>[^"]+)"[^>]*>(?P<text>[^<]*)</text>')
#: Blocks and lines as (left, top, width, height) in shares of a cell: fonts leave seams between them.
SHAPES: Final = {
    **{sign: (0, 1 - n / 8, 1, n / 8) for n, sign in enumerate("▁▂▃▄▅▆▇█", 1)},
    "▀": (0, 0, 1, 0.5),
    "━": (0, 0.45, 1, 0.14),
    "╸": (0, 0.45, 0.5, 0.14),
    "─": (0, 0.5, 1, 0.05),
    "┃": (0.42, 0, 0.16, 1),
}
START_S: Final = 1_795_342_900  # 2026-11-22 10:21:40 +0000
INTERVAL_S, WINDOW_S, THRESHOLD, KEPT_S = 10, 120, 10.0, 300
SECTIONS: Final = {"/api": 46, "/static": 24, "/login": 9, "/cart": 7, "/": 6, "/search": 4, "/img": 3, "/admin": 2}
SECTIONS_RARE: Final = {"/health": 1, "/metrics": 1, "/feed": 0.6}
STATUS: Final = {200: 84, 204: 4, 304: 5, 302: 2, 404: 3, 401: 1, 500: 1.4, 503: 0.6}
METHODS: Final = {"GET": 86, "POST": 11, "PUT": 2, "DELETE": 1}
CLIENTS: Final = {f"10.0.{n % 4}.{7 * n % 251}": 60 / (n + 3) for n in range(140)}
INVALID: Final = ("10.0.2.14 - - [22/Nov/2026:10:2", "\\x16\\x03\\x01\\x02\\x00\\x01\\xfc\\x03\\x03", "-- MARK --")


def _pick(chance: random.Random, weights: Mapping[str, float] | Mapping[int, float]) -> str:
    return str(chance.choices(list(weights), list(weights.values()))[0])


class Traffic:
    """Seeded traffic, one second at a time, with the read model that the real session has."""

    def __init__(self) -> None:
        self.chance = random.Random(7)  # noqa: S311 - a picture, not a secret
        self.now_s = START_S - 400
        self.seconds: deque[int] = deque(maxlen=KEPT_S)
        self.lines: deque[str] = deque(maxlen=100)
        self.invalid: deque[str] = deque(maxlen=100)
        self.history: list[AlertLine] = []
        self.firing: AlertLine | None = None
        self.parsed = self.unparsed = self.bytes = 0
        self.open: list[tuple[str, int, str, str, int]] = []
        self.failed = 0
        self.last: Block | None = None

    def second(self) -> None:
        """Let one second pass."""
        wave = 7.5 if self.now_s < START_S - 130 else 13.5
        hits = max(0, round(self.chance.gauss(wave, 2.6)))
        for _ in range(hits):
            self._hit()
        if self.chance.random() < 0.01:
            self.failed += 1
            self.unparsed += 1
            self.invalid.append(self.chance.choice(INVALID))
            self.lines.append(self.invalid[-1])
        self.seconds.append(hits)
        self.now_s += 1
        if self.now_s % INTERVAL_S == 0:
            self.last = self._block()
            self.open, self.failed = [], 0
        self._alert()

    def _hit(self) -> None:
        section, status = _pick(self.chance, SECTIONS | SECTIONS_RARE), int(_pick(self.chance, STATUS))
        method, client = _pick(self.chance, METHODS), _pick(self.chance, CLIENTS)
        size = 0 if status in {204, 304} else self.chance.randint(180, 90_000)
        path = section if section == "/" else f"{section}/{self.chance.choice(('items', 'v2', 'main', 'a1'))}"
        time = f"22/Nov/2026:{self.now_s // 3600 % 24:02d}:{self.now_s // 60 % 60:02d}:{self.now_s % 60:02d} +0000"
        self.lines.append(f'{client} - - [{time}] "{method} {path} HTTP/1.1" {status} {size} "-" "Mozilla/5.0"')
        self.open.append((section, status, method, client, size))
        self.parsed += 1
        self.bytes += 200

    def _block(self) -> Block:
        def most(column: int) -> tuple[tuple[str, int], ...]:
            counts = Counter(str(hit[column]) for hit in self.open)
            return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:10])

        classes = Counter(f"{hit[1] // 100}xx" for hit in self.open)
        start_s = (self.now_s - 1) // INTERVAL_S * INTERVAL_S
        return Block(
            start_s=start_s,
            end_s=start_s + INTERVAL_S,
            zone_minutes=0,
            hits=len(self.open),
            sections=most(0),
            status=tuple(sorted(classes.items())),
            methods=most(2),
            top_clients=most(3),
            clients=len({hit[3] for hit in self.open}),
            errors=classes["4xx"] + classes["5xx"],
            server_errors=classes["5xx"],
            bytes=sum(hit[4] for hit in self.open),
            unparsed=self.failed,
        )

    def _alert(self) -> None:
        hits = self.window_hits
        if self.firing is None and hits > THRESHOLD * WINDOW_S:
            self.firing = AlertLine("high traffic", "triggered", hits, self.now_s, 0)
            self.history.append(self.firing)
        elif self.firing is not None and hits <= THRESHOLD * WINDOW_S:
            self.firing = None
            self.history.append(AlertLine("high traffic", "recovered", hits, self.now_s, 0))

    @property
    def window_hits(self) -> int:
        """Hits of the window that ends now."""
        return sum(list(self.seconds)[-WINDOW_S:])

    def snapshot(self) -> Snapshot:
        """Return what the screen shows now."""
        lines = self.parsed + self.unparsed
        return Snapshot(
            now_s=self.now_s,
            zone_minutes=0,
            second_hits=tuple(self.seconds),
            current=self._block(),
            last=self.last,
            window_s=WINDOW_S,
            window_hits=self.window_hits,
            threshold=THRESHOLD,
            firing=self.firing,
            history=tuple(self.history),
            lines=tuple(self.lines),
            invalid=tuple(self.invalid),
            files=(
                FileStatus("/var/log/nginx/access.log", "following", "combined", lines, self.parsed, self.bytes, ""),
            ),
            parsed=self.parsed,
            unparsed=self.unparsed,
            skewed=0,
        )


class Session:
    """A session on made-up traffic; with ``live`` a second passes every second."""

    def __init__(self, *, live: bool) -> None:
        self.traffic = Traffic()
        self._live = live
        while self.traffic.now_s < START_S:
            self.traffic.second()

    async def run(self, changed: Callable[[], None]) -> None:
        """See `WatchSession.run`."""
        while self._live:
            await SystemClock().sleep(1)
            self.traffic.second()
            changed()
        await asyncio.Event().wait()

    def snapshot(self) -> Snapshot:
        """See `WatchSession.snapshot`."""
        return self.traffic.snapshot()


def drawn(match: re.Match[str]) -> str:
    """Return one text of the picture with its blocks and lines as shapes, and without blanks at its ends."""
    text = html.unescape(match["text"])
    x, y = float(match["x"]), float(match["y"])
    parts: list[str] = []
    for place, sign in enumerate(text):
        if sign in SHAPES:
            left, top, width, height = SHAPES[sign]
            parts.append(
                f'<rect class="{match["ink"]}" x="{x + (place + left) * CELL:.2f}" y="{y - 18.5 + top * LINE:.2f}"'
                f' width="{width * CELL + 0.3:.2f}" height="{height * LINE + 0.3:.2f}"/>'
            )
    for word in re.finditer(f"[^\\s{''.join(SHAPES)}]+(?: [^\\s{''.join(SHAPES)}]+)*", text.replace("\xa0", " ")):
        shown = html.escape(word[0]).replace(" ", "&#160;")
        parts.append(
            f'<text class="{match["ink"]}" x="{x + word.start() * CELL:.2f}" y="{match["y"]}"'
            f' textLength="{len(word[0]) * CELL:.2f}">{shown}</text>'
        )
    return "".join(parts)


def tidied(picture: str) -> str:
    """Return the picture without fonts from elsewhere, and with its lines and bars drawn without seams."""
    body = re.sub(r"@font-face \{.*?\}\n", "", picture, flags=re.DOTALL)
    body = body.replace("<style>", "<style>rect { shape-rendering: crispEdges }", 1)
    body = re.sub(r"<!--.*?-->", "", body)
    return TEXT.sub(drawn, body).replace("Fira Code, monospace", "DejaVu Sans Mono, Menlo, Consolas, monospace")


async def take() -> None:
    """Write the picture."""
    app = WatchApp(Session(live=False))
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        await pilot.pause()
        PICTURE.write_text(tidied(app.export_screenshot(title="heeler watch", simplify=True)))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(run_watch(Session(live=sys.argv[1] == "--live")))
    asyncio.run(take())
