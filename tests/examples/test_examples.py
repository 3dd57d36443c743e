"""Every program in examples/ does what it says for what it says, run as a user runs it; the ledger judges."""

from __future__ import annotations

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from magic_hour_emulator import Emulator, samples
from magic_hour_workflows import Client
from media import media_type
from programs import Program
from servers import serving

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SERVERS = sorted(path.name for path in EXAMPLES.glob("webhooks_*.py"))
"""They wait for requests; tests/webhooks/test_frameworks.py runs them."""
FILES = sorted(path.name for path in EXAMPLES.glob("*.py") if path.name not in SERVERS)
_ROW = re.compile(r"^\| \[`([^`]+)`\]\(\1\) \| (.+) \| ([^|]+) \|$", re.MULTILINE)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_pictures")]  # each test starts a process

Run = Callable[..., "subprocess.CompletedProcess[str]"]


class Use(NamedTuple):
    """How a program is used here: its arguments, how many times its price that is, in how many jobs, and the files."""

    arguments: list[str]
    times_the_price: int
    jobs: int
    files: list[str]


USES = {
    "headshot.py": Use(["portrait.jpg"], 1, 1, ["outputs/*.png"]),
    "talking_photo.py": Use(["portrait.jpg", "voice.mp3", "--seconds", "2", "--budget", "96"], 2, 1, ["outputs/*.mp4"]),
    "generate_image.py": Use(
        ["A fox", "--count", "3", "--aspect-ratio", "16:9"], 3, 1, [f"outputs/*-{number}.png" for number in (1, 2, 3)]
    ),
    "edit_image.py": Use(["portrait.jpg", "Give me sunglasses"], 1, 1, ["outputs/portrait-edited.png"]),
    "many_images.py": Use(["prompts.txt"], 5, 5, ["outputs/*.png"] * 5),
    "text_to_video.py": Use(["A dog on a beach", "--seconds", "5"], 5, 1, ["outputs/*.mp4"]),
    "face_swap.py": Use(["clip.mp4", "portrait.jpg", "--seconds", "1"], 1, 1, ["outputs/*.mp4"]),
    "lip_sync.py": Use(["clip.mp4", "voice.mp3", "--seconds", "1"], 1, 1, ["outputs/*.mp4"]),
    "resume.py": Use(["image", "<id>"], 0, 0, ["outputs/*.png"]),
}
PROMPTS = ["A red fox", "A blue whale", "A green frog", "A grey owl", "A white bear"]


