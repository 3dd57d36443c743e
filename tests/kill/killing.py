"""Killing a program at a point or at a random moment, and judging what it leaves: the ledger, the files, the way back.

Rule: nothing here trusts the SDK. The ledger says what was charged, plain HTTP says which bytes the outputs have,
Pillow says whether a file is a picture. The SDK only has to finish the job by its id.
"""

from __future__ import annotations

import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import httpx
from PIL import Image

from kill.kill_points import INSIDE, POINTS, Point
from kill.program import FOLDER, main, resume
from magic_hour_emulator import Emulator, samples
from magic_hour_workflows import Client
from programs import Program

KINDS = ("cli", "sync", "async")
PATIENCE_SECONDS = 60.0
_PART = re.compile(r"\.[\w-]+\.[0-9a-f]{12}\.part")
_JOB_NAME = re.compile(r"ai_image_editor \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [0-9a-f]{8}")


@attrs.define
class Killed:
    """What a killed program left behind. `problems` lists the broken promises; there should be none."""

    point: str
    kind: str
    accepted: int
    reported: bool
    saved: int
    parts: int
    finished: bool = False
    problems: list[str] = attrs.field(factory=list)

    def check(self, good: object, problem: str) -> None:
        if not good:
            self.problems.append(f"{self.kind}, {self.point}: {problem}")


def kill_at(emulator: Emulator, kind: str, name: str, folder: Path) -> Killed:
    """Start the program, kill it at a point, and judge."""
    point = POINTS[name]
    emulator.reset()
    if point.fault is not None:
        emulator.faults.add(point.fault)
    with _started(emulator, kind, folder, INSIDE.get(name)) as program:
        if not point.inside:
            until(lambda: point.reached(emulator, folder), program)
            program.send_signal(signal.SIGKILL)
        code = program.wait(PATIENCE_SECONDS)
    emulator.faults.clear()
    if point.late:
        until(lambda: bool(emulator.ledger.creates))
    killed = judge(emulator, kind, name, folder)
    killed.check(code == -signal.SIGKILL, f"it exited by itself with {code}: {_printed(folder)}")
    _check_point(killed, point)
    return killed


def kill_after(emulator: Emulator, kind: str, seconds: float, folder: Path) -> Killed:
    """Start the program, kill it `seconds` after its first request (before it, if negative), and judge."""
    slow_down(emulator)
    with _started(emulator, kind, folder) as program:
        if seconds >= 0:
            until(lambda: len(emulator.requests) > 0, program)
        time.sleep(abs(seconds))
        program.send_signal(signal.SIGKILL)
        program.wait(PATIENCE_SECONDS)
    emulator.faults.clear()
    # A request that was on its way when the program died is still carried out, or not; both end soon.
    until(lambda: all(request.status is not None for request in emulator.requests.find(method="POST")), patience=1)
    return judge(emulator, kind, "a random moment", folder)


def undisturbed(emulator: Emulator, kind: str, folder: Path) -> float:
    """How long the program runs after its first request if nobody kills it."""
    slow_down(emulator)
    with _started(emulator, kind, folder) as program:
        until(lambda: len(emulator.requests) > 0, program)
        began = time.monotonic()
        code = program.wait(PATIENCE_SECONDS)
    if code != 0:
        raise AssertionError(f"it fails without a kill too: {_printed(folder)}")
    return time.monotonic() - began


def slow_down(emulator: Emulator) -> None:
    """Slow every step down, so that a random moment can hit it."""
    emulator.reset()
    emulator.faults.add("upload_slow", on="put", rate=300_000)
    emulator.faults.add("delay", on="create", seconds=0.1)
    emulator.faults.add("delay", on="create", phase="after", seconds=0.1)
    emulator.faults.add("drip", on="download", times=None, rate=2_000_000)


def moment(chance: random.Random, length: float) -> float:
    """When to kill: mostly while it works, sometimes before its first request."""
    return -chance.uniform(0, 0.02) if chance.random() < 0.1 else chance.uniform(0, 1.1 * length)


def judge(emulator: Emulator, kind: str, point: str, folder: Path) -> Killed:
    """Check what is left, then finish the job by its id, twice."""
    creates, printed = emulator.ledger.creates, _printed(folder)
    files = final_files(folder)
    killed = Killed(
        point=point,
        kind=kind,
        accepted=len(creates),
        reported=bool(creates) and creates[0].id in printed,
        saved=len(files),
        parts=len(_leftovers(folder)),
    )
    killed.check(len(creates) <= 1, f"{len(creates)} creates were accepted")
    killed.check(len(emulator.ledger.charges) == len(creates), "charges and creates differ")
    killed.check(emulator.token not in printed and "signature" not in printed, "a secret was printed")
    unexpected = [name for name in _leftovers(folder) if not _PART.fullmatch(name)]
    killed.check(not unexpected, f"unexpected leftovers: {unexpected}")
    if not creates:
        killed.check(not files, "files without a job")
        return killed
    [create] = creates[:1]
    killed.check(_JOB_NAME.fullmatch(create.name or ""), f"its name is not the one to look for: {create.name!r}")
    if any(job.held for job in emulator.jobs):
        emulator.force(create.id, "complete")
    outputs = outputs_of(emulator, create.id)
    for path, content in files.items():
        killed.check(_is_picture(path) and content in outputs, f"{path.name} is not what the service made")
    _resume(emulator, killed, create.id, folder, outputs, _by_command if kind == "cli" else _by_check_result)
    _resume(emulator, killed, create.id, folder, outputs, _by_download)
    killed.check(len(emulator.ledger.charges) == 1, "resuming was charged")
    killed.finished = not killed.problems
    return killed


