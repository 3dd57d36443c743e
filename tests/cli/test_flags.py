"""Flags from the contract, whatever the contract says."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import typer

from magic_hour_client.errors import InvalidArgument
from magic_hour_workflows import _operations as operations
from magic_hour_workflows.cli import flags as catalog
from magic_hour_workflows.cli.generate import TAKEN, _option

NAME = "v1.things.create"


@pytest.fixture
def contract(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The properties of the one operation of an invented contract."""
    properties: dict[str, Any] = {}
    document = {
        "operations": {NAME: {"body": {"$ref": "#/$defs/Body"}}},
        "$defs": {"Body": {"type": "object", "properties": properties, "required": ["needed"]}},
    }
    monkeypatch.setattr(operations, "document", lambda: document)
    return properties


def flag_of(contract: dict[str, Any], schema: dict[str, Any], name: str = "field") -> catalog.Flag:
    contract[name] = schema
    [flag] = catalog.flags(NAME)
    return flag


def test_every_operation_that_makes_something_is_a_command() -> None:
    known = operations.operations().items()
    made = {name for name, operation in known if operation.get("charges_credits") or "task" in operation}
    named = {name for name, operation in known if "command" in operation and "body" in operation}
    assert named == made, "a new endpoint: give it an `x-command`"


def test_every_operation_has_flags_of_its_own() -> None:
    for operation in operations.paid():
        flags = [flag.flag for flag in catalog.flags(operation, TAKEN)]
        assert len(set(flags)) == len(flags)
        assert not set(flags) & TAKEN


def test_taken_are_all_options_of_the_command_itself() -> None:
    for shared in ("--format", "--quiet", "-q", "--debug", "--output", "--help", "--extra-body", "--base-url"):
        assert shared in TAKEN


@pytest.mark.parametrize(
    ("schema", "kind", "metavar"),
    [
        ({"type": "string"}, str, "TEXT"),
        ({"type": "integer"}, int, "NUMBER"),
        ({"type": "number"}, float, "NUMBER"),
        ({"type": ["number", "null"]}, float, "NUMBER"),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, float, "NUMBER"),
        ({"type": "boolean"}, bool, None),
        ({"type": "array", "items": {"type": "boolean"}}, bool, "true|false"),
        ({"type": "string", "x-asset": "image"}, str, "FILE"),
        ({"type": "object"}, str, "JSON"),
        ({}, str, "JSON"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, str, "JSON"),
        ({"type": "array", "items": {"type": "object"}}, str, "JSON"),
        ({"type": "array", "items": {"properties": {"a": {"type": "array"}}}}, str, "JSON"),
        ({"type": "array", "items": {"properties": {"a": {"type": "integer"}}}}, str, "[a=NUMBER]"),
        ({"type": "array"}, str, "JSON"),
        ({"type": ["array", "null"], "items": {"type": "integer"}}, int, "NUMBER"),
        ({"allOf": [{"type": "integer"}]}, int, "NUMBER"),
        ({"anyOf": [{"type": "string", "x-asset": "audio"}, {"type": "null"}]}, str, "FILE"),
        ({"oneOf": [{"type": "null"}, {"type": "integer"}]}, int, "NUMBER"),
        ({"enum": ["a", "b"]}, str, "TEXT"),
        ({"const": 7}, int, "NUMBER"),
    ],
)
def test_type(contract: dict[str, Any], schema: dict[str, Any], kind: type, metavar: str | None) -> None:
    flag = flag_of(contract, schema)
    assert (flag.type, flag.metavar) == (kind, metavar)


def test_yes_and_no_can_both_be_said(contract: dict[str, Any]) -> None:
    flag = flag_of(contract, {"type": "boolean"}, "hd_video")
    said: list[Any] = []
    app = typer.Typer()

    def run(**values: Any) -> None:
        said.append(values[flag.parameter])

    run.__signature__ = inspect.Signature([_option(flag)])  # type: ignore[attr-defined]
    app.command()(run)
    for arguments in ([], ["--hd-video"], ["--no-hd-video"]):
        app(arguments, standalone_mode=False)
    assert said == [None, True, False]


def test_lists_of_plain_values_are_given_several_times(contract: dict[str, Any]) -> None:
    flag = flag_of(contract, {"type": "array", "items": {"type": "integer"}})
    assert (flag.many, flag.type) == (True, int)
    assert catalog.parameters(NAME, [flag], {flag.parameter: [1, 2]}) == {"field": [1, 2]}


def test_choices_are_offered_without_the_retired_ones(contract: dict[str, Any]) -> None:
    flag = flag_of(contract, {"type": "string", "enum": ["a", "b", None], "x-deprecated-values": {"b": "use a"}})
    assert flag.choices == ("a",)
    assert "Known: a." in flag.help


