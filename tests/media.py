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


_CONTAINERS = {"mov,mp4,m4a,3gp,3g2,mj2": "mp4", "matroska,webm": "webm", "wav": "wav", "mp3": "mpeg"}


def media_type(path: Path) -> str:
    """The media type of a file by its content, all of which is decoded; a GIF moves, a video has a picture."""
    if path.suffix in (".png", ".gif"):
        with Image.open(path) as image:
            frames = getattr(image, "n_frames", 1)
            for number in range(frames):
                image.seek(number)
                image.load()
            assert frames > 1 or image.format != "GIF"
            return f"image/{str(image.format).lower()}"
    with av.open(str(path)) as media:
        assert sum(1 for _ in media.decode(*media.streams.video, *media.streams.audio))
        return f"{'video' if media.streams.video else 'audio'}/{_CONTAINERS[media.format.name]}"
