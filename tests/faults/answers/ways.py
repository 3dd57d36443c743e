"""The kinds of callers: sync, asyncio, the command line, the rows of a batch. Each is judged with all answers."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from magic_hour_workflows import AsyncClient, Client
from magic_hour_workflows.batch._batch import Batch
from magic_hour_workflows.batch._rows import RowStatus
from magic_hour_workflows.cli import main

from .answer import KEY, SECONDS, SILENT_SECONDS, Answer
from .judge import Heard, disagreements, heard, of_row, storable
from .service import Service, name_of, plain_id, playing

STYLE = {"prompt": "A red fox"}
_AT_ONCE = 8


@dataclass
class Report:
    """How one kind of caller handled the answers."""

    way: str
    answers: int = 0
    broken: list[str] = field(default_factory=list)

    def judge(self, service: Service, number: int, answer: Answer, heard: Heard, more: Sequence[str] = ()) -> None:
        self.answers += 1
        id, name = plain_id(number), name_of(number)
        found = disagreements(answer, heard, name=name, id=id, arrived=service.arrived[number])
        self.broken += [f"{self.way}: {answer}: {what} [{heard.detail}]" for what in [*more, *found]]


def _asked(number: int, answer: Answer) -> dict[str, Any]:
    call = {"image_count": 1, "style": STYLE, "name": name_of(number), "timeout": answer.seconds}
    return {**call, "wait_for_completion": False, "download_outputs": False}


def blocking(answers: Sequence[Answer]) -> Report:
    report = Report("sync")
    with playing(answers) as service, Client(KEY, base_url=service.url) as client:
        for number, answer in enumerate(answers):
            outcome: object
            try:
                outcome = client.v1.ai_image_generator.generate(**_asked(number, answer))
            except Exception as error:  # noqa: BLE001  (whatever it is, it is judged)
                outcome = error
            report.judge(service, number, answer, heard(outcome))
    return report


def asynchronous(answers: Sequence[Answer]) -> Report:
    report = Report("async")

    async def play() -> None:
        limit = anyio.CapacityLimiter(_AT_ONCE)
        with playing(answers) as service:
            async with AsyncClient(KEY, base_url=service.url) as client, anyio.create_task_group() as group:

                async def one(number: int, answer: Answer) -> None:
                    outcome: object
                    async with limit:
                        try:
                            outcome = await client.v1.ai_image_generator.generate(**_asked(number, answer))
                        except Exception as error:  # noqa: BLE001
                            outcome = error
                    report.judge(service, number, answer, heard(outcome))

                for number, answer in enumerate(answers):
                    group.start_soon(one, number, answer)

    anyio.run(play)
    return report


_CODES: dict[str | None, set[int]] = {"id": {0, 1}, "unknown": {4}, "refused": {1, 124}, None: set()}
"""From docs/command-line.md. 1 with an id: the job was accepted and something failed later; 124: asked to retry later
until the timeout."""


def command_line(answers: Sequence[Answer]) -> Report:
    report = Report("command line")
    with playing(answers) as service, _environment(MAGIC_HOUR_API_KEY=KEY, MAGIC_HOUR_BASE_URL=service.url):
        for number, answer in enumerate(answers):
            typed = ["image", "generate", "--image-count", "1", "--prompt", "A red fox", "--name", name_of(number)]
            typed += ["--no-wait", "--timeout", str(answer.seconds), "--format", "json"]
            code, out, err = _captured(lambda typed=typed: main(typed))
            report.judge(service, number, answer, _printed(out, err), _code(code, out))
    return report


def _printed(out: str, err: str) -> Heard:
    shown = out + err
    try:
        reported = json.loads(out)
    except ValueError:
        return Heard(None, detail=f"stdout {out[:200]!a}, stderr {err[:200]!a}", shown=shown)
    error = reported.get("error", {})
    detail, id = (
        f"{error.get('type')}: {str(error.get('message'))[:300]!a}",
        reported.get("id", error.get("project_id")),
    )
    if id is not None:
        return Heard("id", id=id, detail=detail, shown=shown, credits=reported.get("credits_charged"))
    if error.get("type") == "SubmissionUnknown":
        return Heard("unknown", name=error.get("name"), detail=detail, shown=shown)
    refused = error.get("status", 0) >= 400 or error.get("type") == "RequestTimeout"
    return Heard("refused" if refused else None, detail=detail, shown=shown)


def _code(code: int, out: str) -> Iterator[str]:
    """Does the exit code match the text?"""
    heard = _printed(out, "")
    if code not in _CODES[heard.reported] or (code == 0) == ('"error"' in out[:20]):
        yield f"exit code {code} beside {heard.reported}"


def batches(answers: Sequence[Answer]) -> Report:
    """All in one batch, except those that need a short timeout or stop a batch."""
    report = Report("batch")
    groups: dict[object, list[int]] = {}
    for number, answer in enumerate(answers):
        groups.setdefault(_group(number, answer), []).append(number)
    with playing(answers) as service:
        for group, numbers in groups.items():
            _batch(report, service, answers, numbers, timeout=2 * SILENT_SECONDS if group == "silent" else SECONDS)
    return report


def _group(number: int, answer: Answer) -> object:
    id = answer.id("")
    if answer.what.startswith(("401", "402")) or storable(id) != id:
        return number  # it stops the batch: other rows would be refused too, or the database rejects such an id
    return "silent" if answer.ends == "hold" else "others"


def _batch(report: Report, service: Service, answers: Sequence[Answer], numbers: Sequence[int], timeout: float) -> None:
    rows = [
        (name_of(number), "ai_image_generator", {"image_count": 1, "style": STYLE, "name": name_of(number)})
        for number in numbers
    ]
    with tempfile.TemporaryDirectory() as folder:
        where = {"output": Path(folder) / "out", "database": Path(folder) / "answers.batch.sqlite"}
        batch = Batch(rows, token=KEY, base_url=service.url, poll_interval=0.02, timeout=timeout, **where)
        _, out, err = _captured(lambda: len(list(batch.run())))
        results = {row.key: row for row in batch.results()}
    for number in numbers:
        row, answer = results[name_of(number)], answers[number]
        wrong = [] if (row.status is RowStatus.SAVED) <= (len(row.paths) == 1) else ["saved without a file"]
        if row.id is not None and row.status not in (RowStatus.SAVED, RowStatus.RUNNING):
            wrong.append(f"an accepted row is {row.status}")
        if row.id == plain_id(number) and row.status is not RowStatus.SAVED:
            wrong.append(f"a row with a good id is {row.status}")
        expected = storable(answer.id(plain_id(number)))
        if row.id is None and expected in (row.error or "") and expected not in err:
            wrong.append("an id that the database does not take is not on stderr")
        report.judge(service, number, answer, of_row(row), wrong)
    report.broken += [f"batch: the key is shown: {text[:80]}" for text in (out, err) if KEY in text]


WAYS: dict[str, Callable[[Sequence[Answer]], Report]] = {
    "sync": blocking,
    "async": asynchronous,
    "command line": command_line,
    "batch": batches,
}


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _captured(work: Callable[[], int]) -> tuple[int, str, str]:
    """What it returns, and what it writes to stdout and stderr."""
    streams = sys.stdout, sys.stderr
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as err:
        sys.stdout, sys.stderr = out, err
        try:
            code = work()
        finally:
            sys.stdout, sys.stderr = streams
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(os.fsdecode(stream.buffer.read()))
    return code, texts[0], texts[1]
