"""One line per request on a terminal: `POST /v1/ai-image-generator 200 12 ms`.

Rule: printing never delays a request. Lines wait in a queue for a thread of their own; if nobody reads them, as with a
pipe that is full, they are dropped.
"""

import os
import queue
import threading
from contextlib import suppress
from typing import Final

from ._recorder import RecordedRequest

__all__ = ["RequestLines", "request_line"]

_WAITING: Final = 1000
_LAST_SECONDS: Final = 0.5


def request_line(request: RecordedRequest) -> str:
    """A request in a line: method, path without query, status, time, and the fault if there was one."""
    path = request.path.encode("unicode_escape").decode()  # no terminal acts on it
    milliseconds = round((request.seconds or 0) * 1000)
    status = "-" if request.status is None else request.status
    place = path if request.origin == "api" else f"{request.origin}:{path}"
    fault = f" fault={request.fault}" if request.fault else ""
    return f"{request.method:<6} {place} {status} {milliseconds} ms{fault}"


class RequestLines:
    """Prints requests to a file descriptor, as a context manager. Leaving it prints what is still waiting."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING)
        # Not through `sys.stdout`: a thread that waits there for its reader would be in the way at exit.
        self._thread = threading.Thread(target=self._print, name="magic-hour-request-lines", daemon=True)

    def __enter__(self) -> "RequestLines":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._put(None)
        self._thread.join(_LAST_SECONDS)

    def add(self, request: RecordedRequest) -> None:
        """Print a request soon."""
        self._put(request_line(request) + "\n")

    def _put(self, line: str | None) -> None:
        with suppress(queue.Full):
            self._lines.put_nowait(line)

    def _print(self) -> None:
        while (line := self._lines.get()) is not None:
            left = line.encode()
            try:
                while left:
                    left = left[os.write(self._descriptor, left) :]
            except OSError:  # nobody reads any more
                return
