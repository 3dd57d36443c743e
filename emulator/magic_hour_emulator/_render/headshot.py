"""Headshots: the given portrait, cropped to 4:5, evenly lit, in front of a soft studio backdrop.

Rule: it is visibly made from the given picture; most of the middle is that picture, only brightened.
"""

from pathlib import Path
from typing import Final

from PIL import Image, ImageChops, ImageEnhance, ImageOps

from .._jobs import Job
from .._sources import load_picture
from .drawing import caption, placeholder, random_for, save_png

__all__ = ["render"]

_SIZE: Final = (640, 800)
# A face is above the middle of most portraits.
_CENTRE: Final = (0.5, 0.35)
_BACKDROPS: Final = ((94, 104, 120), (120, 112, 104), (86, 110, 112), (112, 104, 124))
_ACCENT: Final = (214, 178, 110)


def render(job: Job, index: int, target: Path, seed: int) -> None:
    """Make the headshot of one job."""
    source = job.pictures[0]
    picture = load_picture(source) or placeholder(source.label)
    fitted = ImageOps.fit(picture, _SIZE, Image.Resampling.LANCZOS, centering=_CENTRE)
    lit = ImageEnhance.Contrast(ImageEnhance.Brightness(fitted).enhance(1.06)).enhance(1.05)
    backdrop = Image.new("RGB", _SIZE, random_for(seed, job, index).choice(_BACKDROPS))
    image = Image.composite(lit, backdrop, _spotlight())
    title = job.body.get("style", {}).get("prompt") or job.name or "Headshot"
    caption(image, title, f"ai-headshot-generator · {job.id}", _ACCENT)
    save_png(image, target, job, index)


def _spotlight() -> Image.Image:
    """White where the person is, fading to the edges, so that the corners become backdrop."""
    falloff = Image.radial_gradient("L").resize(_SIZE)  # black in the middle, white in the corners
    return ImageChops.invert(falloff.point([max(0, min(255, (value - 140) * 3)) for value in range(256)]))
