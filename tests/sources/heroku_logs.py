"""Behaves like `heroku logs --tail`: each life repeats recent lines, goes on with new ones, and ends somehow.

``heroku_logs.py FOLDER``: ``FOLDER/lives.json`` has for each life which lines of the application it shows, and how it
ends: ``[first, after the last, ending]``. Behind the last life it is silent.
"""

import json
import os
import signal
import sys
from pathlib import Path


def line(number: int) -> bytes:
    return f"2026-11-25T10:{number // 60:02d}:{number % 60:02d}.000000+00:00 app[web.1]: request {number}\n".encode()


def end(ending: str) -> None:
    what, _, code = ending.partition(":")
    if what == "exit":
        os._exit(int(code))
    if what == "torn":
        os.write(1, line(999)[:40])
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "offline":
        os.write(2, " ▸    ENOTFOUND: getaddrinfo ENOTFOUND api.heroku.com api.heroku.com:443\n".encode())
        os._exit(1)
    if what == "refused":
        os.write(2, b" !   Error: Invalid credentials provided.\n !\n !   Error ID: unauthorized\n")
        os._exit(100)
    while what == "flood":
        os.write(1, line(0) * 1000)
    while what == "stall":
        signal.pause()


def main() -> None:
    folder = Path(sys.argv[1])
    lives = json.loads((folder / "lives.json").read_text())
    count = folder / "count"
    life = int(count.read_text()) if count.exists() else 0
    count.write_text(str(life + 1))
    first, after, ending = lives[life] if life < len(lives) else (0, 0, "stall")
    if after > first:
        os.write(1, b"".join(map(line, range(first, after))))
    end(ending)


if __name__ == "__main__":
    main()
