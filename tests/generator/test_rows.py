"""Rows of a document: what the generator makes of assets, prices and rules, and which mistakes in them stop it."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator.build import Build
from generator.contract import Contract
from generator.endpoint_views import EndpointView
from generator.problems import WrongRow
from generator.rows import EXTENSIONS
from generator.walk import extensions

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
Document = dict[str, Any]


@pytest.fixture
def hologram(document: Document) -> Document:
    """A document with one operation of each kind of row."""
    thing = document["components"]["schemas"]["Thing"]
    thing["required"] = ["name", "assets", "end_seconds"]
    thing["properties"] |= {
        "start_seconds": {"type": "number", "default": 0, "x-before": {"field": "end_seconds", "at_most": 30}},
        "end_seconds": {"type": "number"},
        "loud": {"type": "boolean"},
        "assets": {"$ref": "#/components/schemas/Assets"},
    }
    document["components"]["schemas"]["Assets"] = {
        "type": "object",
        "required": ["source"],
        "properties": {
            "source": {"type": "string", "enum": ["file", "url"], "x-implied": {"video": "file", "link": "url"}},
            "video": {"type": "string", "x-asset": ["video", "gif"]},
            "link": {"type": "string"},
            "pictures": {"type": "array", "items": {"type": "string", "x-asset": "image"}},
            "faces": {"type": "array", "items": {"$ref": "#/components/schemas/Face"}},
            "mode": {"type": "string", "default": "all", "enum": ["all", "one"], "x-implied": {"faces": "one"}},
        },
        "allOf": [
            {
                "if": {"properties": {"source": {"const": "file"}}, "required": ["source"]},
                "then": {"required": ["video"]},
            },
            {"if": {"properties": {"mode": {"const": "all"}}}, "then": {"required": ["pictures"]}},
        ],
    }
    document["components"]["schemas"]["Face"] = {
        "type": "object",
        "required": ["old", "new"],
        "properties": {"old": {"type": "string"}, "new": {"type": "string", "x-asset": "image"}},
    }
    document["paths"]["/things"]["post"] |= {
        "x-charges-credits": True,
        "x-command": {"group": "thing", "name": "make"},
        "x-credits": {
            "unit": "second",
            "quantity": {"from": "start_seconds", "to": "end_seconds"},
            "default": {"loud": False},
            "prices": [{"loud": True, "price": 3, "up_to": 4}, {"loud": False, "colour": ["red", "blue"], "price": 1}],
        },
    }
    return document


def made(document: Document) -> EndpointView:
    return next(view for view in Build(Contract(document), TEMPLATES).endpoints.all() if view.method == "POST")


def assets(document: Document) -> Any:
    return document["components"]["schemas"]["Assets"]


def fields(document: Document) -> Any:
    return document["components"]["schemas"]["Thing"]["properties"]


def credits(document: Document) -> Any:
    return document["paths"]["/things"]["post"]["x-credits"]


def test_files_in_lists_and_of_several_roles(hologram: Document) -> None:
    found = {asset.path: asset.roles for asset in made(hologram).assets}
    assert found == {
        ("assets", "video"): ("video", "gif"),
        ("assets", "pictures", "*"): ("image",),
        ("assets", "faces", "*", "new"): ("image",),
    }


def test_prices_are_handed_on_as_they_stand(hologram: Document) -> None:
    assert made(hologram).prices == credits(hologram)


def test_rules_of_the_body_and_of_the_objects_in_it(hologram: Document) -> None:
    outer, inner = made(hologram).rules
    assert (outer.path, outer.data, outer.before[0].limits) == ((), {"defaults": {"start_seconds": 0}}, {"at_most": 30})
    assert inner.path == ("assets",)
    assert inner.data == {
        "implied": {"source": {"video": "file", "link": "url"}, "mode": {"faces": "one"}},
        "completed": ("source",),
        "defaults": {"mode": "all"},
        "conditions": tuple(assets(hologram)["allOf"]),
    }


def test_what_follows_from_another_field_may_be_left_out(hologram: Document) -> None:
    views = Build(Contract(hologram), TEMPLATES).views
    needed = {field.name: field.required for field in views.model(views.models["Assets"]).params_fields}
    assert needed["source"] is False


def test_conditions_of_a_schema_behind_a_reference_and_of_parts(hologram: Document) -> None:
    whole = copy.deepcopy(assets(hologram))
    hologram["components"]["schemas"]["Base"] = whole
    hologram["components"]["schemas"]["Assets"] = {
        "allOf": [{"$ref": "#/components/schemas/Base"}, {"not": {"required": ["video", "link"]}}]
    }
    [_, rule] = made(hologram).rules
    assert list(rule.data["conditions"]) == [{"not": {"required": ["video", "link"]}}, *whole["allOf"]]
    assert rule.data["completed"] == ("source",)


@pytest.mark.parametrize("keyword", ["pattern", "dependentRequired", "contains"])
def test_a_condition_that_the_client_cannot_check_is_left_to_the_service(hologram: Document, keyword: str) -> None:
    value: Any = "a" if keyword == "pattern" else {}
    assets(hologram)["allOf"][0]["then"] = {"properties": {"video": {keyword: value}}}
    [_, rule] = made(hologram).rules
    assert list(rule.data["conditions"]) == [assets(hologram)["allOf"][1]]


def condition(schema: Any) -> Callable[[Document], None]:
    return lambda document: assets(document)["allOf"].append(schema)


def price(**changes: Any) -> Callable[[Document], None]:
    return lambda document: credits(document).update(changes)


def row(**changes: Any) -> Callable[[Document], None]:
    return lambda document: credits(document)["prices"][1].update(changes)


def field(name: str, **changes: Any) -> Callable[[Document], None]:
    return lambda document: {**fields(document), **assets(document)["properties"]}[name].update(changes)


def thing(**changes: Any) -> Callable[[Document], None]:
    return lambda document: document["components"]["schemas"]["Thing"].update(changes)


def operation(**changes: Any) -> Callable[[Document], None]:
    return lambda document: document["paths"]["/things"]["post"].update(changes)


def emulated(**rows: Any) -> Callable[[Document], None]:
    return operation(**{"x-emulator": {"type": "A", "media": "image/png", **rows}})


MISTAKES: list[tuple[Callable[[Document], None], str]] = [
    (row(size=3), "POST /things: x-credits.prices[1]: 'size' is not a field of the body"),
    (row(**{"part.length": 3}), "x-credits.prices[1]: 'part.length' is not a field of the body"),
    (row(loud="yes"), "x-credits.prices[1]: 'yes' is no boolean"),
    (row(colour=[1]), "x-credits.prices[1]: 1 is no string"),
    (row(price="1"), "x-credits.prices[1]: '1' is not a price, or `up_to` is below it"),
    (row(up_to=0), "x-credits.prices[1]: 1 is not a price, or `up_to` is below it"),
    (row(at_least=1), "x-credits.prices[1]: `at_least` can be true"),
    (emulated(prompt="part.sizes"), "POST /things: x-emulator.prompt: 'part.sizes' is not a field of the body"),
    (emulated(count="times"), "x-emulator.count: 'times' is not a field of the body"),
    (emulated(media={"form": {"a": "image/png"}}), "x-emulator.media: 'form' is not a field of the body"),
    (emulated(longest=[{"modes": "a", "seconds": 3}]), "x-emulator.longest: 'modes' is not a field of the body"),
    (operation(**{"x-emulator": "image/png"}), "POST /things: x-emulator: expected rows, among them `media`"),
    (operation(**{"x-median-seconds": "long"}), "x-median-seconds: 'long' is not a number of seconds"),
    (price(prices=[]), "x-credits.prices: expected a list of rows, each with its price"),
    (price(by="loud"), "x-credits: ['by'] is not made of at_least, default, prices, quantity, round, unit"),
    (price(unit=None), "x-credits.unit: a word is missing"),
    (price(round="down"), "x-credits: `round` can be `up`"),
    (price(default={"louder": True}), "x-credits.default: 'louder' is not a field of the body"),
    (price(default={"loud": 1}), "x-credits.default: 1 is no boolean"),
    (price(quantity={"count": "ends"}), "x-credits.quantity: 'ends' is not a field of the body"),
    (price(quantity={"count": "name"}), "x-credits.quantity: name is no array or integer or number"),
    (price(quantity={"characters": "loud"}), "x-credits.quantity: loud is no string"),
    (price(quantity={"times": "name"}), "x-credits.quantity: expected one of {from, to}, {count}"),
    (price(quantity={"product": ["end_seconds", "part.size"]}),
     "x-credits.quantity: part.size may be left out, so it needs a `default`"),
    (condition({"if": {"required": ["vidio"]}, "then": {"required": ["link"]}}),
     "POST /things: assets.condition 3, if: 'vidio' is not a field of this object"),
    (condition({"if": {"required": ["link"]}, "then": {"properties": {"vidio": {}}}}),
     "assets.condition 3, then: 'vidio' is not a field of this object"),
    (condition({"if": {"required": ["link"]}, "then": {"requires": ["video"]}}),
     "assets.condition 3, then: 'requires' is no keyword of JSON Schema"),
    (condition({"if": {"properties": {"source": {"const": "url"}}}, "then": {"required": ["link"]}}),
     "assets.condition 3, if: it needs `required: [source]`, since it would hold where source is not given"),
    (field("start_seconds", **{"x-before": "finish"}),
     "POST /things: start_seconds.x-before: 'finish' is not another field of the same object"),
    (field("start_seconds", **{"x-before": "name"}), "start_seconds.x-before: both fields must be numbers"),
    (field("start_seconds", **{"x-before": {"field": "end_seconds", "most": 3}}),
     "start_seconds.x-before: {'most': 3} is not made of the numbers `at_least` and `at_most`"),
    (field("source", **{"x-implied": {"vidio": "file"}}),
     "POST /things: assets.source.x-implied: 'vidio' is not another field of the same object"),
    (field("source", **{"x-implied": {"video": "disk"}}), "assets.source.x-implied: 'disk' is not a value of source"),
    (field("source", **{"x-implied": []}), "assets.source.x-implied: expected fields"),
    (field("video", **{"x-asset": "vidio"}), "schema Assets: video.x-asset: 'vidio' is not made of image, audio"),
    (field("video", **{"x-asset": []}), "schema Assets: video.x-asset: [] is not made of image, audio"),
    (field("loud", **{"x-asset": "image"}), "loud.x-asset: only a string can be the path of a file"),
    (thing(**{"x-essential": ["colours"]}), "schema Thing: x-essential: 'colours' is not a field of this object"),
    (thing(**{"x-essential": "name"}), "schema Thing: x-essential: expected a list of fields"),
    (operation(**{"x-credit": {}}), "paths//things/post: 'x-credit' is not an extension; did you mean x-credits?"),
    (field("video", **{"x-asset": "video", "x-asets": "gif"}),
     "components/schemas/Assets/properties/video: 'x-asets' is not an extension; did you mean x-asset?"),
]  # fmt: skip


@pytest.mark.parametrize(("mistake", "line"), MISTAKES)
def test_a_mistake_in_a_row_stops_the_generator_with_its_place(
    mistake: Callable[[Document], None], line: str, hologram: Document
) -> None:
    mistake(hologram)
    with pytest.raises(WrongRow) as caught:
        Build(Contract(hologram), TEMPLATES)
    assert line in str(caught.value)


def test_extensions_of_other_tools_are_left_alone(hologram: Document) -> None:
    operation(**{"x-credits-of-mine": 1, "x-codeSamples": []})(hologram)
    field("loud", **{"x-deprecated": True})(hologram)
    hologram["components"]["schemas"]["Thing"]["properties"]["x-asets"] = {"type": "string"}
    Build(Contract(hologram), TEMPLATES)


def test_a_document_without_rows_of_ours_may_call_its_extensions_as_it_likes(document: Document) -> None:
    ours = [name for _, name in extensions(document) if name in EXTENSIONS]
    operation(**{"x-credit": {}})(document)
    assert not ours
    Build(Contract(document), TEMPLATES)


def test_every_extension_is_documented() -> None:
    documented = re.findall(r"^\| `(x-[a-z-]+)", (TEMPLATES.parent / "spec" / "README.md").read_text("utf-8"), re.M)
    assert set(documented) == EXTENSIONS


def test_two_operations_with_one_command(hologram: Document) -> None:
    hologram["paths"]["/others"] = copy.deepcopy(hologram["paths"]["/things"])
    hologram["paths"]["/others"]["post"]["operationId"] = "make_other"
    with pytest.raises(WrongRow, match="POST /others: x-command: POST /things is `thing make` already"):
        Build(Contract(hologram), TEMPLATES)


def test_a_command_in_a_group_that_does_not_exist(hologram: Document) -> None:
    hologram["paths"]["/v9/thing-projects/{id}"] = hologram["paths"].pop("/things/{id}")
    operation(**{"x-project-kind": "thing"})(hologram)
    Build(Contract(hologram), TEMPLATES)
    operation(**{"x-command": {"group": "things", "name": "make"}})(hologram)
    with pytest.raises(WrongRow, match=r"POST /things: x-command\.group: 'things' is not a kind of project"):
        Build(Contract(hologram), TEMPLATES)


def test_the_command_ends_with_the_place(hologram: Document, run_generator: Any, tmp_path: Path) -> None:
    row(size=3)(hologram)
    ran = run_generator(hologram)
    assert (ran.code, "x-credits.prices[1]: 'size' is not a field of the body" in ran.error) == (8, True)
    assert not (tmp_path / "out").exists()
