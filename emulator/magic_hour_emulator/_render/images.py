"""The three kinds of images: drawn from a prompt, edited from pictures, and headshots.

Rule: an image shows what it was made from, the prompt or the given pictures, and has exactly the requested shape.
"""

import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from .._jobs import Job
from .decoding import load_picture
from .drawing import Colour, caption, long_side, palette, placeholder, random_for, save_png, sized

__all__ = ["render_edit", "render_headshot", "render_prompt"]

_ORIENTATIONS: Final = {"square": "1:1", "landscape": "16:9", "portrait": "9:16"}
# Art is drawn at most this large and then enlarged, so that 4k stays fast.
_DRAWN_SIDE: Final = 1024
# In most portraits the face is above the middle.
_FACE: Final = (0.5, 0.35)
# Pixels between the pictures of a collage, and the share of its height that the caption leaves free.
_GAP: Final = 6
_ABOVE_CAPTION: Final = 0.82
_HEADSHOT_SIZE: Final = (640, 800)
_BACKDROPS: Final = ((94, 104, 120), (120, 112, 104), (86, 110, 112), (112, 104, 124))
_HEADSHOT_ACCENT: Final = (214, 178, 110)


# --- from a prompt


def render_prompt(job: Job, index: int, target: Path, seed: int) -> None:
    """Draw abstract art, different for every job and variant, with the prompt below it.

    `aspect_ratio` takes precedence over the retired `orientation`.
    """
    style: Mapping[str, Any] = job.body["style"]
    aspect = job.body.get("aspect_ratio") or _ORIENTATIONS[job.body.get("orientation", "square")]
    size = sized(aspect, long_side(job.body.get("resolution")))
    numbers = random_for(seed, job, index)
    colours = palette(numbers)
    drawn = sized(aspect, min(max(size), _DRAWN_SIDE))
    image = _gradient(drawn, colours, numbers)
    numbers.choice((_sun_and_hills, _ribbons, _bubbles))(image, colours, numbers)
    image = image.resize(size, Image.Resampling.LANCZOS) if image.size != size else image
    tool = style.get("tool", "general")
    caption(image, style["prompt"], f"{tool} · {index + 1}/{job.count} · {job.id}", colours[-1])
    save_png(image, target, job, index)


def _gradient(size: tuple[int, int], colours: list[Colour], numbers: random.Random) -> Image.Image:
    """A soft gradient: a few coloured pixels, enlarged smoothly."""
    seeds = Image.new("RGB", (4, 4))
    seeds.putdata([numbers.choice(colours[:-1]) for _ in range(16)])
    return seeds.resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(max(size) / 60))


def _sun_and_hills(image: Image.Image, colours: list[Colour], numbers: random.Random) -> None:
    width, height = image.size
    draw = ImageDraw.Draw(image, "RGBA")
    radius = min(width, height) * numbers.uniform(0.12, 0.2)
    x, y = width * numbers.uniform(0.2, 0.8), height * numbers.uniform(0.2, 0.4)
    for step in range(4, 0, -1):
        grown = radius * (1 + step * 0.22)
        draw.ellipse((x - grown, y - grown, x + grown, y + grown), fill=(*colours[-1], 28))
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(*colours[-1], 235))
    for layer in range(4):
        crest, phase = height * (0.5 + 0.12 * layer), numbers.uniform(0, 2 * math.pi)
        waves = numbers.uniform(1.2, 2.6)
        ridge = [
            (at * width / 64, crest + math.sin(phase + waves * at / 64 * 2 * math.pi) * height * 0.05)
            for at in range(65)
        ]
        shade = tuple(round(part * (0.75 - 0.15 * layer)) for part in colours[layer])
        draw.polygon([(0, height), *ridge, (width, height)], fill=(*shade, 215))


