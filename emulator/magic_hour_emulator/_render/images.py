"""Pictures: a collage of the inputs, or art drawn from a prompt.

Rule: an image shows what it was made from, the prompt or the given pictures, and has exactly the requested shape.
"""

import math
import random
from pathlib import Path
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from .._jobs import Job
from .decoding import load_frame, load_picture
from .drawing import Colour, caption, long_side, palette, placeholder, random_for, save_png, sized

__all__ = ["art", "collage", "load_visuals", "render", "title"]

_ORIENTATIONS: Final = {"square": "1:1", "landscape": "16:9", "portrait": "9:16"}
# Art is drawn at most this large and then enlarged, so that 4k stays fast.
_DRAWN_SIDE: Final = 1024
# In most portraits the face is above the middle.
_FACE: Final = (0.5, 0.35)
# Pixels between the pictures of a collage, and the share of its height that the caption leaves free.
_GAP: Final = 6
_ABOVE_CAPTION: Final = 0.82


def render(job: Job, index: int, target: Path, seed: int) -> None:
    """Draw one picture: a collage of the inputs or, without any, art; with the prompt and the job's id below it."""
    visuals = load_visuals(job)
    size = _size(job, [visual.size for visual in visuals])
    numbers = random_for(seed, job, index)
    colours = palette(numbers)
    if visuals:
        image = _graded(collage(visuals, size), colours[index % 4], index)
        _frame(image, colours[-1])
    else:
        image = art(size, colours, numbers)
    caption(image, title(job), f"{job.resource} · {index + 1}/{job.count} · {job.id}", colours[-1])
    save_png(image, target, job, index)


def title(job: Job) -> str:
    """What a caption says first: the prompt, else the name, else the type."""
    return job.prompt or job.name or job.type.replace("_", " ").capitalize()


def load_visuals(job: Job, at_seconds: float = 0) -> list[Image.Image]:
    """The pictures of a job, and a frame of each video, in the order of its body."""
    return [
        (load_frame(source, at_seconds) if source.role == "video" else load_picture(source))
        or placeholder(source.label)
        for source in job.inputs_of("image", "video")
    ]


def art(size: tuple[int, int], colours: list[Colour], numbers: random.Random) -> Image.Image:
    """Abstract art, different for every job and variant."""
    scale = min(1.0, _DRAWN_SIDE / max(size))
    image = _gradient((max(1, round(size[0] * scale)), max(1, round(size[1] * scale))), colours, numbers)
    numbers.choice((_sun_and_hills, _ribbons, _bubbles))(image, colours, numbers)
    return image.resize(size, Image.Resampling.LANCZOS) if image.size != size else image


def _size(job: Job, inputs: list[tuple[int, int]]) -> tuple[int, int]:
    """The asked shape, else the one of the row, else the one of the first input.

    `aspect_ratio` takes precedence over the retired `orientation`; `auto` keeps the shape of the first input.
    """
    longest = long_side(job.body.get("resolution"), job.emulation.side)
    asked = job.body.get("aspect_ratio") or _ORIENTATIONS.get(job.body.get("orientation", ""))
    aspect = asked or job.emulation.aspect_ratio or "auto"
    if aspect != "auto" or not inputs:
        return sized("1:1" if aspect == "auto" else aspect, longest)
    scale = longest / max(inputs[0])
    return max(1, round(inputs[0][0] * scale)), max(1, round(inputs[0][1] * scale))


# --- from a prompt


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


def collage(pictures: list[Image.Image], size: tuple[int, int]) -> Image.Image:
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
