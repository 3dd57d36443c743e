"""`make contract-diff`: every difference between two documents is told, in both directions, and none that is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import contract_diff
from contract_diff import Difference, Known, differences, explained, read_known
from fields_table import document_of
from generator.contract import Contract, load
from generator.contract_fields import fields_by_operation
from generator.problems import InvalidSpec

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "spec" / "magic-hour.openapi.yaml"

# Some of the fields that the service published in August 2026 (spec/README.md).
TABLE = """
## POST /v1/ai-gif-generator
# body
name\tstring\t\t\t\t"My Ai Gif gif"
style\tobject\tyes
style.prompt\tstring\tyes\t\tminLength 1, maxLength 500\t"Cute dancing cat, pixel art"
output_format\tstring\t\tgif | mp4 | webm\tdefault "gif"\t"gif"
# answer 200
id\tstring\tyes\t\t\t"cuid-example"
credits_charged\tinteger\tyes\t\t\t50

## POST /v1/face-swap-photo
# body
name\tstring
assets\tobject\tyes
assets.face_swap_mode\tstring\t\tall-faces | individual-faces\tdefault "all-faces"
assets.source_file_path\tstring\t\t\tminLength 1
assets.face_mappings\tarray\t\t\tmaxItems 5
assets.face_mappings[]\tobject\tyes
assets.face_mappings[].original_face\tstring\tyes
assets.face_mappings[].new_face\tstring\tyes
assets.target_file_path\tstring\tyes\t\tminLength 1
# answer 200
id\tstring\tyes
credits_charged\tinteger\tyes

## POST /v1/video-to-video
# body
name\tstring
start_seconds\tnumber\tyes\t\tminimum 0, format float\t0
end_seconds\tnumber\tyes\t\tminimum 0.1, format float\t15
fps_resolution\tstring\t\tFULL | HALF\tdefault "HALF"
style\tobject\tyes
style.art_style\tstring\tyes\tMinecraft | Lego
style.version\tstring\t\tv1 | v2 | default\tdefault "default"
style.prompt_type\tstring\t\tdefault | custom | append_default\tdefault "default"
style.prompt\tstring\t\t\tnullable
style.model\tstring\t\tDreamshaper | Flat 2D Anime\tdefault "default"
assets\tobject\tyes
assets.video_source\tstring\tyes\tfile | youtube
assets.video_file_path\tstring
assets.youtube_url\tstring\t\t\tformat uri

