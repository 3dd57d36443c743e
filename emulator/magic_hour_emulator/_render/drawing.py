"""What all pictures share: sizes, colours, captions and the PNG file.

Rule: text has its own band, so that it is readable however light or dark the picture is.
"""

import random
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from .._jobs import Job

__all__ = ["Colour", "caption", "long_side", "palette", "placeholder", "random_for", "save_png", "sized", "wrap"]

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_LONG_SIDES: Final = {"640px": 640, "1k": 1024, "2k": 2048, "4k": 4096}
# More than fits into the caption of any picture.
_MAX_CHARACTERS: Final = 4000
# How many characters to measure first: most prompts and names fit into one line.
_FIRST_GUESS: Final = 32
_PAPER: Final = (250, 249, 246)
# Four shades and an accent.
_PALETTES: Final = (
    ("264653", "2a9d8f", "8ab17d", "e9c46a", "e76f51"),
    ("355070", "6d597a", "b56576", "e88c7d", "ffd6a5"),
    ("0b3954", "087e8b", "5fa8b3", "bfd7ea", "ff5a5f"),
    ("3d405b", "5f797b", "81b29a", "f4f1de", "e07a5f"),
    ("22223b", "4a4e69", "9a8c98", "c9ada7", "f2cc8f"),
    ("1d3557", "457b9d", "a8dadc", "e9f5f2", "e63946"),
    ("582f0e", "936639", "c2a878", "d8e2c8", "f4a259"),
    ("2d1e4f", "5a3e85", "a06cb4", "f0a6ca", "ffcb69"),
)


def long_side(resolution: str | None, default: int) -> int:
    """The longer side of a picture in pixels; the small default, which is fast, if no resolution is given."""
    return _LONG_SIDES.get(resolution or "", default)


def sized(aspect: str, longest: int) -> tuple[int, int]:
    """Width and height for an aspect such as "16:9"."""
    across, down = (int(part) for part in aspect.split(":"))
    unit = longest / max(across, down)
    return round(across * unit), round(down * unit)


def random_for(seed: int, job: Job, index: int) -> random.Random:
    """The random numbers of one output."""
    return random.Random(f"{seed}/{job.id}/{index}")


def palette(numbers: random.Random) -> list[Colour]:
    """Four matching colours in random order, followed by an accent."""
    *shades, accent = numbers.choice(_PALETTES)
    numbers.shuffle(shades)
    return [_rgb(shade) for shade in [*shades, accent]]


def _rgb(colour: str) -> Colour:
    red, green, blue = bytes.fromhex(colour)
    return red, green, blue


def wrap(text: str, font: Font, width: float, lines: int) -> list[str]:
    """The text in at most `lines` lines of at most `width` pixels, with an ellipsis if it does not fit."""
    rest = " ".join(text.split())[:_MAX_CHARACTERS]
    rows: list[str] = []
    while rest and len(rows) < lines:
        room = _fitting(rest, font, width)
        end = len(rest) if room == len(rest) else rest.rfind(" ", 0, room + 1)
        if end < 0:  # a word longer than a line gets its own line and is shortened there
            end = rest.find(" ") if " " in rest else len(rest)
        rows.append(rest[:end])
        rest = rest[end:].lstrip()
    if rest:
        rows[-1] += " …"
    return [_shortened(row, font, width) for row in rows] or [""]


def _shortened(row: str, font: Font, width: float) -> str:
    if _fitting(row, font, width) == len(row):
        return row
    return f"{row[: _fitting(row, font, width, '…')]}…"


def _fitting(text: str, font: Font, width: float, ending: str = "") -> int:
    """How many of the first characters fit, followed by `ending`.

    Measuring takes time in proportion to the text: try twice as much each time until it is too much, then bisect.
    """
    fits, over = 0, min(_FIRST_GUESS, len(text))
    while font.getlength(text[:over] + ending) <= width:
        if over == len(text):
            return over
        fits, over = over, min(2 * over, len(text))
    while over - fits > 1:
        middle = (fits + over) // 2
        fits, over = (middle, over) if font.getlength(text[:middle] + ending) <= width else (fits, middle)
    return fits


def caption(image: Image.Image, title: str, small: str, accent: Colour) -> int:
    """Draw a band along the bottom with a title of up to two lines and a small line; returns its height."""
    width, height = image.size
    size = max(12, round(min(width, height) * 0.055))
    margin = size
    big, tiny = ImageFont.load_default(size), ImageFont.load_default(max(10, round(size * 0.6)))
    rows = wrap(title, big, width - 2 * margin, 2)
    band = round(margin * 1.4 + len(rows) * size * 1.25 + size * 0.9)
    draw = ImageDraw.Draw(image, "RGBA")
    draw.rectangle((0, height - band, width, height), fill=(18, 18, 24, 205))
    draw.rectangle((0, height - band, width, height - band + max(2, size // 6)), fill=(*accent, 255))
    top = height - band + margin * 0.7
    for row in rows:
        draw.text((margin, top), row, font=big, fill=_PAPER)
        top += size * 1.25
    small = _shortened(small, tiny, width - 2 * margin)
    draw.text((margin, height - margin * 0.45), small, font=tiny, fill=(*_PAPER, 190), anchor="ls")
    return band


def placeholder(label: str) -> Image.Image:
    """A picture that replaces one that is not available here, and says which."""
    image = Image.new("RGB", (640, 640), (226, 224, 218))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(26)
    draw.ellipse((220, 130, 420, 330), fill=(176, 172, 164))
    draw.ellipse((120, 340, 520, 740), fill=(176, 172, 164))
    for row, text in enumerate(wrap(f"placeholder for {label}", font, 580, 3)):
        draw.text((320, 300 + 34 * row), text, font=font, fill=(60, 58, 54), anchor="mm")
    return image


def save_png(image: Image.Image, target: Path, job: Job, index: int) -> None:
    """Write the picture, with the job's id and prompt in its metadata."""
    text = PngImagePlugin.PngInfo()
    text.add_itxt("magic-hour-job", job.id)
    text.add_itxt("magic-hour-output", str(index))
    if job.prompt:
        text.add_itxt("magic-hour-prompt", job.prompt)
    image.save(target, format="PNG", pnginfo=text, compress_level=1)  # twice as fast as 3, a tenth larger
