"""The mistakes of the table as command lines, for the rows that can happen there.

Rule: a line is data, as a case is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from .case import BASE64, THIS_MACHINE, Here

GENERATE = ("image", "generate", "--image-count", "1", "--prompt", "A red fox")


@dataclass(frozen=True)
class Line:
    """A command line, and the name of the field in its error."""

    arguments: tuple[str, ...]
    named: str
    environment: Mapping[str, str | None] = field(default_factory=dict)
    """None for a variable that is not set."""
    unprivileged: bool = False


Lines = Callable[[Here], Iterable[Line]]


def get(named: str, *options: str, **environment: str | None) -> Line:
    return Line(("image", "get", *options, "cuid-1"), named, environment)


def key(value: str | None) -> Line:
    return get("MAGIC_HOUR_API_KEY", MAGIC_HOUR_API_KEY=value)


def headshots(*values: str, unprivileged: bool = False) -> list[Line]:
    start = ("image", "headshot", "--no-download", "--image")
    return [Line((*start, value), "--image", unprivileged=unprivileged) for value in values]


def generate(option: str, *values: str, unprivileged: bool = False) -> list[Line]:
    where = () if option == "--output" else ("--output", "out/")
    return [Line((*GENERATE, *where, option, value), option, unprivileged=unprivileged) for value in values]


def talk(here: Here, named: str, start: str = "0", end: str = "2", audio: str | None = None) -> Line:
    files = ("--image", str(here.portrait), "--audio", audio or str(here.voice))
    clip = ("--start-seconds", start, "--end-seconds", end)
    return Line(("video", "talking-photo", "--output", "out/", *files, *clip), named)


def ids(*values: str) -> list[Line]:
    commands = [("image", name) for name in ("get", "wait", "download", "delete")]
    return [
        Line((*command, value, *(["--yes"] if "delete" in command else [])), "ID")
        for command in [*commands, ("video", "get")]
        for value in values
    ]


LINES: Mapping[str, Lines] = {
    "no key": lambda here: [key(None)],
    "an empty key": lambda here: [key(""), key(" ")],
    "a key with a space, a line break or `Bearer`": lambda here: [key("Bearer mhk_test"), key("mhk_test\n")],
    "a base URL without a scheme, with a password or a query": lambda here: [get("--base-url", "--base-url",
     "127.0.0.1:1"), get("--base-url", "--base-url", "https://me:secret@127.0.0.1:1")],
    "such an address in the variable": lambda here: [get("`MAGIC_HOUR_BASE_URL`",
     MAGIC_HOUR_BASE_URL="https://127.0.0.1:1?x=1")],
    "a base URL that ends in `/v1`": lambda here: [get("--base-url", "--base-url", "https://127.0.0.1:1/v1")],
    "such an address with `/v1` in the variable": lambda here: [get("`MAGIC_HOUR_BASE_URL`",
     MAGIC_HOUR_BASE_URL="https://127.0.0.1:1/v1")],
    "a proxy variable that cannot be used": lambda here: [get("`HTTPS_PROXY`", HTTPS_PROXY="http://[proxy")],
    "`http://` to another machine": lambda here: [get("--base-url", "--base-url", f"http://{THIS_MACHINE}")],
    "`http://` to another machine in the variable": lambda here: [get("`MAGIC_HOUR_BASE_URL`",
     MAGIC_HOUR_BASE_URL=f"http://{THIS_MACHINE}")],
    "a poll interval variable that is not a number": lambda here: [get("`MAGIC_HOUR_POLL_INTERVAL`",
     MAGIC_HOUR_POLL_INTERVAL="fast")],
    "a poll interval variable below zero": lambda here: [get("`MAGIC_HOUR_POLL_INTERVAL`",
     MAGIC_HOUR_POLL_INTERVAL="-1")],
    "a `max_credits` that is not a number of credits": lambda here: generate("--max-credits", "-1", "nan", "inf"),
    "an `assume_credits` that is not a number of credits": lambda here: generate("--assume-credits", "-1", "nan"),
    "a job log that is not a file": lambda here: generate("--job-log", "", str(here.folder), "https://a.example/jobs"),
    "such a job log in the variable": lambda here: [get("`MAGIC_HOUR_JOB_LOG`", MAGIC_HOUR_JOB_LOG=str(here.folder))],
    "a missing file": lambda here: headshots(str(here.folder / "none.png")),
    "a missing file, by a relative path": lambda here: headshots("none.png"),
    "the home folder of an unknown user": lambda here: headshots("~there-is-no-such-user/a.png"),
    "an empty path": lambda here: headshots(""),
    "base64 text or a NUL in place of a path": lambda here: headshots(BASE64),
    "a URL with a scheme other than http and https": lambda here: headshots("file:///a.png"),
    "a data URI without content": lambda here: headshots("data:image/png;base64,"),
    "a directory for a file": lambda here: headshots("pictures"),
    "a device for a file": lambda here: headshots("/dev/null"),
    "an empty file": lambda here: headshots("empty.png"),
    "an unreadable file": lambda here: headshots(str(here.forbidden() / "private.png"), unprivileged=True),
    "a file of another kind": lambda here: headshots(str(here.voice), "notes.txt"),
    "an audio file of another kind": lambda here: [talk(here, "--audio", audio=str(here.portrait))],
    "no image to edit": lambda here: [Line(("image", "edit", "--prompt", "Sunglasses", "--output", "out/"), "--image")],
    "more images to edit than the service takes": lambda here: [Line(("image", "edit", "--prompt", "Sunglasses",
     *("--image", str(here.portrait)) * 11), "--image")],
    "another type for a number": lambda here: [talk(here, "--end-seconds", end=end) for end in ("inf", "nan")],
    "fewer or more images than the service makes": lambda here: [Line((*GENERATE[:2], "--image-count", count,
     "--prompt", "A fox"), "--image-count") for count in ("0", "99")],
    "a prompt that is too long": lambda here: [Line(("image", "edit", "--image", str(here.portrait), "--prompt",
     "x" * 15_001), "--prompt")],
    "an empty prompt": lambda here: [Line((*GENERATE[:4], "--prompt", ""), "--prompt")],
    "a clip that starts before 0": lambda here: [talk(here, "--start-seconds", start="-1")],
    "a clip that ends before it begins": lambda here: [talk(here, "--end-seconds", start="3", end="2")],
    "a clip longer than any plan allows": lambda here: [talk(here, "--end-seconds", end="301")],
    "an `extra_body` that is not a dict": lambda here: generate("--extra-body", "[1]", "1"),
    "an `extra_body` that cannot be written as JSON": lambda here: generate("--extra-body", '{"x": NaN}'),
    "a `timeout` that is not a number above 0": lambda here: generate("--timeout", "0", "-1", "nan"),
    "a `poll_interval` that is not a number above 0": lambda here: generate("--poll-interval", "0", "-1"),
    "a `poll_interval` that is too short": lambda here: generate("--poll-interval", "0.001"),
    "a file for a directory": lambda here: generate("--output", "notes.txt/", "notes.txt/below/"),
    "an unwritable directory": lambda here: [*generate("--output", str(here.forbidden()) + "/new/", unprivileged=True),
     *generate("--output", "~there-is-no-such-user/x/", "x" * 300)],
    "a URL for a directory": lambda here: generate("--output", "s3://bucket/"),
    "an output name with a folder, or invalid on some systems": lambda here: generate("--output", "con.png",
     "out/fox?.png", "out/ fox.png"),
    "an output name of another kind of file": lambda here: generate("--output", "fox.mp4", "out/fox.mp3"),
    "an id that is empty or has `/ ? # %` or dots alone": lambda here: ids("", "a/b", "..", "a?b", "a#b", "a%2Fb"),
    "an id of more than 500 characters": lambda here: ids("x" * 501),
    "an upload of a file that is already remote": lambda here: [Line(("files", "upload",
     "https://a.example/a.png?signature=secret"), "FILE")],
    "an upload for an unknown role": lambda here: [Line(("files", "upload", str(here.portrait), "--role", "photo"),
     "--role")],
}  # fmt: skip

OWN_WORDS: tuple[tuple[str, ...], ...] = (
    ("image", "generate", "--image-count", "1"),
    ("image", "generate", "--prompt", "A red fox"),
    ("image", "generate", "--image-count", "one", "--prompt", "A red fox"),
    ("image", "generate", "--image-count", "1.5", "--prompt", "A red fox"),
    (*GENERATE, "--aspekt-ratio", "16:9"),
    (*GENERATE, "--timeout", "long"),
    (*GENERATE, "--extra-body", "seed=1"),
    (*GENERATE, "--output", ""),
    (*GENERATE, "--output", "-"),
    (*GENERATE, "--output", "notes.txt"),
    (*GENERATE, "A red fox"),
    ("image", "headshot"),
    ("image", "make"),
    ("files", "upload"),
)
"""What the command line finds by itself."""
