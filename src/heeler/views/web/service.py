"""The HTTP service of the process that collects: whether it lives, whether it is ready, and its figures."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, nullcontext

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from heeler.config.values import Endpoint
from heeler.daemon.running import Daemon
from heeler.errors import EnvironmentFailed
from heeler.store.alerts import alert_history, alerts_after
from heeler.views.alerts import as_event
from heeler.views.escape import printable
from heeler.views.web.metrics import CONTENT_TYPE, metrics

EVENT_SECONDS, KEEP_ALIVE_SECONDS = 0.5, 15.0
MOST_EVENTS = 1_000
_LONGEST_ID = 18

CLOSE_SECONDS = 2
"""How long an answer that is being given may take at the end."""


def application(daemon: Daemon) -> Starlette:
    """Return the routes of the service."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        """Say which sources cannot give lines now: 503 where there is one."""
        down = {one.name: printable(one.last_error or one.doing) for one in daemon.status().sources if not one.alive}
        return JSONResponse({"status": "not ready" if down else "ok", "down": down}, 503 if down else 200)

    async def figures(_: Request) -> Response:
        return Response(metrics(daemon), media_type=None, headers={"Content-Type": CONTENT_TYPE})

    async def alert_events(request: Request) -> Response:
        """Stream transitions of alerts as they are committed; ``Last-Event-ID`` names the last one that is known."""
        lake = daemon.intake.lake
        known = request.headers.get("last-event-id", "")
        if known.isascii() and known.isdigit() and len(known) < _LONGEST_ID:
            last = int(known)
        else:
            newest = await daemon.intake.in_writer(alert_history, lake.catalog, 1)
            last = newest[-1].id if newest else 0
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_events(daemon, last), media_type="text/event-stream", headers=headers)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", figures),
            Route("/alerts/events", alert_events),
        ]
    )


async def _events(daemon: Daemon, last: int) -> AsyncIterator[str]:
    """Yield what is committed behind the transition ``last``, until the process ends."""
    silent_s = 0.0
    yield ": alerts\n\n"
    while not daemon.is_stopping:
        found = await daemon.intake.in_writer(alerts_after, daemon.intake.lake.catalog, last, MOST_EVENTS)
        for alert in found:
            last = alert.id
            yield as_event(alert)
        silent_s = 0.0 if found else silent_s + EVENT_SECONDS
        if silent_s >= KEEP_ALIVE_SECONDS:
            silent_s = 0.0
            yield ": nothing new\n\n"
        await daemon.intake.clock.sleep(EVENT_SECONDS)


def service(listen: Endpoint) -> Callable[[Daemon], AbstractAsyncContextManager[None]]:
    """Return what serves at ``listen`` while its context is open. Raises `EnvironmentFailed` where it cannot."""

    @asynccontextmanager
    async def serve(daemon: Daemon) -> AsyncIterator[None]:
        config = uvicorn.Config(
            application(daemon),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=CLOSE_SECONDS,
        )
        with _listening(listen) as own:
            server = _Server(config)
            serving = asyncio.create_task(server.serve([own]))
            try:
                yield
            finally:
                server.should_exit = True
                await serving

    return serve


class _Server(uvicorn.Server):
    """A server that leaves signals to the process."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]  # a narrower kind of generator
        """Capture none."""
        return nullcontext()


def _listening(listen: Endpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        return socket.create_server((listen.host, listen.port), family=family)
    except (OSError, OverflowError) as error:
        raise EnvironmentFailed(
            f"{listen} cannot be listened at: {error}. Give another address as listen in [web], or end what uses it."
        ) from error