@pytest.fixture
def folder(tmp_path: Path, portrait: Path, voice: Path) -> Path:
    """A folder as a reader may have it; a copy of the portrait for each test, so that its bytes can be compared."""
    shutil.copy(portrait, tmp_path / "portrait.jpg")
    shutil.copy(voice, tmp_path / "voice.mp3")
    shutil.copy(samples.clip(), tmp_path / "clip.mp4")
    (tmp_path / "prompts.txt").write_text("\n\n".join(PROMPTS) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(folder: Path, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Start a program in the folder, with the emulator as the service unless the variables say otherwise."""

    def start(name: str, *arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
        settings: dict[str, str | None] = {
            "MAGIC_HOUR_API_KEY": emulator.token,
            "MAGIC_HOUR_BASE_URL": emulator.url,
            "MAGIC_HOUR_POLL_INTERVAL": "0.05",
            **variables,
        }
        given = {key: value for key, value in settings.items() if value is not None}
        out, err = (tmp_path_factory.mktemp("streams") / stream for stream in ("out", "err"))
        with Program(_execute, EXAMPLES / name, arguments, folder, environment=given, out=out, err=err) as program:
            try:
                code = program.wait(300)
            finally:
                program.kill()
        return subprocess.CompletedProcess([name, *arguments], code, out.read_text("utf-8"), err.read_text("utf-8"))

    return start


def _execute(path: Path, arguments: tuple[str, ...], folder: Path) -> int:
    warnings.simplefilter("error")
    os.chdir(folder)
    sys.argv = [str(path), *arguments]
    runpy.run_path(str(path), run_name="__main__")
    return 0


def started(emulator: Emulator, kind: str, folder: Path) -> str:
    """The id of a job that another process submitted and left alone."""
    with Client(token=emulator.token, base_url=emulator.url) as client:
        if kind == "image":
            return client.v1.ai_image_generator.generate(
                image_count=1, style={"prompt": "A red fox"}, wait_for_completion=False
            ).id
        return client.v1.ai_talking_photo.generate(
            assets={"image_file_path": folder / "portrait.jpg", "audio_file_path": folder / "voice.mp3"},
            start_seconds=0,
            end_seconds=1,
            wait_for_completion=False,
        ).id


def check_media(path: Path) -> None:
    """That a file decodes as what its name says, to the last picture."""
    assert media_type(path) == ("video/mp4" if path.suffix == ".mp4" else "image/png")


def rows() -> dict[str, tuple[str, str]]:
    """What the table in examples/README.md says of each file, and the credits."""
    return {name: (text, credits) for name, text, credits in _ROW.findall((EXAMPLES / "README.md").read_text("utf-8"))}


def price(text: str) -> int:
    """The number of credits a text names."""
    return int(re.search(r"\d+", text)[0])  # type: ignore[index]


def docstring(name: str) -> str:
    return ast.get_docstring(ast.parse((EXAMPLES / name).read_text(encoding="utf-8"))) or ""


def test_the_table_lists_exactly_the_files() -> None:
    assert FILES == sorted(USES) == sorted(rows())
    assert len(FILES) == len(_ROW.findall((EXAMPLES / "README.md").read_text("utf-8")))


def test_a_second_table_lists_the_servers() -> None:
    linked = re.findall(
        r"^\| \[`(webhooks_\w+\.py)`\]\(\1\)", (EXAMPLES / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(linked) == SERVERS


@pytest.mark.parametrize("name", FILES)
def test_says_how_to_run_it_and_what_it_costs(name: str) -> None:
    text = docstring(name)
    assert f"python examples/{name} " in text
    sentence = re.search(r"Costs [^.:;]*credits[^.:;]*", text)
    assert sentence, text
    assert price(sentence[0]) == price(rows()[name][1])
    assert ("at least" in sentence[0]) == ("at least" in rows()[name][1])


@pytest.mark.parametrize("name", FILES)
def test_does_what_it_says_for_what_it_says(
    name: str, run: Run, emulator: Emulator, folder: Path, portrait: Path
) -> None:
    use = USES[name]
    id = started(emulator, "image", folder) if name == "resume.py" else ""
    paid, creates = emulator.ledger.charged, len(emulator.ledger.creates)

    done = run(name, *(id if argument == "<id>" else argument for argument in use.arguments))

    assert (done.returncode, done.stderr) == (0, "")
    made = [path for pattern in dict.fromkeys(use.files) for path in folder.glob(pattern)]
    assert len(made) == len(use.files)
    for path in made:
        check_media(path)
        assert str(path.relative_to(folder)) in done.stdout
    assert emulator.ledger.charged - paid == price(rows()[name][1]) * use.times_the_price
    assert len(emulator.ledger.creates) - creates == use.jobs
    assert (folder / "portrait.jpg").read_bytes() == portrait.read_bytes()
    if name == "talking_photo.py":
        assert f"python examples/resume.py video {emulator.ledger.creates[-1].id}" in done.stdout
        assert re.search(r"^complete after \d+ s$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("name", FILES)
def test_without_a_key_says_so(name: str, run: Run, emulator: Emulator, folder: Path) -> None:
    done = run(name, *USES[name].arguments, MAGIC_HOUR_API_KEY=None)
    assert done.returncode == 1
    assert re.fullmatch(rf"{name}: .*MAGIC_HOUR_API_KEY.*\n", done.stderr)
    assert len(emulator.requests) == 0
    assert not (folder / "outputs").exists()


@pytest.mark.parametrize("name", FILES)
def test_used_wrongly_says_how_it_is_used(name: str, run: Run, emulator: Emulator) -> None:
    done = run(name)
    assert done.returncode in (1, 2)
    assert re.match(rf"usage: {name} ", done.stderr)
    assert emulator.ledger.creates == ()


def test_one_failed_picture_does_not_lose_the_others(run: Run, emulator: Emulator, folder: Path) -> None:
    emulator.fail_next("content_policy_violation", "This prompt is not allowed")
    done = run("many_images.py", "prompts.txt")
    assert done.returncode == 1
    (failed,) = (line for line in done.stderr.splitlines() if "content_policy_violation" in line)
    (job,) = (job for job in emulator.jobs if job.planned_error)
    assert failed.startswith(f"{job.body['style']['prompt']}: ")
    assert job.id in failed
    assert done.stderr.endswith("many_images.py: 1 of 5 failed\n")
    assert len(list((folder / "outputs").glob("*.png"))) == 4
    assert emulator.ledger.charged - emulator.ledger.refunded == 20


def test_a_picture_that_is_perhaps_paid_for_is_not_asked_for_again(run: Run, folder: Path) -> None:
    # The request is taken, and the connection closed without an answer.
    with serving(lambda connection, head: connection.shutdown(2)) as lost:
        done = run("many_images.py", "prompts.txt", MAGIC_HOUR_BASE_URL=lost.url)
    assert done.returncode == 1
    assert len(lost.heads) == len(PROMPTS)
    for prompt in PROMPTS:
        assert re.search(
            rf"^{prompt}: it is unknown whether this was paid for; look for '.+' in the web app$",
            done.stderr,
            re.MULTILINE,
        )


def test_over_the_budget_nothing_is_sent(run: Run, emulator: Emulator) -> None:
    done = run("talking_photo.py", "portrait.jpg", "voice.mp3", "--seconds", "2", "--budget", "95")
    assert done.returncode == 1
    assert "96 credits" in done.stdout
    assert "over the budget of 95" in done.stderr
    assert emulator.ledger.creates == ()


def test_a_talking_photo_is_picked_up_again(run: Run, emulator: Emulator, folder: Path) -> None:
    id = started(emulator, "video", folder)
    done = run("resume.py", "video", id)
    assert done.returncode == 0, done.stderr
    check_media(folder / done.stdout.strip())
    assert [create.id for create in emulator.ledger.creates] == [id]


def test_none_needs_the_emulator() -> None:
    imported: set[Any] = set()
    for name in FILES:
        for node in ast.walk(ast.parse((EXAMPLES / name).read_text(encoding="utf-8"))):
            imported |= {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            imported |= {node.module} if isinstance(node, ast.ImportFrom) else set()
    roots = {str(module).split(".")[0] for module in imported}
    assert roots <= {*sys.stdlib_module_names, "magic_hour_workflows"}
