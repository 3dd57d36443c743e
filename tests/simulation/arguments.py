"""The arguments of simulated users: options, parameters and files of every kind, sometimes invalid ones.

Rule: drawn from the user's own random numbers, independent of the others.
"""

from __future__ import annotations

import io as io_module
from pathlib import Path
from random import Random
from typing import Any


class Unseekable(io_module.BytesIO):
    """A stream that cannot be rewound, such as a pipe."""

    def seekable(self) -> bool:
        return False


class Arguments:
    """Draws arguments."""

    def __init__(self, random: Random, name: str, folder: Path) -> None:
        self.random = random
        self.name = name
        self.folder = folder

    def options(self) -> dict[str, Any]:
        return {
            "timeout": self.random.choice([0.5, 4.0, 20.0, 60.0, 300.0, 300.0, 1800.0, 1800.0]),
            "poll_interval": self.random.choice([None, None, None, 2.0, 10.0]),
        }

    def waiting(self) -> dict[str, Any]:
        return {
            "wait_for_completion": self.random.random() < 0.8,
            "download_outputs": self.random.random() < 0.8,
        }

    def saving(self) -> dict[str, Any]:
        name = self.random.choice([None, None, None, "mine", "mine.gif"])
        return {"download_directory": self.folder / self.random.choice("ab"), "output_name": name}

    def parameters(self, endpoint: str) -> tuple[dict[str, Any], list[tuple[Any, int]], bool]:
        random, streams = self.random, []
        style: dict[str, Any] = {"prompt": "a fox"}
        parameters: dict[str, Any] = {} if endpoint == "ai_talking_photo" else {"style": style}
        if random.random() < 0.3:
            parameters["name"] = f"{self.name} {random.randrange(10**6)}"
        if endpoint == "ai_image_generator":
            parameters["image_count"] = random.randint(1, 4)
        elif endpoint == "ai_image_editor":
            files = [self._file("png", streams) for _ in range(random.randint(1, 3))]
            parameters["assets"] = {"image_file_paths": files + files[:1] * random.randint(0, 1)}
        else:
            parameters["assets"] = {"image_file_path": self._file("jpg", streams)}
        if endpoint == "ai_talking_photo":
            parameters["assets"]["audio_file_path"] = self._file("mp3", streams)
            parameters |= {"start_seconds": 0, "end_seconds": 2}
        wrong = random.random() < 0.06
        if wrong:
            self._spoil(endpoint, parameters)
        return parameters, streams, wrong

    def _spoil(self, endpoint: str, parameters: dict[str, Any]) -> None:
        if endpoint == "ai_talking_photo":
            parameters["start_seconds"] = 3  # after the end, though within the bounds of each field
        elif endpoint == "ai_image_generator":
            parameters["style"] = {"promt": "a fox"}
        elif endpoint == "ai_image_editor":
            parameters["assets"] = {"image_file_paths": [str(self.folder / "no-such-file.png")]}
        else:
            parameters["assets"] = {"image_file_path": str(self.folder / "no-such-file.png")}

    def _file(self, extension: str, streams: list[tuple[Any, int]]) -> Any:
        content = self.random.randbytes(self.random.randint(1, 300))
        kind = self.random.choice(["remote", "url", "path", "bytes", "stream", "pipe"])
        if kind in ("remote", "url"):
            return f"image/id/of-before.{extension}" if kind == "remote" else f"https://a.example/x.{extension}"
        if kind == "path":
            path = self.folder / f"in-{self.random.randrange(10**9)}.{extension}"
            path.write_bytes(content)
            return path
        if kind == "bytes":
            return (f"in.{extension}", content)
        stream = Unseekable(content) if kind == "pipe" else io_module.BytesIO(b"head" + content)
        start = 0 if kind == "pipe" else 4
        stream.seek(start)
        if kind == "stream":
            streams.append((stream, start))
        return (f"in.{extension}", stream)


def remote(value: Any) -> Any:
    return ["image/id/of-before.png"] if isinstance(value, list) else "image/id/of-before.png"
