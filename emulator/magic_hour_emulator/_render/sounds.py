"""Sound: tones instead of a voice, as long as the text would take to say, and the given sound first.

Rule: the same text gives the same tones. A sound has the job's id and prompt in its metadata.
"""

import functools
import math
from array import array
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

from .._jobs import Abandoned, Job
from .decoding import RATE, cut

__all__ = ["render", "sound_frames", "tones"]

# About 900 characters a minute, as people speak.
SECONDS_PER_CHARACTER: Final = 1 / 15
_SHORTEST_SECONDS: Final = 0.5
_LONGEST_SECONDS: Final = 60.0
_LOUDNESS: Final = 9000
_LOWEST_HERTZ: Final = 160
_PITCHES: Final = 24
_FADE_SECONDS: Final = 0.008
_CODECS: Final = {"wav": "pcm_s16le", "mp3": "libmp3lame"}
_SAMPLES_PER_FRAME: Final = 1024  # AAC


def spoken_seconds(text: str) -> float:
    """How long the tones for a text are."""
    return min(max(len(text) * SECONDS_PER_CHARACTER, _SHORTEST_SECONDS), _LONGEST_SECONDS)


def tones(text: str, seconds: float) -> "array[int]":
    """A tone for each character, its pitch decided by the character; repeated or cut to the length."""
    wanted = round(seconds * RATE)
    samples: array[int] = array("h")
    for character in text or "…":
        if len(samples) >= wanted:
            break
        samples.extend(_tone(ord(character) % _PITCHES if character.isalnum() else None))
    samples *= -(-wanted // len(samples))
    return samples[:wanted]


def render(job: Job, index: int, target: Path, seed: int) -> None:
    """Write the sound of one job. Half of it is the given sound, if there is one."""
    seconds = spoken_seconds(job.prompt)
    samples = tones(job.prompt, seconds)
    for source in job.inputs_of("audio"):
        if source.path is not None:
            given = cut(source.path, 0, seconds / 2, endless=source.endless)
            samples[: len(given)] = given
    with av.open(str(target), "w", format=job.extension, options={"fflags": "+bitexact"}) as container:
        container.metadata.update(title=job.prompt or job.name or job.type, comment=f"magic-hour-job {job.id}")
        stream: Any = container.add_stream(_CODECS[job.extension], RATE, layout="mono")
        for frame in sound_frames(samples):
            if job.abandoned.is_set():
                raise Abandoned
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def sound_frames(samples: "array[int]") -> Iterator[av.AudioFrame]:
    """The samples as frames to encode."""
    for start in range(0, len(samples), _SAMPLES_PER_FRAME):
        piece = samples[start : start + _SAMPLES_PER_FRAME]
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(piece), align=1)
        frame.planes[0].update(piece.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        yield frame


@functools.cache
def _tone(pitch: int | None) -> "array[int]":
    """The tone of one character, which fades in and out; silence without a pitch."""
    count = round(SECONDS_PER_CHARACTER * RATE)
    if pitch is None:
        return array("h", bytes(2 * count))
    turn = 2 * math.pi * _LOWEST_HERTZ * 2 ** (pitch / 12) / RATE
    fade = _FADE_SECONDS * RATE
    levels = (min(1.0, at / fade, (count - at) / fade) for at in range(count))
    return array("h", (round(_LOUDNESS * level * math.sin(turn * at)) for at, level in enumerate(levels)))
