"""Talking photos: the given picture with a slow zoom, bars that move with the voice, and the given sound.

Rule: one video stream and one audio stream, both as long as the requested part of the sound, to within a frame.
"""

import math
from array import array
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.container import OutputContainer
from av.frame import Frame
from PIL import Image, ImageDraw, ImageOps

from .._jobs import Abandoned, Clip, Job
from .decoding import RATE, cut, load_picture, loudness
from .drawing import Colour, caption, palette, placeholder, random_for

__all__ = ["FPS", "frame_size", "render"]

FPS: Final = 15
_SHORT_SIDES: Final = {"480p": 480, "720p": 720}
# The long side is at most this many times the short side, also for a panorama.
_LONGEST_ASPECT: Final = 16 / 9
# The picture grows by this share over the whole video, and at most this much per second.
_ZOOM: Final = 0.12
_ZOOM_PER_SECOND: Final = 0.02
_BARS: Final = 15
_SAMPLES_PER_FRAME: Final = 1024  # AAC


def frame_size(picture: tuple[int, int], resolution: str) -> tuple[int, int]:
    """Width and height of the video for a picture of this size: the same aspect, in even numbers for H.264."""
    short = _SHORT_SIDES[resolution]
    aspect = min(max(picture[0] / picture[1], 1 / _LONGEST_ASPECT), _LONGEST_ASPECT)
    return (_even(short * aspect), short) if aspect >= 1 else (short, _even(short / aspect))


def render(job: Job, index: int, target: Path, seed: int) -> None:
    """Make the video of one job."""
    clip, source, voice = job.clip, job.pictures[0], job.sound
    if clip is None or voice is None or voice.path is None:
        raise ValueError(f"job {job.id} is not a talking photo")
    picture = load_picture(source) or placeholder(source.label)
    samples = cut(voice.path, clip.start_seconds, clip.end_seconds, endless=voice.endless)
    samples = samples or array("h", bytes(2 * RATE // FPS))  # sound of unknown length may end earlier
    accent = palette(random_for(seed, job, index))[-1]
    frames = _frames(picture, job, clip, samples, accent)
    with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata.update(title=job.name or "Talking photo", comment=f"magic-hour-job {job.id}")
        video = container.add_stream("libx264", FPS, options={"preset": "ultrafast", "crf": "26"})
        video.width, video.height, video.pix_fmt = clip.width, clip.height, "yuv420p"
        audio = container.add_stream("aac", RATE, layout="mono")
        _interleave(container, video, frames, audio, _sound_frames(samples))


def _interleave(
    container: OutputContainer, video: Any, pictures: Iterator[Frame], audio: Any, sounds: Iterator[Frame]
) -> None:
    """Encode both streams interleaved, always the one that is behind, so that players need not seek."""
    streams: dict[Any, Iterator[Frame]] = {video: pictures, audio: sounds}
    waiting = {stream: next(frames, None) for stream, frames in streams.items()}
    while waiting:
        stream = min(waiting, key=lambda stream: _seconds(waiting[stream]))
        frame = waiting[stream]
        container.mux(stream.encode(frame))  # None flushes the encoder
        if frame is None:
            del waiting[stream]
        else:
            waiting[stream] = next(streams[stream], None)


def _seconds(frame: Frame | None) -> float:
    return math.inf if frame is None or frame.pts is None else float(frame.pts * (frame.time_base or 1))


def _frames(
    picture: Image.Image, job: Job, clip: Clip, samples: "array[int]", accent: Colour
) -> Iterator[av.VideoFrame]:
    size = (clip.width, clip.height)
    base = ImageOps.fit(picture, size, Image.Resampling.LANCZOS, centering=(0.5, 0.35))
    strip = _strip(size, job, accent)
    count = max(1, round(len(samples) / RATE * FPS))
    zoom = min(_ZOOM, _ZOOM_PER_SECOND * count / FPS)
    for number, level in enumerate(loudness(samples, count, FPS)):
        if job.abandoned.is_set():
            raise Abandoned
        margin = zoom * number / count / 2
        box = (size[0] * margin, size[1] * margin * 0.7, size[0] * (1 - margin), size[1] * (1 - margin * 1.3))
        image = base.resize(size, Image.Resampling.BILINEAR, box=box)
        _bars(image, level, number, accent)
        image.paste(strip, (0, size[1] - strip.height))
        frame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        yield frame


def _strip(size: tuple[int, int], job: Job, accent: Colour) -> Image.Image:
    """The caption, which is drawn once for all frames."""
    canvas = Image.new("RGB", size, (30, 30, 38))
    height = caption(canvas, job.name or "Talking photo", f"ai-talking-photo · {job.id}", accent)
    return canvas.crop((0, size[1] - height, *size))


def _bars(image: Image.Image, level: float, number: int, colour: Colour) -> None:
    """Bars across the lower part that are as tall as the voice is loud."""
    width, height = image.size
    middle, step = height * 0.74, width * 0.5 / _BARS
    draw = ImageDraw.Draw(image, "RGBA")
    for bar in range(_BARS):
        shape = math.sin(math.pi * (bar + 0.5) / _BARS) * (0.55 + 0.45 * math.sin(bar * 1.7 + number * 1.3))
        tall = height * (0.006 + 0.1 * level * shape)
        left = width * 0.25 + bar * step
        box = (left + step * 0.2, middle - tall, left + step * 0.8, middle + tall)
        draw.rounded_rectangle(box, radius=step * 0.3, fill=(*colour, 225))


def _sound_frames(samples: "array[int]") -> Iterator[av.AudioFrame]:
    for start in range(0, len(samples), _SAMPLES_PER_FRAME):
        piece = samples[start : start + _SAMPLES_PER_FRAME]
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(piece), align=1)
        frame.planes[0].update(piece.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        yield frame


def _even(value: float) -> int:
    return 2 * round(value / 2)
