"""What mutation testing found nobody watching around files: uploads, downloads, and the calls that hold them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fakes import FakeBackend, call, created, names_in, places, project, refused, unsent
from magic_hour_client.api.v1_image_projects import create_ai_image
from magic_hour_client.errors import NotFound, UnexpectedResponse
from magic_hour_workflows._assets import to_source
from magic_hour_workflows._backend import run_sync
from magic_hour_workflows._flows.download import download
from magic_hour_workflows._flows.generate import OutputOptions, check_result, generate, job_name, save, upload_file
from magic_hour_workflows._flows.upload import upload
from magic_hour_workflows._partial_download import PartialDownload
from magic_hour_workflows._results import Job, Result
from magic_hour_workflows._sources import Source
from magic_hour_workflows.errors import DownloadFailed, InvalidArgument, JobFailed, TransferFailed, UploadFailed
from magic_hour_workflows.events import Downloading, Event, Retrying, Uploading

CREATE, GET, PLACES = "v1.ai_image_generator.create", "v1.image_projects.get", "v1.files.upload_urls.create"
IMAGE: dict[str, Any] = {"image_count": 1, "style": {"prompt": "a"}}
JOB = Job("image", "job-1", 5, "my job")


class Storage(FakeBackend):
    """Writes down the deadlines it is given; `fetching` is what a download does."""

    fetching: Callable[[str, PartialDownload], Path] | None = None

    def __init__(self, **scripts: Any) -> None:
        super().__init__(**scripts)
        self.deadlines: list[float] = []

    async def fetch(self, url: str, target: PartialDownload, deadline: float, on_bytes: Any) -> Path:
        self.deadlines.append(deadline)
        if self.fetching is None:
            return await super().fetch(url, target, deadline, on_bytes)
        self.fetched.append(url)
        return self.fetching(url, target)

    async def put(self, url: str, source: Source, deadline: float, on_bytes: Any) -> None:
        self.deadlines.append(deadline)
        await super().put(url, source, deadline, on_bytes)

    async def run_in_thread(self, function: Callable[[], Any], **options: Any) -> Any:
        if options.get("abandon_on_cancel"):
            self.deadlines.append(options["deadline"])
        return function()


class TestDownload:
    def test_bytes_are_told_and_bounded(self, tmp_path: Path) -> None:
        events: list[Event] = []
        backend = Storage().script("fetch", b"\0edia")
        call_ = call(backend, 60, on_progress=events.append)
        run_sync(download(call_, JOB, project(), tmp_path))
        assert events == [Downloading(id="job-1", name="job-1-1.png", received=5, total=5)]
        assert backend.deadlines == [call_.deadline]

    def test_a_repetition_says_of_which_file(self, tmp_path: Path) -> None:
        events: list[Event] = []
        backend = FakeBackend().script("fetch", unsent(), b"\0edia")
        run_sync(download(call(backend, on_progress=events.append), JOB, project(), tmp_path))
        assert [event.step for event in events if isinstance(event, Retrying)] == ["download of job-1-1.png"]

    def test_plain_http_is_taken_where_it_was_allowed_redirects_included(self, tmp_path: Path) -> None:
        def fetching(url: str, target: PartialDownload) -> Path:
            assert target.begin(url, 302, {"location": "http://other.example/a.png"}) == "http://other.example/a.png"
            target.begin(url, 200, {"content-length": "1"})
            target.write(b"\0")
            return target.finish()

        backend = Storage()
        backend.fetching = fetching
        exposed = project()
        exposed.downloads[0].url = "http://storage.example/a.png"
        [path] = run_sync(download(call(backend, allow_http=True), JOB, exposed, tmp_path))
        assert path.read_bytes() == b"\0"

    def test_how_long_storage_asked_to_wait_is_told(self, tmp_path: Path) -> None:
        backend = FakeBackend().script("fetch", TransferFailed("busy", status=503, retry_after=3600))
        with pytest.raises(DownloadFailed) as caught:
            run_sync(download(call(backend, 60), JOB, project(), tmp_path))
        assert (caught.value.status, caught.value.retry_after) == (503, 3600)

    def test_storage_that_cannot_be_reached_gave_no_status(self, tmp_path: Path) -> None:
        backend = FakeBackend(random=1.0).script("fetch", unsent())
        with pytest.raises(DownloadFailed) as caught:
            run_sync(download(call(backend, 60), JOB, project(), tmp_path))
        assert (caught.value.status, caught.value.retry_after) == (None, None)

    def test_outputs_are_not_looked_for_at_the_very_end(self, tmp_path: Path) -> None:
        backend = FakeBackend().script(GET, project(outputs=0))
        with pytest.raises(DownloadFailed, match="lists no outputs"):
            run_sync(download(call(backend, 1.0), JOB, project(outputs=0), tmp_path))
        assert backend.sleeps == []

    @pytest.mark.parametrize("url", [None, 7, "", "http://[bad", "https://a\uff0fb/c", "https://s.example/\ud800"])
    @pytest.mark.parametrize("at", [0, 1])
    def test_an_output_without_a_usable_url_costs_no_other(self, tmp_path: Path, url: object, at: int) -> None:
        half = project(outputs=2)
        half.downloads[at].url = url
        backend = FakeBackend().script(GET, half)
        with pytest.raises(DownloadFailed) as caught:
            run_sync(download(call(backend), JOB, half, tmp_path))
        assert str(caught.value).startswith(
            f"not every output of job-1 was saved (1 of 2): output {at + 1}: storage returned an invalid URL; "
        )
        assert [path.name for path in caught.value.downloaded_paths] == names_in(tmp_path) == [f"job-1-{2 - at}.png"]
        assert (caught.value.final, len(backend.sent), backend.sleeps) == (False, 1, [])  # the job is asked once more

    def test_a_url_that_cannot_be_used_is_replaced(self, tmp_path: Path) -> None:
        half = project(outputs=2)
        half.downloads[1].url = None
        backend = FakeBackend().script(GET, project(outputs=2))
        assert len(run_sync(download(call(backend), JOB, half, tmp_path))) == 2

    def test_fresh_urls_that_cannot_be_used_replace_no_good_ones(self, tmp_path: Path) -> None:
        fresh = project(outputs=2)
        fresh.downloads[1].url = None
        backend = (
            FakeBackend().script(GET, fresh).script("fetch", TransferFailed("expired", status=403), b"\0a", b"\0b")
        )
        assert len(run_sync(download(call(backend), JOB, project(outputs=2), tmp_path))) == 2

    def test_an_error_tells_of_a_few_outputs_and_counts_the_others(self, tmp_path: Path) -> None:
        backend = FakeBackend().script("fetch", TransferFailed("gone", status=405))
        with pytest.raises(DownloadFailed, match=r"output 3: gone; and 2 more; "):
            run_sync(download(call(backend), JOB, project(outputs=5), tmp_path))

    def test_a_failure_of_one_output_stops_no_other(self, tmp_path: Path) -> None:
        gone = TransferFailed("gone for good", status=405)
        backend = FakeBackend().script(
            "fetch", gone, b"\0second", TransferFailed("late", status=405, retry_after=7), b"\0fourth"
        )
        with pytest.raises(DownloadFailed) as caught:
            run_sync(download(call(backend), JOB, project(outputs=4), tmp_path))
        assert [path.read_bytes() for path in caught.value.downloaded_paths] == [b"\0second", b"\0fourth"]
        assert names_in(tmp_path) == ["job-1-2.png", "job-1-4.png"]
        assert (caught.value.status, caught.value.__cause__) == (405, gone)
        assert str(caught.value).startswith("not every output of job-1 was saved (2 of 4): output 1: gone for good; ")

    def test_after_a_full_disk_no_other_is_begun(self, tmp_path: Path) -> None:
        def fetching(url: str, target: PartialDownload) -> Path:
            if len(backend.fetched) == 2:
                raise DownloadFailed("the disk is full", final=True)
            target.begin(url, 200, {"content-length": "5"})
            target.write(b"\0edia")
            return target.finish()

        backend = Storage()
        backend.fetching = fetching
        with pytest.raises(DownloadFailed, match=r"\(1 of 4\): output 2: the disk is full") as caught:
            run_sync(download(call(backend), JOB, project(outputs=4), tmp_path))
        assert len(backend.fetched) == 2
        assert [path.name for path in caught.value.downloaded_paths] == names_in(tmp_path) == ["job-1-1.png"]

    @pytest.mark.parametrize("interruption", [KeyboardInterrupt, ZeroDivisionError])
    def test_ctrl_c_and_bugs_stop_all_at_once(self, tmp_path: Path, interruption: type[BaseException]) -> None:
        backend = FakeBackend().script("fetch", TransferFailed("gone for good", status=405), interruption(), b"\0third")
        with pytest.raises(interruption) as caught:
            run_sync(download(call(backend), JOB, project(outputs=3), tmp_path))
        assert caught.value.project_id == "job-1"
        assert len(backend.fetched) == 2
        assert names_in(tmp_path) == []

    def test_every_byte_further_makes_the_patience_start_over(self, tmp_path: Path) -> None:
        backend = Storage(random=1.0)

        def fetching(url: str, target: PartialDownload) -> Path:
            target.begin(url, 200, {"content-length": "5"})
            target.write(b"\0" * len(backend.fetched))
            return target.finish()

        backend.fetching = fetching
        run_sync(download(call(backend), JOB, project(), tmp_path))
        assert backend.sleeps == [0.5] * 4


class TestUpload:
    def source(self) -> Source:
        return to_source(("a.png", b"bytes"), "image", "file")

    def test_bytes_are_told_bounded_and_go_where_they_belong(self) -> None:
        events: list[Event] = []
        backend = Storage()
        call_ = call(backend, 60, on_progress=events.append)
        assert run_sync(upload(call_, [self.source()])) == ["api-assets/id/0.png"]
        assert backend.puts == [("https://storage.example/up/0?signature=canary", b"bytes")]
        assert events == [Uploading(name="a.png", sent=5, total=5)]
        assert backend.deadlines == [call_.deadline]

    def test_a_repetition_says_of_which_file(self) -> None:
        events: list[Event] = []
        backend = FakeBackend().script("put", unsent(), None)
        run_sync(upload(call(backend, on_progress=events.append), [self.source()]))
        assert [event.step for event in events if isinstance(event, Retrying)] == ["upload of a.png"]

    def test_plain_http_is_spoken_where_it_was_allowed(self) -> None:
        place = SimpleNamespace(upload_url="http://storage.example/up", file_path="api-assets/id/0.png")
        backend = FakeBackend().script(PLACES, SimpleNamespace(items=[place]))
        run_sync(upload(call(backend, allow_http=True), [self.source()]))
        assert backend.puts == [("http://storage.example/up", b"bytes")]

    def test_reading_a_stream_that_cannot_be_rewound_ends_with_the_call(self) -> None:
        class Pipe(io.BytesIO):
            def seekable(self) -> bool:
                return False

        late = call(backend := FakeBackend(), 60)
        backend.clock += 60
        with pytest.raises(UploadFailed):
            run_sync(upload(late, [to_source(("a.png", Pipe(b"bytes")), "image", "file")]))
        assert backend.sent == []

    @pytest.mark.parametrize(
        "items",
        [
            [],
            [SimpleNamespace(upload_url="", file_path="api-assets/id/0.png")],
            [SimpleNamespace(upload_url="https://storage.example/up", file_path=7)],
        ],
        ids=["none", "no URL", "no path"],
    )
    def test_places_that_cannot_be_used_are_told(self, items: list[Any]) -> None:
        backend = FakeBackend().script(PLACES, SimpleNamespace(items=items))
        with pytest.raises(UnexpectedResponse, match="0 upload URLs for 1 files") as caught:
            run_sync(upload(call(backend), [self.source()]))
        assert (caught.value.operation, caught.value.status) == (PLACES, 200)
        assert backend.puts == []

    def test_asking_for_places_again_says_of_what(self) -> None:
        events: list[Event] = []
        backend = FakeBackend().script(PLACES, unsent(), places)
        run_sync(upload(call(backend, on_progress=events.append), [self.source()]))
        assert [event.step for event in events if isinstance(event, Retrying)] == [PLACES]


class TestOutputs:
    def test_a_name_for_another_kind_is_found_even_if_nothing_is_saved(self) -> None:
        outputs = OutputOptions(output_name="a.mp4", download_outputs=False)
        assert outputs.directory("video") is None
        with pytest.raises(InvalidArgument, match="outputs are images"):
            outputs.directory("image", "v1.ai_image_generator.create")

    def test_a_format_that_the_operation_offers_is_a_name_for_its_outputs(self) -> None:
        for extension in ("gif", "mp4", "webm"):
            outputs = OutputOptions(output_name=f"cat.{extension}", download_outputs=False)
            outputs.directory("image", "v1.ai_gif_generator.create")
            outputs.directory("image")  # of a job that it may have made
        with pytest.raises(InvalidArgument, match="outputs are images"):
            OutputOptions(output_name="cat.mp3").directory("image", "v1.ai_gif_generator.create")


class TestGenerate:
    def run(self, backend: FakeBackend, parameters: dict[str, Any] = IMAGE, **outputs: Any) -> Result:
        return run_sync(generate(call(backend), create_ai_image, parameters, OutputOptions(**outputs)))

    def test_a_new_job_is_not_looked_at_at_once(self) -> None:
        backend = FakeBackend().script(CREATE, created()).script(GET, project())
        self.run(backend, download_outputs=False)
        assert backend.sleeps == [1.0]

    @pytest.mark.parametrize(("told", "credits"), [(None, 5), (7, 7)])
    def test_the_result_has_the_last_known_credits_and_the_last_answer(self, told: Any, credits: float) -> None:
        done = project(credits=told)
        result = self.run(FakeBackend().script(CREATE, created()).script(GET, done), download_outputs=False)
        assert result.credits_charged == credits
        assert result.project is done

    @pytest.mark.parametrize(("random", "digits"), [(0.5, "80000000"), (1 - 2**-32, "ffffffff")])
    def test_names_end_in_eight_digits(self, random: float, digits: str) -> None:
        assert job_name(FakeBackend(random=random), create_ai_image).rpartition(" ")[2] == digits


@pytest.mark.parametrize("flow", [check_result, save])
class TestByItsId:
    """What holds for `check_result` and `download` alike."""

    def run(self, flow: Any, backend: FakeBackend, **outputs: Any) -> Any:
        return run_sync(flow(call(backend), "image", "job-1", OutputOptions(**outputs)))

    def test_a_name_for_another_kind_is_found_before_anything_is_asked(self, flow: Any, tmp_path: Path) -> None:
        with pytest.raises(InvalidArgument, match="outputs are images"):
            self.run(flow, backend := FakeBackend(), output_name="a.mp3", download_directory=tmp_path)
        assert backend.sent == []

    def test_an_id_that_is_of_no_job_is_not_called_accepted(self, flow: Any, tmp_path: Path) -> None:
        with pytest.raises(NotFound) as caught:
            self.run(flow, FakeBackend().script(GET, refused(404)), download_directory=tmp_path)
        assert caught.value.project_id is None

    def test_a_failed_job_is_named(self, flow: Any, tmp_path: Path) -> None:
        backend = FakeBackend().script(GET, project("error"))
        with pytest.raises(JobFailed, match=r"^the image job job-1 failed") as caught:
            self.run(flow, backend, download_directory=tmp_path, wait_for_completion=False)
        assert (caught.value.project_id, caught.value.kind) == ("job-1", "image")

    def test_an_expired_url_is_replaced(self, flow: Any, tmp_path: Path) -> None:
        fresh = project()
        fresh.downloads[0].url = "https://storage.example/fresh.png"
        backend = (
            FakeBackend()
            .script(GET, project(), fresh)
            .script("fetch", TransferFailed("expired", status=403), b"\0edia")
        )
        self.run(flow, backend, output_name="mine", download_directory=tmp_path)
        assert backend.fetched[1] == "https://storage.example/fresh.png"
        assert names_in(tmp_path) == ["mine.png"]


class TestStatusOfAResult:
    """The words of the service in what `check_result` and `download` say."""

    STRANGE = "see https://storage.example/a?signature=canary\nfor more"
    SHOWN = "see https://storage.example/a?… for more"

    @pytest.mark.parametrize(("status", "shown"), [(STRANGE, SHOWN), (None, "unknown"), ("queued", "queued")])
    def test_in_the_result_and_in_the_objection_to_a_download(
        self, tmp_path: Path, status: str | None, shown: str
    ) -> None:
        backend = FakeBackend().script(GET, project(status))
        outputs = OutputOptions(wait_for_completion=False)
        assert run_sync(check_result(call(backend), "image", "job-1", outputs)).status == shown
        with pytest.raises(InvalidArgument) as caught:
            run_sync(save(call(backend), "image", "job-1", OutputOptions(download_directory=tmp_path)))
        assert str(caught.value).startswith(f"`id`: the image job job-1 is not complete yet ({shown}); ")
        assert (caught.value.field, caught.value.project_id) == ("id", "job-1")
        assert "image_projects.check_result('job-1')" in str(caught.value)


def test_a_result_by_id_says_of_what() -> None:
    done = project(credits=7)
    backend = FakeBackend().script(GET, done)
    result = run_sync(check_result(call(backend), "image", "job-1", OutputOptions(download_outputs=False)))
    assert result == Result(id="job-1", kind="image", status="complete", credits_charged=7, project=done)


def test_a_download_that_comes_too_early_names_the_job_and_the_argument(tmp_path: Path) -> None:
    backend = FakeBackend().script(GET, project("queued"))
    with pytest.raises(InvalidArgument) as caught:
        run_sync(save(call(backend), "image", "job-1", OutputOptions(download_directory=tmp_path)))
    assert (caught.value.field, caught.value.project_id) == ("id", "job-1")
    assert "the image job job-1 is not complete yet (queued)" in str(caught.value)
    assert "image_projects.check_result('job-1')" in str(caught.value)


def test_a_download_saves_where_it_is_told_or_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for outputs in (OutputOptions(download_directory=there), OutputOptions()):
        run_sync(save(call(FakeBackend().script(GET, project())), "image", "job-1", outputs))
    assert names_in(there) == names_in(here) == ["job-1-1.png"]


def test_one_file_is_uploaded_by_itself() -> None:
    backend = FakeBackend()
    assert run_sync(upload_file(call(backend), ("a.png", b"bytes"), "image")) == "api-assets/id/0.png"
    assert backend.sent[0].body == {"items": [{"type": "image", "extension": "png"}]}
    assert [content for _, content in backend.puts] == [b"bytes"]


@pytest.mark.parametrize("role", ["audio", "video"])
def test_what_a_file_is_for_is_the_callers_to_say(role: str) -> None:
    backend = FakeBackend()
    run_sync(upload_file(call(backend), ("a.webm", b"bytes"), role))
    assert backend.sent[0].body == {"items": [{"type": role, "extension": "webm"}]}


def test_what_is_no_file_is_told_by_the_name_of_the_argument() -> None:
    with pytest.raises(InvalidArgument) as caught:
        run_sync(upload_file(call(FakeBackend()), 7, "image"))
    assert caught.value.field == "file"
