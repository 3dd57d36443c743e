"""What the tests of the generator share: small documents, one build of each big one, copies of the project."""

from __future__ import annotations

import contextlib
import copy
import fcntl
import functools
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jinja2 import Environment, FileSystemBytecodeCache

import generate
from generator import bundle, contract
from generator.build import Build
from generator.contract import load
from programs import python

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "spec" / "magic-hour.openapi.yaml"
FOREIGN = Path(__file__).with_name("foreign.openapi.yaml")
HOLOGRAM = Path(__file__).with_name("hologram.openapi.yaml")
TEMPLATES = ROOT / "templates"
PARTS = ("spec", "templates", "generated", "docs/reference", "emulator/magic_hour_emulator/spec", "workflows")

Document = dict[str, Any]


class Ran(NamedTuple):
    """How the command ended and what it said."""

    code: int
    out: str
    error: str


class Tree(NamedTuple):
    """What was generated, and where."""

    build: Build
    package: Path
    reference: Path


def _document() -> Document:
    """The smallest document in which everything can be put: one call with a body, one with parameters."""
    answer = {"200": {"description": "Done.", "content": {"application/json": {"schema": {"type": "object"}}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Small", "version": "1.0"},
        "servers": [{"url": "https://small.example"}],
        "paths": {
            "/things": {
                "post": {
                    "operationId": "make_thing",
                    "tags": ["things"],
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                    },
                    "responses": copy.deepcopy(answer),
                }
            },
            "/things/{id}": {
                "get": {
                    "operationId": "get_thing",
                    "tags": ["things"],
                    "parameters": [
                        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                        {"name": "depth", "in": "query", "schema": {"type": "integer"}},
                    ],
                    "responses": copy.deepcopy(answer),
                }
            },
        },
        "components": {
            "schemas": {
                "Thing": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string"},
                        "colour": {"type": "string", "enum": ["red", "blue"]},
                        "part": {"$ref": "#/components/schemas/Part"},
                    },
                },
                "Part": {"type": "object", "properties": {"size": {"type": "integer"}}},
            }
        },
    }


@pytest.fixture(scope="session", autouse=True)
def _everything_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A file that was parsed, a document that was valid and a template that was compiled are not worked on again."""
    validate, valid = contract._validate, set[str]()

    def validated(path: Path, found: contract.Contract) -> None:
        text = json.dumps(found.raw)
        if text not in valid:
            validate(path, found)
            valid.add(text)

    compiled = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle, "_document", functools.cache(bundle._document))
        patch.setattr(contract, "_validate", validated)
        patch.setattr("openapi_python_client.Environment", functools.partial(Environment, bytecode_cache=compiled))
        yield


@pytest.fixture
def document() -> Document:
    return _document()


@pytest.fixture(scope="session")
def new_document() -> Callable[[], Document]:
    return _document


@pytest.fixture
def run_generator(tmp_path: Path) -> Callable[[Document | str], Ran]:
    """Runs the command on a document; it writes into `tmp_path / "out"`."""

    def run(document: Document | str, *arguments: str) -> Ran:
        spec = tmp_path / "spec.yaml"
        spec.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return _command("--spec", str(spec), "--output", str(tmp_path / "out"), *arguments)

    return run


@pytest.fixture(scope="session")
def command() -> Callable[..., Ran]:
    """Runs the command in this process."""
    return _command


def _command(*arguments: str) -> Ran:
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        code = generate.main(arguments)
    return Ran(code, out.getvalue(), error.getvalue())


@pytest.fixture(scope="session")
def contract_build() -> Build:
    """The contract, read and worked out but not written."""
    return Build(load(SPEC), TEMPLATES)


def _tree(spec: Path, output: Path) -> Tree:
    build = Build(load(spec), TEMPLATES)
    generate.run(spec, output)
    return Tree(build, output / build.package, output / "reference")


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The foreign document, generated; its package can be imported."""
    tree = _tree(FOREIGN, tmp_path_factory.mktemp("foreign"))
    sys.path.insert(0, str(tree.package.parent))
    return tree


@pytest.fixture(scope="session")
def small_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two resources that is up to date."""
    root = _copy(tmp_path_factory.mktemp("small"), ("templates",))
    whole = _document()
    whole["components"]["schemas"]["Thing"]["properties"]["name"]["description"] = "What it is called."
    whole["paths"]["/others"] = {"get": {"operationId": "get_others", "responses": {"204": {"description": "None."}}}}
    (root / "spec").mkdir()
    (root / "spec" / "small.json").write_text(json.dumps(whole), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        _take_for_own(root, "small.json", patch)
        assert _command().error == ""
    return root


@pytest.fixture
def project(small_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it that `generate.main` takes for its own."""
    root = tmp_path / "project"
    shutil.copytree(small_project, root)
    _take_for_own(root, "small.json", monkeypatch)
    return root


def _take_for_own(root: Path, spec: str, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(generate, "ROOT", root)
    patch.setattr(generate, "DEFAULT_SPEC", root / "spec" / spec)


ROOT_PATHS = """
  /v1/hologram: {$ref: "hologram.yaml#/paths/~1v1~1hologram"}
  /v1/hologram-maker: {$ref: "hologram.yaml#/paths/~1v1~1hologram-maker"}
  "/v1/hologram-projects/{id}": {$ref: "hologram.yaml#/paths/~1v1~1hologram-projects~1{id}"}

webhooks:
"""
BODY = """    V1AiImageGeneratorCreateBody:
      type: object
      required: [image_count, style]
      properties:
"""
STYLE = """    V1AiImageGeneratorCreateBodyStyle:
      type: object
      required: [prompt]
      properties:
"""
TOP = "        seed: {type: integer, description: Where chance starts., example: 7}\n"
NESTED = "        mood: {type: string, enum: [calm, wild], description: How it feels.}\n"


def _grow(spec: Path) -> None:
    """Add a file with a kind and its operations, their lines in the root, and two fields of another operation."""
    shutil.copy(HOLOGRAM, spec / "hologram.yaml")
    for name, changes in {
        SPEC.name: {"\n\nwebhooks:\n": ROOT_PATHS},
        "ai-image-generator.yaml": {BODY: BODY + TOP, STYLE: STYLE + NESTED},
    }.items():
        text = (spec / name).read_text(encoding="utf-8")
        for place, more in changes.items():
            assert text.count(place) == 1, f"the contract no longer has {place!r}; change the test"
            text = text.replace(place, more)
        (spec / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project whose contract has a new kind, a new operation and two new fields, generated. All test
    processes share it."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    root = folder / "grown"
    with (folder / "grown.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            _grow(_copy(root, PARTS) / "spec")
            with pytest.MonkeyPatch.context() as patch:
                _take_for_own(root, SPEC.name, patch)
                assert _command().error == ""
    return root


@pytest.fixture(scope="session")
def run_grown(grown: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python against that copy."""
    path = f"{grown / 'generated'}{os.pathsep}{grown / 'workflows'}"
    return lambda *arguments, **more: python(*arguments, variables={"PYTHONPATH": path, "COLUMNS": "80"}, **more)


def _copy(target: Path, parts: tuple[str, ...]) -> Path:
    for part in parts:
        shutil.copytree(ROOT / part, target / part, ignore=shutil.ignore_patterns("__pycache__"))
    return target
