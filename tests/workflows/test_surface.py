"""The public face: twins that agree, names that exist, examples that run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from generator.names import CALL_OPTIONS, GENERATE_OPTIONS
from magic_hour_emulator import Emulator, samples
from magic_hour_resources.v1 import V1, AsyncV1
from magic_hour_workflows import AsyncClient, Client, runner
from magic_hour_workflows._operations import paid

RESOURCES = [name for name, _ in inspect.getmembers(V1, lambda each: isinstance(each, cached_property))]
GENERATORS = [name for name in RESOURCES if hasattr(getattr(Client(token="x").v1, name), "generate")]


def twins() -> list[Any]:
    pairs = [(Client, AsyncClient), (V1, AsyncV1), (runner.Runner, runner.AsyncRunner)]
    client, other = Client(token="x"), AsyncClient(token="x")
    for name in RESOURCES:
        pairs.append((type(getattr(client.v1, name)), type(getattr(other.v1, name))))
    pairs.append((type(client.v1.files.upload_urls), type(other.v1.files.upload_urls)))
    return [pytest.param(*pair, id=pair[0].__name__) for pair in pairs]


def public(kind: type) -> dict[str, Any]:
    return {name: value for name, value in inspect.getmembers(kind) if not name.startswith("_")}


def plain(text: str) -> str:
    return text.replace("AsyncClient", "Client").replace("AsyncV1", "V1").replace("AsyncIterator", "Iterator")


@pytest.mark.parametrize(("sync", "other"), twins())
def test_twins_agree(sync: type, other: type) -> None:
    mine, theirs = public(sync), public(other)
    assert mine.keys() == theirs.keys()
    for name, method in mine.items():
        if not inspect.isfunction(method):
            continue
        twin = theirs[name]
        assert plain(str(inspect.signature(method))) == plain(str(inspect.signature(twin))), name
        assert str(method.__doc__) == str(twin.__doc__).replace("async for", "for"), name
        assert not inspect.iscoroutinefunction(method), name
        if name != "begin":  # the same for both
            assert inspect.iscoroutinefunction(twin) or "AsyncIterator" in str(inspect.signature(twin)), name


@pytest.mark.parametrize("name", GENERATORS)
def test_the_options_of_generate_are_those_the_generator_guards(name: str) -> None:
    """A field of the contract with one of these names must stop the generator, so both lists have to be one."""
    kind = type(getattr(Client(token="x").v1, name))
    parameters = inspect.signature(kind.generate).parameters.values()
    options = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    fields = {p for p in inspect.signature(kind.create).parameters if p not in CALL_OPTIONS}
    assert (options - fields) | CALL_OPTIONS == GENERATE_OPTIONS


OPTIONS: dict[str, Any] = {
    "wait_for_completion": True, "download_outputs": True, "download_directory": None, "output_name": None,
    "timeout": None, "poll_interval": None, "on_progress": None, "extra_body": None,
}  # fmt: skip


@pytest.mark.parametrize("name", GENERATORS)
def test_generate_takes_what_create_takes_and_the_options(name: str) -> None:
    for client in (Client(token="x"), AsyncClient(token="x")):
        kind = type(getattr(client.v1, name))
        create, generate = (inspect.signature(method).parameters for method in (kind.create, kind.generate))
        fields = {field: create[field].default for field in create if field not in ("self", *CALL_OPTIONS)}
        given = {field: generate[field].default for field in generate if field != "self"}
        # a free task returns its answer; files beside it are downloaded on request
        assert given == fields | OPTIONS | {"download_outputs": f"v1.{name}.create" in paid()}
        assert list(given) == [*fields, *OPTIONS], "fields first, then the options in one order"
        assert {generate[field].kind for field in given} == {inspect.Parameter.KEYWORD_ONLY}
        plain, whole = described(kind.create, list(fields)), described(kind.generate, list(fields))
        assert list(plain) == list(whole)
        assert all(whole[field].startswith(plain[field]) for field in plain), "then the fields inside, if there are any"
        assert list(described(kind.generate, list(OPTIONS))) == list(OPTIONS)
        summary, description = (kind.create.__doc__ or "").split("\n\n")[:2]
        assert (kind.generate.__doc__ or "").startswith(f"{summary}: ")
        assert description in (kind.generate.__doc__ or "")


def described(method: Any, names: list[str]) -> dict[str, str]:
    """What a docstring says of each argument."""
    arguments = (inspect.getdoc(method) or "").split("Args:\n")[1].split("\n\n")[0]
    found = re.findall(r"^    (\w+): ((?:.*)(?:\n        .*)*)", arguments, re.MULTILINE)
    return {name: text for name, text in found if name in names}


@pytest.mark.parametrize("package", [f"magic_hour_workflows{part}" for part in ("", ".errors", ".events", ".runner")])
def test_every_public_name_exists(package: str) -> None:
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None
    assert set(module.__all__) <= set(dir(module))


def test_an_unknown_name_is_an_attribute_error() -> None:
    module = importlib.import_module("magic_hour_workflows")
    with pytest.raises(AttributeError, match="nothing"):
        _ = module.nothing


def test_the_tree_in_the_documentation_of_errors_is_complete() -> None:
    errors = importlib.import_module("magic_hour_workflows.errors")
    for name in errors.__all__:
        assert name in errors.__doc__, name


MODULES = sorted(
    package + "".join(f".{part}" for part in path.relative_to(root).with_suffix("").parts)
    for package in ("magic_hour_workflows", "magic_hour_resources")
    for root in [Path(importlib.import_module(package).__file__ or "").parent]
    for path in root.rglob("*.py")
    if path.name not in ("__init__.py", "_version.py")
    and re.search(r"^ +>>> ", path.read_text(encoding="utf-8"), re.MULTILINE)
)


@pytest.mark.usefixtures("small_pictures")
@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_run(
    module: str, emulator: Emulator, tmp_path: Path, portrait: Path, voice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`client`, `folder`, a picture, a sound and a video, and ids of finished jobs are there for the examples."""
    monkeypatch.setenv("MAGIC_HOUR_POLL_INTERVAL", "0.05")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "portrait.jpg").write_bytes(portrait.read_bytes())
    (tmp_path / "voice.mp3").write_bytes(voice.read_bytes())
    (tmp_path / "clip.mp4").write_bytes(samples.clip().read_bytes())
    found = importlib.import_module(module)
    tests = [test for test in doctest.DocTestFinder().find(found, module) if test.examples]
    assert tests
    names = {"token": emulator.token, "base_url": emulator.url, "folder": tmp_path}
    with Client(token=emulator.token, base_url=emulator.url) as client:
        if module.endswith("_projects"):
            names |= finished_jobs(client, portrait, voice)
        if module.endswith("face_detection"):
            found_faces = client.v1.face_detection.generate(assets={"target_file_path": portrait})
            names |= {"face_detection_id": found_faces.id}
        examples = doctest.DocTestRunner()
        for test in tests:
            if "Async" not in test.name or "Client" in test.name:  # those of async methods stand in the sync ones
                test.globs |= {**names, "client": client}
                examples.run(test)
    assert examples.summarize(verbose=False).failed == 0


def finished_jobs(client: Client, portrait: Path, voice: Path) -> dict[str, str]:
    image = client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "a"}, download_outputs=False)
    video = client.v1.ai_talking_photo.generate(
        assets={"image_file_path": portrait, "audio_file_path": voice},
        start_seconds=0,
        end_seconds=1,
        download_outputs=False,
    )
    audio = client.v1.ai_voice_generator.generate(
        style={"prompt": "Hello", "voice_name": "Narrator"}, download_outputs=False
    )
    return {"image_id": image.id, "video_id": video.id, "audio_id": audio.id}


def test_public_methods_have_examples() -> None:
    client = Client(token="x")
    for name in RESOURCES:
        for method, function in public(type(getattr(client.v1, name))).items():
            if inspect.isfunction(function):
                assert "Example:" in (function.__doc__ or ""), f"{name}.{method}"


def test_nothing_of_ours_changes_the_callers_environment() -> None:
    """Clients do not open anything before their first request."""
    client = Client(token="x")
    assert client._transport._clients == {}
    client.close()
