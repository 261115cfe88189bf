"""`heeler generate`."""

import asyncio
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from heeler.clock import SystemClock
from heeler.errors import EnvironmentFailed, Exit
from heeler.generate import Traffic, batches, parse_spike, write_live
from heeler.units import rate_per_s
from heeler.views.escape import printable


def generate(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to append; standard output by default.")] = "-",
    rate: Annotated[str, typer.Option(help="Requests a second.")] = "20",
    lines: Annotated[int, typer.Option(min=0, help="Write this many as fast as possible; 0 writes live.")] = 0,
    spike: Annotated[
        list[str] | None, typer.Option(help="AT:LENGTH:RATE, such as 20s:15s:60; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same traffic.")] = 1,
    invalid: Annotated[float, typer.Option(min=0, max=1, help="The share of lines that no format fits.")] = 0.0,
) -> int:
    """Write realistic access-log traffic in the combined format: live, or a number of lines as fast as possible."""
    spikes = tuple(parse_spike(text) for text in spike or [])
    traffic = Traffic(seed=seed, rate=float(rate_per_s(rate, "The rate")), spikes=spikes, invalid=invalid)
    clock = SystemClock()
    try:
        with nullcontext(sys.stdout.buffer) if file == "-" else Path(file).open("ab", buffering=0) as out:
            if lines:
                for batch in batches(traffic, clock.now_us(), lines):
                    out.write(batch)
            else:

                def write(data: bytes) -> None:
                    out.write(data)
                    out.flush()

                asyncio.run(write_live(traffic, clock, write))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise EnvironmentFailed(f"{printable(file)} cannot be written: {error.strerror}.") from error
    return Exit.DONE
