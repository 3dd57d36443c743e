"""Images from a prompt: abstract art, different for every job and variant, with the prompt below it.

Rule: aspect and resolution are exactly those asked for; `aspect_ratio` wins over the retired `orientation`.
"""

import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFilter

from .._jobs import Job
from .drawing import Colour, caption, long_side, palette, random_for, save_png, sized

__all__ = ["render"]

_ORIENTATIONS: Final = {"square": "1:1", "landscape": "16:9", "portrait": "9:16"}
# Art is drawn at this size at most and enlarged, so that 4k stays quick.
_DRAWN_SIDE: Final = 1024


def render(job: Job, index: int, target: Path, seed: int) -> None:
    """Draw one variant of an image job."""
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
