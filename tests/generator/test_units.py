"""The small parts: filters, names, references, folders. What the bigger tests would only show from afar."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, Undefined
from openapi_python_client.schema import UntrustedString
from openapi_python_client.strings import PythonCode

from generator.contract import Contract, load
from generator.names import attribute, problem_with, problem_with_class
from generator.problems import InvalidSpec
from generator.texts import Code, cell, doc, guard, literal, markdown, printable, raw
from generator.tree import differences, files_in, sync

TRICKY = st.text(st.sampled_from("\"'\\ \n\r\tabNx{}%#<`|\0\f\u2028é🙈\u202e"), max_size=40)


def words(text: str) -> list[str]:
    return printable(text).split()


@given(TRICKY, st.sampled_from([0, 4, 16]))
def test_doc_gives_the_text_back(text: str, indent: int) -> None:
    source = f'def f():\n    """{doc(text, indent)}"""\n    return 1\n'
    [function] = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert len(function.body) == 2
    assert (ast.get_docstring(function, clean=False) or "").split() == words(text)
    assert ast.literal_eval(f'"""{doc(text)}\n"""').split() == words(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | TRICKY,
        lambda inner: st.lists(inner) | st.dictionaries(TRICKY, inner),
    )
)
def test_literal_gives_the_value_back(value: Any) -> None:
    code = literal(value)
    assert code.isascii()
    assert "\n" not in code
    assert ast.literal_eval(code) == value


def test_literal_takes_what_the_generator_wraps() -> None:
    assert literal(UntrustedString("a'b")) == '"a\'b"'
    assert literal(("a",)) == "('a',)"
    for value in (object(), float("inf"), float("nan"), [float("inf")], {1, 2}):
        with pytest.raises((TypeError, ValueError)):
            literal(value)


@given(TRICKY)
def test_markdown_stays_in_its_cell(text: str) -> None:
    written = markdown(text)
    assert "\n" not in written
    assert "<" not in written
    # What a reader of a table sees: pipes that end a cell have an even number of backslashes before them.
    backslashes = 0
    for letter in written:
        assert letter != "|" or backslashes % 2 == 1
        backslashes = backslashes + 1 if letter == "\\" else 0


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a|b", "a\\|b"), ("a\\|b", "a\\\\\\|b"), ("<!-- a -->", "&lt;!-- a --&gt;"), ("# a", "\\# a"),
        ("```python", "\\```python"), ("- a", "\\- a"), ("---", "\\---"), ("`code` first", "`code` first"),
        ("**bold** first", "**bold** first"), ("-1 means", "-1 means"), ("a\n\nb", "a b"),
    ],
)  # fmt: skip
def test_markdown(text: str, written: str) -> None:
    assert markdown(text) == written


def test_cell_is_fast_for_many_backslashes() -> None:
    assert len(cell("\\" * 200_000)) == 200_000


@pytest.mark.parametrize(
    "value", [None, 1, Undefined(name="x"), UntrustedString("a"), PythonCode("a"), "a b", "a;b", "", "a.1"]
)
def test_guard_stops(value: object) -> None:
    with pytest.raises(TypeError):
        guard(value)
    environment = Environment(finalize=guard, autoescape=False)  # noqa: S701  (Python, not HTML)
    with pytest.raises(TypeError):
        environment.from_string("{{ value }}").render(value=value)


@pytest.mark.parametrize("value", ["name", "v1.image_projects.get", "ключ", Code("a b")])
def test_guard_lets_pass(value: str) -> None:
    assert guard(value) == value


def test_raw() -> None:
    assert [raw(value) for value in (None, "a", 1, UntrustedString("b"), PythonCode("c"))] == ["", "a", "1", "b", "c"]


@pytest.mark.parametrize(
    ("name", "python"),
    [
        ("plain", "plain"), ("type", "type"), ("id", "id"), ("class", "class_"), ("camelCase", "camel_case"),
        ("with-dash", "with_dash"), ("X-Trace-Id", "x_trace_id"), ("2nd", "field_2nd"), ("from", "from_"),
        ("match", "match"), ("", "field"), ("🙈", "field"),
    ],
)  # fmt: skip
def test_attribute(name: str, python: str) -> None:
    assert attribute(name) == python
    assert problem_with(name, of="x") is None


@pytest.mark.parametrize(
    "name", ["str", "self", "to_dict", "additional_properties", "a" * 101, "\uff43lass", "__class__x"]
)
def test_problem_with(name: str) -> None:
    problem = problem_with(name, of="schema X")
    assert problem is None or problem.startswith("schema X: ")
    assert problem is not None or attribute(name).isidentifier()


def test_problem_with_a_taken_name() -> None:
    assert "both 'page_count'" in (problem_with("pageCount", of="x", taken={"page_count"}) or "")


@pytest.mark.parametrize(
    "name", ["", "1A", "class", "None", "_A", "A B", "Ключ", "A" * 101, "Any", "ClassVar", "AsyncClient"]
)
def test_problem_with_class(name: str) -> None:
    assert problem_with_class(name)


def contract(**schemas: Any) -> Contract:
    return Contract({"paths": {}, "components": {"schemas": schemas}})


def test_references() -> None:
    found = contract(
        A={"$ref": "#/components/schemas/B", "description": "mine"},
        B={"description": "theirs", "type": "string"},
        C={"$ref": "#/components/schemas/D"},
        D={"$ref": "#/components/schemas/C", "title": "round"},
    )
    assert found.resolve({"$ref": "#/components/schemas/A"}) == {"description": "mine", "type": "string"}
    assert found.resolve({"$ref": "#/components/schemas/C"}) == {"title": "round"}
    assert found.resolve(None) == {}


def test_references_are_decoded() -> None:
    found = Contract({"paths": {"/a/{b}": {"get": {"parameters": [{"name": "b"}]}}}})
    assert found.resolve({"$ref": "#/paths/~1a~1%7Bb%7D/get/parameters/0"}) == {"name": "b"}


def test_all_of_is_put_together() -> None:
    found = contract(
        A={
            "allOf": [{"$ref": "#/components/schemas/B"}, {"properties": {"own": {}}, "required": ["own"]}],
            "title": "A",
        },
        B={
            "properties": {"base": {}},
            "required": ["base"],
            "title": "B",
            "allOf": [{"$ref": "#/components/schemas/A"}],
        },
    )
    whole = found.schema({"$ref": "#/components/schemas/A"})
    assert set(whole["properties"]) == {"own", "base"}
    assert set(whole["required"]) == {"own", "base"}
    assert whole["title"] == "A"
    assert "allOf" not in whole


def test_keywords_are_dropped_and_names_kept() -> None:
    document = {
        "servers": [{"url": "https://{a}", "variables": {"a": {"default": "b"}}}],
        "webhooks": {"a": {}},
        "paths": {"/a": {"get": {"responses": {"default": {"description": "."}}, "x-b": {"default": 1}}}},
        "components": {"schemas": {"default": {"properties": {"example": {"default": 1, "example": 2},
         "properties": {"examples": [3]}}, "example": {"a": 1}, "enum": [{"default": 1}],
         "x-deprecated-values": {"default": "no"}}}},
    }  # fmt: skip
    cleaned = Contract(document).for_the_generator()
    assert "webhooks" not in cleaned
    assert cleaned["servers"] == document["servers"]
    assert cleaned["paths"] == document["paths"]
    assert cleaned["components"]["schemas"]["default"] == {
        "properties": {"example": {"x-default": 1}, "properties": {}},
        "enum": [{"default": 1}],
        "x-deprecated-values": {"default": "no"},
    }


def test_requirements_alone_are_no_choice() -> None:
    kept = {"anyOf": [{"type": "string"}], "properties": {}}
    dropped = {"anyOf": [{"required": ["a"]}, {"required": ["b"]}], "properties": {}}
    odd = {"anyOf": [True], "properties": {}}
    schemas = contract(A=kept, B=dropped, C=odd).for_the_generator()["components"]["schemas"]
    assert schemas == {"A": kept, "B": {"properties": {}, "x-conditions": [{"anyOf": dropped["anyOf"]}]}, "C": odd}


def test_json_is_read_as_json(tmp_path: Path) -> None:
    spec = tmp_path / "a.json"
    key = "k" * 2000  # longer than YAML lets a plain key be
    spec.write_text(
        f'{{"openapi": "3.1.0", "info": {{"title": "a", "version": "1"}}, "paths": {{}}, "x-{key}": "\\ud83d\\ude48"}}'
    )
    assert load(spec).raw[f"x-{key}"] == "🙈"
    spec.write_text('{"openapi": "3.1.0", "openapi": "3.0.0"}')
    with pytest.raises(InvalidSpec, match="duplicate"):
        load(spec)
    spec.write_text("{openapi: 3.1.0, info: {title: a, version: '1'}, paths: {}}")
    assert load(spec).raw["info"] == {"title": "a", "version": "1"}


def test_sync_makes_the_folder_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    wanted = {"a.py": b"1", "b/c.py": b"2"}
    assert sync(wanted, folder) == 2
    assert files_in(folder) == wanted
    (folder / "b" / "__pycache__").mkdir()
    (folder / "b" / "__pycache__" / "c.pyc").touch()
    (folder / "d").mkdir()
    (folder / "d" / "e.py").touch()
    assert differences({"a.py": b"3"}, files_in(folder), "x") == [
        "different: x/a.py",
        "extra: x/b/c.py",
        "extra: x/d/e.py",
    ]
    assert sync({"a.py": b"3"}, folder) == 3
    assert [path.name for path in folder.rglob("*")] == ["a.py"]
    assert sync({"a.py": b"3"}, folder) == 0
