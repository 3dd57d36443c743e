"""The calls of the five documents this project was created from, sync and async.

The Python ones (image generator, image editor) stand here word for word but for the import line and the sample paths;
the TypeScript and Go ones (headshot, talking photo) with their names in snake_case.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from os import getenv
from pathlib import Path
from typing import Any

import anyio
import pytest

from magic_hour_emulator import Emulator
from magic_hour_workflows import AsyncClient, Client

GENERATE = {"wait_for_completion": True, "download_outputs": True, "download_directory": "outputs"}


@pytest.fixture(autouse=True)
def environment(
    tmp_path: Path, emulator: Emulator, portrait: Path, voice: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("API_TOKEN", emulator.token)
    monkeypatch.setenv("MAGIC_HOUR_BASE_URL", emulator.url)
    monkeypatch.setenv("MAGIC_HOUR_POLL_INTERVAL", "0.05")
    Path("1234.png").write_bytes(portrait.read_bytes())
    Path("1234.mp3").write_bytes(voice.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what 2025 used and 2026 retired
        yield


def test_003_image_generator_sync() -> None:
    client = Client(token=getenv("API_TOKEN"))
    res = client.v1.ai_image_generator.generate(
        image_count=1,
        orientation="landscape",
        style={"prompt": "Cool image", "tool": "ai-anime-generator"},
        name="Ai Image image",
        wait_for_completion=True,
        download_outputs=True,
        download_directory="outputs"
    )  # fmt: skip
    assert [path.parent.name for path in res.downloaded_paths] == ["outputs"]

    res = client.v1.ai_image_generator.create(
        image_count=1,
        orientation="landscape",
        style={"prompt": "Cool image", "tool": "ai-anime-generator"},
        name="Ai Image image",
    )
    assert res.id
    assert (res.credits_charged, res.frame_cost) == (5, 5)
    client.close()


def test_003_image_generator_async() -> None:
    async def main() -> None:
        client = AsyncClient(token=getenv("API_TOKEN"))
        res: Any = await client.v1.ai_image_generator.generate(
            image_count=1,
            orientation="landscape",
            style={"prompt": "Cool image", "tool": "ai-anime-generator"},
            name="Ai Image image",
            wait_for_completion=True,
            download_outputs=True,
            download_directory="outputs"
        )  # fmt: skip
        assert [path.parent.name for path in res.downloaded_paths] == ["outputs"]

        res = await client.v1.ai_image_generator.create(
            image_count=1,
            orientation="landscape",
            style={"prompt": "Cool image", "tool": "ai-anime-generator"},
            name="Ai Image image",
        )
        assert (res.credits_charged, res.frame_cost) == (5, 5)
        await client.close()

    anyio.run(main)


def test_004_image_editor_sync() -> None:
    client = Client(token=getenv("API_TOKEN"))
    res = client.v1.ai_image_editor.generate(
        assets={"image_file_path": "1234.png"},
        style={"prompt": "Give me sunglasses"},
        name="Ai Image Editor image",
        wait_for_completion=True,
        download_outputs=True,
        download_directory="outputs"
    )  # fmt: skip
    assert [path.parent.name for path in res.downloaded_paths] == ["outputs"]

    res = client.v1.ai_image_editor.create(
        assets={"image_file_path": "api-assets/id/1234.png"},
        style={"prompt": "Give me sunglasses"},
        name="Ai Image Editor image",
    )
    assert (res.credits_charged, res.frame_cost) == (50, 50)
    client.close()


def test_004_image_editor_async() -> None:
    async def main() -> None:
        client = AsyncClient(token=getenv("API_TOKEN"))
        res: Any = await client.v1.ai_image_editor.generate(
            assets={"image_file_path": "1234.png"},
            style={"prompt": "Give me sunglasses"},
            name="Ai Image Editor image",
            wait_for_completion=True,
            download_outputs=True,
            download_directory="outputs"
        )  # fmt: skip
        assert [path.parent.name for path in res.downloaded_paths] == ["outputs"]

        res = await client.v1.ai_image_editor.create(
            assets={"image_file_path": "api-assets/id/1234.png"},
            style={"prompt": "Give me sunglasses"},
            name="Ai Image Editor image",
        )
        assert (res.credits_charged, res.frame_cost) == (50, 50)
        await client.close()

    anyio.run(main)


def headshot(client: Any, method: str) -> Any:
    """Documents 000 (TypeScript) and 001 (Go)."""
    if method == "generate":
        return client.v1.ai_headshot_generator.generate(
            assets={"image_file_path": "1234.png"}, name="Ai Headshot image", **GENERATE
        )
    return client.v1.ai_headshot_generator.create(
        assets={"image_file_path": "api-assets/id/1234.png"}, name="Ai Headshot image"
    )


def talking_photo(client: Any, method: str) -> Any:
    """Document 002 (TypeScript), with every field of its table."""
    fields: dict[str, Any] = {
        "end_seconds": 15.0,
        "name": "Talking Photo image",
        "start_seconds": 0.0,
        "style": {"generation_mode": "pro", "intensity": 1.5},
    }
    if method == "generate":
        assets = {"audio_file_path": "1234.mp3", "image_file_path": "1234.png"}
        return client.v1.ai_talking_photo.generate(assets=assets, **fields, **GENERATE)
    assets = {"audio_file_path": "api-assets/id/1234.mp3", "image_file_path": "api-assets/id/1234.png"}
    return client.v1.ai_talking_photo.create(assets=assets, **fields)


@pytest.mark.parametrize("method", ["generate", "create"])
@pytest.mark.parametrize("use", [headshot, talking_photo])
def test_000_to_002(world: Any, use: Any, method: str, options: dict[str, Any]) -> None:
    res = world.call(lambda client: use(client, method), **options)
    assert res.id
    if method == "generate":
        assert [path.suffix for path in res.downloaded_paths] == [".png" if use is headshot else ".mp4"]
    else:
        assert res.credits_charged > 0
