"""The four things that the service makes: what is particular to each, in one table.

Rule: a product says what the schema cannot: checks across fields, the number of outputs, and how they are drawn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ._errors import JobError
from ._jobs import Clip, Job
from ._render import editor, generator, headshot, talking
from ._sources import Source, Undecodable, load_picture, sound_seconds

__all__ = ["PRODUCTS", "Product"]

Body = Mapping[str, Any]

# API-FACTS, POST /v1/ai-talking-photo: the longest clips. The four retired modes mean one of the first two today.
_LONGEST_SECONDS: Final[dict[str, int]] = {
    "realistic": 300,
    "prompted": 45,
    "pro": 300,
    "stable": 300,
    "standard": 45,
    "expressive": 45,
}


def _one(_: Body) -> int:
    return 1


def _image_count(body: Body) -> int:
    return int(body.get("image_count", 1))


def _no_problem(_: Body) -> str | None:
    return None


def _talking_problem(body: Body) -> str | None:
    start, end = body["start_seconds"], body["end_seconds"]
    if end <= start:
        return f"end_seconds must be after start_seconds, but {end} is not after {start}"
    mode = body.get("style", {}).get("generation_mode", "realistic")
    longest = _LONGEST_SECONDS.get(mode, max(_LONGEST_SECONDS.values()))
    if end - start > longest:
        return f"end_seconds must be at most {longest} seconds after start_seconds in {mode} mode"
    return None


@dataclass(frozen=True)
class Product:
    """What one create operation makes. `problem` answers what is wrong with a body that its schema allows."""

    type: str
    extension: str
    count: Callable[[Body], int]
    problem: Callable[[Body], str | None]
    render: Callable[[Job, int, Path, int], None]

    def inspect(self, body: Body, pictures: tuple[Source, ...], sound: Source | None) -> Clip | JobError | None:
        """Decode the inputs: the clip they allow, if the product is a video, or why the job is going to fail."""
        try:
            sizes = [picture.size if (picture := load_picture(source)) else (640, 640) for source in pictures]
            return _clip(body, sizes[0], sound_seconds(sound)) if sound else None
        except Undecodable as broken:
            return JobError("invalid_file_format", str(broken))


def _clip(body: Body, size: tuple[int, int], available: float) -> Clip | JobError:
    start = float(body["start_seconds"])
    if start >= available:
        return JobError("invalid_parameters", f"start_seconds is {start}, but the audio ends at {available:.2f}")
    width, height = talking.frame_size(size, body.get("resolution", "480p"))
    return Clip(start, min(float(body["end_seconds"]), available), width, height, talking.FPS)


PRODUCTS: Final[dict[str, Product]] = {
    "ai-headshot-generator": Product("AI_HEADSHOT", "png", _one, _no_problem, headshot.render),
    "ai-talking-photo": Product("TALKING_PHOTO", "mp4", _one, _talking_problem, talking.render),
    "ai-image-generator": Product("AI_IMAGE", "png", _image_count, _no_problem, generator.render),
    "ai-image-editor": Product("AI_IMAGE_EDITOR", "png", _image_count, _no_problem, editor.render),
}