## DELETE /v1/audio-projects/{number}
path number\tstring\tyes
"""


def rows(document: dict[str, Any]) -> Any:
    return fields_by_operation(Contract(document))


def told(ours: dict[str, Any], theirs: dict[str, Any]) -> list[tuple[str, ...]]:
    return [(d.place, d.what, d.ours, d.theirs) for d in differences(rows(ours), rows(theirs))]


def table(changed: Callable[[str], str] = lambda text: text) -> dict[str, Any]:
    return document_of(changed(TABLE))


def test_published_fields_are_in_the_contract() -> None:
    """All that is left has a reason in spec/differences.yaml: nothing of the table is missing."""
    known = read_known(ROOT / "spec" / "differences.yaml")
    found = [explained(d, known) for d in differences(fields_by_operation(load(SPEC)), rows(table()))]
    wanted = set(rows(table()))
    left = [d for d in found if not d.reason and d.what != "only ours" and d.operation in wanted]
    # The table has only some values of two lists.
    assert {(d.field, d.what) for d in left} == {
        ("style.art_style", "values only ours"),
        ("style.model", "values only ours"),
    }


def test_a_document_does_not_differ_from_itself() -> None:
    assert told(table(), table()) == []
    contract = load(SPEC).raw
    assert told(contract, contract) == []


GIF, SWAP = "POST /v1/ai-gif-generator", "POST /v1/face-swap-photo"
FORMAT, MAPPINGS = f"{GIF} output_format", f"{SWAP} assets.face_mappings"
MANY = TABLE[TABLE.index("assets.face_mappings") : TABLE.index("assets.target_file_path")]
LAST = TABLE[TABLE.index("## DELETE") :]
CHANGES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "type": ("charged\tinteger", "charged\tnumber", (f"{GIF} answer: credits_charged", "type", "integer", "number")),
    "required": ("prompt\tstring\tyes", "prompt\tstring\t", (f"{GIF} style.prompt", "required", "yes", "no")),
    "null": ("\tmaxItems 5", "\tmaxItems 5, nullable", (MAPPINGS, "may be null", "no", "yes")),
    "a value more": ("gif | mp4", "gif | apng | mp4", (FORMAT, "values only theirs", "", "apng")),
    "a value less": ("gif | mp4", "gif", (FORMAT, "values only ours", "mp4", "")),
    "a limit": ("maxLength 500", "maxLength 900", (f"{GIF} style.prompt", "maxLength", "500", "900")),
    "a limit less": (", maxLength 500", "", (f"{GIF} style.prompt", "maxLength", "500", "")),
    "a default": ('default "gif"', 'default "mp4"', (FORMAT, "default", "gif", "mp4")),
    "a field more": ("name\t", "seed\tinteger\nname\t", (f"{GIF} seed", "only theirs", "", "integer, optional")),
    "a field less": ("output_format\t", "#\t", (FORMAT, "only ours", "string, optional", "")),
    "a list of objects less": (MANY, "", (MAPPINGS, "only ours", "array, optional", "")),
    "an operation more": ("\n## POST", "\n## POST /v1/new\n\n## POST", ("POST /v1/new", "only theirs", "", "0 fields")),
    "an operation less": (LAST, "", ("DELETE /v1/audio-projects/{number}", "only ours", "1 fields", "")),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_differs(name: str) -> None:
    """Each change is one difference, also seen from the other side."""
    old, new, (place, what, ours, theirs) = CHANGES[name]
    changed = table(lambda text: text.replace(old, new, 1))
    assert told(table(), changed) == [(place, what, ours, theirs)]
    swapped = {"ours": "theirs", "theirs": "ours"}
    mirrored = " ".join(swapped.get(word, word) for word in what.split(" "))
    assert told(changed, table()) == [(place, mirrored, theirs, ours)]


def test_an_open_list_differs_from_a_closed_one() -> None:
    closed = document_of("## POST /v1/x\n# body\nmode\tstring\t\ta | b\n")
    opened = document_of("## POST /v1/x\n# body\nmode\tstring\n")
    body = opened["paths"]["/v1/x"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    body["properties"]["mode"] = {"anyOf": [{"type": "string", "enum": ["a", "b"]}, {"type": "string"}]}
    assert told(closed, opened) == [("POST /v1/x mode", "other values", "refused", "allowed")]


SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nullable of 3.0": ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
    "null as a choice": ({"type": ["string", "null"]}, {"oneOf": [{"type": "string"}, {"type": "null"}]}),
    "an exclusive limit of 3.0": ({"exclusiveMinimum": 1}, {"minimum": 1, "exclusiveMinimum": True}),
    "1 and 1.0": ({"type": "number", "minimum": 1}, {"type": "number", "minimum": 1.0}),
    "a list in a choice": ({"enum": ["a"], "type": "string"}, {"anyOf": [{"enum": ["a"], "type": "string"}]}),
    "const": ({"enum": ["a"]}, {"const": "a"}),
    "a reference": ({"type": "string"}, {"$ref": "#/components/schemas/Text"}),
    "parts": ({"type": "object", "properties": {"a": {}}}, {"allOf": [{"properties": {"a": {}}}]}),
    "texts": ({"type": "string"}, {"type": "string", "description": "x", "example": "y", "x-asset": "image"}),
    "conditions": ({"properties": {"a": {}}}, {"properties": {"a": {}}, "anyOf": [{"required": ["a"]}]}),
}


@pytest.mark.parametrize("name", SAME)
def test_what_does_not_differ(name: str) -> None:
    def document(schema: dict[str, Any]) -> dict[str, Any]:
        body = {"type": "object", "properties": {"field": schema}}
        media = {"application/json": {"schema": body}}
        post = {"requestBody": {"content": media}, "responses": {}}
        schemas = {"Text": {"type": "string"}}
        return {"openapi": "3.1.0", "paths": {"/things": {"post": post}}, "components": {"schemas": schemas}}

    ours, theirs = (document(schema) for schema in SAME[name])
    assert told(ours, theirs) == []


def test_objects_that_hold_themselves_end() -> None:
    document = table()
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    document["components"] = {"schemas": {"Node": node}}
    body = document["paths"]["/v1/ai-gif-generator"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    body["properties"]["node"] = {"$ref": "#/components/schemas/Node"}
    found = rows(document)[GIF]
    assert "node.next" in found
    assert len(found) < 30


@pytest.mark.parametrize(
    ("entry", "covered"),
    [
        ({"at": "POST /v1/x a[].b", "what": "type"}, True),
        ({"at": "POST * a[].b", "what": "*"}, True),
        ({"at": "POST /v1/x a[].b", "what": "type", "theirs": "string"}, True),
        ({"at": "POST /v1/x a[].b", "what": "type", "theirs": "number"}, False),
        ({"at": "POST /v1/x a[].b", "what": "required"}, False),
        ({"at": "POST /v1/x a?].b", "what": "type"}, False),
        ({"at": "POST /v1/x a", "what": "type"}, False),
    ],
)
def test_known_differences(entry: dict[str, str], covered: bool) -> None:
    difference = Difference("POST /v1/x", "a[].b", "type", "integer", "string")
    assert Known(**entry, reason="why").covers(difference) is covered


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "it is not an object"),
        ("{}", "it has no list `differences`"),
        ('{"differences": [{"at": "a", "what": "b"}]}', "differences/0: needs `at`, `what` and `reason`"),
        ('{"differences": [{"at": "a", "what": "b", "reason": "", "theirs": "c"}]}', "differences/0: needs"),
        ('{"differences": [{"at": "a", "what": "b", "reason": "c", "why": "d"}]}', "differences/0: needs"),
    ],
)
def test_a_list_of_known_differences_that_is_none(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "known.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidSpec) as raised:
        read_known(path)
    assert message in str(raised.value)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs, known = (tmp_path / name for name in ("ours.json", "theirs.json", "known.yaml"))
    changed = table(lambda text: text.replace("maxLength 500", "maxLength 900").replace("gif | mp4", "gif | x | mp4"))
    ours.write_text(json.dumps(table()), encoding="utf-8")
    theirs.write_text(json.dumps(changed), encoding="utf-8")
    reason = {"at": f"{GIF} style.prompt", "what": "maxLength", "reason": "Measured."}
    gone = {"at": "POST /v1/gone", "what": "*", "reason": "Long ago."}
    known.write_text(json.dumps({"differences": [reason, gone]}), encoding="utf-8")
    arguments = [str(theirs), "--ours", str(ours), "--known", str(known)]
    assert contract_diff.main(arguments) == 1
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines()[:3]] == [
        ["difference", "ours", "theirs"],
        GIF.split(),
        ["output_format", "values", "only", "theirs", "x"],
    ]
    assert "1 differences, and 1 with a reason" in out
    assert "no longer a difference: POST /v1/gone (*)" in out
    assert contract_diff.main([*arguments, "--all"]) == 1
    assert "(Measured.)" in capsys.readouterr().out
    assert contract_diff.main([str(ours), "--ours", str(ours), "--known", str(known)]) == 0
    assert contract_diff.main([str(tmp_path / "none.json")]) == 3
    assert "none.json cannot be read" in capsys.readouterr().err
