"""Input files of a job: what a client named, and the bytes behind it.

Rule: what can be decoded is decoded, here and nowhere else, so that wrong bytes show as `invalid_file_format`.
"""

from dataclasses import dataclass
from pathlib import Path

import av
from av.error import FFmpegError
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = ["Source", "Undecodable", "load_picture", "sound_seconds"]

# Phones write HEIC, which Pillow cannot read without a plugin: recognized by its brand, shown as a placeholder.
_HEIC_BRANDS = (b"heic", b"heix", b"heif", b"mif1", b"msf1", b"hevc", b"hevx")
_LONGEST_SIDE = 4096


class Undecodable(Exception):
    """The bytes are not a picture, or not a sound, that can be read."""


@dataclass(frozen=True)
class Source:
    """An input file. Without a path it is a placeholder that shows its label; an endless sound repeats itself."""

    label: str
    path: Path | None = None
    endless: bool = False


def load_picture(source: Source) -> Image.Image | None:
    """The picture, upright and in RGB; None if it can only be stood in for. Raises `Undecodable`."""
    if source.path is None:
        return None
    try:
        with Image.open(source.path) as image:
            image.draft("RGB", (_LONGEST_SIDE, _LONGEST_SIDE))
            picture = ImageOps.exif_transpose(image)
            return _flatten(picture)
    except UnidentifiedImageError as unknown:
        if _is_heic(source.path):
            return None
        raise Undecodable(f"{source.label} is not a picture") from unknown
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as broken:
        raise Undecodable(f"{source.label} cannot be decoded: {broken}") from broken


def sound_seconds(source: Source) -> float:
    """How long the sound is, in seconds; infinite if it repeats or does not say. Raises `Undecodable`."""
    if source.path is None or source.endless:
        return float("inf")
    try:
        with av.open(str(source.path)) as container:
            if not container.streams.audio:
                raise Undecodable(f"{source.label} has no sound")
            next(container.decode(audio=0))
            length = container.duration
    except (FFmpegError, StopIteration) as broken:
        raise Undecodable(f"{source.label} cannot be decoded as sound") from broken
    return float("inf") if length is None else length / av.time_base


def _flatten(picture: Image.Image) -> Image.Image:
    """The picture in RGB, transparent parts on white."""
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("RGB")
    with_alpha = picture.convert("RGBA")
    canvas = Image.new("RGBA", with_alpha.size, "white")
    return Image.alpha_composite(canvas, with_alpha).convert("RGB")


def _is_heic(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(12)
    return start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS
