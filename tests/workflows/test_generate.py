"""The whole story on a fake IO: order, checks before anything goes out, names, and what the caller gets back."""

from __future__ import annotations

import copy
import io
import warnings
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeBackend, call, created, names_in, project, refused, unsent
from magic_hour_client._runtime.endpoints import encoded
from magic_hour_client.endpoints import PROJECTS, endpoint
from magic_hour_client.models import V1AiHeadshotGeneratorCreateBodyAssets
from magic_hour_client.types import Placeholder
from magic_hour_workflows._backend import run_sync
from magic_hour_workflows._flows.generate import OutputOptions, check_result, generate, save
from magic_hour_workflows._results import Result
from magic_hour_workflows.errors import (
    APIError,
    DownloadFailed,
    InvalidArgument,
    TransferFailed,
    UnknownField,
    UnprocessableEntity,
    UploadFailed,
)
from magic_hour_workflows.events import Created, Downloading, Event, StatusChanged, Uploading

ENDPOINTS = {
    "headshot": endpoint("v1.ai_headshot_generator.create"),
    "talking": endpoint("v1.ai_talking_photo.create"),
    "image": endpoint("v1.ai_image_generator.create"),
    "edit": endpoint("v1.ai_image_editor.create"),
}
IMAGE: dict[str, Any] = {"image_count": 1, "style": {"prompt": "a"}}


def io_for(which: str, *, outputs: int = 1, id: str = "job-1") -> FakeBackend:
    called, done = ENDPOINTS[which], project(outputs=outputs)
    return FakeBackend().script(called.name, created(id)).script(PROJECTS[called.project_kind], done)


def run(
    which: str,
    parameters: dict[str, Any],
    *,
    backend: FakeBackend | None = None,
    on_progress: Any = None,
    **outputs: Any,
):
    backend = backend or io_for(which)
    return backend, run_sync(
        generate(call(backend, on_progress=on_progress), ENDPOINTS[which], parameters, OutputOptions(**outputs))
    )


def test_the_steps_come_in_order(tmp_path: Path, portrait: Path, voice: Path) -> None:
    events: list[Event] = []
    parameters = {
        "assets": {"image_file_path": portrait, "audio_file_path": voice},
        "start_seconds": 0,
        "end_seconds": 2,
    }
    backend, result = run("talking", parameters, on_progress=events.append, download_directory=tmp_path)
    assert backend.names() == ["v1.files.upload_urls.create", "v1.ai_talking_photo.create", "v1.video_projects.get"]
    assert [type(event) for event in events] == [Uploading, Uploading, Created, StatusChanged, Downloading]
    assert [content for _, content in backend.puts] == [voice.read_bytes(), portrait.read_bytes()]
    body = backend.sent[1].body
    assert body["assets"] == {"audio_file_path": "api-assets/id/0.mp3", "image_file_path": "api-assets/id/1.jpg"}
    assert (result.id, result.kind, result.status, result.credits_charged) == ("job-1", "video", "complete", 5)
    assert names_in(tmp_path) == ["job-1-1.png"]


