"""Each command against the emulator: what it prints where, what it leaves on disk, how it ends."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from commands import Run, saved
from magic_hour_emulator import Emulator
from magic_hour_workflows._operations import _references, complete, operations, paid
from programs import python

FOX = ("image", "generate", "--image-count", "1", "--prompt", "A red fox")
TALK = (
    *("video", "talking-photo", "--image", "portrait.jpg", "--audio", "voice.mp3"),
    *("--start-seconds", "0", "--end-seconds", "1.5"),
)


def size_of(path: str | Path) -> tuple[int, int]:
    with Image.open(path) as image:
        image.load()
        return image.size


class TestGenerate:
    @pytest.fixture
    def small_pictures(self) -> None:
        """None: their sizes are looked at."""

    def test_paths_are_on_stdout_and_the_rest_on_stderr(self, run: Run, folder: Path, emulator: Emulator) -> None:
        ended = run("image", "generate", "--image-count", "2", "--prompt", "A red fox", "--output", "foxes")
        assert ended.code == 0
        paths = [Path(line) for line in ended.out.splitlines()]
        assert [path.parent for path in paths] == [Path("foxes")] * 2
        assert [size_of(path) for path in paths] == [(640, 640)] * 2
        [charge] = emulator.ledger.charges
        assert f"image job {charge.id} accepted for 10 credits" in ended.err
        assert f"magic-hour image wait {charge.id} --output foxes" in ended.err

    def test_json(self, run: Run, emulator: Emulator) -> None:
        ended = run(*FOX, "--format", "json", "--output", "fox.png")
        [charge] = emulator.ledger.charges
        assert ended.json == {
            "id": charge.id,
            "kind": "image",
            "status": "complete",
            "credits_charged": 5,
            "downloaded_paths": ["fox.png"],
        }
        assert size_of("fox.png") == (640, 640)

    def test_talking_photo(self, run: Run, folder: Path, emulator: Emulator) -> None:
        ended = run(*TALK, "--generation-mode", "prompted", "--output", "clip.mp4")
        assert ended.code == 0, ended.err
        assert (folder / "clip.mp4").read_bytes()[4:8] == b"ftyp"
        assert emulator.ledger.charged == 30

    def test_several_files_for_one_option(self, run: Run, emulator: Emulator) -> None:
        ended = run("image", "edit", "--image", "portrait.jpg", "--image", "room.jpg", "--prompt", "Swap them")
        assert ended.code == 0, ended.err
        [presign] = emulator.requests.find(path="/v1/files/upload-urls")
        assert presign.status == 200
        assert len(emulator.requests.find(origin="storage", method="PUT")) == 2

    def test_an_existing_file_is_kept(self, run: Run, folder: Path) -> None:
        (folder / "fox.png").write_bytes(b"mine")
        ended = run(*FOX, "--output", "fox.png")
        assert ended.out == "fox (2).png\n"
        assert (folder / "fox.png").read_bytes() == b"mine"

    def test_no_wait_prints_the_id(self, run: Run, folder: Path, emulator: Emulator) -> None:
        ended = run(*FOX, "--no-wait")
        assert ended.out.strip() == emulator.ledger.charges[0].id
        assert saved(folder) == []

    def test_no_download_prints_the_id(self, run: Run, folder: Path, emulator: Emulator) -> None:
        ended = run(*FOX, "--no-download")
        assert ended.out.strip() == emulator.ledger.charges[0].id
        assert saved(folder) == []
        assert "complete" in ended.err

    def test_fields_that_no_option_knows(self, run: Run, emulator: Emulator) -> None:
        more = ("--extra-body", '{"seed": 7}')
        assert run(*FOX, *more, "--dry-run", "--format", "json").json["body"]["seed"] == 7
        assert run(*FOX, *more, "--no-wait").code == 0
        assert run(*FOX, "--extra-body", "{seed").code == 2

    def test_a_value_the_contract_does_not_know_is_sent(self, run: Run) -> None:
        ended = run(*FOX, "--model", "tomorrow", "--aspect-ratio", "5:4", "--dry-run", "--format", "json")
        assert ended.json["body"]["model"] == "tomorrow"
        assert ended.json["body"]["aspect_ratio"] == "5:4"

    def test_a_value_the_contract_does_not_know_is_remarked_on(self, run: Run) -> None:
        """It may be new, or a mistake that costs credits."""
        ended = run(*FOX, "--model", "nano-bananna", "--dry-run")
        assert ended.code == 0
        assert "--model nano-bananna is unknown; it is sent as given; did you mean nano-banana" in ended.err
        assert "known" not in run(*FOX, "--model", "nano-banana", "--dry-run").err
        assert "known" not in run(*TALK, "--generation-mode", "pro", "--dry-run").err, "retired, and said so"

    def test_nobody_there(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MAGIC_HOUR_BASE_URL", "http://127.0.0.1:1")
        ended = run("image", "get", "cuid-1", "--quiet")
        assert ended.code == 1
        assert "at http://127.0.0.1:1; is the emulator running? (magic-hour emulator)" in ended.err

    def test_what_is_retired_is_said_in_one_line(self, run: Run, emulator: Emulator) -> None:
        ended = run(*FOX, "--orientation", "landscape", "--aspect-ratio", "9:16")
        assert ended.code == 0
        [line] = [line for line in ended.err.splitlines() if "deprecated" in line]
        assert line.startswith("magic-hour: ")
        assert "use --aspect-ratio" in line
        [path] = ended.out.split()
        width, height = size_of(path)
        assert height > width, "the service lets aspect_ratio win"

    def test_quiet_leaves_the_line_with_the_id(self, run: Run, emulator: Emulator) -> None:
        ended = run(*FOX, "--quiet")
        [line] = ended.err.splitlines()
        assert emulator.ledger.charges[0].id in line

    def test_verbose_is_on_stderr(self, run: Run) -> None:
        ended = run(*FOX, "--verbose", "--format", "json")
        assert "INFO" in ended.err
        assert ended.json["status"] == "complete"


class TestDryRun:
    def test_shows_the_request_and_the_price_and_sends_nothing(
        self, run: Run, folder: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("MAGIC_HOUR_API_KEY")
        ended = run(*TALK, "--dry-run", "--format", "json", "--name", "n", "--output", "new/folder")
        assert ended.code == 0, ended.err
        assert ended.json == {
            "dry_run": True,
            "operation": "v1.ai_talking_photo.create",
            "method": "POST",
            "url": f"{emulator.url}/v1/ai-talking-photo",
            "body": {
                "assets": {
                    "image_file_path": "<upload of portrait.jpg>",
                    "audio_file_path": "<upload of voice.mp3>",
                },
                "start_seconds": 0.0,
                "end_seconds": 1.5,
                "name": "n",
            },
            "uploads": [
                {"name": name, "bytes": (folder / name).stat().st_size} for name in ("voice.mp3", "portrait.jpg")
            ],
            "estimated_credits": {"credits": 72, "at_most": 72, "at_least": False, "documented": True},
        }
        assert not list(emulator.requests)
        assert saved(folder) == []

    def test_text(self, run: Run) -> None:
        ended = run(*FOX, "--dry-run", "--model", "nano-banana")
        first, *_, last = ended.out.splitlines()
        assert first.startswith("POST http://127.0.0.1:")
        assert last == "cost    at least 50 credits"

    @pytest.mark.parametrize(
        "more",
        [
            ("--timeout", "0"), ("--poll-interval", "0"), ("--output", "portrait.jpg/"),
            ("--output", "portrait.jpg/below/"), ("--output", "con.png"), ("--output", "fox.mp4"),
            ("--output", "fox.svg"), ("--output", "s3://bucket/"), ("--output", "~there-is-no-such-user/x/"),
            ("--extra-body", "{"), ("--extra-body", "[]"),
        ],
    )  # fmt: skip
    def test_refuses_options_that_generate_refuses(self, run: Run, folder: Path, more: tuple[str, ...]) -> None:
        """With the same words."""
        dry, wet = run(*FOX, *more, "--dry-run"), run(*FOX, *more)
        assert (dry.code, dry.out) == (2, "")
        assert dry.err.partition(";")[0].partition(" to ")[0] == wet.err.partition(";")[0].partition(" to ")[0]
        assert saved(folder) == []

    def test_makes_no_folder(self, run: Run, folder: Path) -> None:
        for output in ("new/folder", "new", str(folder / "new" / "a.png"), "a.png", "./x/"):
            assert run(*FOX, "--output", output, "--dry-run").code == 0
        assert saved(folder) == []

    def test_refuses_what_generate_refuses(self, run: Run, emulator: Emulator) -> None:
        ended = run("image", "edit", "--image", "missing.png", "--prompt", "x", "--dry-run")
        assert ended.code == 2
        assert "--image: there is no file missing.png" in ended.err


class TestJobs:
    @pytest.fixture
    def job(self, run: Run) -> str:
        return run(*FOX, "--no-wait").out.strip()

    def test_get(self, run: Run, job: str) -> None:
        run("image", "wait", job, "--no-download")
        ended = run("image", "get", job)
        shown = dict(line.split(maxsplit=1) for line in ended.out.splitlines())
        assert shown["id"] == job
        assert shown["status"] == "complete"
        assert shown["credits_charged"] == "5"
        data = run("image", "get", job, "--format", "json").json
        assert data["downloads"][0]["url"].endswith(".png?…"), "signed URLs are shown without their query"

    def test_wait_saves(self, run: Run, folder: Path, job: str) -> None:
        ended = run("image", "wait", job, "--output", "later/")
        assert ended.code == 0
        assert (folder / ended.out.strip()).parent == folder / "later"

    def test_download(self, run: Run, job: str) -> None:
        run("image", "wait", job, "--no-download")
        assert run("image", "download", job, "--output", "x.png").out == "x.png\n"
        assert run("image", "download", job, "--output", "x.png", "--format", "json").json == {
            "id": job,
            "kind": "image",
            "downloaded_paths": ["x (2).png"],
        }

    def test_download_before_it_is_complete(self, run: Run, emulator: Emulator) -> None:
        emulator.faults.add("job_stuck", status="rendering")
        job = run(*FOX, "--no-wait").out.strip()
        ended = run("image", "download", job, "--output", "x.png", "--format", "json")
        assert ended.code == 1
        assert "not complete yet" in ended.err
        assert ended.error["resume"] == f"magic-hour image wait {job} --output x.png"

    def test_delete_asks(self, run: Run, emulator: Emulator, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
        assert run("image", "delete", job).code == 2, "stdin is no terminal here"
        for answer, code in (("", 1), ("n\n", 1), ("y\n", 0)):
            stdin = io.StringIO(answer)
            monkeypatch.setattr(stdin, "isatty", lambda: True)
            monkeypatch.setattr(sys, "stdin", stdin)
            ended = run("image", "delete", job)
            assert ended.code == code, ended.err
            assert "permanently? [y/N]" in ended.err
        [request] = emulator.requests.find(method="DELETE")
        assert request.path.endswith(job)

    def test_delete_with_yes(self, run: Run, job: str) -> None:
        assert run("image", "delete", job, "--yes", "--format", "json").json == {
            "id": job,
            "kind": "image",
            "deleted": True,
        }
        assert run("image", "delete", job, "--yes").code in (0, 1)

    def test_an_id_of_no_job(self, run: Run) -> None:
        for arguments in (("get",), ("wait",), ("download",), ("delete", "--yes")):
            ended = run("image", arguments[0], "nothing", *arguments[1:], "--format", "json")
            assert ended.code == 1
            assert "accepted" not in ended.err, "there is nothing to pick up"
            assert "resume" not in ended.error


class TestFiles:
    def test_upload(self, run: Run, emulator: Emulator) -> None:
        path = run("files", "upload", "portrait.jpg").out.strip()
        assert emulator.uploaded(path).read_bytes() == Path("portrait.jpg").read_bytes()
        ended = run("image", "headshot", "--image", path, "--quiet")
        assert ended.code == 0

    def test_json(self, run: Run) -> None:
        data = run("files", "upload", "voice.mp3", "--format", "json").json
        assert data["file"] == "voice.mp3"
        assert data["file_path"].startswith("api-assets/")


class TestEnds:
    def test_a_job_that_fails(self, run: Run, emulator: Emulator) -> None:
        emulator.fail_next("no_source_face", "There is no face")
        ended = run("image", "headshot", "--image", "portrait.jpg", "--format", "json")
        assert ended.code == 3
        assert ended.error["type"] == "JobFailed"
        assert ended.error["code"] == "no_source_face"
        assert ended.error["project_id"] == emulator.ledger.charges[0].id
        assert "resume" not in ended.error, "nothing is left to pick up"
        assert "no_source_face: There is no face" in ended.err

    def test_a_job_that_is_canceled(self, run: Run, emulator: Emulator) -> None:
        emulator.faults.add("job_canceled")
        job = run(*FOX, "--no-wait").out.strip()
        assert run("image", "wait", job).code == 3

    def test_a_timeout_says_how_to_go_on(self, run: Run, emulator: Emulator) -> None:
        emulator.faults.add("job_stuck", status="rendering")
        job = run(*FOX, "--no-wait").out.strip()
        ended = run("image", "wait", job, "--timeout", "0.3", "--output", "late.png", "--format", "json")
        assert ended.code == 124
        assert ended.error["resume"] == f"magic-hour image wait {job} --output late.png"
        assert ended.error["resume"] in ended.err
        assert "client.v1" not in ended.err, "Python is not what is typed here"

    def test_a_refusal(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MAGIC_HOUR_API_KEY", "mhk_wrong")
        ended = run(*FOX, "--format", "json")
        assert (ended.code, ended.error["type"], ended.error["status"]) == (1, "Unauthorized", 401)
        assert "resume" not in ended.error

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("image", "generate", "--prompt", "x"), "Missing option '--image-count'"),
            (("image", "generate", "--image-count", "1", "--promt", "x"), "--prompt"),
            (("image", "generate", "--image-count", "one", "--prompt", "x"), "'one'"),
            (("image", "paint"), "No such command 'paint'"),
            (
                ("image", "generate", "--image-count", "1", "--prompt", "x", "--format", "xml"),
                "'xml' is not one of 'text', 'json'",
            ),
            (("image", "wait"), "Missing argument 'ID'"),
        ],
    )
    def test_wrong_usage(self, run: Run, arguments: tuple[str, ...], words: str) -> None:
        ended = run(*arguments)
        assert ended.code == 2
        assert ended.out == ""
        [line] = ended.err.splitlines()
        assert line.startswith("magic-hour: ")
        assert words in line
        assert "--help" in line
        if "xml" not in arguments:
            data = run(*arguments, "--format", "json")
            assert data.code == 2
            assert words in data.error["message"]

    def test_nothing_typed(self, run: Run) -> None:
        ended = run()
        assert ended.code == 2
        assert "Usage: magic-hour" in ended.err

    def test_version(self, run: Run) -> None:
        from magic_hour_workflows import __version__

        assert run("--version").out == f"magic-hour {__version__}\n"

    def test_a_traceback_only_with_debug(self, run: Run) -> None:
        arguments = ("image", "edit", "--image", "missing.png", "--prompt", "x")
        assert "Traceback" not in run(*arguments).err
        ended = run(*arguments, "--debug")
        assert "Traceback" in ended.err
        assert ended.err.splitlines()[-1].startswith("magic-hour: --image")

    def test_a_bug_of_ours_is_one_line_too(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("magic_hour_workflows.cli.command.output_options", lambda *_: 1 / 0)
        monkeypatch.setattr("magic_hour_workflows.cli.generate.output_options", lambda *_: 1 / 0)
        ended = run(*FOX)
        assert ended.code == 1
        assert ended.err == "magic-hour: unexpected ZeroDivisionError: division by zero; --debug shows where\n"

    def test_json_is_all_there_is_on_stdout(self, run: Run, emulator: Emulator) -> None:
        """At every verbosity, whatever happens."""
        for more in ((), ("--quiet",), ("--verbose",), ("--debug",), ("--verbose", "--debug")):
            for arguments in (
                FOX,
                (*FOX, "--no-wait"),
                (*FOX, "--dry-run"),
                ("image", "get", "nothing"),
                ("files", "upload", "missing.png"),
                (*FOX, "--orientation", "square"),
            ):
                ended = run(*arguments, *more, "--format", "json")
                assert isinstance(json.loads(ended.out), dict)
                assert ended.out.count("\n") == 1


class TestSchema:
    def test_all(self, run: Run) -> None:
        data = run("schema").json
        commands = {operation["name"]: operation["command"] for operation in data["operations"]}
        assert commands["v1.ai_image_generator.create"] == "image generate"
        assert {name for name, typed in commands.items() if typed is None}.isdisjoint(paid()), "it needs an `x-command`"

    @pytest.mark.parametrize(
        "named", [("image", "edit"), ("image edit",), ("ai_image_editor",), ("v1.ai_image_editor.create",)]
    )
    def test_one(self, run: Run, named: tuple[str, ...]) -> None:
        data = run("schema", *named).json
        assert data["name"] == "v1.ai_image_editor.create"
        assert "--image" in [flag["flag"] for flag in data["flags"]]

    def test_is_json_schema_that_describes_requests(self, run: Run) -> None:
        import jsonschema

        for name in ("image generate", "image edit", "image headshot", "video talking-photo"):
            data = run("schema", name).json
            schema = {"$defs": data["$defs"], **data["body"]}
            jsonschema.Draft202012Validator.check_schema(schema)
            jsonschema.validate(data["example"], schema)
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate({}, schema)

    def test_is_printed_whole(self, run: Run) -> None:
        for name in operations():
            data = run("schema", name).json
            assert {**data, "command": None} == {**complete(name), "command": None, "flags": data["flags"]}, name
            assert set(_references(data)) <= set(data["$defs"]), name

    def test_none(self, run: Run) -> None:
        ended = run("schema", "nothing")
        assert ended.code == 2
        assert "`image generate`" in ended.error["message"]


class TestOthers:
    def test_demo_has_options_of_its_own(self, run: Run) -> None:
        ended = run("demo", "--help")
        assert ended.code == 0
        assert "usage: magic-hour demo" in ended.out
        assert "--live" in ended.out

    def test_emulator_has_options_of_its_own(self, run: Run) -> None:
        ended = run("emulator", "--help")
        assert "usage: magic-hour emulator" in ended.out
        assert run("emulator", "--port", "x").code == 2

    def test_what_is_missing_is_said_in_one_line(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "magic_hour_emulator.__main__", None)
        ended = run("emulator")
        assert ended.code == 1
        assert ended.err.count("\n") == 1
        assert "pip install 'magic-hour-workflows[emulator]'" in ended.err

    def test_without_the_extra(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['typer'] = None\n", encoding="utf-8")
        done = python("-m", "magic_hour_workflows", "schema", variables={"PYTHONPATH": str(tmp_path)})
        assert done.returncode == 1
        assert done.stderr == "magic-hour: the command line needs typer: pip install 'magic-hour-workflows[cli]'\n"

    def test_completion_offers_what_the_contract_knows(self, folder: Path) -> None:
        typed = "magic-hour image generate --aspect-ratio 1"
        environment = {"_MAGIC_HOUR_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": "4"}
        done = python("-c", "from magic_hour_workflows.cli import main; main([])", variables=environment)
        assert done.stdout.split() == ["1:1", "16:9"], done.stderr
