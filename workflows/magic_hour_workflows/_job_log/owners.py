"""Which process a submission belongs to, and whether that may still be running.

Rule: a doubt counts as running. Only on the machine itself, and where the start of a process is known, an ended one is
told from another that has got its number.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

_START_FIELD = 22
"""The start of a process in `/proc/<pid>/stat` (proc(5)), in ticks since the machine started."""


NOBODY = "-"
"""The owner of what no call is at work on, although its process may still be running."""


def owner() -> str:
    """Identifies this process: machine, number, start."""
    return _owner(os.getpid())  # it is another one after a fork


@lru_cache
def _owner(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}:{_start(pid) or ''}"


def is_running(owner: str) -> bool:
    """Whether the process may still be running."""
    if owner == NOBODY:
        return False
    host, pid, start = [*owner.rsplit(":", 2), "", ""][:3]
    if host != socket.gethostname() or not pid.isdecimal() or sys.platform == "win32":  # there, `os.kill` ends it
        return True
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it belongs to somebody else
        pass
    return start == "" or _start(int(pid)) == start


def _start(pid: int) -> str | None:
    """When a process started, if the system says so; None once it has ended."""
    with suppress(OSError, IndexError):
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if state == "Z" else rest[_START_FIELD - 4]  # number, name and state come before
    return None
