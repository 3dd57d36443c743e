"""The programs of examples/ that receive webhooks, each with the test client of its framework."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import httpx
import pytest

from magic_hour_emulator import Emulator
from magic_hour_workflows import Client
from magic_hour_workflows.webhooks import sign
from webhook_events import SECRET, event_body

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = ("fastapi", "flask", "django")


@pytest.fixture(params=NAMES)
def example(
    request: pytest.FixtureRequest, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """The program as a module, in a folder of its own, with the emulator as the service."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAGIC_HOUR_API_KEY", emulator.token)
    monkeypatch.setenv("MAGIC_HOUR_BASE_URL", emulator.url)
    monkeypatch.setenv("MAGIC_HOUR_WEBHOOK_SECRET", SECRET)
    name = f"webhooks_{request.param}"
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    yield module
    if request.param == "django":
        from django.conf import settings
        from django.utils.functional import empty

        settings._wrapped = empty  # another test may configure it


def posted(example: ModuleType, requests: list[tuple[bytes, dict[str, str]]]) -> list[int]:
    """The statuses that the program answers; it has been closed then."""
    if example.__name__ == "webhooks_fastapi":
        return anyio.run(posted_async, example, requests)
    application: Any = example.app if example.__name__ == "webhooks_flask" else example.application
    with httpx.Client(transport=httpx.WSGITransport(application), base_url="http://app") as client, example.inbox:
        return [client.post("/webhooks", content=body, headers=headers).status_code for body, headers in requests]


async def posted_async(example: ModuleType, requests: list[tuple[bytes, dict[str, str]]]) -> list[int]:
    transport = httpx.ASGITransport(example.app)
    async with example.lifespan(example.app), httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        return [
            (await client.post("/webhooks/", content=body, headers=headers)).status_code for body, headers in requests
        ]


def test_saves_what_is_complete_and_refuses_forgeries(
    example: ModuleType, emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Client() as client:
        id = client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "a"}, download_outputs=False).id
    body = event_body(id=id)
    requests = [(body, sign(body, SECRET)), (body, sign(body, SECRET)), (body, sign(body, "whsec_other")), (body, {})]

    assert posted(example, requests) == [200, 200, 401, 401]

    [saved] = (tmp_path / "outputs").iterdir()
    assert capsys.readouterr().out == f"outputs/{saved.name}\n"
