"""Rules about several fields: each row is a rule, what is given, and what the caller is told."""

from __future__ import annotations

from typing import Any

import pytest

from magic_hour_client._runtime.conditions import Before, Rule, check, complete
from magic_hour_client._runtime.json_schema import meets
from magic_hour_client.errors import InvalidArgument

SOURCE = Rule(
    path=("assets",),
    implied={"source": {"file": "file", "url": "youtube"}},
    completed=("source",),
    conditions=(
        {"if": {"properties": {"source": {"const": "file"}}, "required": ["source"]}, "then": {"required": ["file"]}},
        {"if": {"properties": {"source": {"const": "youtube"}}, "required": ["source"]}, "then": {"required": ["url"]}},
    ),
)
MODE = Rule(
    defaults={"mode": "all"},
    implied={"mode": {"faces": "single"}},
    conditions=(
        {"if": {"properties": {"mode": {"const": "all"}}}, "then": {"required": ["face"]}},
        {
            "if": {"properties": {"mode": {"const": "single"}}, "required": ["mode"]},
            "then": {"required": ["faces"], "not": {"required": ["face"]}},
        },
    ),
)
MUSIC = Rule(implied={"sound": {"file": "file"}}, completed=("sound",), defaults={"sound": "none"})
LENGTH = Rule(
    conditions=(
        {
            "if": {"properties": {"model": {"enum": ["a", "b"]}}, "required": ["model"]},
            "then": {"properties": {"seconds": {"maximum": 10}, "size": {"enum": ["480p", "720p"]}}},
            "else": {"properties": {"prompt": {"minLength": 3}, "points": {"maxItems": 2}}},
        },
    )
)
CHOICE = Rule(path=("style",), conditions=({"anyOf": [{"required": ["look"]}, {"required": ["own"]}]},))
ONE = Rule(conditions=({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},))
NESTED = Rule(
    defaults={"style": {"kind": "plain"}},
    conditions=(
        {
            "if": {"properties": {"style": {"properties": {"kind": {"const": "own"}}, "required": ["kind"]}}},
            "then": {"required": ["file"]},
        },
    ),
)
ORDER = Rule(path=("clips", "*"), before=(Before("start", "end", 0.5, 3),), defaults={"start": 0})


@pytest.mark.parametrize(
    ("rule", "given", "sent"),
    [
        (SOURCE, {"assets": {"file": "a.mp4"}}, {"assets": {"file": "a.mp4", "source": "file"}}),
        (SOURCE, {"assets": {"url": "https://a"}}, {"assets": {"url": "https://a", "source": "youtube"}}),
        (SOURCE, {"assets": {"url": "u", "source": "youtube"}}, {"assets": {"url": "u", "source": "youtube"}}),
        (MODE, {"face": "a.png"}, {"face": "a.png"}),  # a default is not sent
        (MODE, {"faces": [1]}, {"faces": [1], "mode": "single"}),
        (MODE, {"faces": [], "face": "a"}, {"faces": [], "face": "a"}),  # an empty list is as good as none
        (MUSIC, {}, {"sound": "none"}),  # unless the service needs the field
        (MUSIC, {"file": "a.mp3"}, {"file": "a.mp3", "sound": "file"}),
        (LENGTH, {"model": "a", "seconds": 10, "size": "480p"}, None),
        (LENGTH, {"seconds": 60, "prompt": "abc"}, None),
        (CHOICE, {"style": {"own": {}}}, None),
        (CHOICE, {}, None),  # no such object: whether it must be there is said elsewhere
        (ONE, {"a": 1}, None),
        (NESTED, {"style": {}}, None),
        (NESTED, {"style": {"kind": "own"}, "file": "a"}, None),
        (ORDER, {"clips": [{"end": 0.5}, {"start": 1.2, "end": 4.2}, {"start": 1}, {"end": "x"}]}, None),
    ],
)  # fmt: skip
def test_what_fits_is_completed_and_passes(rule: Rule, given: dict[str, Any], sent: dict[str, Any] | None) -> None:
    complete([rule], given)
    check([rule], given)
    assert sent is None or given == sent


