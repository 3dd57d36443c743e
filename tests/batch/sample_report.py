"""A finished batch: 40 rows of all endpoints and statuses, with real media and hostile texts.

Rule: the emulator renders the media, each once; rows get copies.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from itertools import count, cycle
from pathlib import Path
from typing import Any

from magic_hour_emulator import samples
from magic_hour_emulator._contract import Operation, load_contract
from magic_hour_emulator._jobs import Clip, Job, Source
from magic_hour_emulator._products import RENDERERS
from magic_hour_workflows.batch._rows import RowResult, RowStatus, Summary

RUNS = "window.pwned = true"
HOSTILE = (
    f"</script><script>{RUNS}</script>", f"<img src=x onerror='{RUNS}'>", f'" onmouseover="{RUNS}" x=\'',
    "{{ 7 * 7 }}{% raw %}<!--", "שלום ‮gnp.exe", "W" * 300, "a\u2028b\x00c\x1b[201~d", "--project $(touch pwned)",
)  # fmt: skip
"""Keys, names and errors that would break a careless page."""

_PROMPTS = ("A red fox in the snow", "An orchid at night", "A harbour in the fog", "A kite over the dunes")
_CREDITS = {"ai_headshot_generator": 50, "ai_image_editor": 50, "ai_image_generator": 5, "ai_talking_photo": 240}


class SampleReport:
    """The rows and their files, in a directory."""

    def __init__(self, directory: Path, media: dict[str, list[Path]]) -> None:
        self.directory = directory
        self._media = {endpoint: cycle(paths) for endpoint, paths in media.items()}
        self.results = [self._row(number) for number in range(40)]

    @property
    def summary(self) -> Summary:
        return summary(self.results)

    def _row(self, number: int) -> RowResult:
        endpoint = sorted(_CREDITS)[number % 4]
        status = (
            (RowStatus.SAVED if number < 24 else list(RowStatus)[number % 6]) if number != 39 else RowStatus.DOUBTFUL
        )
        key = HOSTILE[number - 24] if 24 <= number < 24 + len(HOSTILE) else f"{endpoint[3:]}/{number:03} Größe #1"
        kind: Any = "video" if endpoint == "ai_talking_photo" else "image"
        name = f"batch {key}"
        paths = self._save(endpoint, number) if status is RowStatus.SAVED else []
        match status:
            case RowStatus.SAVED:
                extra: dict[str, Any] = {"credits": _CREDITS[endpoint] * len(paths), "seconds": 2.5 + number / 8}
                extra |= {"paths": paths, "sha256": [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]}
            case RowStatus.FAILED:
                error = f"the {kind} job c{number:024} failed: no_source_face: no face was found in {key}"
                extra = {"error": error, "error_type": "JobFailed", "seconds": 1.0}
            case RowStatus.DOUBTFUL:
                error = "it is unknown whether v1.ai_image_generator.create was accepted: the connection was cut."
                extra = {"error": error, "error_type": "SubmissionUnknown", "credits": None, "seconds": 4.0}
            case _:
                extra = {}
        known = status in (RowStatus.SAVED, RowStatus.FAILED, RowStatus.RUNNING)
        job_id = f"c{number:024}" if known else None
        return RowResult(key=key, endpoint=endpoint, status=status, kind=kind, name=name, id=job_id, **extra)

    def _save(self, endpoint: str, number: int) -> list[Path]:
        outputs = 4 if number in (2, 10) else 2 if number == 6 else 1
        paths = []
        for index, made in zip(range(outputs), self._media[endpoint], strict=False):
            stem = (
                "100% #1 ä?" if number == 1 else f"{endpoint}-{number:03}"
            )  # file names that URLs cannot hold as they are
            path = self.directory / f"{stem}-{index + 1}{made.suffix}"
            shutil.copyfile(made, path)
            paths.append(path)
        return paths


def summary(results: list[RowResult], halted: str | None = None) -> Summary:
    """The summary of these rows."""
    counts = Counter(result.status for result in results)
    return Summary(counts=counts, credits=sum(result.credits or 0 for result in results), halted=halted)


def render_media(directory: Path) -> dict[str, list[Path]]:
    """Some outputs of each endpoint, rendered by the emulator."""
    ids = (f"c{number:024}" for number in count())
    return {
        endpoint: [_draw(directory, endpoint.replace("_", "-"), next(ids), prompt) for prompt in prompts]
        for endpoint, prompts in (
            ("ai_headshot_generator", _PROMPTS[:1]),
            ("ai_image_editor", _PROMPTS[:3]),
            ("ai_image_generator", _PROMPTS),
            ("ai_talking_photo", _PROMPTS[:1]),
        )
    }


def _draw(directory: Path, resource: str, job_id: str, prompt: str) -> Path:
    [operation] = [each for each in load_contract().operations if each.resource == resource and each.emulation]
    video = operation.kind == "video"
    assert operation.emulation is not None
    job = Job(
        id=job_id, kind=str(operation.kind), resource=resource, name=prompt, emulation=operation.emulation,
        body={"style": {"prompt": prompt}, "aspect_ratio": "16:9" if "night" in prompt else "1:1"},
        credits_charged=0, created_at=0, duration=0,
        inputs=tuple(_inputs(operation)), clip=Clip(0.0, 1.0, 480, 480, 12) if video else None,
    )  # fmt: skip
    path = directory / f"{job_id}.{job.extension}"
    RENDERERS[job.media](job, 0, path, 0)
    return path


def _inputs(operation: Operation) -> Iterator[Source]:
    roles = {role for field in operation.assets for role in field.roles}
    if "image" in roles:
        yield Source("portrait", "image", samples.portrait())
    if "audio" in roles:
        yield Source("voice", "audio", samples.voice())
