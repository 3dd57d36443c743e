"""Both clients, in three worlds, against the emulator: real files in, real media out, and the ledger as the judge."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from magic_hour_client._runtime import endpoints
from magic_hour_emulator import Emulator
from magic_hour_workflows.errors import NotFound, PaymentRequired, Unauthorized
from magic_hour_workflows.events import Created, Downloading, Uploading
from worlds import World

Options = dict[str, Any]


def generate_image(client: Any, **more: Any) -> Any:
    parameters = {"image_count": 1, "style": {"prompt": "A red fox"}, **more}
    return client.v1.ai_image_generator.generate(**parameters)


class TestEndpoints:
    def test_images(self, world: World, options: Options, tmp_path: Path) -> None:
        use = lambda client: generate_image(client, image_count=4, aspect_ratio="16:9", download_directory=tmp_path)  # noqa: E731
        result = world.call(use, **options)
        assert (result.status, result.credits_charged, len(result.downloaded_paths)) == ("complete", 20, 4)
        assert len(set(result.downloaded_paths)) == 4
        for number, path in enumerate(result.downloaded_paths, 1):
            assert path.name == f"{result.id}-{number}.png"
            with Image.open(path) as picture:
                assert picture.width * 9 == picture.height * 16
                picture.verify()

    def test_headshot(self, world: World, options: Options, tmp_path: Path, portrait: Path, emulator: Emulator) -> None:
        events: list[Any] = []
        result = world.call(
            lambda client: client.v1.ai_headshot_generator.generate(
                assets={"image_file_path": portrait}, download_directory=tmp_path, on_progress=events.append
            ),
            **options,
        )
        assert result.credits_charged == 50
        assert [event.sent == event.total for event in events if isinstance(event, Uploading)][-1]
        assert [event.id for event in events if isinstance(event, Created)] == [result.id]
        assert [event.received == event.total for event in events if isinstance(event, Downloading)][-1]
        with Image.open(result.downloaded_paths[0]) as picture:
            picture.verify()
        assert len(emulator.ledger.creates) == 1

    def test_talking_photo(self, world: World, options: Options, tmp_path: Path, portrait: Path, voice: Path) -> None:
        with voice.open("rb") as sound:
            result = world.call(
                lambda client: client.v1.ai_talking_photo.generate(
                    assets={"image_file_path": str(portrait), "audio_file_path": sound},
                    start_seconds=0.5,
                    end_seconds=2.5,
                    download_directory=tmp_path,
                ),
                **options,
            )
        assert result.kind == "video"
        with av.open(str(result.downloaded_paths[0])) as media:
            assert sorted(stream.type for stream in media.streams) == ["audio", "video"]
            assert media.duration / av.time_base == pytest.approx(2.0, abs=0.1)

    def test_edit_of_several_images(self, world: World, options: Options, tmp_path: Path, portrait: Path) -> None:
        result = world.call(
            lambda client: client.v1.ai_image_editor.generate(
                assets={"image_file_paths": [portrait, ("copy.jpg", io.BytesIO(portrait.read_bytes()))]},
                style={"prompt": "Give me sunglasses"},
                aspect_ratio="1:1",
                download_directory=tmp_path,
            ),
            **options,
        )
        with Image.open(result.downloaded_paths[0]) as picture:
            assert picture.width == picture.height

    def test_an_output_as_the_next_input(self, world: World, options: Options, tmp_path: Path) -> None:
        def scenario(client: Any) -> Generator[Any, Any, Any]:
            first = yield generate_image(client, download_directory=tmp_path)
            return (
                yield client.v1.ai_image_editor.generate(
                    assets={"image_file_paths": [first.downloaded_paths[0]]},
                    style={"prompt": "At night"},
                    download_directory=tmp_path,
                )
            )

        assert world.run(scenario, **options).status == "complete"


class TestJobsById:
    def test_picked_up_by_another_client(self, world: World, options: Options, tmp_path: Path) -> None:
        started = world.call(lambda client: generate_image(client, wait_for_completion=False), **options)
        assert started.downloaded_paths == []

        def scenario(client: Any) -> Generator[Any, Any, Any]:
            project = yield client.v1.image_projects.wait(started.id)
            paths = yield client.v1.image_projects.download(started.id, tmp_path)
            result = yield client.v1.image_projects.check_result(started.id, True, True, tmp_path)
            return project, paths, result

        project, paths, result = world.run(scenario, **options)
        assert project.status == "complete"
        assert paths == [tmp_path / f"{started.id}-1.png"]
        assert result.downloaded_paths == [tmp_path / f"{started.id}-1 (2).png"]
        assert paths[0].read_bytes() == result.downloaded_paths[0].read_bytes()

    def test_deleted(self, world: World, options: Options) -> None:
        def scenario(client: Any) -> Generator[Any, Any, Any]:
            result = yield generate_image(client, download_outputs=False)
            assert (yield client.v1.image_projects.delete(result.id)) is None
            with pytest.raises(NotFound):
                yield client.v1.image_projects.get(result.id)
            return None

        assert world.run(scenario, **options) is None

    def test_uploaded_once_and_used_twice(
        self, world: World, options: Options, portrait: Path, emulator: Emulator
    ) -> None:
        def scenario(client: Any) -> Generator[Any, Any, Any]:
            path = yield client.v1.files.upload_file(portrait)
            for _ in range(2):
                yield client.v1.ai_headshot_generator.generate(assets={"image_file_path": path}, download_outputs=False)
            return path

        path = world.run(scenario, **options)
        assert emulator.uploaded(path).read_bytes() == portrait.read_bytes()
        assert len(emulator.ledger.creates) == 2


class TestBadEnds:
    def test_a_wrong_key(self, world: World, options: Options, emulator: Emulator) -> None:
        with pytest.raises(Unauthorized, match="check the API key"):
            world.call(generate_image, **{**options, "token": "mhk_wrong"})
        assert list(emulator.ledger.creates) == []

    def test_no_credits(self, world: World, tmp_path: Path) -> None:
        with Emulator(credits=3) as poor, pytest.raises(PaymentRequired) as caught:
            world.call(generate_image, token=poor.token, base_url=poor.url)
        assert caught.value.code == "insufficient_credits"


def test_a_body_is_built_once_and_written_once(
    world: World, options: Options, emulator: Emulator, portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No copy of it is made for the uploaded files, and none of it is encoded to see whether it can be."""
    built: list[object] = []
    written: list[object] = []
    build, encode = endpoints.build, json.JSONEncoder.encode

    def noted_build(*arguments: Any, **parameters: Any) -> Any:
        request = build(*arguments, **parameters)
        built.append(request.body)
        return request

    def noted_encode(self: json.JSONEncoder, value: object) -> str:
        if threading.current_thread() is threading.main_thread():  # the emulator writes in its own
            written.append(value)
        return encode(self, value)

    monkeypatch.setattr(endpoints, "build", noted_build)
    monkeypatch.setattr(json.JSONEncoder, "encode", noted_encode)
    assets, style = {"image_file_paths": [portrait]}, {"prompt": "Sunglasses"}

    def edit(client: Any) -> Any:
        return client.v1.ai_image_editor.generate(assets=assets, style=style, download_directory=tmp_path)

    world.call(edit, **options)
    monkeypatch.undo()
    ours = [id(value) for value in written if isinstance(value, dict) and {"items", "assets"} & value.keys()]
    sent = [id(body) for body in built if body is not None]
    assert len(sent) == 2, "one for the job, one for the places of its files"
    assert sorted(ours) == sorted(sent)
    [path] = emulator.jobs[0].body["assets"]["image_file_paths"]
    assert path.startswith("api-assets/")
