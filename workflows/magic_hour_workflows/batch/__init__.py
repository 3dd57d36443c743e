"""Batches: thousands of jobs, each charged at most once, on one machine or several.

Needs the extra `batch`. Each name is loaded when it is first used.

Example:
    >>> from magic_hour_workflows.batch import Batch
    >>> rows = [("fox", "ai_image_generator", {"image_count": 1, "style": {"prompt": "A red fox"}})]
    >>> Batch(rows, output=folder, database=folder / "foxes", token=token, base_url=base_url).plan.credits
    5
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..errors import ManifestError, Mistake
    from ._batch import Batch
    from ._rows import DamagedFile, FileProblem, Plan, Row, RowResult, RowStatus, Stray, Summary, Verification
    from ._settling import Settled

_HOMES = {"Batch": "_batch", "ManifestError": ".errors", "Mistake": ".errors", "Settled": "_settling"}
"""Where the names are defined that are not in `_rows`."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f".{_HOMES.get(name, '_rows')}", __name__), name)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in ("dbos", "sqlalchemy", "jinja2"):
            raise
        message = f"batches need {missing.name}, which is not installed: pip install 'magic-hour-workflows[batch]'"
        raise ModuleNotFoundError(message, name=missing.name) from None


__all__ = [
    "Batch",
    "DamagedFile",
    "FileProblem",
    "ManifestError",
    "Mistake",
    "Plan",
    "Row",
    "RowResult",
    "RowStatus",
    "Settled",
    "Stray",
    "Summary",
    "Verification",
]
