"""A manifest with every kind of mistake: all are reported at once, with line and field, and nothing is sent."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from magic_hour_client.endpoints import endpoint
from magic_hour_emulator import Emulator
from magic_hour_workflows import Client, InvalidArgument
from magic_hour_workflows.batch import Batch, ManifestError, Mistake
from magic_hour_workflows.batch._manifest import read

IMAGE: dict[str, Any] = {"endpoint": "ai_image_generator", "image_count": 1, "style": {"prompt": "A red fox"}}
TALK: dict[str, Any] = {
    "endpoint": "ai_talking_photo",
    "assets": {"image_file_path": "face.jpg", "audio_file_path": "voice.mp3"},
    "start_seconds": 0,
    "end_seconds": 2,
}


def image(**changes: Any) -> dict[str, Any]:
    return {**IMAGE, **changes}


def face(path: Any) -> dict[str, Any]:
    return {"endpoint": "ai_headshot_generator", "assets": {"image_file_path": path}}


def edit(paths: Any) -> dict[str, Any]:
    return {"endpoint": "ai_image_editor", "assets": {"image_file_paths": paths}, "style": {"prompt": "Sunglasses"}}


GENERATE_REFUSES: dict[str, tuple[dict[str, Any], str | None, str]] = {
    "a misspelt field": (image(aspekt_ratio="16:9"), "aspekt_ratio", "did you mean `aspect_ratio`?"),
    "a misspelt field of an object": (image(style={"promt": "a"}), "style.promt", "did you mean `style.prompt`?"),
    "a field outside of its object": (image(prompt="a"), "prompt", "not a field of the contract"),
    "a required field left out": ({**IMAGE, "image_count": None}, "image_count", "required, but missing"),
    "a required field of an object left out": (image(style={}), "style.prompt", "required, but missing"),
    "text for a whole number": (image(image_count="1"), "image_count", "expected an integer, got str"),
    "a fraction for a whole number": (image(image_count=1.5), "image_count", "got float 1.5"),
    "text for a number": ({**TALK, "end_seconds": "2"}, "end_seconds", "expected a number, got str"),
    "text for an object": (image(style="a fox"), "style", "expected a dict"),
    "a number for text": (image(name=7), "name", "expected a string, got int 7"),
    "a misspelt option": (image(download_dir="out"), "download_dir", "did you mean `download_directory`?"),
    "an extra body that is no object": (image(extra_body=[1]), "extra_body", "expected a dict"),
    "no images": (image(image_count=0), "image_count", "must be from 1 to 16, got 0"),
    "an empty prompt": (image(style={"prompt": ""}), "style.prompt", "must not be empty"),
    "a clip that begins before the sound": ({**TALK, "start_seconds": -1}, "start_seconds", "must be at least 0"),
    "a clip that ends before it begins": ({**TALK, "start_seconds": 3}, "end_seconds", "is not after"),
    "a clip that no plan has": ({**TALK, "end_seconds": 301}, "end_seconds", "must be at most 300 after"),
    "an empty path": (face(""), "assets.image_file_path", "the path is empty"),
    "the home of nobody": (face("~nobody-at-all/a.png"), "assets.image_file_path", "is not a valid file path"),
    "a URL that is not for the web": (face("s3://bucket/a.png"), "assets.image_file_path", "begins with s3://"),
    "a file for a list of files": (edit("face.jpg"), "assets.image_file_paths", "put a single file in brackets"),
    "no image to edit": (edit([]), "assets.image_file_paths", "must not be empty; give 1 to 10 items"),
    "a missing file": (face("/none.png"), "assets.image_file_path", "there is no file /none.png"),
    "a device for a file": (face("/dev/null"), "assets.image_file_path", "is not a regular file"),
}
"""What `generate` refuses, with its own messages."""

OF_A_ROW: dict[str, tuple[dict[str, Any] | bytes, str | None, str]] = {
    "an empty file": (face("empty.png"), "assets.image_file_path", "empty.png is empty"),
    "a directory for a file": (face("pictures"), "assets.image_file_path", "is a directory"),
    "a file of another kind": (face("voice.mp3"), "assets.image_file_path", "expected an image"),
    "sound of another kind": ({**TALK, "assets": {"image_file_path": "face.jpg", "audio_file_path": "face.jpg"}},
     "assets.audio_file_path", "expected an audio file"),
    "a second file that is missing": (edit(["face.jpg", "b.png"]), "assets.image_file_paths[1]", "there is no file"),
    "a number for a file": (face(7), "assets.image_file_path", "expected the path of a file or a URL, got int 7"),
    "a download directory": (image(download_directory="out"), "download_directory", "--output DIR"),
    "a name for the outputs": (image(output_name="fox"), "output_name", "named after the key"),
    "not waiting": (image(wait_for_completion=False), "wait_for_completion", "waits for every job"),
    "not saving": (image(download_outputs=False), "download_outputs", "saves every output"),
    "a timeout": (image(timeout=5), "timeout", "Batch(timeout=...)"),
    "a poll interval": (image(poll_interval=5), "poll_interval", "Batch(poll_interval=...)"),
    "a listener": (image(on_progress="print"), "on_progress", "Batch(on_event=...)"),
    "a price that cannot be told": (image(extra_body={"image_count": "many"}), "image_count", "expected a number"),
    "no endpoint": ({"image_count": 1}, "endpoint", "is missing"),
    "an unknown endpoint": (image(endpoint="ai-image-genrator"), "endpoint", "did you mean ai_image_generator?"),
    "an endpoint that is free": (image(endpoint="image_projects"), "endpoint", "use one of ai_headshot_generator"),
    "an endpoint that is no text": (image(endpoint=1), "endpoint", "expected a string"),
    "a field beside parameters": ({"endpoint": "x", "parameters": {}, "seed": 1}, "seed", "put it inside"),
    "no key": (image(key=None), "key", "`key` is missing: give every row a unique one"),
    "a key that is no text": (image(key=7), "key", "expected a string, got int 7"),
    "an empty key": (image(key=" "), "key", "it is empty"),
    "a key that is too long": (image(key="x" * 201), "key", "201 characters exceed the maximum of 200"),
    "a key with a control character": (image(key="a\x1b[2J"), "key", "unprintable character U+001B"),
    "half a character in a key": (image(key="a\ud800"), "key", "unprintable character U+D800"),
    "a key that another row has": (image(key="fox"), "key", "line 1 has the same"),
    "a key with the same file name": (image(key="FOX."), "key", "would name its outputs fox-1, like fox in line 1"),
    "no JSON": (b"{'key': 'a'}", None, "invalid JSON: Expecting property name"),
    "JSON that ends too soon": (b'{"key": "a"', None, "invalid JSON"),
    "not a number": (b'{"key": "nan", "image_count": NaN}', None, "NaN is not a number in JSON"),
    "a name that is there twice": (b'{"key": "a", "style": {"tool": "a", "tool": "b"}}', None, '"tool" is duplicated'),
    "JSON without an end": (b"[" * 100_000, None, "invalid JSON"),
    "a list for an object": (b'["a"]', None, "expected an object on one line"),
    "a number beyond all": (
        b'{"key": "inf", "endpoint": "ai_image_generator", "image_count": 1, "style": {"prompt": "a"}, '
        b'"extra_body": {"seed": 1e999}}',
        None,
        "the body cannot be written as JSON",
    ),
    "a NUL": (json.dumps(image(key="nul")).encode() + b"\0", None, "it contains a NUL byte"),
    "another encoding": (json.dumps(image(key="latin", name="caf#")).encode().replace(b"#", b"\xe9"), None,
     "it is not UTF-8 (byte 0xe9 at offset",),
}  # fmt: skip
"""Mistakes that only a manifest can have; bytes are a whole line."""

FILE, FILES = "assets.image_file_path", "assets.image_file_paths"
HEADSHOT = {"endpoint": "ai_headshot_generator", "image_count": ""}
EDIT = {"endpoint": "ai_image_editor", "image_count": ""}
CELLS: dict[str, tuple[dict[str, str] | str, str | None, str]] = {
    "text for a whole number": ({"image_count": "one"}, "image_count", "expected an integer, got one"),
    "a fraction for a whole number": ({"image_count": "1.5"}, "image_count", "expected an integer, got float 1.5"),
    "a number that Python alone reads": ({"image_count": "1_0"}, "image_count", "expected an integer, got 1_0"),
    "no images": ({"image_count": "0"}, "image_count", "must be from 1 to 16, got 0"),
    "a required cell that is empty": ({"image_count": ""}, "image_count", "required, but missing"),
    "a required cell of an object that is empty": ({"style.prompt": ""}, "style", "required, but missing"),
    "a decimal comma": ({"endpoint": "ai_talking_photo", "end_seconds": "2,5"}, "end_seconds", "got 2,5"),
    "not a number": ({"endpoint": "ai_talking_photo", "start_seconds": "nan"}, "start_seconds", "got nan"),
    "a field of another endpoint": ({"end_seconds": "2"}, "end_seconds", "not a field of the contract"),
    "an extra body that is no JSON": ({"extra_body": "seed=1"}, "extra_body", "expected JSON"),
    "an extra body that is no object": ({"extra_body": "[1]"}, "extra_body", "expected a dict"),
    "an object that is no JSON": ({"style": "{", "style.prompt": ""}, "style", "expected JSON"),
    "a field given twice": ({"style": '{"prompt": "a"}'}, "style", "`style` is also set by another column"),
    "a list that is no JSON": ({**EDIT, FILES: "[a.png"}, FILES, "expected JSON"),
    "a missing file in a list": ({**EDIT, f"{FILES}[0]": "none.png"}, f"{FILES}[0]", "there is no file"),
    "no image to edit": ({**EDIT, FILES: "[]"}, FILES, "must not be empty; give 1 to 10 items"),
    "a missing file": ({**HEADSHOT, FILE: "none.png"}, FILE, "there is no file"),
    "a file of another kind": ({**HEADSHOT, FILE: "voice.mp3"}, FILE, "expected an image"),
    "an empty file": ({**HEADSHOT, FILE: "empty.png"}, FILE, "is empty"),
    "an empty key": ({"key": ""}, "key", "the cell is empty"),
    "a key of spaces": ({"key": "  "}, "key", "it is empty"),
    "a key that is too long": ({"key": "x" * 201}, "key", "201 characters"),
    "a line break in a key": ({"key": "two\nlines"}, "key", "unprintable character U+000A"),
    "a key that another row has": ({"key": "fox"}, "key", "line 2 has the same"),
    "a key with the same file name": ({"key": "Fox!"}, "key", "would name its outputs fox-1, like fox in line 2"),
    "an empty endpoint": ({"endpoint": ""}, "endpoint", "the cell is empty"),
    "an unknown endpoint": ({"endpoint": "headshot"}, "endpoint", "headshot is unknown"),
    "a cell without a column": ({"": "what for?"}, None, "column 12 has no name in the header"),
    "a row that is too short": ("short,ai_image_generator,1", None, "3 cells for 14 columns"),
    "a row that is too long": ("long" + "," * 14, None, "15 cells for 14 columns"),
    "a quote in the middle": ('quoted,"a"b' + "," * 12, None, "invalid CSV"),
    "a NUL": ("nul\0,ai_image_generator,1,A fox" + "," * 10, None, "it contains a NUL byte"),
    "another encoding": ("latin,ai_image_generator,1,caf\udce9" + "," * 10, None, "it is not UTF-8 (byte 0xe9"),
}
"""Cells that replace those of a valid row; a string is a whole line."""

COLUMNS = [
    *("key", "endpoint", "image_count", "style.prompt", "style", "start_seconds", "end_seconds", "extra_body"),
    *("assets.image_file_path", "assets.image_file_paths", "assets.image_file_paths[0]", ""),
]
HEADER = [
    ("style.promt", "style.promt", "did you mean `style.prompt`?"),
    ("download_directory", "download_directory", "not allowed in a row"),
]
"""Invalid columns, reported once, in line 1."""


@pytest.fixture
def folder(tmp_path: Path, portrait: Path, voice: Path) -> Path:
    shutil.copy(portrait, tmp_path / "face.jpg")
    shutil.copy(voice, tmp_path / "voice.mp3")
    (tmp_path / "empty.png").touch()
    (tmp_path / "pictures").mkdir()
    return tmp_path


def mistakes(read_it: Callable[[], object]) -> list[Mistake]:
    with pytest.raises(ManifestError) as caught:
        read_it()
    return caught.value.mistakes


def nothing_happened(manifest: Path, emulator: Emulator, count: int) -> None:
    """A batch of it ends before it begins."""
    batch = Batch(manifest, output=manifest.parent / "out", token=emulator.token, base_url=emulator.url)
    with batch, pytest.raises(ManifestError) as caught:
        list(batch.run())
    assert len(caught.value.mistakes) == count
    assert list(emulator.requests) == []
    assert emulator.ledger.creates == ()
    assert not (manifest.parent / "out").exists()


def test_thirty_kinds_of_mistakes_in_json_lines(folder: Path, emulator: Emulator) -> None:
    cases = {**GENERATE_REFUSES, **OF_A_ROW}
    assert len(cases) >= 30
    lines = [json.dumps(image(key="fox")).encode()]
    for number, (given, _, _) in enumerate(cases.values()):
        lines.append(given if isinstance(given, bytes) else json.dumps({"key": f"row {number}", **given}).encode())
    manifest = folder / "mistakes.jsonl"
    manifest.write_bytes(b"\n".join([*lines, json.dumps(image(key="right")).encode(), b""]))
    told = mistakes(lambda: read(manifest))
    for line, (name, (_, field, words)) in enumerate(cases.items(), 2):
        here = [each for each in told if each.line == line]
        assert any(each.field == field and words in each.message for each in here), (name, here)
    assert sorted({each.line for each in told}) == list(range(2, len(cases) + 2))
    nothing_happened(manifest, emulator, len(told))


def test_thirty_kinds_of_mistakes_in_a_table(folder: Path, emulator: Emulator) -> None:
    assert len(CELLS) >= 30
    columns = [*COLUMNS, *(column for column, _, _ in HEADER)]
    right = {"endpoint": "ai_image_generator", "image_count": "1", "style.prompt": "A red fox"}
    text = io.StringIO()
    rows = csv.DictWriter(text, columns, lineterminator="\r\n")
    rows.writeheader()
    rows.writerow({"key": "fox", **right})
    lines, line = [], 3
    for number, (given, _, _) in enumerate(CELLS.values()):
        before = text.tell()
        if isinstance(given, str):
            text.write(f"{given}\r\n")
        else:
            rows.writerow({"key": f"row {number}", **right, **given})
        lines.append(line)
        line += text.getvalue()[before:].count("\n")
    manifest = folder / "mistakes.csv"
    manifest.write_bytes(text.getvalue().encode(errors="surrogateescape"))
    told = mistakes(lambda: read(manifest))
    assert [(each.line, each.field) for each in told[:2]] == [(1, field) for _, field, _ in HEADER]
    assert all(words in each.message for each, (_, _, words) in zip(told, HEADER, strict=False))
    for line, (name, (_, field, words)) in zip(lines, CELLS.items(), strict=True):
        here = [each for each in told if each.line == line]
        assert any(each.field == field and words in each.message for each in here), (name, here)
    assert {each.line for each in told} == {1, *lines}
    nothing_happened(manifest, emulator, len(told))


@pytest.mark.parametrize("name", GENERATE_REFUSES)
def test_the_words_are_those_of_a_single_call(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    given, field, _ = GENERATE_REFUSES[name]
    parameters = {key: value for key, value in given.items() if key not in ("endpoint", "extra_body")}
    extra_body = given.get("extra_body")
    with Client(token="x", base_url="http://127.0.0.1:1") as client, pytest.raises(InvalidArgument) as caught:
        client.runner.generate(endpoint(f"v1.{given['endpoint']}.create"), parameters, extra_body=extra_body)
    told = mistakes(lambda: read([{"key": "a", **given}]))
    assert (caught.value.field, str(caught.value)) in [(each.field, each.message) for each in told]
    assert told[0].field == field


def test_every_mistake_of_a_row() -> None:
    row = {
        "key": "",
        "endpoint": "ai_talking_photo",
        "assets": {"image_file_path": "none.png", "audio_file_path": b"sound", "vidio": "a.mp4"},
        "start_seconds": "early",
        "style": {"prompt": 7, "promt": "a", "generation_mode": ["pro"]},
        "name": 7,
        "nme": "a",
        "timeout": 5,
        "extra_body": [],
    }
    assert sorted(str(mistake.field) for mistake in mistakes(lambda: read([row]))) == [
        *("assets.audio_file_path", "assets.image_file_path", "assets.vidio", "end_seconds", "extra_body", "key"),
        *("name", "nme", "start_seconds", "style.generation_mode", "style.prompt", "style.promt", "timeout"),
    ]


@pytest.mark.parametrize("name", [7, "a.b", "prompt.", "[0]"])
def test_a_name_that_leads_nowhere_is_told_once(name: object) -> None:
    """Looking for more mistakes comes to an end, and makes none up."""
    told = mistakes(lambda: read([image(key="a", style={"prompt": "a", name: 1})]))
    assert [mistake.field for mistake in told] == [f"style.{name}"]


def test_what_depends_on_a_wrong_field_is_not_called_wrong() -> None:
    """The clip may be short enough, once its beginning is a number."""
    row = {**TALK, "key": "a", "assets": {}, "start_seconds": "100", "end_seconds": 350}
    fields = {mistake.field for mistake in mistakes(lambda: read([row]))}
    assert fields == {"assets.image_file_path", "assets.audio_file_path", "start_seconds"}


@pytest.mark.parametrize("value", [b"bytes", io.BytesIO(b"bytes"), ("a.png", b"bytes"), bytearray(b"bytes")])
def test_what_is_in_memory_does_not_outlive_the_process(value: Any) -> None:
    for given, field in ((face(value), "assets.image_file_path"), (edit([value]), "assets.image_file_paths[0]")):
        [mistake] = mistakes(lambda given=given: read([{"key": "a", **given}]))  # type: ignore[misc]
        assert (mistake.field, "pass its path" in mistake.message) == (field, True)


def test_what_is_no_row() -> None:
    told = mistakes(lambda: read([("a", "ai_image_generator"), "b", None, ("c", "x", [])]))  # type: ignore[list-item]
    assert [(each.line, each.message.startswith("expected a Row, a dict or")) for each in told] == [
        (line, True) for line in (1, 2, 3, 4)
    ]


def test_the_message_names_twenty_and_counts_the_rest() -> None:
    with pytest.raises(ManifestError) as caught:
        read([image(key=f"row {number}", image_count=0) for number in range(30)])
    first, *lines, last = str(caught.value).splitlines()
    assert first == "the rows: 30 mistakes, so nothing was uploaded or charged"
    assert lines[0] == "  line 1, key row 0: `image_count`: must be from 1 to 16, got 0"
    assert (len(lines), last) == (20, "  ... and 10 more")
    assert len(caught.value.mistakes) == 30


def test_the_error_can_be_pickled() -> None:
    with pytest.raises(ManifestError) as caught:
        read([image(key="a", image_count=0)])
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  (our own)
    assert (str(copy), copy.mistakes) == (str(caught.value), caught.value.mistakes)
    assert isinstance(copy, ValueError)


def test_no_secret_of_a_url_is_told() -> None:
    row = face("ftp://me:hush@storage.example/a.png?signature=hush")
    with pytest.raises(ManifestError) as caught:
        read([{"key": "https://storage.example/a.png?signature=hush", **row}])
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("endpoint,image_count,style.prompt", ["key"]),
        ("key,image_count,style.prompt", ["endpoint"]),
        ("key,endpoint,image_count,image_count,style.prompt", ["image_count"]),
        ("key;endpoint;image_count;style.prompt", ["key", "endpoint", "key;endpoint;image_count;style.prompt"]),
        ("key,endpoint,style..prompt,style[,assets.image_file_path[0]", ["style..prompt", "style[", None]),
    ],
)
def test_headers_that_cannot_be_right(header: str, fields: list[str | None], tmp_path: Path) -> None:
    """Told once, not again in every row."""
    manifest = tmp_path / "rows.csv"
    manifest.write_text(f"{header}\n", encoding="utf-8")
    told = mistakes(lambda: read(manifest))
    assert [each.field for each in told] == [field or "assets.image_file_path[0]" for field in fields]
    assert {each.line for each in told} == {1}
    assert ("separate the columns with commas" in told[0].message) == (";" in header)


def test_a_table_without_keys_never_counts_lines_instead(tmp_path: Path) -> None:
    manifest = tmp_path / "rows.csv"
    manifest.write_text("endpoint,image_count,style.prompt\n" + "ai_image_generator,0,a\n" * 3, encoding="utf-8")
    told = mistakes(lambda: read(manifest))
    assert [(each.line, each.field) for each in told] == [(1, "key"), *((line, "image_count") for line in (2, 3, 4))]


def test_a_quote_that_never_ends_is_told_where_it_begins(tmp_path: Path) -> None:
    manifest = tmp_path / "rows.csv"
    manifest.write_text('key,endpoint\n"fox,ai_image_generator\na,b\nc,d\n', encoding="utf-8")
    [mistake] = mistakes(lambda: read(manifest))
    assert (mistake.line, mistake.message[:11]) == (2, "invalid CSV")


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv"])
def test_utf_16_is_told_once(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes("key,endpoint\na,b\nc,d\n".encode("utf-16"))
    assert [each.message for each in mistakes(lambda: read(tmp_path / name))] == [
        "the file is UTF-16; save it as UTF-8"
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.csv", None, "there is no file"),
        ("rows.xlsx", b"PK", "has an unknown format: expected .jsonl, .ndjson, .csv"),
        ("rows.json", b"[]", "one JSON object per line"),
        ("empty.csv", b"", "empty.csv has no rows"),
        ("empty.jsonl", b"\n\n", "empty.jsonl has no rows"),
        ("header.csv", b"key,endpoint\n,\n", "header.csv has no rows"),
    ],
)
def test_a_file_that_is_no_manifest(name: str, content: bytes | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidArgument, match=words) as caught:
        read(tmp_path / name)
    assert caught.value.field == "manifest"
    assert isinstance(caught.value, FileNotFoundError) == (content is None)


@pytest.mark.parametrize("source", ["a\0.csv", "~nobody-at-all/rows.csv", "x" * 5000, "/dev/null", ".", "/", b"a.csv"])
def test_a_path_that_is_no_file(source: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        read(source)
    assert caught.value.field == "manifest"


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for name, words in (("pipe.csv", "is not a regular file"), ("folder.csv", "is a directory")):
        with pytest.raises(InvalidArgument, match=words):
            read(tmp_path / name)


@pytest.mark.parametrize("source", [None, 7, image(key="a"), [], iter(())])
def test_rows_that_are_none(source: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        read(source)
    assert caught.value.field == "manifest"


def test_an_endpoint_for_all_that_does_not_exist() -> None:
    with pytest.raises(InvalidArgument, match="did you mean ai_image_editor"):
        read([], endpoint="ai_image_edit")
