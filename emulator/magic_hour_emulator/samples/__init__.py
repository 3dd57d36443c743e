"""A portrait, a voice and a video to try things with, so that no example has to start with "find a photo".

Rule: anyone may redistribute these files; `README.md` in this folder says why.
"""

from pathlib import Path

__all__ = ["clip", "portrait", "voice"]

_HERE = Path(__file__).parent


def portrait() -> Path:
    """The path of a JPEG of one person's head and shoulders, 512 by 512 pixels."""
    return _HERE / "portrait.jpg"


def voice() -> Path:
    """The path of an MP3 of about five seconds of speech, mono."""
    return _HERE / "voice.mp3"


def clip() -> Path:
    """The path of an MP4 of two seconds, 320 by 320 pixels: the portrait in motion, with the voice."""
    return _HERE / "clip.mp4"
