"""The points of a job's life at which the program is killed, and what must be true of each.

Rule: a point is a state, not a moment. Either the service holds the program up there, or the program ends itself, so
the same point is reached in every run.
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
        inside: the program ends itself there; else it is killed once `reached`.
        fault: what the service does wrong.
        reached: whether the program is there, for those that are held up.
        late: the service accepts the job only after the program died.
        accepted: creates in the ledger afterwards.
        told: whether the program has told the id by then.
        saved: files that must have their final names by then, at least.
        parts: temporary files that must be left, at least.
    """

    inside: bool = False
    fault: Fault | None = None
    reached: Callable[[Emulator, Path], bool] = lambda emulator, folder: bool(emulator.faults.fired)
    late: bool = False
    accepted: int = 1
    told: bool = True
    saved: int = 0
    parts: int = 0


def _looked_at(emulator: Emulator, folder: Path) -> bool:
    looks = [request for request in emulator.requests.find(origin="api", method="GET") if request.status]
    return len(looks) >= 3


def _saved(count: int) -> Callable[[Emulator, Path], bool]:
    def reached(emulator: Emulator, folder: Path) -> bool:
        return bool(emulator.faults.fired) and len(list((folder / FOLDER).glob("[!.]*"))) >= count

    return reached


POINTS: dict[str, Point] = {
    "before the upload's URL": Point(fault=Fault("hang", on="upload-urls"), accepted=0, told=False),
    "within the upload": Point(fault=Fault("upload_stall", on="put", at_byte=20_000), accepted=0, told=False),
    "uploaded, not answered": Point(fault=Fault("hang", on="put", phase="after"), accepted=0, told=False),
    "submitted, never accepted": Point(fault=Fault("hang", on="create"), accepted=0, told=False),
    "submitted, accepted afterwards": Point(fault=Fault("delay", on="create", seconds=600), late=True, told=False),
    "accepted, not answered": Point(fault=Fault("hang", on="create", phase="after"), told=False),
    "answer half-way": Point(fault=Fault("stall", on="create"), told=False),
    "answer read, id not told": Point(inside=True, told=False),
    "id told": Point(inside=True),
    "at the first look": Point(fault=Fault("hang", on="get")),
    "while waiting": Point(fault=Fault("job_stuck", on="create"), reached=_looked_at),
    "within a download": Point(fault=Fault("stall", on="download", at_byte=300_000)),
    "between two downloads": Point(fault=Fault("hang", on="download", nth=4), reached=_saved(3), saved=3),
    "complete, no final name": Point(inside=True, parts=1),
    "final name, not tidied up": Point(inside=True, saved=1, parts=1),
    "no links: before the rename": Point(inside=True, parts=1),
    "no links: after the rename": Point(inside=True, saved=1),
    "all saved, before the exit": Point(inside=True, saved=4),
}
INSIDE = {
    "answer read, id not told": "answered",
    "id told": "told",
    "complete, no final name": "before-link",
    "final name, not tidied up": "after-link",
    "no links: before the rename": "before-rename",
    "no links: after the rename": "after-rename",
    "all saved, before the exit": "saved",
}
"""What `program.py` calls them."""
