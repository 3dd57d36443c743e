"""What one call costs: a request over raw httpx, and the decisions around it without any network.

Rule: CPU time of the client's process, which noise of the machine and speed of the server do not change.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from .race import Effort, alternate, column, folder, run, serving
from .table import OURS, RAW, VENDOR, Samples


def measure(wanted: set[str], effort: Effort) -> dict[str, Samples]:
    """The figures of the wanted rows of this group."""
    times, settings = effort.times(7), {"times": effort.times(1000, 300)}
    found: dict[str, Samples] = {}
    with serving() as server:
        settings_here: dict[str, Any] = {**settings, "url": server.url}
        for world in ("sync", "async"):
            for what, fresh in (("get", False), ("create", True), ("create-kept", False)):
                name = f"requests/{what}/{world}"
                if name in wanted:
                    work = f"{what.partition('-')[0]}_{world}"
                    given = {**settings_here, "fresh": fresh}
                    taken = alternate((OURS, RAW, VENDOR), times, partial(run, what=work, settings=given))
                    found[name] = column(taken, "seconds", 1e6)
    if "requests/decisions" in wanted:
        with folder() as path:
            given = {**settings, "folder": str(path)}
            taken = alternate((OURS,), times, partial(run, what="steps", settings=given))
        found["requests/decisions"] = column(taken, "seconds", 1e6)
    return found
