"""One seed, run and judged.

Rule: the same seed gives the same trace in every process, whatever the hash seed, the clock and the machine.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import attrs

from magic_hour_workflows import _sources as sources

from .environment import World
from .facts import is_refusal
from .faults import Weather
from .judge import complaints
from .scenario import CallRecord, User
from .scheduler import Scheduler
from .service import Service
from .storage import Storage


@attrs.frozen
class Report:
    """The result of a seed."""

    seed: int
    complaints: list[str]
    trace: list[str]
    reached: set[str]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    def __str__(self) -> str:
        wrong = "\n".join(f"  * {text}" for text in self.complaints)
        trace = "\n".join(self.trace)
        again = f"make simulate SEED={self.seed}"
        return f"seed {self.seed} breaks a rule:\n{wrong}\n\n{trace}\n\nseed {self.seed}; again: {again}"


def simulate(seed: int) -> Report:
    """Run a seed and judge it."""
    with tempfile.TemporaryDirectory(prefix="simulation-") as folder, _log() as log:
        return _play(seed, Path(folder), log)


def _play(seed: int, folder: Path, log: list[str]) -> Report:
    def random(purpose: str) -> Random:
        return Random(f"{seed} {purpose}")  # text is hashed by its bytes, the same in every process

    scheduler, storage, weather = Scheduler(random("order")), Storage(random("storage")), Weather(random("weather"))
    world = World(random("world"), scheduler, weather, storage, Service(random("service"), storage))
    mine = _own_files(folder)
    users = [User(world, f"user{n}", random(f"user {n}"), folder) for n in range(random("users").choice([1, 2, 3, 4]))]
    tasks = [scheduler.spawn(user.live(), user.name) for user in users]
    scheduler.run()
    failures = [repr(task.error) for task in tasks if task.error is not None or not task.done]
    if sources._in_use:
        failures.append("a stream is still marked as in use")
    found = [*failures, *complaints(users, world, mine, [folder / "a", folder / "b"], log)]
    reached = world.reached.union(*(_reached(call) for user in users for call in user.calls))
    return Report(seed, [text.replace(str(folder), "FOLDER") for text in found], world.trace, reached)


def _own_files(folder: Path) -> dict[Path, bytes]:
    """The user's own files, with names that outputs would use."""
    (folder / "a").mkdir()
    mine = {
        folder / "a" / name: b"my own" for name in ("mine.png", "mine.gif", "mine-1.png", "job-1-1.png", "job-2-1.mp4")
    }
    for path, content in mine.items():
        path.write_bytes(content)
    return mine


def _reached(call: CallRecord) -> Iterator[str]:
    """What this call has covered, besides faults."""
    yield f"call: {call.what}"
    if call.error is not None:
        yield f"raised: {type(call.error).__name__}"
    yield from (f"event: {type(event).__name__}" for _, event in call.events)
    if call.interrupted_at is not None:
        carried = [
            name for name in ("project_id", "submission_unknown", "unsent", "failure") if hasattr(call.error, name)
        ]
        yield f"interrupted: {' '.join(carried) or 'nothing known'}"
    for exchange in call.exchanges:
        if exchange.expired:
            yield f"expired: {exchange.what}"
        if exchange.charges:
            certain = "unsent" if not exchange.sent else "refused" if is_refusal(exchange) else "may be accepted"
            yield f"create: {'accepted' if exchange.answer is not None else certain}"
        if exchange.status in (206, 416):
            yield f"resumed: {exchange.status}"
    if getattr(call.error, "downloaded_paths", None):
        yield "saved: some of several"
    for path in getattr(call.result, "downloaded_paths", []):
        yield "saved: another name" if "(2)" in path.name else "saved"


@contextmanager
def _log() -> Iterator[list[str]]:
    """Everything that is logged, as text."""
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(logging.Formatter().format(record))

    logger, handler = logging.getLogger("magic_hour_workflows"), Lines()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
