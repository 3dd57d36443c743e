"""Free tasks: started, waited for and saved like jobs, with the statuses and the outputs that the contract names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from fakes import FakeBackend, call, created, lost, names_in, refused, unsent
from magic_hour_client import endpoints
from magic_hour_client.endpoints import JOBS, endpoint
from magic_hour_client.models import DetectedFace, V1FaceDetectionGetResponse
from magic_hour_resources.v1_face_detection import FaceDetectionResult
from magic_hour_workflows._backend import run_sync
from magic_hour_workflows._credits import Estimate, estimate
from magic_hour_workflows._flows.generate import OutputOptions, check_result, generate
from magic_hour_workflows.errors import InvalidArgument, JobFailed, JobTimeout, MagicHourError, UnprocessableEntity
from magic_hour_workflows.events import Created, Event, StatusChanged
from worlds import World

CREATE, GET, PLACES = "v1.face_detection.create", "v1.face_detection.get", "v1.files.upload_urls.create"
REMOTE = {"assets": {"target_file_path": "api-assets/id/people.jpg"}}


def found(status: str = "complete", faces: int = 2) -> V1FaceDetectionGetResponse:
    pictures = [
        DetectedFace(path=f"api-assets/id/{number}.png", url=f"https://storage.example/{number}.png?signature=canary")
        for number in range(faces)
    ]
    return V1FaceDetectionGetResponse(id="job-1", status=status, credits_charged=0, faces=pictures)


def detect(backend: FakeBackend, parameters: Any = None, *, on_progress: Any = None, **outputs: Any) -> Any:
    options = OutputOptions(**{"download_outputs": False, **outputs})
    return run_sync(
        generate(call(backend, on_progress=on_progress), endpoint(CREATE), parameters or dict(REMOTE), options)
    )


def service(*answers: Any) -> FakeBackend:
    return FakeBackend().script(CREATE, created(credits=0)).script(GET, *answers)


def test_a_local_file_is_uploaded_and_the_task_is_waited_for(portrait: Path) -> None:
    events: list[Event] = []
    backend = service(found("queued", 0), found("rendering", 0), found())
    result = detect(backend, {"assets": {"target_file_path": portrait}}, on_progress=events.append)
    assert backend.names() == [PLACES, CREATE, GET, GET, GET]
    assert (result.kind, result.status, len(result.project.faces)) == ("face_detection", "complete", 2)
    assert [type(event) for event in events if isinstance(event, (Created, StatusChanged))] == [
        Created,
        *[StatusChanged] * 3,
    ]


@pytest.mark.parametrize("failure", [lost(), unsent(), refused(500), refused(502), refused(429)])
def test_it_is_free_so_it_is_started_again_after_any_temporary_failure(failure: Exception) -> None:
    backend = service(found()).script(CREATE, failure, created(credits=0))
    assert detect(backend).id == "job-1"
    assert backend.names() == [CREATE, CREATE, GET]


def test_a_refusal_is_final() -> None:
    backend = service(found()).script(CREATE, refused(422))
    with pytest.raises(UnprocessableEntity):
        detect(backend)
    assert backend.names() == [CREATE]


def test_an_error_of_the_service_is_typed() -> None:
    with pytest.raises(JobFailed) as caught:
        detect(service(found("rendering", 0), found("error", 0)))
    assert (caught.value.project_id, caught.value.status) == ("job-1", "error")


def test_the_statuses_are_those_of_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    job = attrs.evolve(JOBS["face_detection"], done=("searched",), failed=("given up",))
    monkeypatch.setattr(endpoints, "JOBS", JOBS)
    monkeypatch.setitem(JOBS, "face_detection", job)  # type: ignore[arg-type]
    assert detect(service(found("complete"), found("searched"))).status == "searched"
    with pytest.raises(JobFailed) as caught:
        detect(service(found("error"), found("given up")))
    assert caught.value.status == "given up"


def test_a_timeout_says_how_to_go_on() -> None:
    with pytest.raises(JobTimeout, match=r"client\.v1\.face_detection\.check_result\('job-1'\)"):
        detect(service(found("rendering", 0)))


@pytest.mark.parametrize("faces", [0, 1, 3])
def test_pictures_are_saved_on_request_and_there_may_be_none(tmp_path: Path, faces: int) -> None:
    backend = service(found(faces=faces))
    result = detect(backend, download_outputs=True, download_directory=tmp_path)
    assert [path.name for path in result.downloaded_paths] == [f"job-1-{number + 1}.png" for number in range(faces)]
    assert names_in(tmp_path) == [path.name for path in result.downloaded_paths]
    assert backend.names() == [CREATE, GET], "an empty list is an answer, and not asked for again"


def test_nothing_is_saved_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    backend = service(found())
    assert detect(backend).downloaded_paths == []
    assert backend.fetched == []


def test_an_output_name_may_have_any_media_extension(tmp_path: Path) -> None:
    [path] = detect(
        service(found(faces=1)), download_outputs=True, download_directory=tmp_path, output_name="face.png"
    ).downloaded_paths
    assert path.name == "face.png"


def test_continuing_by_its_id() -> None:
    backend = service(found("rendering", 0), found())
    result = run_sync(check_result(call(backend), "face_detection", "job-1", OutputOptions(download_outputs=False)))
    assert (result.status, backend.names()) == ("complete", [GET, GET])


def test_it_costs_nothing() -> None:
    assert estimate(endpoint(CREATE), REMOTE) == Estimate(0)


class Service:
    """The service for a real client: one search that is complete at the second poll."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.method, request.url.path))
        if request.method == "POST":
            return httpx.Response(200, json={"id": "job-1", "credits_charged": 0})
        complete = len(self.asked) > 2
        faces = [{"path": "api-assets/id/0.png", "url": "https://storage.example/0.png"}] if complete else []
        status = "complete" if complete else "rendering"
        answer = {"id": "job-1", "status": status, "credits_charged": 0, "faces": faces}
        return httpx.Response(200, content=json.dumps(answer))


