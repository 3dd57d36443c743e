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

from magic_hour_emulator import Emulator

ROOT = Path(__file__).resolve().parents[2]
_DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *(path for path in sorted(_DOCS.glob("**/*.md")) if "```python" in path.read_text("utf-8")),
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
    shutil.copy(voice, tmp_path / "1234.mp3")
    return tmp_path


@pytest.fixture
def existing_job(emulator: Emulator, folder: Path) -> dict[str, str]:
    """Jobs to stand in for the documents' `cuid-example`."""
    from magic_hour_workflows import Client

    with Client() as client:
        image = client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "a"}, download_outputs=False)
        video = client.v1.ai_talking_photo.generate(
            assets={"image_file_path": "portrait.jpg", "audio_file_path": "1234.mp3"},
            start_seconds=0,
            end_seconds=1,
            download_outputs=False,
        )
    return {"image": image.id, "video": video.id}


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


@pytest.mark.parametrize(("skipped", "code"), snippets())
def test_snippet(skipped: str, code: str, folder: Path, existing_job: dict[str, str], request: Any) -> None:
    if skipped:
        assert _COSTS in skipped, "only what costs may be left out, and it says so"
        compile(code, "snippet", "exec")
        return
    kind = "video" if "video_projects" in code else "image"
    code = code.replace("/path/to/", f"{folder.as_posix()}/").replace("cuid-example", existing_job[kind])
    run(code, request.node.name)
    if "download_directory=" in code:
        assert any((folder / "outputs").iterdir()), "the snippet says it saves, and nothing was saved"


def test_the_pages_that_need_snippets_have_some() -> None:
    expected = {"README.md", "workflows.md", "batches.md", "mistakes.md", "emulator.md", "generator.md"}
    expected |= {path.name for path in (_DOCS / "reference").glob("*.md")}
    assert {page.name for page in PAGES} >= expected
