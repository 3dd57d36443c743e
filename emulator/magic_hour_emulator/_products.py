"""What an accepted create will produce: its inputs decoded, the part of them that it covers, and its renderer.

Rule: everything that is particular to an operation comes from its row in the contract and the fields of the body. A
field such as `start_seconds` or `resolution` means the same wherever it occurs.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from ._emulation import Emulation
from ._jobs import Clip, Job, JobError, Source
from ._render import images, sounds, videos
from ._render.decoding import Undecodable, picture_size, seconds_of

__all__ = ["RENDERERS", "check_clip", "inspect"]

# A clip has at least one frame, whatever the body says.
_SHORTEST_SECONDS: Final = 0.1

RENDERERS: Final[dict[str, Callable[[Job, int, Path, int], None]]] = {
    "image/png": images.render,
    "image/gif": videos.render_gif,
    "video/mp4": videos.render,
    "video/webm": videos.render,
    "audio/wav": sounds.render,
    "audio/mpeg": sounds.render,
}
"""Writes one output of a job, with a seed, by media type."""


def check_clip(emulation: Emulation, body: dict[str, Any]) -> str | None:
    """What is wrong with the length of the clip that a body asks for; None if it is right."""
    longest = emulation.longest_seconds(body)
    if longest is None or body.get("end_seconds", 0) - body.get("start_seconds", 0) <= longest[0]:
        return None
    where = f" with {longest[1]}" if longest[1] else ""
    return f"end_seconds must be at most {longest[0]:g} seconds after start_seconds{where}"


def inspect(emulation: Emulation, body: dict[str, Any], inputs: tuple[Source, ...]) -> Clip | JobError | None:
    """Decode the inputs: the clip of a video or GIF, or the error with which the job will fail."""
    try:
        sizes = [size for source in inputs if (size := picture_size(source)) is not None]
        lengths = {source: seconds_of(source) for source in inputs if source.role != "image"}
    except Undecodable as broken:
        return JobError(broken.code, str(broken))
    covered = _covered(lengths)
    start = float(body.get("start_seconds", 0))
    if covered is not None and start >= lengths[covered]:
        ends = f"the {covered.role} ends at {lengths[covered]:.2f}"
        return JobError("invalid_parameters", f"start_seconds is {start}, but {ends}")
    medium = emulation.medium(body)
    if medium in ("image/png", "audio/wav", "audio/mpeg"):
        return None
    end = min(float(body.get("end_seconds", start + emulation.seconds)), lengths[covered] if covered else math.inf)
    end = max(end, start + _SHORTEST_SECONDS)
    width, height = videos.frame_size(body, sizes, emulation.aspect_ratio, medium)
    return Clip(start, end, width, height, videos.frame_rate(end - start, medium))


def _covered(lengths: Mapping[Source, float]) -> Source | None:
    """The input that start and end are about: the first video or, without one, the first sound."""
    worked_on = [source for source in lengths if not source.just_shown]
    return min(worked_on, key=lambda source: source.role != "video", default=None)
