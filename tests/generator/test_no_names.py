"""No hand-written module names an operation, a resource or a path of the service: what depends on the contract is rows.

Rule: the names are read from the contract: an operationId, a path, a resource such as `ai_image_generator`, also with
dashes, or after `v1.` and `v1_`. One plain word, such as `files`, is a word of the language too: it counts only
with its `v1`, as in `/v1/files`. What an extension is called (`x-upload-urls`) is our word, not the service's.
Docstrings, comments, the demos and lines for a terminal, which begin with `magic-hour`, may give examples.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from generator.build import Build

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("workflows", "emulator", "scripts", "templates/runtime")
OTHER_CODE = (".js", ".css", ".html", ".jinja")


@pytest.fixture(scope="module")
def named(contract_build: Build) -> re.Pattern[str]:
    """Finds the names of the contract in a text."""
    ours = {key.removeprefix("x-") for _, _, each in contract_build.contract.operations() for key in each}
    names = set()
    for path, _, operation in contract_build.contract.operations():
        resource = path.split("/{")[0].removeprefix("/v1/")
        segments = [part for part in resource.split("/") if part not in ours]
        names |= {operation["operationId"], *(part for part in segments if "-" in part)}
        names |= {f"v1{dot}{segments[0]}" for dot in "./_"} if segments else set()
    names |= {name.replace("-", "_") for name in names}
    assert len(names) > 100
    return re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, sorted(names, key=len, reverse=True)))})(?![\w-])")


def words(source: str) -> Iterator[tuple[int, str]]:
    """Each string and each name in Python code, with its line; no docstring."""
    tree = ast.parse(source)
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in documentation:
            continue
        line = getattr(node, "lineno", 0)
        for _, value in ast.iter_fields(node):
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, str | bytes):
                    text = each if isinstance(each, str) else each.decode("latin-1")
                    yield line, re.sub(r"\bmagic-hour .*", "", text)


def code() -> Iterator[tuple[Path, int, str]]:
    """Everything in the code by hand that could be a name."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix == ".py" and not path.name.startswith("demo"):
                for line, text in words(path.read_text(encoding="utf-8")):
                    yield path, line, text
            elif path.suffix in OTHER_CODE:
                for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                    yield path, line, text


def test_no_module_names_what_the_contract_names(named: re.Pattern[str]) -> None:
    search = functools.cache(named.search)  # most names are those of many places
    found = [f"{path.relative_to(ROOT)}:{line}: {match[0]}" for path, line, text in code() if (match := search(text))]
    assert found == []


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ('url = "/v1/ai-image-generator"', "v1/ai-image-generator"),
        ('if name == "face_swap": pass', "face_swap"),
        ("client.v1.head_swap.create()", "head_swap"),
        ("def create_lip_sync(): pass", "create_lip_sync"),
        ("from a.v1_animation import b", "v1_animation"),
        ('f"{base}/v1/files/{id}"', "v1/files"),
        ("call(face_detection=1)", "face_detection"),
        ("x = b'image-projects'", "image-projects"),
        ('"""magic-hour video lip-sync"""\nexample = "magic-hour video face-swap --video a.mp4"', None),
        ('help = "magic-hour runs\\nface-swap"', "face-swap"),
        ('"""As in `client.v1.head_swap`."""\n# face_swap\n', None),
        ('"files", "account", "animation", "x-upload-urls", "upload_urls", "my_face_swap_x"', None),
    ],
)
def test_a_planted_name_is_found(planted: str, found: str | None, named: re.Pattern[str]) -> None:
    matches = [match[0] for _, text in words(f"a = 1\n{planted}") for match in named.finditer(text)]
    assert (found in matches) if found else not matches, matches
