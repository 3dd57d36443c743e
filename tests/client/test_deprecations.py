"""A deprecated parameter or value: one warning, naming what to use instead, at the caller's own line."""

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

import magic_hour_client
import magic_hour_workflows
from client.harness import ADDRESS, CREATED, KEY, PROJECT, Either, Recorder, create


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


def here() -> int:
    """The line this is called from."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


@pytest.mark.parametrize(
    ("package", "method"),
    [(magic_hour_client, "create"), (magic_hour_workflows, "create"), (magic_hour_workflows, "generate")],
)
def test_the_warning_points_at_the_callers_line(either: Either, package: Any, method: str) -> None:
    lines = []
    options: dict[str, Any] = {"base_url": ADDRESS, "http_client": either.http(answer)}
    arguments: dict[str, Any] = {"image_count": 1, "style": STYLE}
    if method == "generate":
        arguments["download_outputs"] = False

    def blocking() -> None:
        with package.Client(KEY, **options) as client:
            lines.append(here() + 1)
            getattr(client.v1.ai_image_generator, method)(**arguments)

    async def asynchronous() -> None:
        async with package.AsyncClient(KEY, **options) as client:
            lines.append(here() + 1)
            await getattr(client.v1.ai_image_generator, method)(**arguments)

    seen = caught(lambda: anyio.run(asynchronous, backend=either.name) if either.is_async else blocking())
    assert [(warning.filename, warning.lineno) for warning in seen] == [(__file__, lines[0])]
