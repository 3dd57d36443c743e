"""What the generated code promises about values: which lists are open, what is deprecated, what stays secret."""

from __future__ import annotations

import json
import re
import typing
import warnings
from pathlib import Path
from typing import Any, get_args

import pytest

from generator.contract import load
from magic_hour_client import models, params, types
from magic_hour_client._runtime import schema
from magic_hour_client.api.v1_image_projects import (
    create_ai_headshot,
    create_ai_image,
    create_ai_image_edit,
    get_image_project,
)
from magic_hour_client.api.v1_video_projects import create_ai_talking_photo
from magic_hour_client.errors import UnexpectedResponse

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ROOT / "generated" / "magic_hour_client"
RUNTIME = ROOT / "templates" / "runtime"
SPEC = load(ROOT / "spec" / "magic-hour.openapi.yaml").raw
SCHEMAS = SPEC["components"]["schemas"]


def annotation(module: str, cls: str, field: str) -> str:
    """How the generated class types a field, as text."""
    text = (GENERATED / f"{module}.py").read_text(encoding="utf-8").partition(f"class {cls}(")[2]
    found = re.search(rf"^    {field}: (.*?)( = .*)?$", text, re.MULTILINE)
    assert found, field
    return found[1]


def fields(model: Any) -> dict[str, schema.Field]:
    return {field.name: field for field in model._fields}


@pytest.mark.parametrize(
    ("module", "cls", "field", "typed"),
    [
        ("models/v1_image_projects", "V1ImageProjectsGetResponse", "status", "ProjectStatus | str"),
        ("models/audio_project_event", "ImageProjectEvent", "type", "ImageProjectEventType | str"),
        ("models/project_download", "ProjectError", "code", "ProjectErrorCode | str"),
        ("models/v1_ai_image_generator", "V1AiImageGeneratorCreateBody", "aspect_ratio",
         "V1AiImageGeneratorCreateBodyAspectRatio | str | None"),
        ("models/v1_ai_image_generator", "V1AiImageGeneratorCreateBody", "model", "ImageGeneratorModel | str | None"),
        ("params", "V1AiImageGeneratorCreateBodyParams", "model",
         "_t.NotRequired[_models.ImageGeneratorModel | str | None]"),
        ("params", "V1FilesUploadUrlsCreateBodyItemsItemParams", "type",
         "_models.V1FilesUploadUrlsCreateBodyItemsItemType | str"),
        ("models/v1_files_upload_urls", "V1FilesUploadUrlsCreateBodyItemsItem", "type",
         "V1FilesUploadUrlsCreateBodyItemsItemType | str"),
    ],
)  # fmt: skip
def test_enums_are_open_in_answers_and_in_requests(module: str, cls: str, field: str, typed: str) -> None:
    assert annotation(module, cls, field) == typed


def test_every_enum_of_an_answer_survives_a_new_value() -> None:
    project = {"id": "a", "status": "paused", "type": "NEW", "downloads": [], "error": {"code": "new", "message": "m"}}
    read = models.V1ImageProjectsGetResponse.from_dict(project)
    assert (read.status, read.error.code if read.error else None) == ("paused", "new")
    event = models.ImageProjectEvent.from_dict({"type": "image.paused", "payload": project})
    assert event.type == "image.paused"


def test_new_values_of_requests_are_sent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call = create_ai_image.request(image_count=1, style={"prompt": "x"}, aspect_ratio="21:9", model="new")  # type: ignore[arg-type]
    assert call.body == {"image_count": 1, "style": {"prompt": "x"}, "aspect_ratio": "21:9", "model": "new"}


def test_values_keep_the_order_of_the_contract() -> None:
    checked = 0
    for name, found in SCHEMAS.items():
        enums = {name: found.get("enum")} if found.get("enum") else {}
        for field, inner in found.get("properties", {}).items():
            if inner.get("enum"):
                enums[name + "".join(part.capitalize() for part in field.split("_"))] = inner["enum"]
        for enum, values in enums.items():
            assert list(get_args(getattr(models, enum))) == values, enum
            checked += 1
    assert checked >= 15


def test_defaults_are_not_sent() -> None:
    sent = create_ai_headshot.request(assets={"image_file_path": "a.png"}).body
    assert sent == {"assets": {"image_file_path": "a.png"}}
    text = "".join(path.read_text() for path in (GENERATED / "models").glob("*.py"))
    defaults = set(re.findall(r"^    (?!_)\w+: .* = (.*)$", text, re.MULTILINE)) - {"("}
    shown = "_attrs.field(init=False, factory=dict, repr=False)"
    assert {value for value in defaults if not value.startswith("_attrs.field(default=None")} <= {
        *("None", "_types.UNSET", shown),
        *(value for value in defaults if value.startswith("_attrs.field(repr=")),
    }


