"""stdout and stderr, in whatever state a shell hands them over: closed, full, broken, or unable to write a letter.

Rule: no state of one keeps the other from telling about a paid job, and what a letter cannot say is said by its
escape. No signature of a URL passes either of them, and nothing that a terminal obeys but line breaks.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TextIO

from magic_hour_client._runtime.redaction import escaped, without_secrets

_OF_PATHS = "".join(map(chr, range(0xDC80, 0xDD00)))
"""How Python holds the bytes of a path that is no text: `prepare` lets stdout write them as they are."""


def prepare() -> None:
    """Let both write any path, also one that is no text, and any prompt."""
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
        with suppress(AttributeError, ValueError):  # replaced by something simpler, or closed
            stream.reconfigure(errors="surrogateescape" if encoding == "utf8" else "backslashreplace")  # type: ignore[union-attr]


def safe(text: str) -> str:
    """`text` as it may be printed: lines stay lines, everything else that a terminal obeys is escaped."""
    return escaped(without_secrets(text), keep="\n")


class Formatter(logging.Formatter):
    """Writes log records as everything else is printed."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, its traceback included."""
        return safe(super().format(record))


def to_stderr(text: str) -> None:
    """One line at once, so that lines of threads do not mix. That it cannot be written is nobody's failure."""
    with suppress(OSError, ValueError, AttributeError):
        _write(sys.stderr, safe(text))


def to_stdout(text: str) -> None:
    """A result.

    Raises:
        OSError: it cannot be written: nobody reads it any more, or a full disk.
    """
    if sys.stdout is None:  # closed by the shell: nobody wants to know
        return
    _write(sys.stdout, escaped(without_secrets(text), keep=f"\n{_OF_PATHS}"))


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(f"{text}\n")
    except UnicodeEncodeError:  # a stream that `prepare` could not teach better
        stream.write(f"{text.encode('ascii', 'backslashreplace').decode('ascii')}\n")
    stream.flush()