def test_the_folder_is_checked_where_the_disk_may_take_its_time(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    there: list[tuple[bool, bool]] = []

    class Slow(FakeBackend):
        async def run_in_thread(self, function: Any, **options: Any) -> Any:
            before = folder.exists()
            result = function()
            there.append((before, folder.exists()))
            return result

    backend = Slow().script("v1.ai_image_generator.create", created()).script("v1.image_projects.get", project())
    run("image", IMAGE, backend=backend, download_directory=folder)
    assert there[0] == (False, True)


def test_one_request_for_all_places(tmp_path: Path, portrait: Path, voice: Path) -> None:
    parameters = {"assets": {"image_file_paths": [portrait] * 3 + [("b.png", b"x")]}, "style": {"prompt": "a"}}
    backend, _ = run("edit", parameters, download_directory=tmp_path)
    assert backend.names().count("v1.files.upload_urls.create") == 1
    assert len(backend.puts) == 2, "the same file is uploaded once"
    first = backend.sent[1].body["assets"]["image_file_paths"]
    assert first[0] == first[1] == first[2] != first[3]


def test_nothing_to_upload_nothing_asked(tmp_path: Path) -> None:
    backend, _ = run(
        "headshot", {"assets": {"image_file_path": "https://a.example/p.png"}}, download_directory=tmp_path
    )
    assert backend.names()[0] == "v1.ai_headshot_generator.create"
    assert backend.sent[0].body["assets"] == {"image_file_path": "https://a.example/p.png"}


@pytest.mark.parametrize("prompt", ["\x00asset 0", "<upload of p.png>", "p.png"])
def test_no_text_is_taken_for_a_file(tmp_path: Path, portrait: Path, prompt: str) -> None:
    """What stands for a file until it is uploaded is an object; a text of the caller's cannot be it."""
    assets = {"image_file_paths": [portrait, ("p.png", b"bytes"), portrait]}
    backend, _ = run("edit", {"assets": assets, "style": {"prompt": prompt}}, download_directory=tmp_path)
    body = backend.sent[1].body
    assert body["style"]["prompt"] == prompt
    assert body["assets"]["image_file_paths"] == ["api-assets/id/0.jpg", "api-assets/id/1.png", "api-assets/id/0.jpg"]


def test_a_placeholder_fits_an_input_file_only_and_is_never_sent(portrait: Path) -> None:
    placeholder = Placeholder("p.png")
    with pytest.raises(InvalidArgument, match=r"`style\.prompt`: expected a string"):
        ENDPOINTS["image"].request(image_count=1, style={"prompt": placeholder})
    operation = ENDPOINTS["headshot"].request(assets={"image_file_path": placeholder})
    with pytest.raises(InvalidArgument, match="cannot be written as JSON"):
        encoded(operation)


def test_models_are_as_good_as_dicts(tmp_path: Path, portrait: Path) -> None:
    assets = V1AiHeadshotGeneratorCreateBodyAssets(image_file_path=str(portrait))
    backend, _ = run("headshot", {"assets": assets}, download_directory=tmp_path)
    assert backend.sent[1].body["assets"] == {"image_file_path": "api-assets/id/0.jpg"}
    assert assets.image_file_path == str(portrait)


def test_the_callers_values_are_not_changed(tmp_path: Path, portrait: Path) -> None:
    parameters = {
        "assets": {"image_file_paths": [portrait]},
        "style": {"prompt": "a"},
        "extra_body": {"style": {"x": 1}},
    }
    before = copy.deepcopy(parameters)
    run("edit", parameters, download_directory=tmp_path)
    assert parameters == before


def test_a_name_is_always_sent(tmp_path: Path) -> None:
    backend, _ = run("image", IMAGE, download_directory=tmp_path)
    assert backend.sent[0].body["name"] == "ai_image_generator 2026-11-20T12:00:00Z 00000000"
    backend, _ = run("image", {**IMAGE, "name": "mine"}, download_directory=tmp_path)
    assert backend.sent[0].body["name"] == "mine"


def test_extra_body_reaches_the_service(tmp_path: Path) -> None:
    backend, _ = run("image", {**IMAGE, "extra_body": {"style": {"seed": 3}, "new": True}}, download_directory=tmp_path)
    assert backend.sent[0].body["style"] == {"prompt": "a", "seed": 3}
    assert backend.sent[0].body["new"] is True


def test_a_misspelt_name_is_answered_with_the_right_one() -> None:
    with pytest.raises(UnknownField, match="did you mean `aspect_ratio`") as caught:
        run("image", {**IMAGE, "aspekt_ratio": "1:1"})
    assert isinstance(caught.value, TypeError)


def test_without_waiting_the_id_comes_back_at_once(tmp_path: Path) -> None:
    backend, result = run("image", IMAGE, wait_for_completion=False, download_directory=tmp_path / "not made")
    assert backend.names() == ["v1.ai_image_generator.create"]
    assert result == Result(id="job-1", kind="image", status="queued", credits_charged=5)
    assert not (tmp_path / "not made").exists()


def test_without_download_nothing_is_saved(tmp_path: Path) -> None:
    _, result = run("image", IMAGE, download_outputs=False, download_directory=tmp_path / "not made")
    assert result.status == "complete"
    assert not (tmp_path / "not made").exists()


def test_deprecated_parameters_warn_once(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run("image", {**IMAGE, "orientation": "landscape"}, download_directory=tmp_path)
    assert [str(warning.message) for warning in caught if issubclass(warning.category, DeprecationWarning)] == [
        "v1.ai_image_generator.create: `orientation` is deprecated: use `aspect_ratio`; if both are given, the"
        " service uses `aspect_ratio`"
    ]


def test_outputs_keep_their_order_and_are_numbered(tmp_path: Path) -> None:
    _, result = run("image", IMAGE, backend=io_for("image", outputs=3), download_directory=tmp_path)
    assert [path.name for path in result.downloaded_paths] == ["job-1-1.png", "job-1-2.png", "job-1-3.png"]
    assert [path.read_bytes().split(b"/")[-2] for path in result.downloaded_paths] == [b"0", b"1", b"2"]


@pytest.mark.parametrize(
    ("outputs", "name", "expected"),
    [
        (1, "sunset", ["sunset.png"]),
        (1, "sunset.jpg", ["sunset.jpg"]),
        (2, "sunset.png", ["sunset-1.png", "sunset-2.png"]),
        (1, "v1.2", ["v1.2.png"]),
    ],
)
def test_output_name(tmp_path: Path, outputs: int, name: str, expected: list[str]) -> None:
    backend = io_for("image", outputs=outputs)
    _, result = run("image", IMAGE, backend=backend, download_directory=tmp_path, output_name=name)
    assert [path.name for path in result.downloaded_paths] == expected


def test_the_deadline_is_one_for_the_whole_call(tmp_path: Path) -> None:
    """40 s lost before the create are missing while waiting."""
    slowed = refused(429, headers={"retry-after": "20"})
    backend = FakeBackend(random=1.0).script("v1.ai_image_generator.create", slowed, slowed, created())
    backend.script("v1.image_projects.get", project("queued"))
    with pytest.raises(TimeoutError) as caught:
        run_sync(generate(call(backend, 60), ENDPOINTS["image"], IMAGE, OutputOptions(download_directory=tmp_path)))
    assert caught.value.project_id == "job-1"
    assert 1058 <= backend.clock <= 1060


def test_the_callers_stream_stands_where_it_stood(tmp_path: Path) -> None:
    """So that the same call can be made again with the same stream."""
    stream = io.BytesIO(b"headbytes")
    stream.seek(4)
    for _ in range(2):
        backend, _ = run("headshot", {"assets": {"image_file_path": ("a.png", stream)}}, download_directory=tmp_path)
        assert backend.puts[0][1] == b"bytes"
    assert stream.tell() == 4


class TestByItsId:
    """`check_result` and `download`: any process can pick a job up."""

    def test_check_result_waits_and_saves(self, tmp_path: Path) -> None:
        backend = io_for("image").script("v1.image_projects.get", project("queued"), project(outputs=2))
        result = run_sync(check_result(call(backend), "image", "job-1", OutputOptions(download_directory=tmp_path)))
        assert [path.name for path in result.downloaded_paths] == ["job-1-1.png", "job-1-2.png"]

    def test_check_result_without_waiting_tells_the_status(self, tmp_path: Path) -> None:
        backend = io_for("image").script("v1.image_projects.get", project("rendering"))
        outputs = OutputOptions(wait_for_completion=False, download_directory=tmp_path)
        result = run_sync(check_result(call(backend), "image", "job-1", outputs))
        assert (result.status, result.downloaded_paths, len(backend.sent)) == ("rendering", [], 1)

    def test_check_result_without_waiting_saves_what_is_complete(self, tmp_path: Path) -> None:
        outputs = OutputOptions(wait_for_completion=False, download_directory=tmp_path)
        result = run_sync(check_result(call(io_for("image")), "image", "job-1", outputs))
        assert len(result.downloaded_paths) == 1

    @pytest.mark.parametrize("flow", [check_result, save])
    def test_a_look_at_a_paid_job_is_repeated_for_as_long_as_there_is_time(self, tmp_path: Path, flow: Any) -> None:
        backend = io_for("image").script("v1.image_projects.get", *[unsent()] * 20, project())
        outputs = OutputOptions(wait_for_completion=False, download_directory=tmp_path)
        run_sync(flow(call(backend), "image", "job-1", outputs))
        assert names_in(tmp_path) == ["job-1-1.png"]


class TestDownload:
    """Saving outputs: what fails, what is kept, and what is asked for again."""

    def test_a_url_that_never_works_is_not_tried_for_ever(self, tmp_path: Path) -> None:
        backend = io_for("image").script("fetch", TransferFailed("forbidden", status=403))
        with pytest.raises(DownloadFailed) as caught:
            run("image", IMAGE, backend=backend, download_directory=tmp_path)
        assert (caught.value.status, caught.value.project_id) == (403, "job-1")
        assert len(backend.fetched) == 4
        assert names_in(tmp_path) == []

    def test_a_short_answer_is_not_a_file(self, tmp_path: Path) -> None:
        class Cutting(FakeBackend):
            async def fetch(self, url: str, target: Any, deadline: float, on_bytes: Any) -> Any:
                self.fetched.append(url)
                target.begin(url, 200, {"content-length": "10"})
                target.write(b"\x012345" if len(self.fetched) < 3 else b"\x01234567890")
                return target.finish()

        backend = Cutting().script("v1.ai_image_generator.create", created()).script("v1.image_projects.get", project())
        _, result = run("image", IMAGE, backend=backend, download_directory=tmp_path)
        assert result.downloaded_paths[0].read_bytes() == b"\x01234567890"
        assert len(backend.fetched) == 3

    def test_outputs_that_are_listed_late_are_waited_for(self, tmp_path: Path) -> None:
        backend = io_for("image").script(
            "v1.image_projects.get", project(outputs=0), project(outputs=0), project(outputs=1)
        )
        _, result = run("image", IMAGE, backend=backend, download_directory=tmp_path)
        assert len(result.downloaded_paths) == 1

    def test_a_complete_job_without_outputs_is_no_success(self, tmp_path: Path) -> None:
        backend = io_for("image").script("v1.image_projects.get", project(outputs=0))
        with pytest.raises(DownloadFailed, match="lists no outputs") as caught:
            run("image", IMAGE, backend=backend, download_directory=tmp_path)
        assert caught.value.project_id == "job-1"
        assert len(backend.sent) < 10

    def test_cuts_without_progress_are_not_progress(self, tmp_path: Path) -> None:
        """Storage that can only start over, cut at a random place each time, must not be asked without pause."""

        class Cutting(FakeBackend):
            async def fetch(self, url: str, target: Any, deadline: float, on_bytes: Any) -> Any:
                self.fetched.append(url)
                target.begin(url, 200, {"content-length": "1000"})
                target.write(b"\0" * (100 + 37 * (len(self.fetched) % 7)))
                return target.finish()

        backend = Cutting(random=1.0).script("v1.ai_image_generator.create", created())
        backend.script("v1.image_projects.get", project())
        with pytest.raises(DownloadFailed):
            run("image", IMAGE, backend=backend, download_directory=tmp_path)
        assert len(backend.fetched) < 100, "1800 s with at most 30 s between attempts"

    def test_plain_http_elsewhere_is_refused(self, tmp_path: Path) -> None:
        exposed = project()
        exposed.downloads[0].url = "http://storage.example/a.png?signature=canary"
        backend = io_for("image").script("v1.image_projects.get", exposed)
        with pytest.raises(DownloadFailed, match="http://") as caught:
            run("image", IMAGE, backend=backend, download_directory=tmp_path)
        assert "canary" not in str(caught.value)
        assert caught.value.status is None, "storage was not asked"
        assert backend.fetched == []
        assert backend.names().count("v1.image_projects.get") == 1, "a fresh URL of that kind would be no better"


class TestUpload:
    """Uploads: nothing is paid for, so failures are soon and final, and passing ones are repeated."""

    PARAMETERS = {"assets": {"image_file_path": ("a.png", b"bytes")}}  # noqa: RUF012

    def test_a_passing_failure_is_repeated_from_the_beginning(self, tmp_path: Path) -> None:
        backend = io_for("headshot").script("put", unsent(), TransferFailed("busy", status=503), None)
        run("headshot", self.PARAMETERS, backend=backend, download_directory=tmp_path)
        assert [content for _, content in backend.puts] == [b"bytes"] * 3

    def test_an_expired_place_is_replaced(self, tmp_path: Path) -> None:
        backend = io_for("headshot").script("put", TransferFailed("expired", status=403), None)
        run("headshot", self.PARAMETERS, backend=backend, download_directory=tmp_path)
        assert backend.names().count("v1.files.upload_urls.create") == 2

    def test_storage_that_never_takes_it_is_an_error_before_any_charge(self, tmp_path: Path) -> None:
        backend = io_for("headshot").script("put", TransferFailed("too large", status=413))
        with pytest.raises(UploadFailed, match="No job was submitted"):
            run("headshot", self.PARAMETERS, backend=backend, download_directory=tmp_path)
        backend = io_for("headshot").script("put", unsent())
        with pytest.raises(UploadFailed, match="No job was submitted"):
            run("headshot", self.PARAMETERS, backend=backend, download_directory=tmp_path)
        assert "v1.ai_headshot_generator.create" not in backend.names()


def test_a_refusal_says_which_value_may_be_misspelt(tmp_path: Path) -> None:
    """A model that is on no list is sent: lists grow faster than this package. Only the service can refuse it."""
    backend = FakeBackend().script("v1.ai_image_generator.create", refused(422))
    with pytest.raises(UnprocessableEntity) as caught:
        run("image", {**IMAGE, "model": "nano-bananna"}, backend=backend, download_directory=tmp_path)
    assert backend.sent[0].body["model"] == "nano-bananna"
    assert str(caught.value).endswith("status 422: no; `model`: did you mean nano-banana?")


@pytest.mark.parametrize(("status", "model"), [(422, "nano-banana"), (422, "of tomorrow"), (402, "nano-bananna")])
def test_other_refusals_have_no_hint(tmp_path: Path, status: int, model: str) -> None:
    backend = FakeBackend().script("v1.ai_image_generator.create", refused(status))
    with pytest.raises(APIError) as caught:
        run("image", {**IMAGE, "model": model}, backend=backend, download_directory=tmp_path)
    assert "did you mean" not in str(caught.value)
