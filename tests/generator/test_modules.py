"""Which module of `models` a class is in: that of the one resource that uses it, or one with others like it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from magic_hour_client import Client
from magic_hour_workflows._operations import paid
from publishing import ROOT

MODELS = ROOT / "generated" / "magic_hour_client" / "models"


def classes(folder: Path) -> dict[str, list[str]]:
    """The names that each module defines."""
    return {
        path.stem: [
            line.removeprefix("class ").split("(")[0].split(":")[0]
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.startswith("class ") or ": _t.TypeAlias" in line
        ]
        for path in folder.glob("*.py")
        if path.stem != "__init__"
    }


def test_the_parts_of_an_operation_are_together() -> None:
    found = classes(MODELS)
    assert found["v1_ai_meme_generator"] == [
        "MemeTemplate",
        "V1AiMemeGeneratorCreateBody",
        "V1AiMemeGeneratorCreateBodyStyle",
    ]
    assert "ProjectStatus" in found["project_download"], "used by the projects of all kinds"
    assert len(found) < len([name for names in found.values() for name in names]) / 3


def test_shared_classes_are_in_one_module(document: dict[str, Any], run_generator: Any, tmp_path: Path) -> None:
    """Another resource that uses a class moves it, with what it holds, out of the module of the first."""
    document["paths"]["/others"] = {"post": {**document["paths"]["/things"]["post"], "operationId": "other"}}
    assert run_generator(document).code == 0
    assert classes(tmp_path / "out" / "small_client" / "models") == {"part": ["ThingColour", "Part", "Thing"]}


def test_resources_of_one_kind_of_projects_share_a_module() -> None:
    with Client(token="mhk_made_up") as client:

        def module(resource: str) -> str:
            return type(getattr(client.v1, resource)).__module__.rpartition(".")[2]

        for name, row in paid().items():
            assert module(name.split(".")[1]) == f"v1_{row['project_kind']}_projects"
        assert (module("account"), module("face_detection")) == ("v1_account", "v1_face_detection")