def _check_point(killed: Killed, point: Point) -> None:
    killed.check(killed.accepted == point.accepted, f"{killed.accepted} accepted instead of {point.accepted}")
    killed.check(killed.reported == point.reported, f"the id was {'' if killed.reported else 'not '}reported")
    killed.check(killed.saved >= point.saved, f"{killed.saved} saved instead of {point.saved}")
    killed.check(killed.parts >= point.parts, f"{killed.parts} temporary files instead of {point.parts}")


Resume = Callable[[Emulator, str, Path], list[Path]]


def _resume(emulator: Emulator, killed: Killed, id: str, folder: Path, outputs: list[bytes], by: Resume) -> None:
    """Each time, all outputs are saved in order, and existing files stay unchanged."""
    before = final_files(folder)
    paths = by(emulator, id, folder)
    now = final_files(folder)
    how = by.__name__.strip("_").replace("_", " ")
    killed.check([now.get(path) for path in paths] == outputs, f"{how} did not save the outputs")
    killed.check(set(now) == set(before) | set(paths) and not set(before) & set(paths), f"{how} used other names")
    killed.check(all(now.get(path) == content for path, content in before.items()), f"{how} changed a file")


def _by_command(emulator: Emulator, id: str, folder: Path) -> list[Path]:
    printed = folder / "resumed"
    with Program(resume, folder, id, environment=environment(emulator), out=printed, err=folder / "errors") as program:
        program.wait(PATIENCE_SECONDS)
    return [folder / line for line in printed.read_text().splitlines()]


def _by_check_result(emulator: Emulator, id: str, folder: Path) -> list[Path]:
    with Client(token=emulator.token, base_url=emulator.url, poll_interval=0.02, timeout=PATIENCE_SECONDS) as client:
        return client.v1.image_projects.check_result(id, download_directory=folder / FOLDER).downloaded_paths


def _by_download(emulator: Emulator, id: str, folder: Path) -> list[Path]:
    with Client(token=emulator.token, base_url=emulator.url, timeout=PATIENCE_SECONDS) as client:
        return client.v1.image_projects.download(id, folder / FOLDER)


@contextmanager
def _started(emulator: Emulator, kind: str, folder: Path, point: str | None = None) -> Iterator[Program]:
    """The program, running. What it prints goes to a file, which outlives it as a terminal or a log would."""
    portrait = str(samples.portrait())
    arguments = (folder, kind, portrait, point)
    with Program(main, *arguments, environment=environment(emulator), out=folder / "printed") as program:
        try:
            yield program
        finally:
            program.kill()


def environment(emulator: Emulator) -> dict[str, str]:
    settings = {"API_KEY": emulator.token, "BASE_URL": emulator.url, "POLL_INTERVAL": "0.02"}
    return {f"MAGIC_HOUR_{name}": value for name, value in settings.items()}


def until(condition: Callable[[], bool], program: Program | None = None, *, patience: float = PATIENCE_SECONDS) -> None:
    """Return once the condition holds, the program has ended, or `patience` seconds have passed."""
    until = time.monotonic() + patience
    while not condition() and time.monotonic() < until and (program is None or program.poll() is None):
        time.sleep(0.002)


def _printed(folder: Path) -> str:
    printed = folder / "printed"
    return printed.read_text() if printed.exists() else ""  # killed before it had opened its output


def final_files(folder: Path) -> dict[Path, bytes]:
    """All files without a leading dot: those with a final name."""
    return {path: path.read_bytes() for path in (folder / FOLDER).glob("[!.]*")}


def _leftovers(folder: Path) -> list[str]:
    return [path.name for path in (folder / FOLDER).glob(".*")]


def _is_picture(path: Path) -> bool:
    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, SyntaxError):
        return False
    return True


def outputs_of(emulator: Emulator, id: str) -> list[bytes]:
    """The bytes of the outputs, fetched without the SDK."""
    headers = {"authorization": f"Bearer {emulator.token}"}
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        project = httpx.get(f"{emulator.url}/v1/image-projects/{id}", headers=headers).json()
        if project["status"] == "complete" or time.monotonic() > until:
            return [httpx.get(item["url"]).content for item in project["downloads"]]
        time.sleep(0.01)
