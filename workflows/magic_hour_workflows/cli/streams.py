"""stdout and stderr, in whatever state a shell hands them over: closed, full, broken, or unable to write a letter.

Rule: no state of one keeps the other from telling about a paid job; and no signature of a URL passes either.
"""

from __future__ import annotations

import sys
from contextlib import suppress

from magic_hour_client.errors import without_secrets


def prepare() -> None:
    """Let both write any path, also one that is no text, and any prompt."""
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
        with suppress(AttributeError, ValueError):  # replaced by something simpler, or closed
            stream.reconfigure(errors="surrogateescape" if encoding == "utf8" else "backslashreplace")  # type: ignore[union-attr]


def to_stderr(text: str) -> None:
    """One line at once, so that lines of threads do not mix. That it cannot be written is nobody's failure."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{without_secrets(text)}\n")
        sys.stderr.flush()


def to_stdout(text: str) -> None:
    """A result.

    Raises:
        OSError: it cannot be written: nobody reads it any more, or a full disk.
    """
    if sys.stdout is None:  # closed by the shell: nobody wants to know
        return
    sys.stdout.write(f"{without_secrets(text)}\n")
    sys.stdout.flush()