def test_defaults_of_a_document_are_not_sent(document: dict[str, Any], run_generator: Any, tmp_path: Path) -> None:
    properties = document["components"]["schemas"]["Thing"]["properties"]
    properties["colour"]["default"] = "red"
    properties["count"] = {"type": "integer", "default": 77}
    properties["tags"] = {"type": "array", "items": {"type": "string"}, "default": ["sentinel"]}
    document["paths"]["/things/{id}"]["get"]["parameters"][1]["schema"]["default"] = 78
    assert run_generator(document).code == 0
    package = tmp_path / "out" / "small_client"
    assert not any("77" in path.read_text() or "78" in path.read_text() for path in package.glob("models/*.py"))
    for path in package.glob("api/**/*.py"):
        assert not re.search("77|78|sentinel", path.read_text())


BOUNDED: dict[str, tuple[dict[str, Any], str]] = {
    "count": ({"type": "integer", "minimum": 1, "maximum": 16}, "_schema.INTEGER.within(least=1, most=16)"),
    "share": ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5},
              "_schema.NUMBER.within(above=0, below=0.5)"),
    "text": ({"type": "string", "minLength": 1, "maxLength": 9}, "_schema.STRING.within(least=1, most=9)"),
    "tags": ({"type": "array", "maxItems": 3, "items": {"type": "string", "minLength": 1}},
             "_schema.List(_schema.STRING.within(least=1)).within(most=3)"),
    "words": ({"type": "object", "additionalProperties": {"type": "integer", "maximum": 5}},
              "_schema.Map(_schema.INTEGER.within(most=5))"),
    "note": ({"type": ["string", "null"], "maxLength": 4}, "_schema.STRING.within(most=4)"),
    "either": ({"anyOf": [{"type": "integer", "maximum": 5}, {"type": "string", "minLength": 2}]},
               "_schema.Union((_schema.INTEGER.within(most=5), _schema.STRING.within(least=2)))"),
    "grade": ({"type": "integer", "enum": [1, 4], "minimum": 1}, "_schema.INTEGER.within(least=1)"),
    "size": ({"$ref": "#/components/schemas/Size"}, "_schema.INTEGER.within(most=7)"),
}  # fmt: skip


def test_bounds_of_a_document_are_checked(document: dict[str, Any], run_generator: Any, tmp_path: Path) -> None:
    document["components"]["schemas"]["Size"] = {"type": "integer", "maximum": 7}
    thing = document["components"]["schemas"]["Thing"]["properties"]
    thing |= {name: source for name, (source, _) in BOUNDED.items()}
    assert run_generator(document).code == 0
    text = (tmp_path / "out" / "small_client" / "models" / "things.py").read_text()
    for name, (_, kind) in BOUNDED.items():
        assert _bare(f'_schema.Field("{name}", "{name}", {kind}') in _bare(text), name


def _bare(code: str) -> str:
    """The code without what a formatter adds."""
    return re.sub(r"\s", "", code).replace(",)", ")")


def test_bounds_of_the_older_openapi(document: dict[str, Any], run_generator: Any, tmp_path: Path) -> None:
    document["openapi"] = "3.0.3"
    document["components"]["schemas"]["Part"]["properties"] = {
        "size": {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 9, "exclusiveMaximum": False}
    }
    assert run_generator(document).code == 0
    assert "_schema.INTEGER.within(most=9, above=0)" in (tmp_path / "out/small_client/models/things.py").read_text()


def test_every_bound_of_the_contract_is_checked() -> None:
    """Of requests; answers may grow."""
    sent = [name for name in SCHEMAS if "CreateBody" in name]
    keywords = {"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"}
    wanted = {
        (name, field)
        for name in sent
        for field, source in SCHEMAS[name].get("properties", {}).items()
        if keywords & {*source, *source.get("items", {})}
    }
    bounded = set()
    for name, field in wanted:
        kind: Any = fields(getattr(models, name))[field].kind
        bounded |= {(name, field)} if kind.bounds or kind.item.bounds else set()
    assert len(wanted) > 10
    assert bounded == wanted


def test_deprecated_fields_are_marked() -> None:
    wanted = {
        (name, field)
        for name, found in SCHEMAS.items()
        for field, inner in found.get("properties", {}).items()
        if inner.get("deprecated")
    }
    marked = {
        (name, field.name)
        for name in SCHEMAS
        if isinstance(getattr(models, name, None), type)
        for field in getattr(models, name)._fields
        if field.deprecated
    }
    assert marked == wanted
    assert len(wanted) >= 10
    remedy = SCHEMAS["V1AiImageGeneratorCreateBody"]["properties"]["orientation"]["x-deprecation"]
    assert fields(models.V1AiImageGeneratorCreateBody)["orientation"].deprecated == remedy
    assert f"orientation: Deprecated: {remedy}" in " ".join((models.V1AiImageGeneratorCreateBody.__doc__ or "").split())


