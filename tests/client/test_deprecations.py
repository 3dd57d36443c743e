"""A deprecated parameter or value: one warning, naming what to use instead, at the caller's own line."""

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from client.harness import ADDRESS, CREATED, KEY, PROJECT, Either, Recorder, create
from magic_hour_client import AsyncClient, Client
from magic_hour_workflows import AsyncClient as AsyncWorkflows
from magic_hour_workflows import Client as Workflows


def caught(work: Callable[[], Any]) -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        work()
    return [warning for warning in seen if issubclass(warning.category, DeprecationWarning)]


def editor(client: Any, assets: Any = None, **more: Any) -> Any:
    assets = assets or {"image_file_paths": ["a/b.png"]}
    return client.v1.ai_image_editor.create(**{"assets": assets, "style": {"prompt": "x"}, **more})


def talking(client: Any, **more: Any) -> Any:
    assets = {"image_file_path": "a/b.png", "audio_file_path": "a/b.mp3"}
    return client.v1.ai_talking_photo.create(assets=assets, start_seconds=0, end_seconds=1, **more)


DEPRECATED = {
    "orientation": (lambda c: create(c, orientation="square"), "`aspect_ratio`"),
    "style.quality_mode": (lambda c: create(c, style={"prompt": "x", "quality_mode": "pro"}), "`model`"),
    "resolution='auto'": (lambda c: create(c, resolution="auto"), "leave `resolution` out"),
    "assets.image_file_path": (lambda c: editor(c, {"image_file_path": "a/b.png"}), "`image_file_paths`"),
    "style.model": (lambda c: editor(c, style={"prompt": "x", "model": "Seedream"}), "`model`"),
    "max_resolution": (lambda c: talking(c, max_resolution=720), "`resolution`"),
    "style.intensity": (lambda c: talking(c, style={"intensity": 1.5}), "leave it out"),
    "style.generation_mode='pro'": (lambda c: talking(c, style={"generation_mode": "pro"}), "`realistic`"),
    "style.generation_mode='stable'": (lambda c: talking(c, style={"generation_mode": "stable"}), "`realistic`"),
    "style.generation_mode='standard'": (lambda c: talking(c, style={"generation_mode": "standard"}), "`prompted`"),
    "style.generation_mode='expressive'": (lambda c: talking(c, style={"generation_mode": "expressive"}), "`prompted`"),
}


@pytest.mark.parametrize("name", DEPRECATED)
def test_each_deprecated_parameter_and_value_warns_once_and_says_what_to_use(either: Either, name: str) -> None:
    work, remedy = DEPRECATED[name]
    recorder = Recorder()
    [warning] = caught(lambda: either.call(work, recorder))
    assert f"`{name}` is deprecated" in str(warning.message)
    assert remedy in str(warning.message)
    assert recorder.request, "it is sent all the same"


def test_two_deprecated_parameters_are_two_warnings_in_every_call(either: Either) -> None:
    def work(client: Any) -> Any:
        return create(client, orientation="square", style={"prompt": "x", "quality_mode": "pro"})

    seen = caught(lambda: either.calls(work, work, handler=Recorder()))
    assert [str(warning.message).split("`")[1] for warning in seen] == ["style.quality_mode", "orientation"] * 2


def test_what_is_not_deprecated_or_none_does_not_warn(either: Either) -> None:
    works = [
        lambda c: create(c, orientation=None, resolution="1k", aspect_ratio="1:1"),
        lambda c: talking(c, max_resolution=None, style={"generation_mode": "realistic", "prompt": "x"}),
        editor,
    ]
    assert not caught(lambda: either.calls(*works, handler=Recorder()))


def test_deprecated_fields_of_an_answer_do_not_warn(either: Either) -> None:
    assert not caught(lambda: either.call(create, Recorder({**CREATED, "frame_cost": 5})).frame_cost)


# --- where the warning points -------------------------------------------------------------------------------------

STYLE = {"prompt": "x", "quality_mode": "pro"}


def answer(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=PROJECT if request.method == "GET" else CREATED)


def http(kind: type[Any]) -> Any:
    return kind(transport=httpx.MockTransport(answer))


def here() -> int:
    """The line this is called from."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def expect(seen: list[warnings.WarningMessage], line: int) -> None:
    assert [(warning.filename, warning.lineno) for warning in seen] == [(__file__, line)]


def test_the_warning_of_create_points_at_the_callers_line() -> None:
    lines = []

    def blocking() -> None:
        with Client(KEY, base_url=ADDRESS, http_client=http(httpx.Client)) as client:
            lines.append(here() + 1)
            client.v1.ai_image_generator.create(image_count=1, style=STYLE)

    async def asynchronous() -> None:
        async with AsyncClient(KEY, base_url=ADDRESS, http_client=http(httpx.AsyncClient)) as client:
            lines.append(here() + 1)
            await client.v1.ai_image_generator.create(image_count=1, style=STYLE)

    for work in (blocking, lambda: anyio.run(asynchronous), lambda: anyio.run(asynchronous, backend="trio")):
        expect(caught(work), lines[-1])


def test_the_warning_of_the_workflows_points_at_the_callers_line() -> None:
    lines = []

    def blocking() -> None:
        with Workflows(KEY, base_url=ADDRESS, http_client=http(httpx.Client), poll_interval=0.01) as client:
            lines.append(here() + 1)
            client.v1.ai_image_generator.generate(image_count=1, style=STYLE, download_outputs=False)

    def low_level() -> None:
        with Workflows(KEY, base_url=ADDRESS, http_client=http(httpx.Client)) as client:
            lines.append(here() + 1)
            client.v1.ai_image_generator.create(image_count=1, style=STYLE)

    async def asynchronous() -> None:
        async with AsyncWorkflows(
            KEY, base_url=ADDRESS, http_client=http(httpx.AsyncClient), poll_interval=0.01
        ) as client:
            lines.append(here() + 1)
            await client.v1.ai_image_generator.generate(image_count=1, style=STYLE, download_outputs=False)

    for work in (blocking, low_level, lambda: anyio.run(asynchronous), lambda: anyio.run(asynchronous, backend="trio")):
        expect(caught(work), lines[-1])