def _ribbons(image: Image.Image, colours: list[Colour], numbers: random.Random) -> None:
    width, height = image.size
    draw = ImageDraw.Draw(image, "RGBA")
    for ribbon in range(7):
        base, phase = height * numbers.uniform(0.05, 0.9), numbers.uniform(0, 2 * math.pi)
        swing, thickness = height * numbers.uniform(0.05, 0.2), height * numbers.uniform(0.03, 0.1)
        crest = [(at * width / 64, base + math.sin(phase + at / 64 * 5) * swing) for at in range(65)]
        under = [(x, y + thickness) for x, y in reversed(crest)]
        draw.polygon([*crest, *under], fill=(*colours[ribbon % len(colours)], 130))


def _bubbles(image: Image.Image, colours: list[Colour], numbers: random.Random) -> None:
    width, height = image.size
    draw = ImageDraw.Draw(image, "RGBA")
    for bubble in range(26):
        radius = min(width, height) * numbers.uniform(0.03, 0.2)
        x, y = width * numbers.random(), height * numbers.random()
        colour = colours[bubble % len(colours)]
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(*colour, 105), outline=(255, 255, 255, 90))


# --- from pictures


def render_edit(job: Job, index: int, target: Path, seed: int) -> None:
    """Combine the given pictures, with a colour grade, a frame and the prompt; each variant has another grade.

    `auto` keeps the aspect of the first picture; any other aspect crops to it.
    """
    pictures = [load_picture(source) or placeholder(source.label) for source in job.pictures]
    size = _edit_size(pictures[0], job.body.get("aspect_ratio", "auto"), long_side(job.body.get("resolution")))
    colours = palette(random_for(seed, job, index))
    image = _graded(_collage(pictures, size), colours[index % 4], index)
    _frame(image, colours[-1])
    tag = f"ai-image-editor · {index + 1}/{job.count} · {job.id}"
    caption(image, job.body["style"]["prompt"], tag, colours[-1])
    save_png(image, target, job, index)


def _edit_size(first: Image.Image, aspect: str, longest: int) -> tuple[int, int]:
    if aspect != "auto":
        return sized(aspect, longest)
    scale = longest / max(first.size)
    return max(1, round(first.width * scale)), max(1, round(first.height * scale))


def _collage(pictures: list[Image.Image], size: tuple[int, int]) -> Image.Image:
    """All pictures in a grid that fills the size."""
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
            ImageOps.fit(picture, cell, Image.Resampling.LANCZOS, centering=_FACE),
            (left + gap // 2, top + gap // 2),
        )
    return image


def _graded(image: Image.Image, tint: Colour, index: int) -> Image.Image:
    """Richer colours and a tint, different for each variant."""
    rich = ImageEnhance.Color(image).enhance(1.15 + 0.1 * (index % 4))
    tinted = ImageChops.soft_light(rich, Image.new("RGB", image.size, tint))
    return Image.blend(rich, tinted, 0.6)


def _frame(image: Image.Image, colour: Colour) -> None:
    width = max(4, min(image.size) // 60)
    ImageDraw.Draw(image).rectangle((0, 0, image.width - 1, image.height - 1), outline=colour, width=width)


# --- headshots


def render_headshot(job: Job, index: int, target: Path, seed: int) -> None:
    """Crop the portrait to 4:5 and light it evenly, in front of a soft studio backdrop."""
    source = job.pictures[0]
    picture = load_picture(source) or placeholder(source.label)
    fitted = ImageOps.fit(picture, _HEADSHOT_SIZE, Image.Resampling.LANCZOS, centering=_FACE)
    lit = ImageEnhance.Contrast(ImageEnhance.Brightness(fitted).enhance(1.06)).enhance(1.05)
    backdrop = Image.new("RGB", _HEADSHOT_SIZE, random_for(seed, job, index).choice(_BACKDROPS))
    image = Image.composite(lit, backdrop, _spotlight())
    title = job.body.get("style", {}).get("prompt") or job.name or "Headshot"
    caption(image, title, f"ai-headshot-generator · {job.id}", _HEADSHOT_ACCENT)
    save_png(image, target, job, index)


def _spotlight() -> Image.Image:
    """White where the person is and black in the corners, where the backdrop shows."""
    falloff = Image.radial_gradient("L").resize(_HEADSHOT_SIZE)  # black in the middle, white in the corners
    return ImageChops.invert(falloff.point([max(0, min(255, (value - 140) * 3)) for value in range(256)]))
