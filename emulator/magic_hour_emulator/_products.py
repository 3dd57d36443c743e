"""The products of the service, in one table: what is particular to each create operation.

Rule: a product defines what the schema cannot: checks across fields, the number of outputs, and how they are rendered.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ._jobs import Clip, Job, JobError, Source
from ._render import images, videos
from ._render.decoding import Undecodable, load_picture, sound_seconds

__all__ = ["PRODUCTS", "Product"]

Body = Mapping[str, Any]

# spec/, `end_seconds` of ai-talking-photo: the longest clips. The four retired modes are aliases of the first two.
_LONGEST_SECONDS: Final[dict[str, int]] = {
    "realistic": 300,
    "prompted": 45,
    "pro": 300,
    "stable": 300,
    "standard": 45,
    "expressive": 45,
}


def _image_count(body: Body) -> int:
    return int(body.get("image_count", 1))


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
    """One create operation. `problem` returns what is wrong with a body that its schema allows.

    `seconds` is how long a job takes here: fast enough to try things, slow enough to see a job wait. `median_seconds`
    is what the service's documentation gives, including the queue.
    """

    type: str
    extension: str
    render: Callable[[Job, int, Path, int], None]
    seconds: float
    median_seconds: float
    count: Callable[[Body], int] = lambda _: 1
    problem: Callable[[Body], str | None] = lambda _: None

    def inspect(self, body: Body, pictures: tuple[Source, ...], sound: Source | None) -> Clip | JobError | None:
        """Decode the inputs: the clip of a video, or the error with which the job will fail."""
        try:
            sizes = [picture.size if (picture := load_picture(source)) else (640, 640) for source in pictures]
            return _clip(body, sizes[0], sound_seconds(sound)) if sound else None
        except Undecodable as broken:
            return JobError("invalid_file_format", str(broken))


def _clip(body: Body, size: tuple[int, int], available: float) -> Clip | JobError:
    start = float(body["start_seconds"])
    if start >= available:
        return JobError("invalid_parameters", f"start_seconds is {start}, but the audio ends at {available:.2f}")
    width, height = videos.frame_size(size, body.get("resolution", "480p"))
    return Clip(start, min(float(body["end_seconds"]), available), width, height, videos.FPS)


PRODUCTS: Final[dict[str, Product]] = {
    "ai-headshot-generator": Product("AI_HEADSHOT", "png", images.render_headshot, 1.0, 14.0),
    "ai-talking-photo": Product("TALKING_PHOTO", "mp4", videos.render, 2.0, 174.0, problem=_talking_problem),
    "ai-image-generator": Product("AI_IMAGE", "png", images.render_prompt, 1.0, 5.0, _image_count),
    "ai-image-editor": Product("AI_IMAGE_EDITOR", "png", images.render_edit, 1.0, 9.0, _image_count),
}
