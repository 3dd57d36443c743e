"""Videos and animated GIFs: the inputs with a slow zoom, the prompt and the job's id, and the given sound.

Rule: picture and sound are as long as the requested part of the input, to within a frame.
"""

import math
from array import array
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.container import OutputContainer
from av.frame import Frame
from PIL import Image, ImageDraw

from .._jobs import Abandoned, Clip, Job
from .decoding import RATE, cut, has_sound, loudness
from .drawing import Colour, caption, palette, random_for, sized
from .images import art, collage, load_visuals, title
from .sounds import sound_frames, tones

__all__ = ["frame_rate", "frame_size", "render", "render_gif"]

_FPS: Final = {"image/gif": 6}
_USUAL_FPS: Final = 15
# Longer clips have fewer frames per second, down to 2, so that they are not slow.
_MOST_FRAMES: Final = 150
# 4k would take seconds to encode: the emulator stops at 1080p.
_SHORT_SIDES: Final = {"360p": 360, "480p": 480, "720p": 720, "1080p": 1080, "4k": 1080}
_USUAL_SHORT_SIDES: Final = {"image/gif": 240}
_SHORTEST_SIDE: Final = 64
_LONGEST_SIDE: Final = 1920
# The long side is at most this many times the short side, also for a panorama.
_LONGEST_ASPECT: Final = 16 / 9
# The picture grows by this share over the whole video, and at most this much per second.
_ZOOM: Final = 0.12
_ZOOM_PER_SECOND: Final = 0.02
_BARS: Final = 15
_ENCODERS: Final[dict[str, tuple[str, dict[str, str], str, int]]] = {
    "mp4": ("libx264", {"preset": "ultrafast", "crf": "26"}, "aac", RATE),
    "webm": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "crf": "30", "b": "1M"}, "libopus", 48_000),
}


def frame_size(
    body: Mapping[str, Any], inputs: list[tuple[int, int]], aspect_ratio: str | None, media: str
) -> tuple[int, int]:
    """Width and height, in even numbers for H.264: those of the body, else the shape of the body or the first input."""
    if "width" in body and "height" in body:
        return _side(body["width"]), _side(body["height"])
    short = _SHORT_SIDES.get(body.get("resolution", ""), _USUAL_SHORT_SIDES.get(media, 360))
    asked = body.get("aspect_ratio") or aspect_ratio
    shape = sized(asked, 1000) if asked and asked != "auto" else inputs[0] if inputs else (16, 9)
    aspect = min(max(shape[0] / shape[1], 1 / _LONGEST_ASPECT), _LONGEST_ASPECT)
    return (_even(short * aspect), short) if aspect >= 1 else (short, _even(short / aspect))


def frame_rate(seconds: float, media: str) -> int:
    """Frames per second of a clip of this length."""
    return max(2, min(_FPS.get(media, _USUAL_FPS), int(_MOST_FRAMES / seconds)))


def render(job: Job, index: int, target: Path, seed: int) -> None:
    """Write the video of one job."""
    clip = _clip(job)
    samples = _soundtrack(job, clip)
    codec, options, sound_codec, rate = _ENCODERS[job.extension]
    container_options = {"movflags": "+faststart"} if job.extension == "mp4" else {"fflags": "+bitexact"}
    with av.open(str(target), "w", format=job.extension, options=container_options) as container:
        container.metadata.update(title=title(job), comment=f"magic-hour-job {job.id}")
        video: Any = container.add_stream(codec, clip.fps, options=options)
        video.width, video.height, video.pix_fmt = clip.width, clip.height, "yuv420p"
        streams: dict[Any, Iterator[Frame]] = {video: _video_frames(job, clip, samples, seed, index)}
        if samples:
            streams[container.add_stream(sound_codec, rate, layout="mono")] = sound_frames(samples)
        _interleave(container, streams)


