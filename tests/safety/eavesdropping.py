"""An eavesdropper: it collects every text that a call produces, and knows the secrets that must not be in it.

Rule: it listens to all loggers at their lowest level, not only to known ones, and it learns the secrets where they are
created.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from magic_hour_emulator._stored_files import Signer

VERBOSE = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "anyio", "asyncio", "trio")


class Eavesdropper(logging.Handler):
    """`heard` is all text, `secrets` must not be in it."""

    def __init__(self, *secrets: str) -> None:
        super().__init__(logging.NOTSET)
        self.secrets: set[str] = set(secrets)
        self.heard: list[str] = []
        self.loggers: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.loggers.add(record.name)
        text = logging.Formatter("%(name)s %(message)s").format(record)  # with the traceback, if there is one
        self.hear(f"{text} {record.msg!r} {record.args!r} {record.exc_text}")

    def hear(self, *values: object) -> None:
        for value in values:
            self.heard += [str(value), repr(value)]

    def hear_error(self, error: BaseException) -> None:
        """Everything that an error and its causes show to people, error reporters and other processes."""
        self.hear("".join(traceback.format_exception(error)))
        for link in chain(error):
            self.hear(link, link.args, vars(link), getattr(link, "__notes__", None))
            request = vars(link).get("_request")  # of httpx's errors; an error reporter may read it
            self.hear(*([] if request is None else [request.headers.raw, request.url.raw]))
        with contextlib.suppress(Exception):
            self.hear(pickle.dumps(error))

    def hear_names(self, directory: Path) -> None:
        for path in directory.rglob("*"):
            self.hear(path)

    def learn(self, url: str) -> str:
        """Every value in the query of a signed URL is a secret."""
        self.secrets.update(value for _, value in parse_qsl(urlsplit(url).query))
        return url

    def found(self) -> list[str]:
        """The texts that contain a secret."""
        return sorted({text for text in self.heard for secret in self.secrets if secret in text})


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all errors behind it, whether a traceback shows them or not."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is None or any(link is known for known in seen):
            continue
        seen.append(link)
        waiting += [link.__cause__, link.__context__, getattr(link, "submission_unknown", None)]
        waiting += getattr(link, "exceptions", ())
        yield link


@contextlib.contextmanager
def eavesdropping(monkeypatch: pytest.MonkeyPatch, *secrets: str) -> Iterator[Eavesdropper]:
    """Listen to everything inside the block, and learn the URLs that the emulator signs meanwhile."""
    ear = Eavesdropper(*secrets)
    sign = Signer.sign

    def overheard(self: Signer, *args: Any) -> tuple[str, float]:
        url, expires = sign(self, *args)
        return ear.learn(url), expires

    monkeypatch.setattr(Signer, "sign", overheard)
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")  # asyncio then logs slow callbacks and where they come from
    levels = {name: logging.getLogger(name).level for name in ("", *VERBOSE)}
    logging.getLogger().addHandler(ear)
    for name in levels:
        logging.getLogger(name).setLevel(1)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield ear
        ear.hear(*(warning.message for warning in warned))
    finally:
        logging.getLogger().removeHandler(ear)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