@pytest.mark.parametrize(
    ("rule", "given", "message"),
    [
        (SOURCE, {"assets": {}}, "`assets.source`: required, but missing; give `assets.file` or `assets.url`"),
        (SOURCE, {"assets": {"file": "a", "url": "b"}},
         "`assets.source`: it cannot follow from `assets.file` and `assets.url`; give only one of them, or"
         " `assets.source`"),
        (SOURCE, {"assets": {"source": "youtube"}},
         "`assets.url`: needed when `assets.source` is youtube; give it, or change `assets.source`"),
        (SOURCE, {"assets": {"source": "youtube", "url": None}},
         "`assets.url`: needed when `assets.source` is youtube; give it, or change `assets.source`"),
        (MODE, {}, "`face`: needed when `mode` is all, the default; give it, or change `mode`"),
        (MODE, {"faces": [1], "face": "a"},
         "`face`: cannot be used when `mode` is single; leave it out, or change `mode`"),
        (LENGTH, {"model": "a", "seconds": 11},
         "`seconds`: must be at most 10, got 11 when `model` is a or b; give another value, or change `model`"),
        (LENGTH, {"model": "b", "size": "4k"},
         "`size`: must be 480p or 720p when `model` is a or b; give another value, or change `model`"),
        (LENGTH, {"prompt": "ab"},
         "`prompt`: must have at least 3 characters, got 2 when `model` is not a or b; give another value, or"
         " change `model`"),
        (LENGTH, {"points": [1, 2, 3]},
         "`points`: must have at most 2 items, got 3 when `model` is not a or b; give another value, or"
         " change `model`"),
        (CHOICE, {"style": {}}, "`style.look`: required, but missing; give `style.look` or `style.own`"),
        (CHOICE._replace(retired=("own",)), {"style": {}}, "`style.look`: required, but missing; give at least one"),
        (ONE, {"a": 1, "b": 2}, "`b`: only one of `a` and `b` can be used; leave the others out"),
        (NESTED, {"style": {"kind": "own"}},
         "`file`: needed when `style.kind` is own; give it, or change `style.kind`"),
        (ORDER, {"clips": [{"end": 1}, {"start": 2, "end": 2}]},
         "`clips[1].end`: 2 is not after `clips[1].start` 2; give a larger number"),
        (ORDER, {"clips": [{"end": 3.01}]},
         "`clips[0].end`: must be at most 3 after `clips[0].start`, got 3.01; ask for less"),
        (ORDER, {"clips": [{"start": 1, "end": 1.4}]},
         "`clips[0].end`: must be at least 0.5 after `clips[0].start`, got 0.4; ask for more"),
        (Rule(conditions=({"not": {"required": ["a"]}},)), {"a": 1}, "`a`: cannot be used; leave it out"),
        (Rule(conditions=({"not": {"properties": {"a": {"const": 1}}, "required": ["a"]}},)), {"a": 1},
         "`a`: cannot be used; leave it out"),
        (Rule(conditions=({"if": {"required": ["a"]}, "then": {"required": ["b"]}},)), {"a": 1},
         "`b`: needed when `a` is given; give it, or change `a`"),
        (Rule(conditions=({"if": {"not": {"required": ["a"]}}, "then": {"required": ["b"]}},)), {},
         "`b`: needed when `a` is not given; give it, or change `a`"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_field_and_remedy(rule: Rule, given: dict[str, Any], message: str) -> None:
    complete([rule], given)
    with pytest.raises(InvalidArgument) as caught:
        check([rule], given)
    assert str(caught.value) == message
    assert caught.value.field == message.split("`")[1]


@pytest.mark.parametrize(
    ("given", "extra"),
    [
        ({"assets": {"source": "youtube"}}, {"assets": {"url": "https://a"}}),  # mends what is missing
        ({"assets": {"source": "file", "file": "a"}}, {"assets": {"source": "of tomorrow"}}),
        ({"assets": {"source": "file", "file": "a"}}, {"assets": {"source": "youtube"}}),  # breaks a rule
    ],
)
def test_extra_body_goes_around_the_rules(given: dict[str, Any], extra: dict[str, Any]) -> None:
    check([SOURCE], given, extra)


def test_extra_body_elsewhere_mends_nothing() -> None:
    with pytest.raises(InvalidArgument, match=r"assets\.url"):
        check([SOURCE], {"assets": {"source": "youtube"}}, {"name": "x"})


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"const": 1}, True, False),
        ({"const": True}, True, True),
        ({"enum": ["a", "b"]}, "b", True),
        ({"minimum": 2, "exclusiveMaximum": 3}, 2.9, True),
        ({"exclusiveMinimum": 2}, 2, False),
        ({"minimum": 2}, "1", True),  # says nothing about texts
        ({"maxLength": 2}, "abc", False),
        ({"minItems": 1}, [], False),
        ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, 3, False),
        ({"anyOf": [{"const": 1}, {"const": 2}]}, 2, True),
        ({"oneOf": [{"minimum": 1}, {"minimum": 2}]}, 3, False),
        ({"not": {"const": 1}}, 1, False),
        ({"if": {"const": 1}, "then": {"const": 2}}, 1, False),
        ({"if": {"const": 1}, "else": {"const": 2}}, 3, False),
        ({"properties": {"a": {"const": 1}}}, {}, True),
        ({"properties": {"a": {"const": 1}}, "required": ["a"]}, {}, False),
    ],
)  # fmt: skip
def test_conditions_mean_what_json_schema_says(schema: dict[str, Any], value: Any, fits: bool) -> None:
    from jsonschema import Draft202012Validator

    assert meets(schema, value) is fits
    assert Draft202012Validator(schema).is_valid(value) is fits
