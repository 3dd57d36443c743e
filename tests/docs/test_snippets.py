"""Every Python snippet of README, guide and reference runs as it stands, against the emulator."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from magic_hour_emulator import Emulator, samples
from magic_hour_workflows import Client

ROOT = Path(__file__).resolve().parents[2]
_DOCS = ROOT / "docs"
_TESTING = _DOCS / "testing.md"  # its snippets are tests, which tests/emulator/test_pytest_plugin.py runs with pytest
PAGES = [
    ROOT / "README.md",
    *(path for path in sorted(_DOCS.glob("**/*.md")) if "```python" in path.read_text("utf-8") and path != _TESTING),
]
_SNIPPET = re.compile(r"(<!-- not run: [^>]*-->\n)?```python\n(.*?)```", re.DOTALL)
_COSTS = "charge credits"


def snippets() -> list[Any]:
    found = []
    for page in PAGES:
        for number, (skipped, code) in enumerate(_SNIPPET.findall(page.read_text(encoding="utf-8")), 1):
            found.append(pytest.param(skipped, code, id=f"{page.name}-{number}"))
    return found


@pytest.fixture
def folder(tmp_path: Path, emulator: Emulator, portrait: Path, voice: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a reader may have it, with the emulator as the service."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAGIC_HOUR_API_KEY", emulator.token)
    monkeypatch.setenv("API_TOKEN", emulator.token)
    monkeypatch.setenv("MAGIC_HOUR_BASE_URL", emulator.url)
    monkeypatch.setenv("MAGIC_HOUR_POLL_INTERVAL", "0.05")
    shutil.copy(portrait, tmp_path / "portrait.jpg")
    shutil.copy(portrait, tmp_path / "1234.png")
    shutil.copy(samples.clip(), tmp_path / "clip.mp4")
    for name in ("voice.mp3", "1234.mp3"):
        shutil.copy(voice, tmp_path / name)
    return tmp_path


def existing_job(code: str) -> str:
    """The id of a job to stand in for the documents' example of one, of the kind that the snippet is about."""
    with Client() as client:
        if "face_detection" in code:
            return client.v1.face_detection.create(assets={"target_file_path": "api-assets/id/1234.png"}).id
        if "video_projects" in code:
            return client.v1.ai_talking_photo.generate(
                assets={"image_file_path": "portrait.jpg", "audio_file_path": "1234.mp3"},
                start_seconds=0,
                end_seconds=1,
                download_outputs=False,
            ).id
        if "audio_projects" in code:
            style = {"prompt": "a", "voice_name": "Any"}
            return client.v1.ai_voice_generator.generate(style=style, download_outputs=False).id
        return client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "a"}, download_outputs=False).id


def run(code: str, name: str) -> None:
    """Run a snippet; one that awaits at its top level gets an event loop."""
    names: dict[str, Any] = {"__name__": "snippet"}
    compiled = compile(code, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    if compiled.co_flags & inspect.CO_COROUTINE:
        asyncio.run(_closing(eval(compiled, names), names))  # noqa: S307  (our own documentation)
    else:
        eval(compiled, names)  # noqa: S307
        client = names.get("client")
        if client is not None:
            client.close()


async def _closing(snippet: Any, names: dict[str, Any]) -> None:
    await snippet
    client = names.get("client")
    if client is not None:
        await client.close()


@pytest.mark.usefixtures("small_pictures")
@pytest.mark.parametrize(("skipped", "code"), snippets())
def test_snippet(skipped: str, code: str, folder: Path, request: Any) -> None:
    if skipped:
        assert _COSTS in skipped, "only what costs may be left out, and it says so"
        compile(code, "snippet", "exec")
        return
    code = code.replace("/path/to/", f"{folder.as_posix()}/")
    if "uid-example" in code:  # of a project "cuid-example", of a task "uuid-example"
        code = re.sub("[cu]uid-example", existing_job(code), code)
    run(code, request.node.name)
    if "download_directory=" in code:
        assert any((folder / "outputs").iterdir()), "the snippet says it saves, and nothing was saved"


def test_the_pages_that_need_snippets_have_some() -> None:
    expected = {"README.md", "workflows.md", "batches.md", "mistakes.md", "emulator.md", "generator.md"}
    expected |= {path.name for path in (_DOCS / "reference").glob("v1.*.md")}
    assert {page.name for page in PAGES} >= expected


TEXTS = sorted(
    {
        *ROOT.glob("*.md"),
        *(path for name in ("docs", "benchmarks", "examples", "spec") for path in (ROOT / name).glob("**/*.md")),
    }
)
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for name, anchor in _LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / name if name else page
        assert target.exists(), name
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}, anchor
