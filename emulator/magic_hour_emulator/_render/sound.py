"""Sound as samples: the asked part of any audio file, and how loud it is from moment to moment.

Rule: a cut is exact to the sample; what lies before `start` or after `end` never gets into an output.
"""

import math
from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import av
from av.error import InvalidDataError

__all__ = ["RATE", "cut", "loudness"]

# Samples per second of all outputs; one channel, 16 bits.
RATE: Final = 44_100
# Loudness needs no more than every so many samples.
_STRIDE: Final = 16


def cut(path: Path, start_seconds: float, end_seconds: float, *, endless: bool) -> "array[int]":
    """The samples from start to end; fewer if the sound ends before, unless it is endless, that is, repeated."""
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
    """For each of so many moments, 0 (silent) to 1 (the loudest of this sound)."""
    step = RATE / per_second
    levels = []
    for moment in range(moments):
        window = samples[round(moment * step) : round((moment + 1) * step) : _STRIDE]
        levels.append(math.sqrt(sum(sample * sample for sample in window) / len(window)) if window else 0.0)
    peak = max(levels, default=0.0)
    return [level / peak if peak > 0 else 0.0 for level in levels]


def _decoded(path: Path) -> Iterator["array[int]"]:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    # Sound that breaks off is used as far as it goes.
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
