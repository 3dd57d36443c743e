"""The points in the life of a job at which the program is killed, and what must be true at each.

Rule: a point is a state, not a moment. Either the service stops the program there, or the program kills itself, so
every run reaches the same point.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

from kill.program import FOLDER
from magic_hour_emulator import Emulator
from magic_hour_emulator.faults import Fault


@attrs.frozen(kw_only=True)
class Point:
    """Where the program dies.

    Attributes:
        inside: the program kills itself there; otherwise it is killed once `reached`.
        fault: what the service does wrong.
        reached: whether the program is there, if it is killed from outside.
        late: the service accepts the job only after the program has died.
        accepted: creates in the ledger afterwards.
        reported: whether the program has reported the id by then.
        saved: the least number of files that have their final names by then.
        parts: the least number of temporary files that are left.
    """

    inside: bool = False
    fault: Fault | None = None
    reached: Callable[[Emulator, Path], bool] = lambda emulator, folder: bool(emulator.faults.fired)
    late: bool = False
    accepted: int = 1
    reported: bool = True
    saved: int = 0
    parts: int = 0


def _polled(emulator: Emulator, folder: Path) -> bool:
    polls = [request for request in emulator.requests.find(origin="api", method="GET") if request.status]
    return len(polls) >= 3


def _saved(count: int) -> Callable[[Emulator, Path], bool]:
    def reached(emulator: Emulator, folder: Path) -> bool:
        return bool(emulator.faults.fired) and len(list((folder / FOLDER).glob("[!.]*"))) >= count

    return reached


POINTS: dict[str, Point] = {
    "before the upload URL": Point(fault=Fault("hang", on="upload-urls"), accepted=0, reported=False),
    "during the upload": Point(fault=Fault("upload_stall", on="put", at_byte=20_000), accepted=0, reported=False),
    "uploaded, no response": Point(fault=Fault("hang", on="put", phase="after"), accepted=0, reported=False),
    "submitted, never accepted": Point(fault=Fault("hang", on="create"), accepted=0, reported=False),
    "submitted, accepted afterwards": Point(fault=Fault("delay", on="create", seconds=600), late=True, reported=False),
    "accepted, no response": Point(fault=Fault("hang", on="create", phase="after"), reported=False),
    "half of the response": Point(fault=Fault("stall", on="create"), reported=False),
    "response read, id not reported": Point(inside=True, reported=False),
    "id reported": Point(inside=True),
    "at the first poll": Point(fault=Fault("hang", on="get")),
    "while waiting": Point(fault=Fault("job_stuck", on="create"), reached=_polled),
    "during a download": Point(fault=Fault("stall", on="download", at_byte=300_000)),
    "between two downloads": Point(fault=Fault("hang", on="download", nth=4), reached=_saved(3), saved=3),
    "complete, no final name": Point(inside=True, parts=1),
    "final name, not cleaned up": Point(inside=True, saved=1, parts=1),
    "no links: before the rename": Point(inside=True, parts=1),
    "no links: after the rename": Point(inside=True, saved=1),
    "all saved, before the exit": Point(inside=True, saved=4),
}
INSIDE = {
    "response read, id not reported": "answered",
    "id reported": "reported",
    "complete, no final name": "before-link",
    "final name, not cleaned up": "after-link",
    "no links: before the rename": "before-rename",
    "no links: after the rename": "after-rename",
    "all saved, before the exit": "saved",
}
"""The names of these points in `program.py`."""
