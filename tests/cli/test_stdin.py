"""`--image -`: one command's JSON into the next."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from commands import Run
from magic_hour_client.errors import InvalidArgument
from magic_hour_emulator import Emulator
from magic_hour_workflows.cli.flags import Flag, flags
from magic_hour_workflows.cli.stdin import outputs
from programs import ran
from storages import Answer, raw_service

EDIT = ("image", "edit", "--image", "-", "--prompt", "Make it night")
FOX = ("image", "generate", "--image-count", "1", "--prompt", "A red fox", "--format", "json")


def flag(operation: str, name: str) -> Flag:
    [found] = [flag for flag in flags(operation) if flag.flag == name]
    return found


IMAGES = flag("v1.ai_image_editor.create", "--image")
AUDIO = flag("v1.ai_talking_photo.create", "--audio")


def find(kind: str, id: str) -> list[str]:
    return [f"https://storage.example/{kind}/{id}.png"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"id": "x", "kind": "image", "downloaded_paths": ["a.png", "b.png"]}, ["a.png", "b.png"]),
        ({"id": "x", "kind": "image", "downloaded_paths": []}, ["https://storage.example/image/x.png"]),
        ({"id": "x", "kind": "image"}, ["https://storage.example/image/x.png"]),
        ({"file": "p.jpg", "file_path": "api-assets/id/p.jpg"}, ["api-assets/id/p.jpg"]),
    ],
)
def test_outputs(data: Any, expected: list[str]) -> None:
    assert outputs(IMAGES, json.dumps(data), find) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fox.png\n", "--format json"),
        ("[1]", "--format json"),
        ('{"id": "x"}', "has neither files nor a job"),
        ('{"error": {"message": "no more credits"}}', "the previous command failed: no more credits"),
        ('{"id": "x", "kind": "video", "downloaded_paths": ["clip.mp4"]}', "is video, not image"),
        ("\x00\x01", "--format json"),
        ("[" * 100_000, "--format json"),
    ],
)
def test_what_cannot_be_used(text: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words) as refused:
        outputs(IMAGES, text, find)
    assert refused.value.field == IMAGES.field


def test_sound_may_come_out_of_a_video() -> None:
    data = {"id": "x", "kind": "video", "downloaded_paths": ["clip.mp4"]}
    assert outputs(AUDIO, json.dumps(data), find) == ["clip.mp4"]


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(value: Any) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return put


def test_saved_files_are_taken_as_they_are(run: Run, stdin: Any, emulator: Emulator) -> None:
    first = run(*FOX, "--output", "fox.png")
    stdin(first.out)
    ended = run(*EDIT, "--output", "night.png")
    assert ended.code == 0, ended.err
    assert Path("night.png").exists()
    [put] = emulator.requests.find(origin="storage", method="PUT")
    assert put.received == Path("fox.png").stat().st_size


def test_a_job_is_asked_for_its_outputs(run: Run, stdin: Any, emulator: Emulator) -> None:
    stdin(run(*FOX, "--no-download").out)
    ended = run(*EDIT, "--output", "night.png", "--format", "json")
    assert ended.code == 0, ended.err
    assert not emulator.requests.find(origin="storage", method="PUT"), "the service fetches it itself"


def test_a_job_that_is_not_complete_is_waited_for(run: Run, stdin: Any) -> None:
    stdin(run(*FOX, "--no-wait").out)
    assert run(*EDIT, "--no-download").code == 0


def test_a_job_that_failed_ends_it_before_anything_is_paid(run: Run, stdin: Any, emulator: Emulator) -> None:
    emulator.fail_next("content_policy_violation", "No")
    stdin(run(*FOX, "--no-wait").out)
    ended = run(*EDIT)
    assert ended.code == 3
    assert len(emulator.ledger.creates) == 1


def test_among_other_files(run: Run, stdin: Any, emulator: Emulator) -> None:
    stdin({"id": "x", "kind": "image", "downloaded_paths": ["portrait.jpg"]})
    ended = run(
        "image", "edit", "--image", "room.jpg", "--image", "-", "--prompt", "x", "--dry-run", "--format", "json"
    )
    assert [upload["name"] for upload in ended.json["uploads"]] == ["room.jpg", "portrait.jpg"]


def test_one_output_for_one_file(run: Run, stdin: Any, emulator: Emulator) -> None:
    stdin({"id": "x", "kind": "image", "downloaded_paths": ["portrait.jpg", "room.jpg"]})
    ended = run("image", "headshot", "--image", "-")
    assert ended.code == 2
    assert "2 outputs" in ended.err
    assert not list(emulator.requests)


def test_only_one_option_can_take_them(run: Run, stdin: Any) -> None:
    stdin({"id": "x", "kind": "image", "downloaded_paths": ["portrait.jpg"]})
    talk = ("video", "talking-photo", "--image", "-", "--audio", "-", "--start-seconds", "0", "--end-seconds", "1")
    ended = run(*talk)
    assert (ended.code, "already reads stdin (-); read only one value from stdin" in ended.err) == (2, True), ended.err
    edit = run("image", "edit", "--image", "-", "--prompt", "-")
    assert (edit.code, "already reads stdin (-); read only one value from stdin" in edit.err) == (2, True), edit.err


def test_nothing_and_nobody_on_stdin(run: Run, stdin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin("")
    assert "printed nothing" in run(*EDIT).err
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    ended = run(*EDIT)
    assert ended.code == 2
    assert "stdin is a terminal" in ended.err


def test_a_dry_run_asks_nobody(run: Run, stdin: Any, emulator: Emulator) -> None:
    stdin({"id": "abc", "kind": "image", "downloaded_paths": []})
    ended = run(*EDIT, "--dry-run", "--format", "json")
    assert ended.json["body"]["assets"]["image_file_paths"] == ["https://not-asked.invalid/output-of-image-job-abc.png"]
    assert not list(emulator.requests)


@pytest.fixture
def bytes_on_stdin(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return put


@pytest.mark.parametrize("command", [EDIT, ("image", "headshot", "--image", "-"), ("files", "upload", "-")])
def test_a_picture_on_stdin(run: Run, bytes_on_stdin: Any, emulator: Emulator, portrait: Path, command: Any) -> None:
    bytes_on_stdin(portrait.read_bytes())
    ended = run(*command)
    assert ended.code == 0, ended.err
    [put] = emulator.requests.find(origin="storage", method="PUT")
    assert put.received == portrait.stat().st_size
    assert put.path.endswith(".jpg")


def test_a_picture_on_stdin_is_looked_at_by_a_dry_run(run: Run, bytes_on_stdin: Any, portrait: Path) -> None:
    bytes_on_stdin(portrait.read_bytes())
    ended = run(*EDIT, "--dry-run", "--format", "json")
    assert ended.json["uploads"] == [{"name": "stdin", "bytes": portrait.stat().st_size}]
    bytes_on_stdin(b"%PDF-1.7" + bytes(200))
    ended = run(*EDIT, "--dry-run")
    assert (ended.code, "--image: expected an image, but stdin" in ended.err) == (2, True), ended.err


@pytest.mark.parametrize(
    ("arguments", "content", "words"),
    [
        (("files", "upload", "-", "--role", "audio"), b"\x89PNG\r\n\x1a\n" + bytes(200), "expected an audio file"),
        (("files", "upload", "-"), b"", "stdin is empty"),
        (("image", "generate", "--image-count", "1", "--prompt", "-"), b"\n", "--prompt: stdin is empty"),
        (("image", "generate", "--image-count", "1", "--prompt", "-"), b"\xff\xfe\x00", "expected text in UTF-8"),
        (("image", "generate", "--image-count", "1", "--prompt", "-"), b"x" * (2**20 + 1), "longer than 1048576 bytes"),
    ],
)
def test_what_stdin_has_not_to_give(
    run: Run, bytes_on_stdin: Any, emulator: Emulator, arguments: Any, content: bytes, words: str
) -> None:
    bytes_on_stdin(content)
    ended = run(*arguments)
    assert (ended.code, words in ended.err) == (2, True), ended.err
    assert not list(emulator.requests)


def test_a_prompt_on_stdin(run: Run, bytes_on_stdin: Any) -> None:
    bytes_on_stdin("\ufeffA red fox\nin the snöw\n".encode())
    ended = run("image", "generate", "--image-count", "1", "--prompt", "-", "--dry-run", "--format", "json")
    assert ended.json["body"]["style"]["prompt"] == "A red fox\nin the snöw"


def test_process_substitution(folder: Path, emulator: Emulator, portrait: Path) -> None:
    command = f"{sys.executable} -m magic_hour_workflows image headshot --no-wait --image <(cat {portrait})"
    done = ran("bash", "-c", command)
    assert done.returncode == 0, done.stderr
    [put] = emulator.requests.find(origin="storage", method="PUT")
    assert put.received == portrait.stat().st_size


def test_a_file_without_an_extension(run: Run, emulator: Emulator, portrait: Path, folder: Path) -> None:
    Path("portrait").write_bytes(portrait.read_bytes())
    for command in (("image", "headshot", "--image", "portrait"), ("files", "upload", "portrait", "--role", "image")):
        ended = run(*command)
        assert ended.code == 0, ended.err


def test_a_real_pipe(folder: Path, emulator: Emulator) -> None:
    command, more = f"{sys.executable} -m magic_hour_workflows", "--verbose --debug"
    script = (
        f"set -o pipefail; {command} image generate --image-count 1 --prompt 'A red fox' --no-download --format json"
        f" {more} | {command} image edit --image - --prompt 'Make it sunset' --output sunset.png --format json {more}"
    )
    done = ran("bash", "-c", script)
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["downloaded_paths"] == ["sunset.png"]
    with Image.open("sunset.png") as picture:
        picture.load()
    assert "signature" not in done.stderr


def test_a_pipe_fails_with_its_first_command(folder: Path, emulator: Emulator) -> None:
    command = f"{sys.executable} -m magic_hour_workflows"
    script = (
        f"set -o pipefail; {command} image headshot --image missing.png --format json"
        f" | {command} image edit --image - --prompt x"
    )
    done = ran("bash", "-c", script)
    assert done.returncode == 2
    assert "the previous command failed: --image: there is no file missing.png" in done.stderr
    assert not list(emulator.requests)


@pytest.mark.parametrize(
    "entry", [None, {"url": "http://[bad"}, {"url": "https://a\uff0fb/c"}, {"url": "https://s/\ud800"}]
)
def test_an_output_of_the_job_before_that_has_no_usable_url(
    run: Run, stdin: Any, monkeypatch: pytest.MonkeyPatch, entry: Any
) -> None:
    """Found before anything is charged, without a traceback, and quotes nothing."""
    with raw_service() as service:
        service.outputs = [Answer(b""), entry]
        monkeypatch.setenv("MAGIC_HOUR_BASE_URL", service.server.url)
        stdin({"id": "job-1", "kind": "image"})
        ended = run(*EDIT)
    assert (ended.code, service.creates) == (1, 0)
    assert ended.err == "magic-hour: storage returned an invalid URL\n"
