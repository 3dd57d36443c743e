"""What a manifest may contain, what becomes of its rows, and what they will do and cost."""

from __future__ import annotations

import base64
import json
import os
import tracemalloc
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from magic_hour_client.models import V1AiImageGeneratorCreateBodyStyle
from magic_hour_emulator import samples
from magic_hour_workflows import Estimate, InvalidArgument
from magic_hour_workflows._flows.generate import OPTIONS
from magic_hour_workflows.batch import Batch, ManifestError, Plan, Row
from magic_hour_workflows.batch import _batch as batch_module
from magic_hour_workflows.batch import _manifest as module
from magic_hour_workflows.batch import _row_checks as checking
from magic_hour_workflows.batch._entries import RESERVED
from magic_hour_workflows.batch._manifest import estimate_row, fingerprint, inputs, plan, planned, read
from magic_hour_workflows.errors import AssetNotFound

FOX: dict[str, Any] = {"image_count": 1, "style": {"prompt": "A red fox"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pictures and a sound, which is not the current one."""
    (tmp_path / "pictures").mkdir()
    for name in ("pictures/a.jpg", "pictures/b.jpg", "image/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(samples.portrait().read_bytes())
    (tmp_path / "voice.mp3").write_bytes(samples.voice().read_bytes())
    return tmp_path


def written(folder: Path, name: str, content: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text(content, encoding=encoding, newline="")
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.NDJSON"])
def test_json_lines(name: str, encoding: str, folder: Path) -> None:
    lines = [
        json.dumps({"key": "Zoë", "endpoint": "ai_image_generator", **FOX}, ensure_ascii=False),
        "",
        json.dumps({"key": "b", "endpoint": "/v1/ai-image-generator", "parameters": FOX}),
    ]
    rows = read(written(folder, name, "\r\n".join(lines), encoding))
    assert [(row.key, row.endpoint, row.parameters, row.line) for row in rows] == [
        ("Zoë", "ai_image_generator", FOX, 1),
        ("b", "ai_image_generator", FOX, 3),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_table(encoding: str, folder: Path) -> None:
    text = (
        "key, endpoint ,image_count,style.prompt,start_seconds,end_seconds,assets.image_file_path,"
        "assets.audio_file_path,assets.image_file_paths[1],assets.image_file_paths[0],extra_body,\r\n"
        'Zoë,ai_image_generator,+2.0,"A fox, ""red"",\r\nin the snow",,,,,,,"{""seed"": 1}",\r\n'
        ",,,,,,,,,,,\r\n"
        "\r\n"
        "talk,ai-talking-photo,,,0,2.5,pictures/a.jpg,voice.mp3,,,,\r\n"
        "edit,v1.ai_image_editor.create,,Hat,,,,,pictures/b.jpg,pictures/a.jpg,,\r\n"
    )
    fox, talk, edit = read(written(folder, "rows.csv", text, encoding))
    a, b = str(folder / "pictures" / "a.jpg"), str(folder / "pictures" / "b.jpg")
    prompt = 'A fox, "red",\r\nin the snow'
    assert fox.parameters == {"image_count": 2, "style": {"prompt": prompt}, "extra_body": {"seed": 1}}
    assert isinstance(fox.parameters["image_count"], int)
    assert talk.parameters == {
        "start_seconds": 0,
        "end_seconds": 2.5,
        "assets": {"image_file_path": a, "audio_file_path": str(folder / "voice.mp3")},
    }
    assert edit.parameters == {"style": {"prompt": "Hat"}, "assets": {"image_file_paths": [a, b]}}
    assert [row.line for row in (fox, talk, edit)] == [2, 6, 7]


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("assets.image_file_paths", "pictures/a.jpg", ["pictures/a.jpg"]),
        ("assets.image_file_paths", '"[""pictures/a.jpg"", ""pictures/b.jpg""]"', ["pictures/a.jpg", "pictures/b.jpg"]),
        ("assets", '"{""image_file_paths"": [""pictures/b.jpg""]}"', ["pictures/b.jpg"]),
        ("assets.image_file_paths[3]", "pictures/a.jpg", ["pictures/a.jpg"]),
    ],
)
def test_lists_and_objects_in_one_cell(column: str, cell: str, expected: list[str], folder: Path) -> None:
    text = f"key,style.prompt,{column}\na,Hat,{cell}\n"
    [row] = read(written(folder, "rows.csv", text), endpoint="ai_image_editor")
    assert row.parameters["assets"] == {"image_file_paths": [str(folder / path) for path in expected]}


def test_text_stays_text_in_a_table(folder: Path) -> None:
    """A prompt of digits is a prompt; only where the contract has a number it is one."""
    table = written(folder, "rows.csv", "key,image_count,style.prompt,name\n007,1,42,true\n")
    [row] = read(table, endpoint="ai_image_generator")
    assert (row.key, row.parameters) == ("007", {"image_count": 1, "style": {"prompt": "42"}, "name": "true"})


def test_rows_in_memory() -> None:
    rows = read(
        each
        for each in (
            Row(key="a", endpoint="ai_image_generator", parameters=FOX, line=9),
            {"key": "b", "endpoint": "ai-image-generator", **FOX},
            ("c", "ai_image_generator", {**FOX, "name": None}),
            (
                "d",
                "ai_image_generator",
                {"image_count": 1.0, "style": V1AiImageGeneratorCreateBodyStyle(prompt="A red fox")},
            ),
        )
    )
    assert [(row.key, row.endpoint, row.parameters) for row in rows] == [
        (key, "ai_image_generator", FOX) for key in "abcd"
    ]
    assert [row.line for row in rows] == [9, 2, 3, 4]
    assert json.loads(json.dumps([row.parameters for row in rows])) == [FOX] * 4
    assert read(rows) == rows


def test_the_rows_own_endpoint_wins() -> None:
    given = [{"key": "a", **FOX}, ("b", "ai_headshot_generator", {"assets": {"image_file_path": "image/1.png"}})]
    assert [row.endpoint for row in read(given, endpoint="ai-image-generator")] == [
        "ai_image_generator",
        "ai_headshot_generator",
    ]


def test_nothing_of_the_callers_is_changed() -> None:
    given = {"key": "a", "endpoint": "ai_headshot_generator", "assets": {"image_file_path": samples.portrait()}}
    before = repr(given)
    [row] = read([given])
    assert repr(given) == before
    assert row.parameters["assets"]["image_file_path"] == str(samples.portrait())


def test_where_paths_begin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local file wins over a remote path of the same name, as in a single call; URLs are left as they are."""
    monkeypatch.setenv("HOME", str(folder / "pictures"))
    elsewhere = folder / "elsewhere"
    (elsewhere / "image").mkdir(parents=True)
    (elsewhere / "image" / "d.jpg").write_bytes(b"another")
    (folder / "pictures" / "deeper").mkdir()
    (folder / "link").symlink_to(folder / "pictures" / "deeper")  # behind it, `..` is pictures
    monkeypatch.chdir(elsewhere)
    given = {
        "./pictures/a.jpg": folder / "pictures" / "a.jpg",
        "link/../b.jpg": folder / "link" / ".." / "b.jpg",
        str(folder / "pictures" / "b.jpg"): folder / "pictures" / "b.jpg",
        "~/a.jpg": folder / "pictures" / "a.jpg",
        "image/c.jpg": folder / "image" / "c.jpg",
        "image/d.jpg": "image/d.jpg",
        "api-assets/id/1234.png": "api-assets/id/1234.png",
        "https://example.com/a.png?signature=1": "https://example.com/a.png?signature=1",
    }
    text = "".join(f"{n},{path}\n" for n, path in enumerate(given))
    rows = read(written(folder, "rows.csv", f"key,assets.image_file_path\n{text}"), endpoint="ai_headshot_generator")
    assert [row.parameters["assets"]["image_file_path"] for row in rows] == [str(path) for path in given.values()]
    monkeypatch.chdir(folder)
    [row] = read([("a", "ai_headshot_generator", {"assets": {"image_file_path": "pictures/a.jpg"}})])
    assert row.parameters["assets"]["image_file_path"] == str(folder / "pictures" / "a.jpg")
    [row] = read("elsewhere/../rows.csv", endpoint="ai_headshot_generator")[:1]
    assert os.path.isabs(row.parameters["assets"]["image_file_path"])
    assert all(os.path.exists(path) for path in map(str, given.values()) if os.path.isabs(path))


def test_a_file_is_looked_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: Counter[str] = Counter()
    real = checking.to_source

    def counting(value: Any, role: Any, where: str) -> Any:
        looked[str(value)] += 1
        return real(value, role, where)

    monkeypatch.setattr(checking, "to_source", counting)
    text = "key,assets.image_file_path\n" + "".join(f"{n},pictures/a.jpg\n" for n in range(1000))
    assert len(read(written(folder, "rows.csv", text), endpoint="ai_headshot_generator")) == 1000
    assert dict(looked) == {str(folder / "pictures" / "a.jpg"): 1}


def test_a_file_without_an_extension_is_told_by_its_first_bytes(folder: Path) -> None:
    (folder / "portrait").write_bytes((folder / "pictures" / "a.jpg").read_bytes())
    [row] = read([{"key": "a", "assets": {"image_file_path": folder / "portrait"}}], endpoint="ai_headshot_generator")
    assert [(file.role, file.extension) for file in inputs(row)] == [("image", "jpg")]


def test_files_of_a_row_may_be_any_iterable(folder: Path) -> None:
    paths = [folder / "pictures" / "a.jpg", "image/c.jpg"]
    rows = [{"key": "a", "assets": {"image_file_paths": iter(paths)}, "style": {"prompt": "x"}}]
    [row] = read(rows, endpoint="ai_image_editor")
    assert row.parameters["assets"]["image_file_paths"] == [str(paths[0]), "image/c.jpg"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
def test_what_a_batch_would_outlive_is_refused(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    data = "data:image/png;base64," + base64.b64encode((folder / "pictures" / "a.jpg").read_bytes()).decode()
    for value in (folder / "pipe.png", str(folder / "pipe.png"), data):
        with pytest.raises(ManifestError, match="a batch outlives this process"):
            read([{"key": "a", "assets": {"image_file_path": value}}], endpoint="ai_headshot_generator")


def test_a_manifest_is_not_held_in_memory(folder: Path) -> None:
    """32 MiB of empty lines below a row take the memory of a few of them."""
    path = folder / "rows.jsonl"
    with path.open("wb") as file:
        file.write(json.dumps({"key": "a", **FOX}).encode() + b"\n")
        file.writelines(b" " * 2**20 + b"\n" for _ in range(32))
    tracemalloc.start()
    try:
        assert len(read(path, endpoint="ai_image_generator")) == 1
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_an_extra_body_stays_beside_what_it_changes() -> None:
    extra = {"style": {"mood": ("dark", "cold")}, "image_count": 2}
    [row] = read([("a", "ai_image_generator", {**FOX, "extra_body": extra})])
    assert row.parameters == {**FOX, "extra_body": {"style": {"mood": ["dark", "cold"]}, "image_count": 2}}


def test_every_option_of_generate_is_refused_with_a_remedy() -> None:
    assert set(RESERVED) == set(OPTIONS) - {"extra_body"}


def test_what_is_deprecated_warns(folder: Path) -> None:
    with pytest.warns(DeprecationWarning, match="orientation"):
        read([("a", "ai_image_generator", {**FOX, "orientation": "square"})])


def test_a_fingerprint_is_of_what_is_asked_for() -> None:
    def of(endpoint: str = "ai_image_generator", **parameters: Any) -> str:
        return fingerprint(Row(key="a", endpoint=endpoint, parameters=parameters))

    same = of(image_count=1, style={"prompt": "a", "tool": "general"})
    assert same == of(style={"tool": "general", "prompt": "a"}, image_count=1.0)
    assert same == fingerprint(
        Row(
            key="b",
            endpoint="ai_image_generator",
            line=7,
            parameters={"image_count": 1, "style": {"prompt": "a", "tool": "general"}},
        )
    )
    others = [
        of("ai_image_editor", image_count=1, style={"prompt": "a", "tool": "general"}),
        of(image_count=2, style={"prompt": "a", "tool": "general"}),
        of(image_count=1, style={"prompt": "A", "tool": "general"}),
        of(image_count=1, style={"prompt": "a"}, tool="general"),
        of(image_count="1", style={"prompt": "a", "tool": "general"}),
    ]
    assert len({same, *others}) == 6
    assert len(same) == 64


def test_a_table_and_lines_of_the_same_rows_are_the_same(folder: Path) -> None:
    table = written(folder, "rows.csv", "key,image_count,style.prompt\na,1,A red fox\n")
    lines = written(folder, "rows.jsonl", json.dumps({"key": "a", "style": {"prompt": "A red fox"}, "image_count": 1}))
    one, other = (read(path, endpoint="ai_image_generator")[0] for path in (table, lines))
    assert fingerprint(one) == fingerprint(other)


FOUR_FOXES: dict[str, Any] = {"image_count": 4, "style": {"prompt": "A red fox"}}


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
    rows = read([face(portrait), ("fox", "ai_image_generator", FOUR_FOXES), ("talk", "ai_talking_photo", talk)])
    assert plan(rows) == Plan(
        rows=3,
        by_endpoint={"ai_headshot_generator": 1, "ai_image_generator": 1, "ai_talking_photo": 1},
        credits=50 + 4 * 5 + 72,
        at_most=None,
        uploads=2,
        upload_bytes=portrait.stat().st_size + voice.stat().st_size,
    )
    assert plan(iter(rows[:1])) == plan([rows[0]])
    assert plan(rows[:1]).at_least is False
    assert plan([]) == Plan(rows=0, by_endpoint={}, credits=0, at_most=0, uploads=0, upload_bytes=0)


def test_an_extra_body_can_change_the_price() -> None:
    row = Row(key="a", endpoint="ai_image_generator", parameters={**FOUR_FOXES, "extra_body": {"model": "nano-banana"}})
    assert estimate_row(row) == Estimate(200, at_most=None)
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


def test_a_budget_refuses_what_has_no_documented_price(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {"image_count": 2, "style": {"prompt": "a"}}
    rows = [Row(key="a", endpoint="ai_image_generator", parameters=given)]
    undocumented = attrs.evolve(module.endpoint_of("ai_image_generator"), prices={})
    monkeypatch.setattr(module, "endpoint_of", lambda name: undocumented)
    database = tmp_path / "b.db"
    plan = Batch(rows, output=tmp_path, database=database, token="key").plan
    assert (plan.credits, plan.at_most, plan.undocumented, plan.at_least) == (0, None, 1, True)
    problem = r"`max_credits`: the price of ai_image_generator \(row a\) is not documented, so no budget can count it"
    with pytest.raises(InvalidArgument, match=problem):
        _ = Batch(rows, output=tmp_path, database=database, token="key", max_credits=9).plan
    monkeypatch.setattr(batch_module, "open_beside_run", lambda _: nullcontext(SimpleNamespace(rows=lambda: rows)))
    with pytest.raises(InvalidArgument, match=problem):  # a budget for rows that were planned before
        next(Batch(database=database, token="key", max_credits=9).run())


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
