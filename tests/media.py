"""What a downloaded file really is: decoded, not believed.

Rule: a picture that cannot be decoded to its last pixel, or a video whose streams cannot, fails the test that asks.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import av
from PIL import Image


class Video(NamedTuple):
    """What a video says when all of it is decoded. `seconds` of its picture and of its sound."""

    size: tuple[int, int]
    seconds: tuple[float, float]
    comment: str


def picture(path: Path) -> Image.Image:
    """A PNG, decoded."""
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        return image


def video(path: Path) -> Video:
    """An MP4 with one picture and one sound, decoded."""
    with av.open(str(path)) as media:
        (moving,), (sound,) = media.streams.video, media.streams.audio
        frames = samples = 0
        for frame in media.decode(moving, sound):
            if isinstance(frame, av.VideoFrame):
                frames += 1
            else:
                samples += frame.samples
        return Video(
            (moving.width, moving.height),
            (frames / float(moving.average_rate or 1), samples / sound.rate),
            media.metadata["comment"],
        )
