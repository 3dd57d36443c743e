"""What a batch will do and cost, before it begins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from magic_hour_workflows import Estimate
from magic_hour_workflows.batch import Plan, Row
from magic_hour_workflows.batch import _manifest as module
from magic_hour_workflows.batch._manifest import estimate_row, inputs, plan, planned, read
from magic_hour_workflows.errors import AssetNotFound

FOX: dict[str, Any] = {"image_count": 4, "style": {"prompt": "A red fox"}}


def face(path: object) -> tuple[str, str, dict[str, Any]]:
    return str(path), "ai_headshot_generator", {"assets": {"image_file_path": str(path)}}


def files(folder: Path, **contents: bytes) -> list[Path]:
    made = []
    for name, content in contents.items():
        made.append(folder / name.replace("_", "."))
        made[-1].write_bytes(content)
    return made


def test_rows_credits_and_uploads(portrait: Path, voice: Path) -> None:
    talk = {"assets": {"image_file_path": portrait, "audio_file_path": voice}, "start_seconds": 1, "end_seconds": 2.5}
    rows = read([face(portrait), ("fox", "ai_image_generator", FOX), ("talk", "ai_talking_photo", talk)])
    assert plan(rows) == Plan(
        rows=3,
        by_endpoint={"ai_headshot_generator": 1, "ai_image_generator": 1, "ai_talking_photo": 1},
        credits=50 + 4 * 5 + 72,
        at_least=True,
        uploads=2,
        upload_bytes=portrait.stat().st_size + voice.stat().st_size,
    )
    assert plan(iter(rows[:1])) == plan([rows[0]])
    assert plan(rows[:1]).at_least is False
    assert plan([]) == Plan(rows=0, by_endpoint={}, credits=0, at_least=False, uploads=0, upload_bytes=0)


def test_an_extra_body_can_change_the_price() -> None:
    row = Row(key="a", endpoint="ai_image_generator", parameters={**FOX, "extra_body": {"model": "nano-banana"}})
    assert estimate_row(row) == Estimate(200, at_least=True)
    assert row.parameters["extra_body"] == {"model": "nano-banana"}


def test_a_budget_counts_the_upper_end_of_a_price_that_is_a_range() -> None:
    talking = {"start_seconds": 0, "end_seconds": 2, "style": {"generation_mode": "prompted"}}
    unknown = {"image_count": 2, "style": {"prompt": "a"}, "model": "of-tomorrow"}
    rows = [
        Row(key="a", endpoint="ai_talking_photo", parameters=talking),
        Row(key="b", endpoint="ai_image_generator", parameters=unknown),
    ]
    assert [one.estimate for one in planned(rows)] == [48, 300]
    assert plan(rows).credits == 50  # what is shown says "at least"


def test_the_same_content_goes_up_once(tmp_path: Path) -> None:
    """By role, extension and content; neither the name nor the folder matters."""
    a, b, c, d, e = files(tmp_path, a_png=b"same", b_PNG=b"same", c_jpg=b"same", d_png=b"diff", e_png=b"longer")
    (tmp_path / "link.png").symlink_to(a)
    result = plan(read([face(path) for path in (a, b, c, d, e, tmp_path / "link.png")]))
    assert (result.uploads, result.upload_bytes) == (4, 4 + 4 + 4 + 6)


def test_one_file_in_two_roles_goes_up_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    [path] = files(tmp_path, a_webm=b"sound or picture")
    distinct = module._distinct([module.Input(role, "webm", str(path)) for role in ("audio", "video")])  # type: ignore[arg-type]
    assert list(distinct) == [16, 16]


def test_only_what_may_be_the_same_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    monkeypatch.setattr(module, "digest", lambda path: hashed.append(path.name) or path.name)
    a, b, c, d, _ = files(tmp_path, a_png=b"1234", b_png=b"5678", c_jpg=b"1234", d_png=b"12345", e_png=b"1")
    os.link(a, tmp_path / "hard.png")
    rows = read([face(path) for path in (a, b, c, d, tmp_path / "hard.png")])
    plan([*rows, *rows])
    assert sorted(hashed) in (["a.png", "b.png"], ["b.png", "hard.png"])


def test_what_the_service_looks_up_is_not_uploaded(tmp_path: Path) -> None:
    [local] = files(tmp_path, a_png=b"1")
    urls = ["https://example.com/a.png", "api-assets/id/1.png", str(local)]
    edit = {"assets": {"image_file_paths": urls}, "style": {"prompt": "Hat"}}
    rows = read([("edit", "ai_image_editor", edit), face("https://example.com/b.png")])
    assert [list(inputs(row)) for row in rows] == [[module.Input("image", "png", str(local))], []]
    assert plan(rows).uploads == 1


def test_a_file_that_is_gone_again(tmp_path: Path) -> None:
    [path] = files(tmp_path, a_png=b"1")
    rows = read([face(path)])
    path.unlink()
    with pytest.raises(AssetNotFound, match=r"a\.png is no longer there"):
        plan(rows)


def test_paths_are_told_by_their_field_whatever_else_is_there() -> None:
    """A prompt that looks like a path is a prompt."""
    row = Row(key="a", endpoint="ai_image_generator", parameters={"image_count": 1, "style": {"prompt": "/etc/hosts"}})
    assert list(inputs(row)) == []