def test_choices_behind_a_reference(contract: dict[str, Any]) -> None:
    contract["field"] = {"anyOf": [{"$ref": "#/$defs/Model"}, {"type": "string"}]}
    operations.document()["$defs"]["Model"] = {"type": "string", "enum": ["a"]}
    [flag] = catalog.flags(NAME)
    assert (flag.choices, flag.type) == (("a",), str)


def test_nested_fields_are_put_back_in_their_places(contract: dict[str, Any]) -> None:
    contract["style"] = {"type": "object", "properties": {"prompt": {"type": "string"}}}
    contract["needed"] = {"type": "object", "properties": {"more": {"type": "string"}}, "required": ["more"]}
    more, prompt = catalog.flags(NAME)
    assert (more.flag, more.required, more.field) == ("--more", True, "needed.more")
    assert (prompt.flag, prompt.required) == ("--prompt", False)
    assert catalog.parameters(NAME, [more, prompt], {prompt.parameter: "x", more.parameter: None}) == {
        "style": {"prompt": "x"},
        "needed": {},
    }


def test_a_name_that_is_taken_is_told_by_its_whole_path(contract: dict[str, Any]) -> None:
    contract["style"] = {"type": "object", "properties": {"model": {"type": "string"}, "tool": {"type": "string"}}}
    contract["model"] = {"type": "string"}
    contract["format"] = {"type": "string"}
    flags = {flag.field: flag.flag for flag in catalog.flags(NAME, ["--format"])}
    assert flags == {
        "style.model": "--style-model",
        "style.tool": "--tool",
        "model": "--model",
        "format": "--field-format",
    }


def test_a_retired_field_leaves_the_short_name_to_its_successor(contract: dict[str, Any]) -> None:
    contract["file"] = {"type": "string", "x-asset": "image", "deprecated": True, "x-deprecation": "use files"}
    contract["files"] = {"type": "array", "items": {"type": "string", "x-asset": "image"}}
    files, file = catalog.flags(NAME)
    assert (files.flag, file.flag) == ("--image", "--file")
    assert file.help.startswith("Deprecated: use files.")


def test_objects_that_may_be_null_keep_their_fields(contract: dict[str, Any]) -> None:
    inner = {"type": "object", "properties": {"prompt": {"type": "string"}}}
    contract["style"] = {"anyOf": [inner, {"type": "null"}]}
    contract["more"] = {
        "allOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "integer"}}}]
    }
    assert {flag.field: flag.type for flag in catalog.flags(NAME)} == {
        "style.prompt": str,
        "more.a": str,
        "more.b": int,
    }


def test_values_tell_their_type_and_are_offered(contract: dict[str, Any]) -> None:
    contract["a"] = {"allOf": [{"enum": ["x", "y"]}]}
    [flag] = catalog.flags(NAME)
    assert (flag.type, flag.choices) == (str, ("x", "y"))


@pytest.mark.parametrize("name", ["kebab-case", "two words", "", "ünï", "a/b", "$", "help", "class", "UPPER", "_x"])
def test_any_name_can_be_typed(contract: dict[str, Any], name: str) -> None:
    flag = flag_of(contract, {"type": "string"}, name)
    assert re.fullmatch(r"--[a-z0-9-]*[a-z0-9]", flag.flag)
    assert inspect.Signature([_option(flag)])
    assert catalog.parameters(NAME, [flag], {flag.parameter: "v"}) == {name: "v"}


def test_what_says_no_is_taken_too(contract: dict[str, Any]) -> None:
    for name in ("wait", "download", "flagged"):
        contract[name] = {"type": "boolean"}
    contract["no_flagged"] = {"type": "string"}
    flags = catalog.flags(NAME, TAKEN)
    typed = [name for flag in flags for name in (flag.flag, flag.negative) if name]
    assert len(set(typed)) == len(typed)
    assert not set(typed) & TAKEN


def test_a_role_names_a_file_only_while_it_is_the_only_one(contract: dict[str, Any]) -> None:
    for name in ("source_image", "target_image"):
        contract[name] = {"type": "string", "x-asset": "image"}
    assert [flag.flag for flag in catalog.flags(NAME)] == ["--source-image", "--target-image"]


def test_files_are_named_without_their_suffix(contract: dict[str, Any]) -> None:
    for name in ("image_file_path", "end_image_file_path", "mask_file", "pathPlain"):
        contract[name] = {"type": "string", "x-asset": "image"}
    assert [flag.flag for flag in catalog.flags(NAME)] == ["--image", "--end-image", "--mask", "--path-plain"]


