"""The full screen of `heeler watch`, driven by keys and read back as text."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from textual import events
from textual.pilot import Pilot

from heeler.errors import Exit, HeelerError, SourceUnavailable, UsageError
from heeler.views.snapshot import AlertLine, Block, FileStatus, Snapshot
from heeler.views.tui import app as tui
from heeler.views.tui.app import WatchApp, run_watch
from heeler.views.tui.layout import heights
from heeler.views.tui.rows import fit, fit_end, fitted, width_of
from heeler.views.tui.themes import DARK, LIGHT, preferred
from heeler.views.tui.traffic import chart, columns

NOW_S = 1_795_342_550  # 2026-11-22 10:15:50 +0000
TRIGGERED = AlertLine("high traffic", "triggered", 1342, NOW_S - 10, 0)
RECOVERED = AlertLine("high traffic", "recovered", 1187, NOW_S + 200, 0)
SENTENCE = "High traffic generated an alert - hits = 1342, triggered at 2026-11-22 10:15:40 +0000"
BLOCK = Block(
    start_s=NOW_S - 10,
    end_s=NOW_S,
    zone_minutes=0,
    hits=312,
    sections=(("/api", 200), ("/static", 60), ("/", 30), ("/login", 22)),
    status=(("2xx", 280), ("4xx", 22), ("5xx", 10)),
    methods=(("GET", 300), ("POST", 12)),
    top_clients=(("10.0.0.1", 120), ("10.0.0.2", 80)),
    clients=41,
    errors=32,
    server_errors=10,
    bytes=24_100_000,
    unparsed=0,
)
FILE = FileStatus("/tmp/access.log", "following", "combined", 3210, 3207, 650_000, "")  # noqa: S108 - a text only
CALM = Snapshot(
    now_s=NOW_S,
    zone_minutes=0,
    second_hits=(4,) * 290 + (31,) * 10,
    current=None,
    last=BLOCK,
    window_s=120,
    window_hits=750,
    threshold=10.0,
    firing=None,
    history=(),
    lines=('10.0.0.1 - - [x] "GET /api/1 HTTP/1.1" 200 17', '10.0.0.2 - - [x] "GET /login HTTP/1.1" 500 9'),
    invalid=("not a line at all",),
    files=(FILE,),
    parsed=3207,
    unparsed=3,
    skewed=2,
)
FIRING = replace(CALM, firing=TRIGGERED, history=(TRIGGERED,), window_hits=1400)


class Script:
    """A session that shows what a test tells it to. It goes on until `end`, or fails with what `end` is given."""

    def __init__(self, first: Snapshot = CALM) -> None:
        self.shown = first
        self.asked = 0
        self.stopped = False
        self._end = asyncio.Event()
        self._failure: Exception | None = None
        self._changed: Callable[[], None] | None = None

    async def run(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        try:
            await self._end.wait()
        finally:
            self.stopped = True
        if self._failure is not None:
            raise self._failure

    def snapshot(self) -> Snapshot:
        self.asked += 1
        return self.shown

    def show(self, snapshot: Snapshot) -> None:
        self.shown = snapshot
        assert self._changed is not None
        self._changed()

    def end(self, failure: Exception | None = None) -> None:
        self._failure = failure
        self._end.set()


def screen(app: WatchApp) -> list[str]:
    """Return the rows of the screen as text, as the compositor sends them to the terminal."""
    return ["".join(segment.text for segment in strip).rstrip() for strip in app.screen._compositor.render_strips()]


def text(app: WatchApp) -> str:
    return "\n".join(screen(app))


def row_with(app: WatchApp, wanted: str) -> str:
    return next(row for row in screen(app) if wanted in row)


async def settled(pilot: Pilot[None]) -> None:
    """Wait until the screen has drawn all it has been told."""
    app = pilot.app
    assert isinstance(app, WatchApp)
    await pilot.pause()
    while app._due is not None:
        await pilot.pause()
    await pilot.pause()


def on_screen(
    scenario: Callable[[WatchApp, Pilot[None], Script], Awaitable[None]],
    first: Snapshot = CALM,
    size: tuple[int, int] = (100, 32),
) -> WatchApp:
    """Play ``scenario`` on a screen of ``size``."""

    async def play() -> WatchApp:
        session = Script(first)
        app = WatchApp(session)
        async with app.run_test(size=size) as pilot:
            await settled(pilot)
            await scenario(app, pilot, session)
        return app

    return asyncio.run(play())


def captured(first: Snapshot, size: tuple[int, int] = (100, 32), *keys: str) -> str:
    """Return the screen that shows ``first`` after ``keys``."""
    taken: list[str] = []

    async def scenario(app: WatchApp, pilot: Pilot[None], _: Script) -> None:
        await pilot.press(*keys)
        await settled(pilot)
        taken.append(text(app))

    on_screen(scenario, first, size)
    return taken[0]


@pytest.mark.parametrize("size", [(80, 24), (100, 32), (160, 50)])
def test_every_essential_is_on_the_screen(size: tuple[int, int]) -> None:
    shown = captured(FIRING, size)
    for essential in (
        "access.log",
        "combined",
        "99.9 % parsed",
        "● following",
        "2026-11-22 10:15:50 +0000",
        "▲ HIGH TRAFFIC since 2026-11-22 10:15:40 +0000",
        "1,342 hits then, 1,400 now",
        "Requests a second",
        "31.0 max",
        "┄10 limit",
        "11.7/s of 10/s  1,400 hits",
        "Sections by hits",
        "10:15:40-10:15:50",
        "/api",
        "200 64.1 % ━",
        "Responses 312, 31.2/s",
        "24.1 MB",
        "2xx",
        "280 89.7 % ━",
        "errors 10.3 %  5xx 3.2 %",
        "GET",
        "POST",
        "41 different",
        "10.0.0.1",
        "10.0.0.2",
        "High traffic generated an alert - hits = 1342,",
        "triggered at 2026-11-22 10:15:40 +0000",
        '"GET /login HTTP/1.1" 500 9',
        "3,210 lines  3 not parsed  2 skewed",
        "q quit",
    ):
        assert essential in shown


def test_a_narrow_screen_breaks_a_sentence_and_a_wide_one_does_not() -> None:
    assert SENTENCE in captured(FIRING)
    narrow = captured(FIRING, (80, 24)).splitlines()
    at = next(n for n, row in enumerate(narrow) if row.startswith(" ▲ High"))
    assert " ".join(row.strip() for row in narrow[at : at + 2]) == f"▲ {SENTENCE}"


def test_no_row_is_wider_than_the_screen_and_the_keys_stay_at_the_bottom() -> None:
    wide = replace(
        FIRING,
        history=(TRIGGERED, RECOVERED) * 9,
        lines=("漢字" * 300,) * 99,
        files=(replace(FILE, path="/a" * 300, message="m" * 300),) * 3,
        last=replace(BLOCK, sections=(("/" + "漢" * 200, 200),), methods=(("M" * 99, 1),) * 9),
    )
    for size in ((80, 24), (120, 30), (160, 50), (40, 12), (20, 6), (5, 3), (1, 1)):
        rows = captured(wide, size).splitlines()
        assert len(rows) <= size[1]
        if size[0] >= 80:
            assert "q quit" in rows[-1]
            assert len(rows) == size[1]


def test_the_first_snapshot_of_an_empty_log_waits_for_its_file() -> None:
    waiting = replace(FILE, state="waiting", format=None, lines=0, parsed=0, bytes=0, message="no such file")
    empty = replace(
        CALM, second_hits=(), last=None, window_hits=0, lines=(), invalid=(), files=(waiting,), unparsed=0, skewed=0
    )
    shown = captured(empty, (80, 24))
    assert "◌ waiting for /tmp/access.log" in shown
    assert "no requests yet" in shown
    assert "no such file" in shown
    assert "✓ All calm   no alert so far" in shown


def test_the_open_interval_is_shown_until_there_is_a_whole_one() -> None:
    shown = captured(replace(CALM, last=None, current=replace(BLOCK, end_s=NOW_S + 5)))
    assert "since 10:15:40 ─" in shown
    assert "/static" in shown


def test_a_change_reaches_the_screen_and_the_banner_calms_down() -> None:
    async def scenario(app: WatchApp, pilot: Pilot[None], session: Script) -> None:
        session.show(FIRING)
        await settled(pilot)
        assert "HIGH TRAFFIC" in screen(app)[1]
        session.show(replace(CALM, now_s=NOW_S + 210, history=(TRIGGERED, RECOVERED)))
        await settled(pilot)
        assert screen(app)[1] == " ✓ All calm   the last alert recovered at 2026-11-22 10:19:10 +0000"
        assert "✓ High traffic alert recovered - hits = 1187, recovered at 2026-11-22 10:19:10 +0000" in text(app)

    on_screen(scenario)


def test_a_flood_of_changes_is_drawn_once_and_ends_with_the_newest() -> None:
    async def scenario(app: WatchApp, pilot: Pilot[None], session: Script) -> None:
        asked = session.asked
        for hits in range(1000):
            session.show(replace(CALM, window_hits=hits))
        await settled(pilot)
        assert session.asked - asked <= 2
        assert "999 hits" in text(app)

    on_screen(scenario)


def test_the_first_change_after_a_rest_is_not_delayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tui, "DRAWS_A_SECOND", 1e-9)  # the second draw would be due in thirty years

    async def scenario(app: WatchApp, pilot: Pilot[None], session: Script) -> None:
        session.show(replace(CALM, window_hits=111))
        await pilot.pause()
        assert "111 hits" in text(app)
        session.show(replace(CALM, window_hits=222))
        await pilot.pause()
        assert "222 hits" not in text(app)
        assert app._due is not None

    on_screen(scenario)


def test_only_rows_that_differ_are_drawn_again() -> None:
    async def scenario(app: WatchApp, pilot: Pilot[None], session: Script) -> None:
        drawn: list[str] = []
        for panel in app._panels:
            monkey = panel.refresh

            def refresh(*regions: object, name: str = type(panel).__name__, to: object = monkey, **_: object) -> None:
                assert callable(to)
                drawn.extend(name for _ in regions)
                to(*regions)

            panel.refresh = refresh  # type: ignore[method-assign, assignment] # counts, then does what it did
        session.show(replace(CALM, window_hits=751))
        await settled(pilot)
        assert drawn == ["Traffic"]

    on_screen(scenario)


@pytest.mark.parametrize("key", ["p", "space"])
def test_pause_freezes_the_screen_and_counts_what_came_in(key: str) -> None:
    async def scenario(app: WatchApp, pilot: Pilot[None], session: Script) -> None:
        await pilot.press(key)
        await settled(pilot)
        assert "PAUSED  +0 lines meanwhile" in text(app)
        session.show(replace(FIRING, parsed=CALM.parsed + 1233, unparsed=CALM.unparsed + 1, lines=("newer",)))
        await settled(pilot)
        assert "PAUSED  +1,234 lines and 1 alert change meanwhile" in text(app)
        assert "p resume" in screen(app)[-1]
        assert "HIGH TRAFFIC" not in text(app)
        assert "newer" not in text(app)
        await pilot.press(key)
        await settled(pilot)
        assert "PAUSED" not in text(app)
        assert "HIGH TRAFFIC" in text(app)
        assert "newer" in text(app)

    on_screen(scenario, size=(80, 24))


def test_the_filter_applies_to_lines_and_sections_until_escape() -> None:
    async def scenario(app: WatchApp, pilot: Pilot[None], _: Script) -> None:
        await pilot.press("slash", *"LOGin")
        await settled(pilot)
        assert "/static" not in text(app)
        assert '"GET /api/1 HTTP' not in text(app)
        assert '"GET /login HTTP' in text(app)
        assert "22  7.1 %" in row_with(app, " /login   ")
        await pilot.press("enter", "s")  # the keys are keys again
        await settled(pilot)
        assert "Sections by name" in text(app)
        assert "filter LOGin  Esc clears" in text(app)
        await pilot.press("escape")
        await settled(pilot)
        assert "/static" in text(app)
        assert '"GET /api/1 HTTP' in text(app)
        assert "filter LOGin" not in text(app)

    on_screen(scenario)


def test_keys_are_text_while_the_filter_is_typed() -> None:
    async def scenario(app: WatchApp, pilot: Pilot[None], _: Script) -> None:
        await pilot.press("slash", *"qpst?h", "space", "escape")
        await settled(pilot)
        assert app.is_running
        assert app.view.missed is None
        assert not app.view.by_name

    on_screen(scenario)


def test_a_filter_pasted_in_one_go_is_text_from_its_first_letter() -> None:
    async def scenario(app: WatchApp, pilot: Pilot[None], _: Script) -> None:
        app.post_message(events.Key("slash", "/"))
        for letter in "quip/":
            app.post_message(events.Key({"/": "slash"}.get(letter, letter), letter))
        await settled(pilot)
        assert app.is_running
        assert app.view.filter == "quip/"

    on_screen(scenario)


def test_a_filter_that_nothing_has_says_so() -> None:
    shown = captured(CALM, (100, 32), "slash", *"zzz", "enter")
    assert "no section has the filter's text" in shown
    assert "no line has the filter's text" in shown


def test_sort_changes_between_hits_and_name() -> None:
    def order(shown: str) -> list[str]:
        return [
            row.split()[0] for row in shown.splitlines() if row.startswith(" /") and "%" in row and "parsed" not in row
        ]

    assert order(captured(CALM)) == ["/api", "/static", "/", "/login"]
    by_name = captured(CALM, (100, 32), "s")
    assert order(by_name) == ["/", "/api", "/login", "/static"]
    assert "Sections by name" in by_name
    assert order(captured(CALM, (100, 32), "s", "s")) == ["/api", "/static", "/", "/login"]


def test_invalid_lines_are_shown_in_place_of_the_newest_and_back() -> None:
    shown = captured(CALM, (100, 32), "i")
    assert "Lines that did not parse  i goes back" in shown
    assert "!not a line at all" in shown
    assert "GET /login HTTP" not in shown
    assert "GET /login HTTP" in captured(CALM, (100, 32), "i", "i")


def test_every_alert_can_be_shown() -> None:
    history = tuple(replace(TRIGGERED, hits=hits) for hits in range(9))
    assert "hits = 3" not in captured(replace(CALM, history=history), (100, 32))
    shown = captured(replace(CALM, history=history), (160, 50), "a")
    assert "Alerts  a goes back" in shown
    assert all(f"hits = {hits}," in shown for hits in range(9))


def test_the_theme_changes_between_dark_and_light() -> None:
    async def scenario(app: WatchApp, pilot: Pilot[None], _: Script) -> None:
        before = app.theme
        for expected in ({DARK.name, LIGHT.name} - {before}, {before}):
            await pilot.press("t")
            assert {app.theme} == expected

    on_screen(scenario)


def test_a_light_terminal_gets_the_light_theme() -> None:
    assert [preferred(value) for value in ("0;15", "15;0", "0;default;15", "")] == [LIGHT, DARK, LIGHT, DARK]


@pytest.mark.parametrize("key", ["question_mark", "h"])
@pytest.mark.parametrize("close", ["question_mark", "h", "escape"])
def test_help_covers_the_screen_until_it_is_closed(key: str, close: str) -> None:
    async def scenario(app: WatchApp, pilot: Pilot[None], session: Script) -> None:
        await pilot.press(key)
        await settled(pilot)
        assert "freeze the screen" in text(app)
        assert "light or dark" in text(app)
        session.show(FIRING)  # the screen behind goes on
        await settled(pilot)
        await pilot.press(close)
        await settled(pilot)
        assert "freeze the screen" not in text(app)
        assert "HIGH TRAFFIC" in text(app)

    on_screen(scenario, size=(80, 24))


@pytest.mark.parametrize(("keys", "code"), [("q", Exit.DONE), ("h q", Exit.DONE), ("ctrl+c", Exit.INTERRUPTED)])
def test_quitting_stops_the_session(keys: str, code: Exit) -> None:
    sessions: list[Script] = []

    async def scenario(app: WatchApp, pilot: Pilot[None], session: Script) -> None:
        sessions.append(session)
        await pilot.press(*keys.split())
        await pilot.pause()
        assert not app.is_running

    app = on_screen(scenario)
    assert (app.return_code or 0) == code
    assert app.failure is None
    assert sessions[0].stopped


def test_ctrl_c_quits_while_the_filter_is_typed() -> None:
    async def scenario(app: WatchApp, pilot: Pilot[None], _: Script) -> None:
        await pilot.press("slash", "a", "ctrl+c")
        await pilot.pause()
        assert not app.is_running

    on_screen(scenario)


def test_a_click_on_a_key_does_what_the_key_does() -> None:
    async def scenario(app: WatchApp, pilot: Pilot[None], _: Script) -> None:
        await pilot.click("Keys", offset=(screen(app)[-1].index("sort") + 1, 0))
        await settled(pilot)
        assert "Sections by name" in text(app)

    on_screen(scenario)


@pytest.mark.parametrize(
    "name", ["[red]x[/]", "[@click=app.quit]x[/]", "[/]", "[bold", "\\[x]", "{x}", ":smile:", "$error"]
)
def test_hostile_names_are_shown_letter_by_letter(name: str) -> None:
    hostile = replace(
        FIRING,
        last=replace(BLOCK, sections=((name, 1),), top_clients=((name, 1),), methods=((name, 1),)),
        lines=(name,),
        invalid=(name,),
        files=(replace(FILE, path=name, format=name, message=name),),
    )
    shown = captured(hostile, (160, 50)).splitlines()
    assert f" {name} " in shown[0]
    section = next(row for row in shown if row.startswith(f" {name} "))
    assert section.count(name) == 2  # the client stands beside it
    assert any(row == f"!{name}" for row in shown)


def test_without_colour_everything_is_told_by_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def scenario(app: WatchApp, _pilot: Pilot[None], _session: Script) -> None:
        coloured = [
            segment.text
            for strip in app.screen._compositor.render_strips()
            for segment in strip.apply_filter(app._filters[-1], app.screen.background_colors[1])
            if segment.style and (_colour(segment.style.color) or _colour(segment.style.bgcolor))
        ]
        assert coloured == []
        banner = app.screen._compositor.render_strips()[1]
        assert all(segment.style and segment.style.reverse for segment in banner)
        assert screen(app)[1].startswith(" ▲ HIGH TRAFFIC")

    on_screen(scenario, FIRING)


def _colour(colour: object) -> bool:
    return colour is not None and getattr(colour, "is_default", False) is False


def test_a_resize_deals_the_rows_out_again() -> None:
    async def scenario(app: WatchApp, pilot: Pilot[None], _: Script) -> None:
        await pilot.resize_terminal(160, 50)
        await settled(pilot)
        assert len(screen(app)) == 50
        assert SENTENCE in text(app)
        assert next(n for n, row in enumerate(screen(app)) if "Sections" in row) == 2 + 11
        await pilot.resize_terminal(80, 24)
        await settled(pilot)
        assert len(screen(app)) == 24
        assert next(n for n, row in enumerate(screen(app)) if "Sections" in row) == 2 + 5
        assert "GET /login HTTP" in text(app)
        assert SENTENCE not in text(app)
        assert "triggered at 2026-11-22 10:15:40 +0000" in text(app)
        assert all(len(row) <= 80 for row in screen(app))
        assert "q quit" in screen(app)[-1]

    on_screen(scenario, FIRING)


def test_an_error_of_the_session_ends_the_screen_and_is_kept() -> None:
    failure = SourceUnavailable("access.log cannot be read: permission denied")

    async def scenario(app: WatchApp, pilot: Pilot[None], session: Script) -> None:
        session.end(failure)
        await pilot.pause()
        assert not app.is_running

    app = on_screen(scenario)
    assert app.failure is failure
    assert app.return_code == Exit.ENVIRONMENT


def test_a_session_that_ends_leaves_its_last_words_on_the_screen() -> None:
    async def scenario(app: WatchApp, pilot: Pilot[None], session: Script) -> None:
        session.shown = replace(CALM, files=(replace(FILE, state="ended"),))
        session.end()
        await settled(pilot)
        assert app.is_running
        assert "■ ended" in text(app)

    on_screen(scenario)


@pytest.mark.parametrize("failure", [None, UsageError("--format: there is no format nginy")])
def test_run_watch_returns_the_exit_code_or_raises_the_error(
    monkeypatch: pytest.MonkeyPatch, failure: HeelerError | None
) -> None:
    def run(app: WatchApp) -> None:
        async def play() -> None:
            async with app.run_test() as pilot:
                assert isinstance(app._session, Script)
                await pilot.pause()
                if failure is None:
                    await pilot.press("q")
                else:
                    app._session.end(failure)
                await pilot.pause()

        asyncio.run(play())

    monkeypatch.setattr(WatchApp, "run", run)
    if failure is None:
        assert run_watch(Script()) == Exit.DONE
    else:
        with pytest.raises(UsageError) as caught:
            run_watch(Script())
        assert caught.value is failure


def test_columns_begin_at_whole_multiples_so_that_bars_do_not_flicker() -> None:
    hits = tuple(range(100))
    before, seconds = columns(hits, 1000, 25)
    after, _ = columns((*hits[1:], 100), 1001, 25)
    assert seconds == 4
    assert before[1:] == after[:-1] or before[1:-1] == after[1:-1]
    assert sum(columns(hits, 1000, 1000)[0]) == sum(hits)


def test_the_chart_shows_the_threshold_unless_that_would_flatten_the_bars() -> None:
    def drawn(means: list[float]) -> str:
        return "\n".join("".join(text for text, _ in row) for row in chart(means, 10.0, 4, 4))

    assert "┄10 limit" in drawn([1, 5, 3, 20])
    assert "┄10 limit" in drawn([9, 9, 9, 9])
    assert "↑10 limit" in drawn([1, 1, 2, 1])
    assert "█" in drawn([1, 1, 2, 1])
    assert "█" not in drawn([0, 0, 0, 0])


def test_texts_are_cut_by_cells_and_say_so() -> None:
    assert fit("漢字漢字", 5) == "漢字…"
    assert fit("abc", 5) == "abc  "
    assert fit_end("/var/log/x.log", 8) == "…g/x.log"
    assert width_of(fitted((("漢" * 9, "plain"), ("x", "bar")), 7)) == 7


def test_alerts_take_the_rows_they_need_and_the_log_has_the_rest() -> None:
    assert [heights(24, count, 2).alerts for count in (0, 1, 2, 40)] == [0, 2, 2, 2]
    assert [heights(32, count, 1).alerts for count in (0, 1, 2, 40)] == [0, 2, 3, 4]
    assert [heights(50, count, 1).alerts for count in (0, 1, 2, 40)] == [0, 2, 3, 7]


@pytest.mark.parametrize("rows", range(60))
def test_the_parts_never_need_more_rows_than_there_are(rows: int) -> None:
    for sentences in (0, 1, 40):
        assert sum(heights(rows, sentences, 2)) <= max(rows - 3, 0)