def render_gif(job: Job, index: int, target: Path, seed: int) -> None:
    """Write the animated GIF of one job."""
    clip = _clip(job)
    frames = [
        image.quantize(64, method=Image.Quantize.FASTOCTREE) for image in _frames(job, clip, array("h"), seed, index)
    ]
    frames[0].save(
        target,
        format="GIF",
        save_all=True,
        append_images=frames[1:],
        duration=round(1000 / clip.fps),
        loop=0,
        comment=f"magic-hour-job {job.id} {job.prompt}".encode(),
    )


def _clip(job: Job) -> Clip:
    if job.clip is None:
        raise ValueError(f"job {job.id} is no video")
    return job.clip


def _soundtrack(job: Job, clip: Clip) -> "array[int]":
    """The given sound, else the sound of the video, else tones if the body asks for sound; else none.

    Start and end are about the video. A sound that is given with a video is heard from its beginning.
    """
    seconds = clip.end_seconds - clip.start_seconds
    videos = job.inputs_of("video")
    for source in (*job.inputs_of("audio"), *videos):
        if source.path is None or (source.role == "video" and not has_sound(source)):
            continue
        start = 0.0 if videos and source.role == "audio" else clip.start_seconds
        samples = cut(source.path, start, start + seconds, endless=source.endless)
        return samples or array("h", bytes(2 * RATE // clip.fps))  # sound of unknown length may end earlier
    return tones(job.prompt, seconds) if job.body.get("audio") else array("h")


def _interleave(container: OutputContainer, streams: Mapping[Any, Iterator[Frame]]) -> None:
    """Encode the streams interleaved, always the one that is behind, so that players need not seek."""
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


def _video_frames(job: Job, clip: Clip, samples: "array[int]", seed: int, index: int) -> Iterator[av.VideoFrame]:
    for number, image in enumerate(_frames(job, clip, samples, seed, index)):
        frame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
        frame.pts, frame.time_base = number, Fraction(1, clip.fps)
        yield frame


def _frames(job: Job, clip: Clip, samples: "array[int]", seed: int, index: int) -> Iterator[Image.Image]:
    """The inputs with a slow zoom, a caption, and bars that move with the sound or, without sound, show the time."""
    size = (clip.width, clip.height)
    visuals = load_visuals(job, clip.start_seconds)
    numbers = random_for(seed, job, index)
    *_, accent = colours = palette(numbers)
    base = collage(visuals, size) if visuals else art(size, colours, numbers)
    strip = _strip(size, job, accent)
    # Without a video the clip ends with its sound.
    heard = samples and not job.inputs_of("video")
    seconds = len(samples) / RATE if heard else clip.end_seconds - clip.start_seconds
    count = max(1, round(seconds * clip.fps))
    zoom = min(_ZOOM, _ZOOM_PER_SECOND * count / clip.fps)
    levels = loudness(samples, count, clip.fps)
    for number in range(count):
        if job.abandoned.is_set():
            raise Abandoned
        margin = zoom * number / count / 2
        box = (size[0] * margin, size[1] * margin * 0.7, size[0] * (1 - margin), size[1] * (1 - margin * 1.3))
        image = base.resize(size, Image.Resampling.BILINEAR, box=box)
        image.paste(strip, (0, size[1] - strip.height))
        if samples:
            _bars(image, levels[number], number, accent)
        else:
            _progress(image, (number + 1) / count, size[1] - strip.height, accent)
        yield image


def _strip(size: tuple[int, int], job: Job, accent: Colour) -> Image.Image:
    """The caption, which is drawn once for all frames."""
    canvas = Image.new("RGB", size, (30, 30, 38))
    height = caption(canvas, title(job), f"{job.resource} · {job.id}", accent)
    return canvas.crop((0, size[1] - height, *size))


def _progress(image: Image.Image, share: float, bottom: int, colour: Colour) -> None:
    """A line above the caption that grows with the time."""
    height = max(3, image.height // 60)
    ImageDraw.Draw(image).rectangle((0, bottom - height, round(image.width * share), bottom), fill=colour)


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


def _side(value: float) -> int:
    return _even(min(max(value, _SHORTEST_SIDE), _LONGEST_SIDE))


def _even(value: float) -> int:
    return 2 * round(value / 2)
