"""`scripts/generate.py` as a command: `--check`, exit codes, messages, and that nothing is written when it stops."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import generate
from generator import problems
from generator.names import CALL_OPTIONS, GENERATE_OPTIONS
from generator.tree import files_in

PAGE = "docs/reference/things.md"
MODULE = "generated/small_client/client.py"
OTHER_PAGE = "docs/reference/others.md"
OTHER_MODULE = "generated/small_client/types.py"


def append(path: Path) -> None:
    path.write_text(path.read_text() + "# more\n")


def reworded(path: Path) -> None:
    path.write_text(path.read_text().replace("What it is called", "Its name"))


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "hand edit": (lambda root: (root / MODULE).write_text("# mine\n"), "different: small_client/client.py"),
    "one byte": (lambda root: append(root / MODULE), "different: small_client/client.py"),
    "missing": (lambda root: (root / OTHER_MODULE).unlink(), "missing: small_client/types.py"),
    "extra": (lambda root: (root / MODULE).with_name("mine.py").touch(), "extra: small_client/mine.py"),
    "extra not Python": (lambda root: (root / MODULE).with_name("a.txt").touch(), "extra: small_client/a.txt"),
    "page edited": (lambda root: (root / PAGE).write_text((root / PAGE).read_text().replace("### ", "### My ")),
     "different: reference/things.md"),
    "page missing": (lambda root: (root / OTHER_PAGE).unlink(), "missing: reference/others.md"),
    "page extra": (lambda root: (root / PAGE).with_name("mine.md").touch(), "extra: reference/mine.md"),
    "stale": (lambda root: reworded(root / "spec/small.json"), "different: reference/things.md"),
    "stale template": (lambda root: append(root / "templates/client.py.jinja"),
     "different: small_client/client.py"),
}  # fmt: skip


def test_committed_tree_is_up_to_date(command: Any) -> None:
    ran = command("--check")
    assert (ran.code, ran.error) == (0, "")


@pytest.mark.parametrize(
    "name", ["stale", *(pytest.param(name, marks=pytest.mark.long) for name in CHANGES if name != "stale")]
)
def test_check_catches_a_change(name: str, project: Path, command: Any) -> None:
    change, line = CHANGES[name]
    change(project)
    before = files_in(project)
    ran = command("--check")
    assert ran.code == 1
    assert line in ran.error
    assert files_in(project) == before, "--check writes nothing"


def test_check_names_every_change_and_a_run_mends_them_all(project: Path, command: Any) -> None:
    for change, _ in CHANGES.values():
        change(project)
    before = files_in(project)
    ran = command("--check")
    assert ran.code == 1
    assert [line for _, line in CHANGES.values() if line not in ran.error] == []
    assert files_in(project) == before, "--check writes nothing"
    assert command().code == 0
    assert command("--check").code == 0


def test_caches_are_no_difference(project: Path, command: Any) -> None:
    cache = project / "generated" / "small_client" / "__pycache__"
    cache.mkdir()
    (cache / "client.cpython-311.pyc").write_bytes(b"")
    assert command("--check").code == 0


def body(document: dict[str, Any]) -> dict[str, Any]:
    return document["components"]["schemas"]["Thing"]


def operation(document: dict[str, Any]) -> dict[str, Any]:
    return document["paths"]["/things"]["post"]


def set_in(node: Any, *path: Any) -> None:
    """`set_in(a, "b", "c", 1)` is `a["b"]["c"] = 1`."""
    *keys, last, value = path
    for key in keys:
        node = node[key]
    node[last] = value


TEXTS = {
    "not YAML": ("a: [1, 2", 3, "cannot be read"),
    "binary": ("\0\1\2", 3, "cannot be read"),
    "a key twice": ("openapi: 3.1.0\nopenapi: 3.0.0\n", 3, "duplicate key"),
    "a list": ("- openapi", 3, "is not an OpenAPI document"),
    "nothing": ("", 3, "is not an OpenAPI document"),
    "another format": ("swagger: '2.0'", 3, "it has no `openapi` version"),
    "a circle": ("openapi: &a [*a]", 3, "cannot be read"),
    "no number of JSON": ("openapi: 3.1.0\nx-price: .inf\n", 3, "cannot be read"),
    "a date for a key": ("openapi: 3.1.0\n2026-01-31: 1\n", 3, "cannot be read"),
    "too new": ("openapi: 3.2.0", 3, "OpenAPI 3.2.0; known are 3.0 and 3.1"),
    "nothing in it": ("openapi: 3.1.0", 3, "'info' is a required property"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_unreadable_document(name: str, run_generator: Any, tmp_path: Path) -> None:
    text, code, message = TEXTS[name]
    ran = run_generator(text)
    assert ran.code == code
    assert "spec.yaml" in ran.error
    assert message in ran.error
    assert not (tmp_path / "out").exists()


def test_missing_document(command: Any, tmp_path: Path) -> None:
    ran = command("--spec", str(tmp_path / "none.yaml"), "--output", str(tmp_path / "out"))
    assert ran.code == 3
    assert "none.yaml cannot be read" in ran.error


ANSWER = {"200": {"description": "."}}
STOPS: dict[str, tuple[Callable[[Any], object], int, str]] = {
    # invalid
    "reference to nowhere": (lambda d: set_in(body(d), "properties", "part", {"$ref": "#/components/schemas/Nowhere"}),
     3, "components/schemas/Thing/properties/part: the reference '#/components/schemas/Nowhere' leads nowhere"),
    "reference to a file": (lambda d: set_in(body(d), "properties", "part", {"$ref": "/etc/passwd"}), 3,
     "components/schemas/Thing/properties/part: the reference '/etc/passwd' leads out of the document"),
    "reference to the network": (lambda d: set_in(body(d), "properties", "part", {"$ref": "http://127.0.0.1:9/a.yaml"}),
     3, "leads out of the document"),
    "unknown type": (lambda d: set_in(body(d), "properties", "name", {"type": "text"}), 3, "not a valid OpenAPI"),
    "undeclared path parameter": (lambda d: set_in(d["paths"], "/things/{id}/{other}", {"get": {"operationId": "x",
     "responses": ANSWER}}), 3, "'other'"),
    "one operationId twice": (lambda d: set_in(d, "paths", "/things/{id}", "get", "operationId", "make_thing"), 3,
     "make_thing"),
    # names
    "field of a model": (lambda d: set_in(body(d), "properties", "to_dict", {}), 4, "schema Thing: 'to_dict'"),
    "field like a type": (lambda d: set_in(body(d), "properties", "list", {}), 4, "schema Thing: 'list'"),
    "field of no letters": (lambda d: set_in(body(d), "properties", "$$", {}), 0, ""),
    "two fields in one": (lambda d: set_in(body(d), "properties", "Name", {}), 4, "are both 'name' in Python"),
    "two schemas in one file": (lambda d: set_in(d, "components", "schemas", "thing", {"type": "object"}), 5, "Thing"),
    "schema in other letters": (lambda d: set_in(d, "components", "schemas", "Ключ", {"type": "string"}), 3, "'Ключ'"),
    "schema like a name of ours": (lambda d: set_in(d, "components", "schemas", "Any", {"type": "object",
     "properties": {"a": {}}}), 4, "'Any' is the name of a class"),
    "resource like a method": (lambda d: set_in(d["paths"], "/send", {"get": {"operationId": "x",
     "responses": ANSWER}}), 4, "resource send: the client has a method 'send' already"),
    "resource like a class of ours": (lambda d: set_in(d["paths"], "/client", {"get": {"operationId": "x",
     "responses": ANSWER}}), 4, "'Client' is the name of a class"),
    "resource like a method beside it": (lambda d: set_in(d["paths"], "/things/create", {"get": {"operationId": "x",
     "responses": ANSWER}}), 4, "resource things: several things would be called 'create'"),
    "very long path": (lambda d: set_in(d["paths"], f"/{'a' * 300}", {"get": {"operationId": "x",
     "responses": ANSWER}}), 4, "longer than 100 characters"),
    "very long operationId": (lambda d: set_in(operation(d), "operationId", "a" * 300), 4, "POST /things"),
    "very long schema": (lambda d: set_in(d, "components", "schemas", "A" * 300, {"type": "object",
     "properties": {"a": {}}}), 4, "cannot be a Python class name"),
    "title without letters": (lambda d: set_in(d, "info", "title", "Ключ 1"), 4, "`info.title`"),
    "title like an error of ours": (lambda d: set_in(d, "info", "title", "API"), 4, "two errors 'APIError'"),
    # lost
    "body that is a form": (lambda d: set_in(operation(d), "requestBody", "content",
     {"multipart/form-data": {"schema": {"type": "object"}}}), 5, "POST /things: its body is not JSON"),
    "body of unknown kind": (lambda d: set_in(operation(d), "requestBody", "content",
     {"application/x-what": {"schema": {"type": "string"}}}), 5,
     "POST /things within things. Endpoint will not be generated"),
    "answer that is text": (lambda d: set_in(operation(d), "responses", "200", "content",
     {"text/csv": {"schema": {"type": "string"}}}), 5, "POST /things: its answer is not JSON"),
    "cookie": (lambda d: set_in(operation(d), "parameters", [{"name": "c", "in": "cookie",
     "schema": {"type": "string"}}]), 5, "POST /things: cookie parameters"),
    "parameters written another way": (
        lambda d: d["paths"]["/things/{id}"]["get"]["parameters"][1].update(
            explode=False, schema={"type": "array", "items": {"type": "string"}}
        ),
        5,
        "GET /things/{id}: the parameter 'depth' is written in a style that is not supported",
    ),
    "parameters that are objects": (
        lambda d: d["paths"]["/things/{id}"]["get"]["parameters"][1].update(style="deepObject"),
        5,
        "GET /things/{id}: the parameter 'depth'",
    ),
    "path behind a reference": (lambda d: (set_in(d, "components", "pathItems", {"Other": {"get": {"operationId": "x",
     "responses": ANSWER}}}), set_in(d["paths"], "/other", {"$ref": "#/components/pathItems/Other"})), 5,
     "/other: a path behind a reference"),
    "array without items": (lambda d: (d.update(openapi="3.1.0"), set_in(body(d), "properties", "many",
     {"type": "array"})), 5, "items"),
    "enum of mixed types": (lambda d: set_in(body(d), "properties", "mixed", {"enum": [1, "a"]}), 5, "/Thing"),
}  # fmt: skip


@pytest.mark.parametrize("name", STOPS)
def test_stops(name: str, document: dict[str, Any], run_generator: Any, tmp_path: Path) -> None:
    change, code, message = STOPS[name]
    change(document)
    ran = run_generator(document)
    assert (ran.code, message in ran.error) == (code, True), ran.error
    assert (tmp_path / "out").exists() is (code == 0)


@pytest.mark.parametrize("name", sorted(GENERATE_OPTIONS))
def test_options_of_ours_stay_free(name: str, document: dict[str, Any], run_generator: Any, tmp_path: Path) -> None:
    body(document)["properties"][name] = {"type": "integer"}
    plain = run_generator(document)
    assert plain.code == (4 if name in CALL_OPTIONS else 0), "options of generate are only those of what it calls"

    operation(document)["x-charges-credits"] = True
    paid = run_generator(document, "--check")
    assert paid.code == 4
    assert f"POST /things: the field {name!r} collides with our own option" in paid.error


def test_everything_wrong_is_said_at_once(document: dict[str, Any], run_generator: Any) -> None:
    body(document)["properties"].update({"str": {}, "from_dict": {}})
    document["components"]["schemas"]["Part"]["properties"]["to_dict"] = {}
    lines = run_generator(document).error.splitlines()
    assert len([line for line in lines if "would break the generated code" in line]) >= 3


@pytest.mark.parametrize("found", ["0.30.0", None])
def test_other_generator(
    found: str | None, monkeypatch: pytest.MonkeyPatch, run_generator: Any, tmp_path: Path
) -> None:
    def version(name: str) -> str:
        if name != "openapi-python-client":
            return problems.PINNED[name]
        if found is None:
            raise problems.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(problems, "version", version)
    ran = run_generator("openapi: 3.1.0")
    assert ran.code == 6
    assert f"openapi-python-client {found or '(nothing)'} is installed" in ran.error
    assert "0.29.1" in ran.error
    assert not (tmp_path / "out").exists()


def test_pins_are_those_of_the_project() -> None:
    wanted = (Path(generate.__file__).parents[1] / "pyproject.toml").read_text()
    for name, version in problems.PINNED.items():
        assert f'"{name}=={version}"' in wanted


def test_broken_template(project: Path, command: Any) -> None:
    (project / "templates" / "client.py.jinja").write_text("def (:\n")
    before = files_in(project / "generated")
    ran = command()
    assert ran.code == 7
    assert "client.py" in ran.error
    assert files_in(project / "generated") == before


@pytest.mark.parametrize("place", ["reference", "small_client"])
def test_files_of_others_are_left_alone(
    place: str, document: dict[str, Any], run_generator: Any, tmp_path: Path
) -> None:
    theirs = tmp_path / "out" / place / "notes.md"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("years of work")
    ran = run_generator(document)
    assert ran.code == 2
    assert str(theirs.parent) in ran.error
    assert files_in(tmp_path / "out") == {f"{place}/notes.md": b"years of work"}


def test_every_problem_has_a_documented_code() -> None:
    codes = {kind.exit_code for kind in problems.Problem.__subclasses__()}
    documented = (generate.__doc__ or "").partition("Exit codes:")[2]
    assert codes == {int(code) for code in re.findall(r"\d", documented)} - {0}


def test_messages_cannot_steer_a_terminal(document: dict[str, Any], run_generator: Any) -> None:
    document["components"]["schemas"]["Thing"]["properties"]["\x1b[31mred\x07"] = {"$ref": "#/\x1b[0m"}
    ran = run_generator(document)
    assert ran.code == 3
    assert "\x1b" not in ran.error
    assert "\x07" not in ran.error


def test_wrong_arguments(command: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        command("--what")
    assert ended.value.code == 2


def test_a_document_of_ones_own_needs_a_place_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Without one, it would replace the project's own client and pages."""
    with pytest.raises(SystemExit) as ended:
        generate.main(["--spec", "my.yaml"])
    assert ended.value.code == 2
    assert "--spec needs --output DIR" in capsys.readouterr().err


def test_a_page_with_a_text_of_its_own_is_not_deleted(project: Path, command: Any) -> None:
    """Its resource is gone from the document; what was written about it by hand may still be wanted."""
    page = project / "docs" / "reference" / "gone.md"
    page.write_text("# gone\n<!-- CUSTOM DOCS START -->\nmine\n<!-- CUSTOM DOCS END -->\n", encoding="utf-8")
    ran = command()
    assert ran.code == problems.DamagedPage.exit_code
    assert "gone.md: delete the page yourself" in ran.error
    assert page.exists()
    page.write_text("# gone\n<!-- CUSTOM DOCS START -->\n\n<!-- CUSTOM DOCS END -->\n", encoding="utf-8")
    assert command().code == 0
    assert not page.exists()
