"""The command `magic-hour`: the same calls for people at a terminal and for shell scripts.

Rule: results on stdout, everything else on stderr; the exit code says what happened. Decisions about a job are made in
the flows, never here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: what was typed behind `magic-hour`; those of this process if not given.

    Returns:
        The exit code: 0 success, 1 failed, 2 wrong usage, 3 the job failed, 4 it is unknown whether the job was
        accepted, 124 timed out, 129 terminal closed, 130 interrupted, 143 terminated.
    """
    try:
        from .app import run
    except KeyboardInterrupt:
        sys.stderr.write("magic-hour: interrupted; nothing was submitted or charged\n")
        return 130
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        remedy = "pip install 'magic-hour-workflows[cli]'"
        sys.stderr.write(f"magic-hour: the command line needs {error.name}: {remedy}\n")
        return 1
    return run(sys.argv[1:] if arguments is None else list(arguments))
