"""Documents that are short and expand to something long, or have no end: refused with a reason, at once.

Rule: time is never measured; each of these would run for hours, or out of memory, where its bound is missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from referencing import Registry

from generator import bounds, bundle
from generator.build import Build
from generator.contract import load
from generator.problems import InvalidSpec, LostOperation
from generator.reference import pages

ROOT = Path(__file__).resolve().parents[2]
HEAD = 'openapi: 3.1.0\ninfo: {title: Small, version: "1"}\npaths: {}\n'
Chain = Callable[[str], str]


def chained(link: Chain, levels: int = 30) -> str:
    """Each level nine times the one below it."""
    below = (", ".join([f"*a{level}"] * 9) for level in range(levels))
    lines = [f"x-a{level + 1}: &a{level + 1} {link(names)}\n" for level, names in enumerate(below)]
    return f"{HEAD}x-a0: &a0 {{k: 1}}\n{''.join(lines)}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(chained(lambda names: f"[{names}]"), "aliases expand to more than 20 times", id="lists"),
        pytest.param(chained(lambda names: f"{{a: [{names}]}}"), "aliases expand to more than 20 times", id="objects"),
        pytest.param(chained(lambda names: f"{{<<: [{names}]}}"), "aliases expand to more than 20 times", id="merges"),
        pytest.param(f"{HEAD}x-a: &a [*a]\n", "an alias stands for something that", id="itself"),
        pytest.param(f"{HEAD}x-a: &a {{b: [*a]}}\n", "an alias stands for something that", id="itself below"),
        pytest.param(f"{HEAD}x-a: {'[' * 110}{']' * 110}\n", "more than 100 levels deep", id="deep"),
        pytest.param(
            HEAD + "x-a:\n" + "".join(" " * n + "a:\n" for n in range(1, 110)), "100 levels deep", id="blocks"
        ),
        pytest.param(f'{{"x-a": {"[" * 110}{"]" * 110}}}', "more than 100 levels deep", id="JSON"),
        pytest.param(f'{{"x-a": {"[" * 100_000}', "recursion depth", id="very deep JSON"),
        pytest.param(f"{HEAD}x-a: {'9' * 10_000}\n", "4300 digits", id="number"),
    ],
)
def test_a_document_that_expands_without_end_cannot_be_read(tmp_path: Path, text: str, reason: str) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(text)
    with pytest.raises(InvalidSpec, match=r"spec\.yaml cannot be read") as caught:
        load(spec)
    assert reason in str(caught.value)


def test_ordinary_aliases_and_merges_are_read(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(HEAD + "x-a: &a {b: 1}\nx-b: *a\nx-c: {<<: *a, c: 2}\n")
    raw = load(spec).raw
    assert (raw["x-b"], raw["x-c"]) == ({"b": 1}, {"b": 1, "c": 2})


def test_a_document_longer_than_any_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MOST_CHARACTERS", 1000)
    spec = tmp_path / "spec.yaml"
    spec.write_text(HEAD + "#" * 1000)
    with pytest.raises(InvalidSpec, match="more than 1000 characters"):
        load(spec)


def level(keyword: str, number: int) -> dict[str, Any]:
    return {keyword: [{"$ref": f"#/components/schemas/L{number + 1}"}] * 2}


def loaded(document: dict[str, Any], tmp_path: Path) -> Any:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(document))
    return load(spec)


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_compositions_that_double_at_each_level(document: dict[str, Any], tmp_path: Path, keyword: str) -> None:
    schemas = document["components"]["schemas"]
    schemas.update({f"L{number}": level(keyword, number) for number in range(40)}, L40={"type": "string"})
    with pytest.raises(InvalidSpec, match="its schemas expand to more than 20 times as much as is written"):
        loaded(document, tmp_path)


@pytest.mark.parametrize(
    "schemas",
    [
        {"A": {"allOf": [{"$ref": "#/components/schemas/A"}]}},
        {"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}},
        {"A": {"anyOf": [{"oneOf": [{"$ref": "#/components/schemas/A"}]}]}},
        {"A": {"properties": {"a": {"not": {"$ref": "#/components/schemas/A/properties/a"}}}}},
    ],
)
def test_a_schema_that_holds_itself(document: dict[str, Any], tmp_path: Path, schemas: dict[str, Any]) -> None:
    document["components"]["schemas"].update(schemas)
    with pytest.raises(InvalidSpec, match="a schema holds itself through"):
        loaded(document, tmp_path)


def test_recursive_types_are_no_such_thing(document: dict[str, Any], tmp_path: Path) -> None:
    here = {"$ref": "#/components/schemas/Value"}
    value = {"anyOf": [{"type": "string"}, {"type": "array", "items": here}]}
    tree = {"type": "object", "properties": {"left": {"$ref": "#/components/schemas/Tree"}}}
    document["components"]["schemas"].update(Value=value, Tree=tree)
    assert loaded(document, tmp_path)


def test_references_in_a_very_long_row(document: dict[str, Any], tmp_path: Path) -> None:
    schemas = document["components"]["schemas"]
    schemas.update({f"L{n}": {"$ref": f"#/components/schemas/L{n + 1}"} for n in range(3000)}, L3000={"type": "string"})
    with pytest.raises(InvalidSpec, match="its schemas expand to more than 20 times"):
        loaded(document, tmp_path)


SLOW = "^(a+)+$"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": SLOW, "default": "a" * 50 + "!"},
        {"type": "object", "patternProperties": {SLOW: {}}, "default": {"a" * 50 + "!": 1}},
    ],
)
def test_patterns_are_never_tried(document: dict[str, Any], tmp_path: Path, schema: dict[str, Any]) -> None:
    """They would be on defaults, and these take longer than anybody lives."""
    document["components"]["schemas"]["Thing"]["properties"]["slow"] = schema
    assert loaded(document, tmp_path)


def shared_parts(document: dict[str, Any], levels: int, leaf: dict[str, Any], width: int = 2) -> None:
    """Objects whose fields all hold the same next one: few objects, and many ways down."""
    schemas = document["components"]["schemas"]
    for number in range(levels):
        names = [f"p{at}" for at in range(width)]
        inner = {"$ref": f"#/components/schemas/L{number + 1}"}
        schemas[f"L{number}"] = {"type": "object", "required": names, "properties": dict.fromkeys(names, inner)}
    schemas[f"L{levels}"] = {"type": "object", "properties": {"leaf": leaf}}
    schemas["Thing"]["properties"]["deep"] = {"$ref": "#/components/schemas/L0"}
    schemas["Thing"]["required"].append("deep")


def test_objects_that_share_their_parts(document: dict[str, Any], tmp_path: Path) -> None:
    shared_parts(document, 40, {"type": "string"})
    build = Build(loaded(document, tmp_path), ROOT / "templates")
    assert all(not build.views.assets(model) for model in build.views.models.values())


def test_files_in_objects_that_share_their_parts(document: dict[str, Any], tmp_path: Path) -> None:
    shared_parts(document, 40, {"type": "string", "x-asset": "image"})
    with pytest.raises(LostOperation, match="more than 1000 objects with files or rules"):
        Build(loaded(document, tmp_path), ROOT / "templates")


def test_pages_of_wide_objects_that_share_their_parts(document: dict[str, Any], tmp_path: Path) -> None:
    shared_parts(document, 6, {"type": "string"}, width=30)
    build = Build(loaded(document, tmp_path), ROOT / "templates")
    written = b"".join(pages(build, tmp_path, tmp_path).values())
    assert written.count(b"\n") < 10 * 1000


def test_each_node_is_measured_once() -> None:
    class Counted(list[Any]):
        seen = 0

        def __iter__(self) -> Any:
            Counted.seen += 1
            return super().__iter__()

    node: Any = Counted()
    for _ in range(50):
        node = Counted([node, node])
    bounds.check_values(node)
    assert Counted.seen <= 51


def test_the_schema_of_openapi_is_searched_for_anchors_once(
    document: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at every reference: that took as long as all checks."""
    document["info"]["title"] = "Not validated before"
    monkeypatch.setattr(Registry, "crawl", lambda registry: pytest.fail("searched again"))
    assert loaded(document, tmp_path)