def test_descriptions_name_options_as_they_are_typed(contract: dict[str, Any]) -> None:
    source = {"type": "string", "enum": ["file", "site"], "x-implied": {"clip_path": "file"}, "description": "Where."}
    about = "Used with `source: file`; see `other`. Either the URL of a video or the `file_path` of an upload."
    contract["source"] = source
    contract["clip_path"] = {"type": "string", "x-asset": "video", "description": about}
    clip, source_flag = catalog.flags(NAME)
    assert clip.help.startswith("Used with --source file; see `other`. A local file, a URL, or the `file_path` of an")
    assert source_flag.help == "Where. Implied by --video. Known: file, site."


PAIRS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["face"],
        "properties": {
            "face": {"type": "string", "x-asset": "image", "description": "The face."},
            "at": {"type": "number"},
            "frame": {"type": "integer"},
            "blur": {"type": "boolean"},
            "label": {"type": "string"},
        },
    },
}


@pytest.mark.parametrize(
    ("texts", "objects"),
    [
        (["face=a.png"], [{"face": "a.png"}]),
        (
            ["face=a.png,at=2.5,frame=3,blur=True,label=x"],
            [{"face": "a.png", "at": 2.5, "frame": 3, "blur": True, "label": "x"}],
        ),
        (["face=a, b.png, label=c,d"], [{"face": "a, b.png", "label": "c,d"}]),
        (["label=x=y,face=z"], [{"label": "x=y", "face": "z"}]),
        (["face=a", "face=b"], [{"face": "a"}, {"face": "b"}]),
        (['{"face": "a"}', "face=b"], [{"face": "a"}, {"face": "b"}]),
        (['[{"face": "a"}, {"face": "b"}]'], [{"face": "a"}, {"face": "b"}]),
        (["label="], [{"label": ""}]),
    ],
)  # fmt: skip
def test_objects_in_a_list_are_typed_as_pairs(contract: dict[str, Any], texts: list[str], objects: list[Any]) -> None:
    flag = flag_of(contract, PAIRS, "faces")
    assert (flag.flag, flag.many) == ("--face", True)
    assert flag.metavar == "face=FILE[,at=NUMBER][,frame=NUMBER][,blur=true|false][,label=TEXT]"
    assert "face: The face. A local file" in flag.help
    assert catalog.parameters(NAME, [flag], {flag.parameter: texts}) == {"faces": objects}


@pytest.mark.parametrize(
    ("texts", "field", "problem"),
    [
        (["a.png"], "faces[0]", "is not NAME=VALUE"),
        (["face=a.png", ""], "faces[1]", "is not NAME=VALUE"),
        (["face=a.png,faces=b.png"], "faces[0]", "unknown; did you mean"),
        (["face=a,face=b"], "faces[0].face", "given twice"),
        (["face=-"], "faces[0].face", "not read from stdin"),
        (["face=a,at=soon"], "faces[0].at", "expected a number"),
        (["face=a,at=true"], "faces[0].at", "expected a number"),
        (["face=a,blur=1"], "faces[0].blur", "expected true or false"),
        (["{"], "faces[0]", "expected JSON"),
    ],
)
def test_wrong_objects_are_refused_with_their_field(
    contract: dict[str, Any], texts: list[str], field: str, problem: str
) -> None:
    flag = flag_of(contract, PAIRS, "faces")
    with pytest.raises(InvalidArgument, match=re.escape(problem)) as refused:
        catalog.parameters(NAME, [flag], {flag.parameter: texts})
    assert refused.value.field == field


def test_a_home_directory_in_an_object_is_found(contract: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    flag = flag_of(contract, PAIRS, "faces")
    given = catalog.parameters(NAME, [flag], {flag.parameter: ["face=~/a.png,label=~/a"]})
    assert given == {"faces": [{"face": "/home/anna/a.png", "label": "~/a"}]}


def test_schemas_that_never_end(contract: dict[str, Any]) -> None:
    contract["node"] = {"$ref": "#/$defs/Node"}
    operations.document()["$defs"]["Node"] = {"type": "object", "properties": {"node": {"$ref": "#/$defs/Node"}}}
    [flag] = catalog.flags(NAME)
    assert flag.is_json


def test_json_is_checked(contract: dict[str, Any]) -> None:
    flag = flag_of(contract, {"type": "object"})
    assert catalog.parameters(NAME, [flag], {flag.parameter: '{"a": 1}'}) == {"field": {"a": 1}}
    with pytest.raises(InvalidArgument, match="`field`: expected JSON") as refused:
        catalog.parameters(NAME, [flag], {flag.parameter: "{"})
    assert refused.value.field == "field"
