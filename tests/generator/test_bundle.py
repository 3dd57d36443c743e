"""A document of several files is one document, and no other file is ever read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from generator.bundle import read_bundled
from generator.contract import load
from generator.problems import InvalidSpec

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "spec" / "magic-hour.openapi.yaml"
NOT_PARTS = {"differences.yaml"}

Documents = dict[str, Any]
ANSWER = {"200": {"description": "Done."}}


def documents() -> Documents:
    """A root, a path of it in a part, and what the part shares with the root in another part."""
    media = {"application/json": {"schema": {"$ref": "sub/shared.yaml#/components/schemas/Thing"}}}
    return {
        "root.yaml": {
            "openapi": "3.1.0",
            "info": {"title": "Small", "version": "1"},
            "paths": {"/things": {"$ref": "things.yaml#/paths/~1things"}},
            "components": {"schemas": {"Own": {"type": "string"}}},
        },
        "things.yaml": {
            "paths": {
                "/things": {
                    "post": {"operationId": "make", "requestBody": {"content": media}, "responses": ANSWER},
                }
            }
        },
        "sub/shared.yaml": {
            "x-note": "anything",
            "components": {
                "schemas": {
                    "Thing": {
                        "type": "object",
                        "properties": {
                            "own": {"$ref": "../root.yaml#/components/schemas/Own"},
                            "size": {"$ref": "#/components/schemas/Size"},
                        },
                        "example": {"$ref": "nowhere.yaml"},
                    },
                    "Size": {"type": "integer"},
                }
            },
        },
    }


def written(folder: Path, files: Documents) -> Path:
    for name, document in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(document), encoding="utf-8")
    return folder / "root.yaml"


def test_parts_become_one_document(tmp_path: Path) -> None:
    raw = load(written(tmp_path, documents())).raw
    schemas = raw["components"]["schemas"]
    assert list(raw["paths"]["/things"]) == ["post"]
    assert schemas["Thing"]["properties"] == {
        "own": {"$ref": "#/components/schemas/Own"},
        "size": {"$ref": "#/components/schemas/Size"},
    }
    assert schemas["Thing"]["example"] == {"$ref": "nowhere.yaml"}, "an example is only data"
    assert schemas.keys() == {"Own", "Thing", "Size"}
    assert "x-note" not in raw


def change(files: Documents, name: str, *keys: str, to: Any) -> None:
    node = files[name]
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = to


def refer(reference: str) -> Callable[[Documents], None]:
    """Makes the root refer to it."""
    return lambda files: change(files, "root.yaml", "components", "schemas", "Own", to={"$ref": reference})


SCHEMA = "#/components/schemas/Thing"
REFUSED: dict[str, tuple[Callable[[Documents], None], str]] = {
    "a name twice": (
        lambda files: change(files, "things.yaml", "components", to={"schemas": {"Size": {}}}),
        "`components/schemas/Size` is in ",
    ),
    "a path that the root does not name": (
        lambda files: change(files, "things.yaml", "paths", "/lost", to={"get": {"responses": ANSWER}}),
        "things.yaml: the path '/lost' is in no `paths` of root.yaml",
    ),
    "a path that the part does not have": (
        lambda files: change(files, "root.yaml", "paths", "/other", to={"$ref": "things.yaml#/paths/~1other"}),
        "paths//other: things.yaml has no path '/other'",
    ),
    "more than paths and components": (
        lambda files: change(files, "things.yaml", "servers", to=[]),
        "things.yaml: it may have `paths` and `components` only, not 'servers'",
    ),
    "components that are a list": (
        lambda files: change(files, "things.yaml", "components", to=[]),
        "things.yaml: it may have `paths` and `components` only, not 'components'",
    ),
    "a whole file": (refer("things.yaml"), "leads to neither a component nor a path"),
    "a path for a schema": (refer("things.yaml#/paths/~1things"), "leads to neither a component nor a path"),
    "something else of a file": (refer("things.yaml#/info"), "leads to neither a component nor a path"),
    "a component that is nowhere": (refer("things.yaml#/components/schemas/Lost"), "leads nowhere"),
    "a file that is nowhere": (refer(f"lost.yaml{SCHEMA}"), "leads out of the document"),
    "above the folder": (refer(f"../outside.yaml{SCHEMA}"), "leads out of the document"),
    "above it by a detour": (refer(f"sub/../../outside.yaml{SCHEMA}"), "leads out of the document"),
    "above it by a link": (refer(f"link.yaml{SCHEMA}"), "leads out of the document"),
    "a linked folder": (refer(f"folder/outside.yaml{SCHEMA}"), "leads out of the document"),
    "an absolute path": (refer(f"/etc/passwd{SCHEMA}"), "leads out of the document"),
    "a URL": (refer(f"http://127.0.0.1:9/a.yaml{SCHEMA}"), "leads out of the document"),
    "a URL of a file": (refer(f"file:///etc/passwd.yaml{SCHEMA}"), "leads out of the document"),
    "another kind of file": (refer(f"secret.txt{SCHEMA}"), "leads out of the document"),
    "an escaped path": (refer(f"%2e%2e/outside.yaml{SCHEMA}"), "leads out of the document"),
    "a folder": (refer(f"dir.yaml{SCHEMA}"), "leads out of the document"),
    "a zero byte": (refer(f"a\0.yaml{SCHEMA}"), "leads out of the document"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files outside are never opened: each of these leads to one that is there and would fit."""
    harm, message = REFUSED[name]
    outside = tmp_path / "outside.yaml"
    outside.write_text(json.dumps({"components": {"schemas": {"Thing": {"type": "string"}}}}), encoding="utf-8")
    folder = tmp_path / "spec"
    folder.mkdir()
    files = documents()
    harm(files)
    root = written(folder, files)
    (folder / "secret.txt").write_bytes(outside.read_bytes())
    (folder / "dir.yaml").mkdir()
    (folder / "link.yaml").symlink_to(outside)
    (folder / "folder").symlink_to(tmp_path)
    opened: list[Path] = []
    really_open = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *a, **k: (opened.append(path), really_open(path, *a, **k))[1])
    with pytest.raises(InvalidSpec) as raised:
        load(root)
    assert message in str(raised.value)
    assert {path.resolve() for path in opened} <= {(folder / file).resolve() for file in files}


def test_all_files_together_have_one_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = written(tmp_path, documents())
    sizes = [len(path.read_text(encoding="utf-8")) for path in tmp_path.rglob("*.yaml")]
    monkeypatch.setattr("generator.bundle.MOST_CHARACTERS", sum(sizes))
    read_bundled(root)
    monkeypatch.setattr("generator.bundle.MOST_CHARACTERS", sum(sizes) - 1)
    with pytest.raises(InvalidSpec, match="characters"):
        read_bundled(root)


def test_every_file_of_the_contract_is_part_of_it() -> None:
    """A file that nothing refers to would be an operation that nobody has."""
    yaml, named = YAML(typ="safe"), {SPEC.name}
    texts = {path.name: path.read_text(encoding="utf-8") for path in SPEC.parent.glob("*.yaml")}
    for text in texts.values():
        yaml.load(text)
        named |= {name for name in texts if f'"{name}#/' in text}
    assert named == texts.keys() - NOT_PARTS