def test_the_result_knows_what_was_found(world: World) -> None:
    answers = Service()
    http = world.HTTPClient(transport=httpx.MockTransport(answers))
    options = {"token": "key", "base_url": "https://api.example", "poll_interval": 0.01, "http_client": http}
    started, complete, waited = world.calls(
        lambda client: client.v1.face_detection.generate(**REMOTE, wait_for_completion=False),
        lambda client: client.v1.face_detection.check_result("job-1"),
        lambda client: client.v1.face_detection.wait("job-1"),
        **options,
    )
    assert (type(started), started.faces, started.status) == (FaceDetectionResult, [], "queued")
    assert [face.path for face in complete.faces] == ["api-assets/id/0.png"]
    assert waited.faces == complete.faces
    answers.asked.clear()
    result = world.call(lambda client: client.v1.face_detection.generate(**REMOTE), **options)
    assert (type(result), [face.path for face in result.faces]) == (FaceDetectionResult, ["api-assets/id/0.png"])
    assert [method for method, _ in answers.asked] == ["POST", "GET", "GET"]


def test_a_wrong_argument_is_found_before_the_upload(world: World, portrait: Path) -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError("something was sent")

    http = world.HTTPClient(transport=httpx.MockTransport(never))
    for more in ({"confidence_score": 2}, {"assets": {}}, {"download_outputs": "no"}):
        given = {"assets": {"target_file_path": portrait}, **more}
        with pytest.raises((InvalidArgument, MagicHourError)):
            world.call(
                lambda client, given=given: client.v1.face_detection.generate(**given),
                token="key",
                base_url="https://api.example",
                http_client=http,
            )


def test_a_face_is_what_a_face_swap_takes(
    world: World, options: dict[str, Any], portrait: Path, tmp_path: Path
) -> None:
    def scenario(client: Any) -> Any:
        found = yield client.v1.face_detection.generate(
            assets={"target_file_path": portrait}, download_outputs=True, download_directory=tmp_path
        )
        mapping = {"original_face": found.faces[0].path, "new_face": portrait}
        assets = {"target_file_path": portrait, "face_swap_mode": "individual-faces", "face_mappings": [mapping]}
        swapped = yield client.v1.face_swap_photo.generate(assets=assets, download_directory=tmp_path)
        return found, swapped

    found, swapped = world.run(scenario, **options)
    assert (len(found.faces), len(found.downloaded_paths), found.credits_charged) == (2, 2, 0)
    assert (swapped.status, len(swapped.downloaded_paths)) == ("complete", 1)
