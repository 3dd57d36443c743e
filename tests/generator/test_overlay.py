"""Rows can be laid over a document that is not ours, and a row that fits nowhere stops the generator with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from generator.contract import load
from generator.overlay import laid_over
from generator.problems import InvalidSpec

DOCUMENT: dict[str, Any] = {
    "a": {"b": {"c": 1}, "list": [{"x": 1}, 2]},
    "paths": {"/v1/it's": {"post": {"tags": ["one"]}}},
}


def overlay(folder: Path, *actions: Any, **more: Any) -> Path:
    path = folder / "rows.yaml"
    whole = {"overlay": "1.0.0", "info": {"title": "Rows", "version": "1"}, "actions": list(actions), **more}
    path.write_text(json.dumps({key: value for key, value in whole.items() if value is not None}), encoding="utf-8")
    return path


APPLIED: dict[str, tuple[dict[str, Any], Any]] = {
    "a new key": ({"target": "$.a.b", "update": {"d": 2}}, ("a", "b", {"c": 1, "d": 2})),
    "a value replaced": ({"target": "$.a.b", "update": {"c": 3}}, ("a", "b", {"c": 3})),
    "objects are merged": ({"target": "$", "update": {"a": {"b": {"e": {}}}}}, ("a", "b", {"c": 1, "e": {}})),
    "lists are joined": ({"target": "$.a", "update": {"list": [3]}}, ("a", "list", [{"x": 1}, 2, 3])),
    "an entry of a list": ({"target": "$.a.list", "update": 3}, ("a", "list", [{"x": 1}, 2, 3])),
    "inside a list": ({"target": "$.a.list[0]", "update": {"y": 2}}, ("a", "list", [{"x": 1, "y": 2}, 2])),
    "an entry removed": ({"target": "$['a'][\"list\"][1]", "remove": True}, ("a", "list", [{"x": 1}])),
    "a key removed": ({"target": "$.a.b.c", "remove": True}, ("a", "b", {})),
    "remove comes first": ({"target": "$.a.b.c", "remove": True, "update": {}}, ("a", "b", {})),
    "escaped quotes": (
        {"target": r"$.paths['/v1/it\'s'].post", "update": {"x-charges-credits": True}},
        ("paths", "/v1/it's", {"post": {"tags": ["one"], "x-charges-credits": True}}),
    ),
    "extensions and descriptions": (
        {"target": "$.a.b", "update": {"d": 2}, "description": "Why.", "x-by": "me"},
        ("a", "b", {"c": 1, "d": 2}),
    ),
}


@pytest.mark.parametrize("name", APPLIED)
def test_actions(name: str, tmp_path: Path) -> None:
    action, (first, second, wanted) = APPLIED[name]
    before = json.dumps(DOCUMENT)
    whole = laid_over(DOCUMENT, overlay(tmp_path, action))
    assert whole[first][second] == wanted
    assert json.dumps(DOCUMENT) == before, "the document itself stays as it is"


def test_actions_follow_each_other(tmp_path: Path) -> None:
    path = overlay(
        tmp_path,
        {"target": "$.a", "update": {"new": {"x": 1}}},
        {"target": "$.a.new", "update": {"y": 2}},
        {"target": "$.a.new.x", "remove": True},
    )
    assert laid_over(DOCUMENT, path)["a"]["new"] == {"y": 2}


DEEP = json.loads('{"x":' * 60 + "{}" + "}" * 60)
REFUSED: dict[str, tuple[list[Any], str]] = {
    "no target": ([{"update": {}}], "actions/0: it needs a `target`"),
    "no object": (["$.a"], "actions/0: it needs a `target`"),
    "nothing to do": ([{"target": "$.a"}], "actions/0: it needs an `update`, or `remove: true`"),
    "an unknown key": (
        [{"target": "$.a", "updates": {}}],
        "actions/0: unknown: 'updates'; known are description, remove",
    ),
    "a key that is not there": ([{"target": "$.a.z", "update": {}}], "actions/0: $.a.z is not in the document"),
    "a key of a value": ([{"target": "$.a.b.c.d", "update": {}}], "there is no 'd'"),
    "an entry that is not there": ([{"target": "$.a.list[2]", "update": {}}], "there is no 2"),
    "a number in an object": ([{"target": "$.a[0]", "update": {}}], "there is no 0"),
    "a name in a list": ([{"target": "$.a.list.x", "update": {}}], "there is no 'x'"),
    "the second action": (
        [{"target": "$.a", "update": {}}, {"target": "$.z", "remove": True}],
        "actions/1: $.z is not",
    ),
    "a plain value": ([{"target": "$.a.b.c", "update": {"d": 1}}], "$.a.b.c is a plain value"),
    "a list for an object": ([{"target": "$.a", "update": {"b": [1]}}], '$.a["b"] is an object'),
    "an object for a list": ([{"target": "$.a", "update": {"list": {}}}], '$.a["list"] is a list'),
    "everything": ([{"target": "$", "remove": True}], "the whole document cannot be removed"),
    "a wildcard": ([{"target": "$.paths.*", "update": {}}], "'$.paths.*' is not a plain path"),
    "a filter": ([{"target": "$.a[?@.x]", "update": {}}], "is not a plain path"),
    "any depth": ([{"target": "$..b", "update": {}}], "is not a plain path"),
    "no root": ([{"target": "a.b", "update": {}}], "'a.b' is not a plain path"),
    "a negative number": ([{"target": "$.a.list[-1]", "update": {}}], "is not a plain path"),
    "too deep": (
        [{"target": "$.a.b" + ".x" * number, "update": DEEP} for number in (0, 60)],
        "actions/1: it is nested more than",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str, tmp_path: Path) -> None:
    actions, message = REFUSED[name]
    with pytest.raises(InvalidSpec) as raised:
        laid_over(DOCUMENT, overlay(tmp_path, *actions))
    assert message in str(raised.value)
    assert "rows.yaml cannot be laid over the document" in str(raised.value)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"overlay": None}, "`overlay` must be the version"),
        ({"overlay": "2.0.0"}, "`overlay` must be the version"),
        ({"actions": []}, "`actions` must be a list"),
        ({"actions": {}}, "`actions` must be a list"),
        ({"action": []}, "unknown: 'action'"),
    ],
)
def test_what_is_not_an_overlay(more: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = overlay(tmp_path, {"target": "$.a", "update": {}}, **more)
    with pytest.raises(InvalidSpec) as raised:
        laid_over(DOCUMENT, path)
    assert message in str(raised.value)


def test_the_whole_is_checked_like_any_document(document: dict[str, Any], tmp_path: Path) -> None:
    """A reference that an overlay adds is followed nowhere else than one of the document."""
    spec = tmp_path / "spec.yaml"
    spec.write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "other.yaml").write_text('{"components": {"schemas": {"X": {}}}}', encoding="utf-8")
    for schema, message in (
        ({"$ref": "other.yaml#/components/schemas/X"}, "leads out of the document"),
        ({"type": "text"}, "not a valid OpenAPI document"),
    ):
        rows = overlay(tmp_path, {"target": "$.components.schemas.Thing.properties", "update": {"extra": schema}})
        with pytest.raises(InvalidSpec, match=message):
            load(spec, [rows])
    with pytest.raises(InvalidSpec, match="it has no `openapi` version"):
        load(spec, [overlay(tmp_path, {"target": "$.openapi", "remove": True})])


def test_the_command(document: dict[str, Any], run_generator: Any, command: Any, tmp_path: Path) -> None:
    """What an overlay adds is in the client; several are applied in their order."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    properties = "$.components.schemas.Thing.properties"
    rows = overlay(first, {"target": properties, "update": {"extra": {"type": "integer"}}})
    more = overlay(second, {"target": f"{properties}.extra", "update": {"description": "How much more."}})
    ran = run_generator(document, "--overlay", str(rows), "--overlay", str(more))
    assert ran.code == 0, ran.error
    model = (tmp_path / "out" / "small_client" / "models" / "things.py").read_text(encoding="utf-8")
    assert "extra: How much more." in model
    wrong = run_generator(document, "--overlay", str(more))
    assert (wrong.code, "actions/0" in wrong.error) == (3, True)
    with pytest.raises(SystemExit) as ended:
        command("--overlay", str(rows))
    assert ended.value.code == 2
