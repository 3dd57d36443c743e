"""An eavesdropper: hears everything that a call says to anybody, and knows what nobody may hear.

Rule: it listens to all loggers at their most talkative, not to those we know of, and it learns the secrets from those
who handed them out.
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

TALKATIVE = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "anyio", "asyncio", "trio")


class Eavesdropper(logging.Handler):
    """`heard` is everything in text, `secrets` what must not be in it."""

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
        """All that an error shows to people, to reporters and to other processes, and so do those it came from."""
        self.hear("".join(traceback.format_exception(error)))
        for link in chain(error):
            self.hear(link, link.args, vars(link), getattr(link, "__notes__", None))
            request = vars(link).get("_request")  # of httpx's errors; a reporter of errors may look into it
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
        """What was said with a secret in it."""
        return sorted({text for text in self.heard for secret in self.secrets if secret in text})


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all those behind it, shown by a traceback or not."""
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
    """Listen to everything inside the block; signed URLs that an emulator hands out meanwhile are known."""
    ear = Eavesdropper(*secrets)
    sign = Signer.sign

    def overheard(self: Signer, *args: Any) -> tuple[str, float]:
        url, expires = sign(self, *args)
        return ear.learn(url), expires

    monkeypatch.setattr(Signer, "sign", overheard)
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")  # asyncio then tells what runs for long, and where it came from
    levels = {name: logging.getLogger(name).level for name in ("", *TALKATIVE)}
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