def test_deprecation_is_told_to_the_caller() -> None:
    with pytest.warns(DeprecationWarning, match="`orientation` is deprecated: use `aspect_ratio`") as caught:
        create_ai_image.request(image_count=1, style={"prompt": "x"}, orientation="square")
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="`style.generation_mode='pro'` is deprecated: use `realistic`"):
        create_ai_talking_photo.request(
            assets={"image_file_path": "a", "audio_file_path": "b"},
            start_seconds=0,
            end_seconds=1,
            style={"generation_mode": "pro"},
        )
    with pytest.warns(DeprecationWarning, match="seedream"):
        create_ai_image.request(image_count=1, style={"prompt": "x"}, model="seedream")


def test_essential_fields() -> None:
    for name, found in SCHEMAS.items():
        if found.get("x-essential"):
            model = getattr(models, name)
            assert {field.name for field in model._fields if field.essential} == set(found["x-essential"])
    with pytest.raises(UnexpectedResponse, match="id"):
        create_ai_image.parse(types.Response(200, content=b'{"credits_charged": 5}'))
    assert create_ai_image.parse(types.Response(200, content=b'{"id": "a"}')).credits_charged is None


def test_secret_fields_do_not_show() -> None:
    url = "https://storage.example/a.png?signature=SECRET"
    for name, found in SCHEMAS.items():
        for field, inner in found.get("properties", {}).items():
            if inner.get("x-secret"):
                model = getattr(models, name).from_dict({"file_path": "a", field: url})
                assert getattr(model, field) == url
                assert "SECRET" not in repr(model)
                assert "https://storage.example/a.png" in repr(model)
    project = models.V1ImageProjectsGetResponse.from_dict(
        {"id": "a", "status": "complete", "downloads": [{"url": url}]}
    )
    assert "SECRET" not in repr(project)


def test_endpoints_carry_what_the_flows_need() -> None:
    endpoint = create_ai_image_edit
    assert (endpoint.charges_credits, endpoint.project_kind, endpoint.name) == (
        True,
        "image",
        "v1.ai_image_editor.create",
    )
    assert endpoint.assets == (
        types.AssetField(("assets", "image_file_path"), ("image",)),
        types.AssetField(("assets", "image_file_paths", "*"), ("image",)),
    )
    assert endpoint.prices == SPEC["paths"]["/v1/ai-image-editor"]["post"]["x-credits"]
    assert endpoint.required == ("assets", "style")
    body = SCHEMAS["V1AiImageEditorCreateBody"]["properties"]
    assert set(endpoint.fields) == set(body)


def test_generate_params_differ_in_the_assets_only() -> None:
    plain, files = params.V1AiTalkingPhotoCreateBodyParams, params.V1AiTalkingPhotoCreateBodyGenerateParams
    assert set(plain.__annotations__) == set(files.__annotations__)
    hints = params.V1AiTalkingPhotoCreateBodyAssetsGenerateParams.__annotations__
    assert {str(typing.get_args(hint) or getattr(hint, "__forward_arg__", hint)) for hint in hints.values()} == {
        "_types.AssetSource"
    }


def test_sent_and_received_enum(document: dict[str, Any], run_generator: Any, tmp_path: Path) -> None:
    """One list in a request and in an answer: closed where it is sent, open where it is only received."""
    schemas = document["components"]["schemas"]
    schemas["State"] = {"type": "string", "enum": ["on", "off"]}
    schemas["Thing"]["properties"]["state"] = {"$ref": "#/components/schemas/State"}
    schemas["Made"] = {"type": "object", "properties": {"state": {"$ref": "#/components/schemas/State"}}}
    content = document["paths"]["/things"]["post"]["responses"]["200"]["content"]
    content["application/json"]["schema"] = {"$ref": "#/components/schemas/Made"}
    assert run_generator(document).code == 0
    package = tmp_path / "out" / "small_client"
    assert (package / "models" / "things.py").read_text().count("    state: State | str | None = None\n") == 2


def test_every_file_says_that_it_is_generated() -> None:
    copied = {path.name for path in RUNTIME.glob("*.py")} - {"_contract.py"}
    for path in GENERATED.rglob("*.py"):
        if path.parent.name == "_runtime" and path.name in copied:
            assert path.read_bytes() == (RUNTIME / path.name).read_bytes()
        else:
            assert path.read_text(encoding="utf-8").startswith("# Generated by scripts/generate.py"), path


@pytest.mark.parametrize("bad", [None, 5, "x", [], {}, {"url": None}, {"url": 5}])
def test_a_bad_item_of_a_list_keeps_its_place_beside_the_good_ones(bad: object) -> None:
    body = json.dumps({"id": "a", "status": "complete", "downloads": [bad, {"url": "https://s.example/b.png"}]})
    first, second = get_image_project.parse(types.Response(200, {}, body.encode())).downloads
    assert not isinstance(first.url, str)
    assert second.url == "https://s.example/b.png"
