"""What tests of the command line share: how a command ended, and what it left in the folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs


@attrs.frozen
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return self.json["error"]


Run = Callable[..., Ended]


def saved(folder: Path) -> list[str]:
    """What is in the folder beside the inputs."""
    return sorted(path.name for path in folder.iterdir() if path.name not in ("portrait.jpg", "room.jpg", "voice.mp3"))
