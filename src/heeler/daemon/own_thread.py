"""Calls that may hang, in threads that do not hold up the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_own_thread(call: Callable[[], T]) -> T:
    """Run ``call`` in a thread of its own, and return what it returns or raise what it raises."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def give(settle: Callable[[], None]) -> None:
        if not done.done():
            settle()

    def run() -> None:
        settle: Callable[[], None]
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
            failure = error
            settle = lambda: done.set_exception(failure)  # noqa: E731 - told in the loop's thread
        else:
            settle = lambda: done.set_result(result)  # noqa: E731 - the same
        if not loop.is_closed():
            loop.call_soon_threadsafe(give, settle)

    threading.Thread(target=run, daemon=True, name="notify").start()
    return await done
