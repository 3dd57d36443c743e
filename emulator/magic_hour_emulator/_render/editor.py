"""Edits: the given pictures with a colour grade, a frame and the prompt as a caption; each variant graded differently.

Rule: all given pictures are visible. `auto` keeps the first picture's aspect; any other aspect crops to it exactly.
"""

import math
from pathlib import Path
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageOps

from .._jobs import Job
from .._sources import load_picture
from .drawing import Colour, caption, long_side, palette, placeholder, random_for, save_png, sized

__all__ = ["render"]

_GAP: Final = 6
# The part of the height that the caption leaves free.
_ABOVE_CAPTION: Final = 0.82


def render(job: Job, index: int, target: Path, seed: int) -> None:
    """Draw one variant of an edit."""
    pictures = [load_picture(source) or placeholder(source.label) for source in job.pictures]
    size = _size(pictures[0], job.body.get("aspect_ratio", "auto"), long_side(job.body.get("resolution")))
    colours = palette(random_for(seed, job, index))
    image = _graded(_collage(pictures, size), colours[index % 4], index)
    _frame(image, colours[-1])
    tag = f"ai-image-editor · {index + 1}/{job.count} · {job.id}"
    caption(image, job.body["style"]["prompt"], tag, colours[-1])
    save_png(image, target, job, index)


def _size(first: Image.Image, aspect: str, longest: int) -> tuple[int, int]:
    if aspect != "auto":
        return sized(aspect, longest)
    scale = longest / max(first.size)
    return max(1, round(first.width * scale)), max(1, round(first.height * scale))


def _collage(pictures: list[Image.Image], size: tuple[int, int]) -> Image.Image:
    """All pictures in a grid that fills the size; a single one fills it alone."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    image = Image.new("RGB", size, "white")
    height = size[1] if len(pictures) == 1 else round(size[1] * _ABOVE_CAPTION)
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        in_row = min(columns, len(pictures) - row * columns)
        left, right = size[0] * column // in_row, size[0] * (column + 1) // in_row
        top, bottom = height * row // rows, height * (row + 1) // rows
        gap = _GAP if len(pictures) > 1 else 0
        cell = (max(1, right - left - gap), max(1, bottom - top - gap))
        image.paste(
            ImageOps.fit(picture, cell, Image.Resampling.LANCZOS, centering=(0.5, 0.35)),
            (left + gap // 2, top + gap // 2),
        )
    return image


def _graded(image: Image.Image, tint: Colour, index: int) -> Image.Image:
    """Richer colours and a tint, turning around the colour wheel's shades from variant to variant."""
    rich = ImageEnhance.Color(image).enhance(1.15 + 0.1 * (index % 4))
    tinted = ImageChops.soft_light(rich, Image.new("RGB", image.size, tint))
    return Image.blend(rich, tinted, 0.6)


def _frame(image: Image.Image, colour: Colour) -> None:
    width = max(4, min(image.size) // 60)
    ImageDraw.Draw(image).rectangle((0, 0, image.width - 1, image.height - 1), outline=colour, width=width)
