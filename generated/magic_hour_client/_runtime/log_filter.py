"""What httpx and httpcore log about our requests: that something happened, but nothing the other side sent.

At DEBUG level httpcore logs the headers of every answer, its status line, and what it could not read of it: a signed
URL in a redirect's `Location`, or the API key, where a server repeats it.

Rule: no state is kept around a call, which an interruption could leave behind. A record is about one of our requests if
a function that sends one is on the stack. Only records that a logger accepts pay for that search.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable
from traceback import walk_stack
from types import CodeType
from typing import Any

from .redaction import without_secrets

_senders: set[CodeType] = set()
_REASON = re.compile(r'("HTTP/[\d.]+ \d+).*', re.DOTALL)
"""The end of httpx's line: version, status, and the words of the server."""


def redact_logs_of(sender: Callable[..., Any]) -> None:
    """Mark a function (or coroutine function) that sends requests: what is logged while it runs is redacted."""
    _senders.add(sender.__code__)


class RedactingFilter(logging.Filter):
    """Keeps of a record about our requests only what happened; leaves other records as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        if any(frame.f_code in _senders for frame, _ in walk_stack(sys._getframe())):
            text = without_secrets(record.getMessage())
            # httpx: a line with method, URL and status. The others: the event, then whatever belongs to it.
            record.msg = _REASON.sub(r'\1"', text) if record.name == "httpx" else text.partition(" ")[0]
            record.args = None
        return True


_FILTER = RedactingFilter()
# A filter works for one logger, not for those below it; these are all the loggers of httpx and of what it uses.
_LOGGERS = (
    "httpx",
    *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
    *(f"hpack.{part}" for part in ("hpack", "table")),
)
for _name in _LOGGERS:
    logging.getLogger(_name).addFilter(_FILTER)
