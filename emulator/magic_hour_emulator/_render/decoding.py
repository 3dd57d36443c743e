"""Input files as pixels and samples.

Rule: inputs are decoded here and nowhere else, so that invalid bytes always end in the contract's error code. Sound is
cut exactly to the sample: nothing before `start` or after `end` gets into an output.
"""

import math
from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import av
from av.error import FFmpegError, InvalidDataError
from PIL import Image, ImageOps, UnidentifiedImageError

from .._jobs import Source

__all__ = [
    "RATE",
    "Undecodable",
    "cut",
    "has_sound",
    "load_frame",
    "load_picture",
    "loudness",
    "picture_size",
    "seconds_of",
]

# Samples per second of all outputs; one channel, 16 bits.
RATE: Final = 44_100
# Loudness is measured with every 16th sample.
_STRIDE: Final = 16
# Phones write HEIC, which Pillow cannot read without a plugin: it is recognized and shown as a placeholder.
_HEIC_BRANDS: Final = (b"heic", b"heix", b"heif", b"mif1", b"msf1", b"hevc", b"hevx")
_LONGEST_SIDE: Final = 4096


# Demuxers of pictures, which av opens as if they were videos.
_NOT_VIDEO: Final = ("image2", "_pipe", "gif")
_NO_SIZE: Final = (640, 640)


class Undecodable(Exception):
    """The bytes are not what the field asks for, or cannot be decoded. `code` is the error code of the job."""

    def __init__(self, message: str, code: str = "invalid_file_format") -> None:
        super().__init__(message)
        self.code = code


def picture_size(source: Source) -> tuple[int, int] | None:
    """The size of a picture or video, which it decodes; None of a sound. Raises `Undecodable`."""
    if source.role == "audio":
        return None
    picture = load_frame(source, 0) if source.role == "video" else load_picture(source)
    return picture.size if picture else _NO_SIZE


def seconds_of(source: Source) -> float:
    """The duration of a sound or video in seconds; infinite if it is repeated or unknown. Raises `Undecodable`."""
    if source.role == "audio":
        return _sound_seconds(source)
    if source.path is None or source.endless or _is_gif(source):
        return float("inf")
    with av.open(str(source.path)) as container:
        length = container.duration
    return float("inf") if length is None else length / av.time_base


def load_frame(source: Source, at_seconds: float) -> Image.Image | None:
    """A frame of a video, the last key frame up to this moment; None if only a placeholder can be shown.

    Raises `Undecodable`.
    """
    if source.path is None:
        return None
    if _is_gif(source):
        return load_picture(source)
    try:
        with av.open(str(source.path)) as container:
            if container.format.name.endswith(_NOT_VIDEO) or not container.streams.video:
                raise _no_video(source)
            if at_seconds > 0 and not source.endless:
                container.seek(round(at_seconds * av.time_base))
            frame: av.VideoFrame = next(container.decode(video=0))
            picture: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
            return picture
    except (FFmpegError, StopIteration) as broken:
        raise _no_video(source) from broken


def _no_video(source: Source) -> Undecodable:
    return Undecodable(f"{source.label} cannot be decoded as a video", "invalid_video_file")


def _is_gif(source: Source) -> bool:
    """Whether a video is an animated picture, where the field accepts one: a GIF or a WebP."""
    if source.path is None or not source.may_be_gif:
        return False
    with source.path.open("rb") as file:
        start = file.read(12)
    return start.startswith(b"GIF8") or (start.startswith(b"RIFF") and start.endswith(b"WEBP"))


def load_picture(source: Source) -> Image.Image | None:
    """The picture, upright and in RGB; None if only a placeholder can be shown. Raises `Undecodable`."""
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


def _flatten(picture: Image.Image) -> Image.Image:
    """The picture in RGB, with transparent parts on white."""
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("RGB")
    with_alpha = picture.convert("RGBA")
    canvas = Image.new("RGBA", with_alpha.size, "white")
    return Image.alpha_composite(canvas, with_alpha).convert("RGB")


def _is_heic(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(12)
    return start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS


def _sound_seconds(source: Source) -> float:
    """The duration of the sound in seconds; infinite if it is repeated or unknown. Raises `Undecodable`."""
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


def has_sound(source: Source) -> bool:
    """Whether a video has sound."""
    if source.path is None or _is_gif(source):
        return False
    with av.open(str(source.path)) as container:
        return bool(container.streams.audio)


def cut(path: Path, start_seconds: float, end_seconds: float, *, endless: bool) -> "array[int]":
    """The samples from start to end; fewer if the sound is shorter, unless it is `endless`, that is, repeated."""
    first, last = round(start_seconds * RATE), round(end_seconds * RATE)
    if endless:
        return _repeated(path, first, last)
    samples: array[int] = array("h")
    at = 0
    for piece in _decoded(path):
        samples.extend(piece[max(first - at, 0) : max(last - at, 0)])
        at += len(piece)
        if at >= last:
            break
    return samples


def _repeated(path: Path, first: int, last: int) -> "array[int]":
    whole: array[int] = array("h")
    for piece in _decoded(path):
        whole.extend(piece)
    offset = first % len(whole)
    times = -(-(offset + last - first) // len(whole))
    return (whole * times)[offset : offset + last - first]


def loudness(samples: "array[int]", moments: int, per_second: int) -> list[float]:
    """The loudness at each of `moments` moments, from 0 (silent) to 1 (the loudest of this sound)."""
    step = RATE / per_second
    levels = []
    for moment in range(moments):
        window = samples[round(moment * step) : round((moment + 1) * step) : _STRIDE]
        levels.append(math.sqrt(sum(sample * sample for sample in window) / len(window)) if window else 0.0)
    peak = max(levels, default=0.0)
    return [level / peak if peak > 0 else 0.0 for level in levels]


def _decoded(path: Path) -> Iterator["array[int]"]:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    # A truncated file is used as far as it can be decoded.
    with suppress(InvalidDataError), av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            frame.pts = None
            for converted in resampler.resample(frame):
                yield _samples(converted)
        for converted in resampler.resample(None):
            yield _samples(converted)


def _samples(frame: av.AudioFrame) -> "array[int]":
    values: array[int] = array("h")
    values.frombytes(bytes(frame.planes[0])[: frame.samples * 2])
    return values
