"""Mistakes with input files."""

from __future__ import annotations

import io
import os
from pathlib import Path

import anyio
from PIL import Image

from magic_hour_workflows._assets import to_source

from .case import BASE64, Case, Here, edit, headshot, row, talk


@row("a missing file")
def _(here: Here) -> list[Case]:
    return headshot(here, here.folder / "none.png", str(here.folder / "none.png"), "~/no such folder/none.png")


@row("a missing file, by a relative path")
def _(here: Here) -> list[Case]:
    return headshot(here, "none.png", "pictures/none.png", "www.example.com/a.png", " ")


@row("the home folder of an unknown user")
def _(here: Here) -> list[Case]:
    return headshot(here, "~there-is-no-such-user/a.png")


@row("an empty path")
def _(here: Here) -> list[Case]:
    return headshot(here, "")


@row("base64 text or a NUL in place of a path")
def _(here: Here) -> list[Case]:
    return headshot(here, BASE64, "a\x00.png")


@row("a URL with a scheme other than http and https")
def _(here: Here) -> list[Case]:
    return headshot(here, "file:///a.png", "s3://bucket/a.png")


@row("a directory for a file")
def _(here: Here) -> list[Case]:
    return headshot(here, here.folder / "pictures", "pictures")


@row("a data URI without content")
def _(here: Here) -> list[Case]:
    return headshot(here, "data:image/png;base64,", "data:image/png;base64,%%%", "data:image/png")


@row("a URL in a `Path`")
def _(here: Here) -> list[Case]:
    return headshot(here, Path("https://storage.example/a.png?signature=abc"))


@row("a device for a file")
def _(here: Here) -> list[Case]:
    return headshot(here, "/dev/null")


@row("an empty file")
def _(here: Here) -> list[Case]:
    return headshot(here, "empty.png")


@row("an unreadable file")
def _(here: Here) -> list[Case]:
    return headshot(here, here.forbidden() / "private.png", unprivileged=True)


@row("a file of another kind")
def _(here: Here) -> list[Case]:
    return headshot(here, here.voice, "notes.txt", ("portrait", b"bytes"), ("portrait.jpg.exe", b"bytes"))


@row("an audio file of another kind")
def _(here: Here) -> list[Case]:
    return [talk(here, {"image_file_path": here.portrait, "audio_file_path": here.portrait})]


@row("a file in text mode")
def _(here: Here) -> list[Case]:
    return headshot(here, here.open(here.portrait, "r"), ("a.png", io.StringIO("text")))


@row("a file open for writing")
def _(here: Here) -> list[Case]:
    file = here.open(here.folder / "new.png", "wb")
    file.write(b"bytes")
    return headshot(here, file)


@row("a closed file")
def _(here: Here) -> list[Case]:
    file = here.open(here.portrait, "rb")
    file.close()
    return headshot(here, file)


@row("an async file")
def _(here: Here) -> list[Case]:
    file = anyio.wrap_file(here.open(here.portrait, "rb"))
    return headshot(here, file, ("portrait.jpg", file))


@row("a stream without a name")
def _(here: Here) -> list[Case]:
    class Stdin(io.BytesIO):
        name = "<stdin>"

    return headshot(here, io.BytesIO(b"bytes"), here.pipe(), Stdin(b"bytes"))


@row("a stream that was read to its end")
def _(here: Here) -> list[Case]:
    file = here.open(here.portrait, "rb")
    file.read()
    return headshot(here, file)


@row("an empty stream or empty bytes")
def _(here: Here) -> list[Case]:
    return headshot(here, ("a.png", io.BytesIO()), ("a.png", b""))


@row("an empty pipe")
def _(here: Here) -> list[Case]:
    return headshot(here, ("a.png", here.pipe()))


@row("a stream that another call is uploading")
def _(here: Here) -> list[Case]:
    file = here.open(here.portrait, "rb")
    here.enter(to_source(file, "image", "file").opened())
    return headshot(here, file)


@row("bytes without a name")
def _(here: Here) -> list[Case]:
    return headshot(here, b"bytes", bytearray(b"bytes"), os.fsencode(here.portrait))


@row("something that is not a file")
def _(here: Here) -> list[Case]:
    in_requests_order = ("a.png", b"bytes", "image/png")
    return headshot(here, 7, [here.portrait], (b"bytes", "a.png"), in_requests_order, {})


@row("a file for a list of files")
def _(here: Here) -> list[Case]:
    picture = Image.new("RGB", (8, 8))
    values = (
        here.portrait,
        str(here.portrait),
        b"bytes",
        ("a.png", b"bytes"),
        {"a": here.portrait},
        picture,
        io.BytesIO(b"x"),
    )
    return [edit(here, value) for value in values]


@row("no image to edit")
def _(here: Here) -> list[Case]:
    return [edit(here, None)]


@row("an empty list of images")
def _(here: Here) -> list[Case]:
    return [edit(here, [])]


@row("more images to edit than the service takes")
def _(here: Here) -> list[Case]:
    return [edit(here, [here.portrait] * 11)]


@row("one stream as image and audio")
def _(here: Here) -> list[Case]:
    stream = io.BytesIO(b"bytes")
    return [talk(here, {"image_file_path": ("a.png", stream), "audio_file_path": ("a.mp3", stream)})]
