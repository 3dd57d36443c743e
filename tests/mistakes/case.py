"""A case is one invalid call. The modules beside this one have a function for each row of the table.

Rule: a case is data. How it is called, in which world, and what must not happen, is the test's.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worlds import Scenario

THIS_MACHINE = "0.0.0.0:1"
"""No loopback address, but this machine all the same, and nobody listens: nothing gets out should a check be gone."""
BASE64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ" * 50


class Here:
    """A folder with the files of the cases, and what they opened."""

    def __init__(self, folder: Path, portrait: Path, voice: Path, opened: ExitStack) -> None:
        self.folder = folder
        self.portrait = portrait
        self.voice = voice
        self.out = folder / "out"
        self._opened = opened
        (folder / "pictures").mkdir()
        (folder / "empty.png").touch()
        (folder / "notes.txt").write_text("mine", encoding="utf-8")

    def enter(self, context: AbstractContextManager[Any]) -> Any:
        return self._opened.enter_context(context)

    def open(self, path: Path, mode: str) -> Any:
        return self.enter(path.open(mode, encoding=None if "b" in mode else "utf-8"))

    def pipe(self) -> Any:
        """An empty pipe."""
        reading, writing = os.pipe()
        os.close(writing)
        return self.enter(os.fdopen(reading, "rb"))

    def forbidden(self) -> Path:
        """A folder that only root can write to, with a file that only root can read.

        pytest's own folders are closed to others as a whole; in there, not the file would be what is refused.
        """
        folder = Path(self.enter(tempfile.TemporaryDirectory()))
        self._opened.callback(folder.chmod, 0o700)
        private = folder / "private.png"
        private.write_bytes(self.portrait.read_bytes())
        private.chmod(0)
        folder.chmod(0o555)
        return folder


@contextmanager
def as_nobody() -> Generator[None]:
    """Ordinary permissions: root ignores them, so for a moment this process is another user.

    The effective user of the whole process changes, emulator and worker threads included; the files of the case and
    the refusal of the system are real.
    """
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One invalid call."""

    call: str = "ai_image_generator.generate"
    """Below `client.v1`."""
    positional: tuple[Any, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the client, over those for the emulator."""
    environment: Mapping[str, str] = field(default_factory=dict)
    scenario: Scenario | None = None
    """What to do instead of the call."""
    unprivileged: bool = False


Cases = Callable[[Here], Iterable[Case]]
CASES: dict[str, Cases] = {}


def row(name: str) -> Callable[[Cases], Cases]:
    """The cases of a row of the table."""

    def register(cases: Cases) -> Cases:
        assert name not in CASES, name
        CASES[name] = cases
        return cases

    return register


def made(**settings: Any) -> Case:
    """A client that is only created: without its check, nothing would be sent either."""

    def nothing(client: Any) -> Generator[Any, Any, None]:
        yield from ()

    environment = settings.pop("environment", {})
    return Case(settings=settings, environment=environment, scenario=nothing)


def image(here: Here, **changes: Any) -> Case:
    """An image of a red fox; `None` leaves a parameter out."""
    given = {"image_count": 1, "style": {"prompt": "A red fox"}, "download_directory": here.out, **changes}
    return Case(given={key: value for key, value in given.items() if value is not None})


def headshot(here: Here, *values: Any, unprivileged: bool = False, **changes: Any) -> list[Case]:
    """A headshot of each value."""
    return [
        Case(
            call="ai_headshot_generator.generate",
            given={"assets": {"image_file_path": value}, "download_directory": here.out, **changes},
            unprivileged=unprivileged,
        )
        for value in values
    ]


def talk(here: Here, assets: Any = None, **changes: Any) -> Case:
    """A talking photo of two seconds."""
    assets = assets or {"image_file_path": here.portrait, "audio_file_path": here.voice}
    given = {"assets": assets, "start_seconds": 0, "end_seconds": 2, "download_directory": here.out, **changes}
    return Case(call="ai_talking_photo.generate", given=given)


def edit(here: Here, images: Any) -> Case:
    assets = {"image_file_paths": images}
    style = {"prompt": "Sunglasses"}
    return Case(
        call="ai_image_editor.generate", given={"assets": assets, "style": style, "download_directory": here.out}
    )
