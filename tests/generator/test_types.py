"""What a type checker makes of generated code: it knows new fields, new operations and foreign documents.

Rule: one run of mypy for all programs, which takes as long as a run for one.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from programs import python

pytestmark = pytest.mark.slow

FIELD = """\
from magic_hour_workflows import AsyncClient, Client


async def main(client: Client, async_client: AsyncClient) -> None:
    client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "x"}, seed=3)
    client.v1.ai_image_generator.create(image_count=1, style={"prompt": "x", "mood": "calm"}, seed=3)
    await async_client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "x", "mood": "calm"}, seed=3)
    await async_client.v1.ai_image_generator.create(image_count=1, style={"prompt": "x"}, seed=3)
    client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "x"}, seed="x")  # wrong
    client.v1.ai_image_generator.create(image_count=1, style={"prompt": "x"}, seed="x")  # wrong
    client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "x", "moood": "calm"})  # wrong
    await async_client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "x"}, seed="x")  # wrong
    await async_client.v1.ai_image_generator.create(image_count=1, style={"prompt": "x"}, sed=3)  # wrong
"""

OPERATION = """\
from pathlib import Path

from magic_hour_workflows import AsyncClient, Client


async def main(client: Client, other: AsyncClient) -> None:
    path = Path("a.png")
    client.v1.hologram.generate(end_seconds=1, assets={"faces": [{"original_face": "f", "new_face": path}]})
    await other.v1.hologram.generate(end_seconds=1, assets={"video_file_path": path}, mode="deep")
    client.v1.hologram.create(end_seconds=1, assets={"video_file_path": "video/a.mp4"})
    client.v1.hologram.generate(end_seconds=1, assets={"faces": [{"original_face": "f", "new_face": 5}]})  # wrong
    client.v1.hologram.generate(end_seconds="1", assets={"video_file_path": path})  # wrong
    await other.v1.hologram.generate(end_seconds=1, assets={"video_file_path": path}, mood="deep")  # wrong
    client.v1.hologram.create(end_seconds=1, assets={"video_file_path": path})  # wrong
    client.v1.hologram.create(end_seconds=1)  # wrong
"""

FOREIGN = """\
from corner_library_client import Client
from corner_library_client.models import Price


def main(client: Client) -> None:
    book = client.books.create(title="a", class_="A", identifiers={"x": {"amount": 1, "currency": "eur"}})
    client.books.create(title="a", class_="A", identifiers={"x": Price(amount=1, currency="usd")})
    reveal_type(book.id)
    reveal_type(book.identifiers)
    reveal_type(book.class_)
    client.readers.create(address={"city": "x"}, full_name="y", labels={"a": "b"}, preferences={"c": 1})
    reveal_type(client.stock.replace(body={"sku": 1}))
    reveal_type(client.shelves.get())
    client.stock.replace(body={"sku": "many"})  # wrong
    client.books.create(title="a", class_=4)  # wrong
    client.loans.get_loan(loan_id=1).loan_id
    client.shelves.create(name="a", parent={"name": "b", "parent": None}, children=[{"name": "c"}])
"""
PROGRAMS = {"field": FIELD, "operation": OPERATION, "foreign": FOREIGN}


@pytest.fixture(scope="module")
def checked(grown: Path, foreign: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mypy says of all programs, and of the package of the foreign document."""
    folder = tmp_path_factory.mktemp("typed")
    for name, text in PROGRAMS.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    paths = os.pathsep.join(map(str, (grown / "generated", grown / "workflows", foreign.package.parent)))
    command = ("-m", "mypy", "--strict", "--explicit-package-bases", "--config-file", os.devnull)
    given = (*(f"{name}.py" for name in PROGRAMS), foreign.package)
    return python(*command, *given, cwd=folder, variables={"MYPYPATH": paths}).stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_wrong_is_found_and_nothing_else(name: str, checked: str) -> None:
    found = {int(line) for line in re.findall(rf"^{name}\.py:(\d+): error: ", checked, re.MULTILINE)}
    wrong = {number for number, line in enumerate(PROGRAMS[name].splitlines(), 1) if "# wrong" in line}
    assert found == wrong, checked


def test_a_foreign_package_is_right_itself(checked: str) -> None:
    """Errors in our own packages are for `make types` to find."""
    assert re.findall(r"^.*corner_library_client.* error: .*$", checked, re.MULTILINE) == []


def test_answers_have_their_types(checked: str) -> None:
    revealed = re.findall(r'Revealed type is "(.*)"', checked)
    assert [text.replace("corner_library_client.models.", "") for text in revealed] == [
        "uuid.UUID",
        "dict[str, books.Price] | None",
        "str",
        "dict[str, int]",
        "shelves.Shelf",
    ]
