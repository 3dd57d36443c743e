"""A portrait and a voice to try things with, so that no example has to start with "find a photo".

Rule: anyone may redistribute these files; `README.md` in this folder says why.
"""

from pathlib import Path

__all__ = ["portrait", "voice"]

_HERE = Path(__file__).parent


def portrait() -> Path:
    """The path of a JPEG of one person's head and shoulders, 512 by 512 pixels."""
    return _HERE / "portrait.jpg"


def voice() -> Path:
    """The path of an MP3 of about five seconds of speech, mono."""
    return _HERE / "voice.mp3"
