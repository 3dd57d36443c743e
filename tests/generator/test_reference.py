"""The reference pages have the shape of the documents that users of this service's SDKs know.

`SHAPE` is that shape, read off two of the reference pages of 2025 (spec/README.md), which are quoted where it
matters; both were parsed with the parser below when this was written.
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from generator.contract import load
from generator.examples import made_up
from generator.names import attribute
from generator.reference import END, START, pages
from generator.reference_generate import ANCHOR
from generator.reference_index import NAME as INDEX
from magic_hour_workflows import Client

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "reference").glob("v1.*.md"))
OPERATION = [
    *('### <a name="{method}"></a>', "**API Endpoint**", "#### Parameters"),
    "| Parameter | Required | Description | Example |",
    "|-----------|:--------:|-------------|--------|",
    *("#### Synchronous Client", "```python", "```", "#### Asynchronous Client", "```python", "```", "#### Response"),
]
GENERATE = [
    *('### <a name="generate"></a>', "#### Parameters", "#### Synchronous Client", "```python", "```"),
    *("#### Asynchronous Client", "```python", "```", "#### Command Line", "```sh", "```"),
]
"""The section about `generate`, generated where none is written by hand."""
ANSWER = ["##### Type", "##### Example"]
DOCUMENT = f"""\
# v1.ai_image_editor

## Module Functions




{START}

### Ai Image Editor Generate Workflow <a name="generate"></a>

{END}
### AI Image Editor <a name="create"></a>

Edit images with AI. Each edit costs 50 credits.

**API Endpoint**: `POST /v1/ai-image-editor`

#### Parameters

| Parameter | Required | Description | Example |
|-----------|:--------:|-------------|--------|
| `assets` | ✓ | Provide the assets for image edit | `{{"image_file_path": "api-assets/id/1234.png"}}` |
| `└─ image_file_path` | ✓ | The image used in the edit.  | `"api-assets/id/1234.png"` |
| `style` | ✓ |  | `{{"prompt": "Give me sunglasses"}}` |
| `└─ prompt` | ✓ | The prompt used to edit the image. | `"Give me sunglasses"` |
| `name` | ✗ | The name of image. | `"Ai Image Editor image"` |

#### Synchronous Client

```python
from magic_hour import Client
from os import getenv

client = Client(token=getenv("API_TOKEN"))
res = client.v1.ai_image_editor.create(
    assets={{"image_file_path": "api-assets/id/1234.png"}},
    style={{"prompt": "Give me sunglasses"}},
    name="Ai Image Editor image",
)

```

#### Asynchronous Client

```python
from magic_hour import AsyncClient
from os import getenv

client = AsyncClient(token=getenv("API_TOKEN"))
res = await client.v1.ai_image_editor.create(
    assets={{"image_file_path": "api-assets/id/1234.png"}},
    style={{"prompt": "Give me sunglasses"}},
    name="Ai Image Editor image",
)

```

#### Response

##### Type
[V1AiImageEditorCreateResponse](/magic_hour/types/models/v1_ai_image_editor_create_response.py)

##### Example
`{{"credits_charged": 50, "frame_cost": 50, "id": "cuid-example"}}`
"""
"""Document 004, shortened inside its custom block and its descriptions."""


class Row(NamedTuple):
    depth: int
    name: str
    required: bool
    deprecated: bool
    description: str
    example: str


def shape(text: str) -> list[str]:
    """The headings, tables, fences and markers of a page in their order; texts, rows and code left out."""
    text = re.sub(f"{START}.*?{END}", f"{START}\n{END}", text, flags=re.DOTALL)
    text = re.sub(r"^```python\n.*?^```$", "```python\n```", text, flags=re.DOTALL | re.MULTILINE)
    found = []
    for line in text.splitlines():
        if line.startswith("### "):
            found.append(re.sub(r"^### .+ <a", "### <a", line))
        elif line.startswith("**"):
            found.append(line.partition(":")[0])
        elif line.startswith(("#", "```", "<!--", "| Parameter", "|--")):
            found.append(line)
    return found


def rows(text: str) -> list[Row]:
    found = []
    for line in text.splitlines():
        if not line.startswith("| `"):
            continue
        cells = [cell.strip(" ") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        label, required, description, example = cells
        code = re.match(r"`(\u00a0*)(└─ )?([^`]+)`( \(deprecated\))?$", label)
        assert code, label
        depth = (len(code[1]) // 4 + 1) if code[2] else 0
        found.append(Row(depth, code[3], required == "✓", bool(code[4]), description, example))
    return found


def operations(text: str) -> list[str]:
    """The part of the page after the custom block, one piece for each operation."""
    pieces = re.split(r"^(?=### )", text.partition(END)[2], flags=re.MULTILINE)[1:]
    return [piece for piece in pieces if ANCHOR not in piece]


def wanted_shape(resource: str, methods: list[tuple[str, bool]], *, generates: bool = False) -> list[str]:
    found = [f"# {resource}", "## Module Functions", START, END, *(GENERATE if generates else [])]
    for method, answers in methods:
        found += [line.format(method=method) for line in OPERATION] + (ANSWER if answers else [])
    return found


def test_the_parser_reads_the_document() -> None:
    assert shape(DOCUMENT) == wanted_shape("v1.ai_image_editor", [("create", True)])
    assert [(row.depth, row.name, row.required) for row in rows(DOCUMENT)] == [
        (0, "assets", True),
        (1, "image_file_path", True),
        (0, "style", True),
        (1, "prompt", True),
        (0, "name", False),
    ]


def test_there_is_a_page_for_every_resource(contract_build: Any) -> None:
    nodes = [node for node in contract_build.endpoints.resources() if node.operations]
    assert {path.stem for path in PAGES} == {node.path for node in nodes}
    assert len(PAGES) == 34


@pytest.fixture
def node(path: Path, contract_build: Any) -> Any:
    return next(node for node in contract_build.endpoints.resources() if node.path == path.stem)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_headings_and_tables(path: Path, node: Any) -> None:
    methods = [(view.method_name, view.result_annotation != "None") for view in node.operations]
    text = path.read_text(encoding="utf-8")
    generates = bool(node.generators) and ANCHOR not in text.partition(END)[0]
    assert shape(text) == wanted_shape(path.stem, methods, generates=generates)
    assert text.count(ANCHOR) == bool(node.generators)
    assert text.count(START) == text.count(END) == 1


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_rows_are_those_of_the_contract(path: Path, node: Any, contract_build: Any) -> None:
    """Read from the document itself, not through what the generator makes of it."""
    spec = load(ROOT / "spec" / "magic-hour.openapi.yaml").raw
    for view, text in zip(node.operations, operations(path.read_text(encoding="utf-8")), strict=True):
        item = spec["paths"][view.path]
        parameters = [*item.get("parameters", []), *item[view.method.lower()].get("parameters", [])]
        parameters = [resolved(spec, parameter) for parameter in parameters]
        expected = [(0, each["name"], each.get("required", False), False) for each in parameters]
        body = item[view.method.lower()].get("requestBody")
        if body:
            expected += expected_rows(spec, body["content"]["application/json"]["schema"], 0)
        found = [(row.depth, row.name, row.required, row.deprecated) for row in rows(text)]
        assert found == expected
        assert all(row.description and len(row.example) > 2 for row in rows(text))
        assert all(row.description.startswith("Deprecated: ") is row.deprecated for row in rows(text))


def resolved(spec: Any, node: Any) -> Any:
    if "$ref" not in node:
        return node
    target = spec
    for part in node["$ref"][2:].split("/"):
        target = target[part]
    return {**target, **node}


def expected_rows(spec: Any, schema: Any, depth: int) -> list[tuple[int, str, bool, bool]]:
    schema = resolved(spec, schema)
    if schema.get("type") == "array":
        schema = resolved(spec, schema["items"])
    required = schema.get("required", [])
    found = []
    for name in [*sorted(required), *sorted(set(schema.get("properties", {})) - set(required))]:
        inner = resolved(spec, schema["properties"][name])
        needed = name in required and "x-implied" not in inner
        found.append((depth, attribute(name), needed, inner.get("deprecated", False)))
        found += expected_rows(spec, inner, depth + 1)
    return found


def test_the_rows_are_not_empty() -> None:
    found = {path.stem: rows(path.read_text(encoding="utf-8")) for path in PAGES}
    assert [row.name for row in found["v1.ai_talking_photo"] if row.deprecated] == ["max_resolution", "intensity"]
    assert [row.name for row in found["v1.ai_image_generator"] if row.required] == ["image_count", "style", "prompt"]
    assert {row.depth for row in found["v1.files.upload_urls"]} == {0, 1}


def test_choices_are_listed_but_for_retired_ones() -> None:
    found = {path.stem: {row.name: row for row in rows(path.read_text(encoding="utf-8"))} for path in PAGES}
    assert found["v1.face_swap"]["version"].description.endswith("Known: v1, v2, default.")
    assert found["v1.ai_video_editor"]["model"].description.endswith(
        "as it is. Known: gemini-omni, gemini-omni-1.1, ltx-2.3, ltx-2.5."
    )
    assert "Known" not in found["v1.ai_talking_photo"]["generation_mode"].description, "its text names them all"
    assert "Known" not in found["v1.face_swap"]["start_seconds"].description


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_types_lead_to_their_file(path: Path, node: Any) -> None:
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"^\[(\w+)\]\((.+)\)$", text, re.MULTILINE)
    assert len(links) == sum(view.result_annotation != "None" for view in node.operations)
    for name, target in links:
        module = (path.parent / target).resolve()
        assert module.is_file()
        assert f"class {name}(" in module.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_snippets_are_python(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    snippets = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(snippets) >= 2 * len(operations(text)) > 0
    for snippet in snippets:
        compile("async def main():\n" + re.sub("^", "    ", snippet, flags=re.MULTILINE), path.name, "exec")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_generate_is_described_as_it_is(path: Path, node: Any) -> None:
    """Also where it is written by hand: the options are those besides the fields, and the calls give known names."""
    for view in node.generators:
        page = path.read_text(encoding="utf-8")
        text = page[page.index(ANCHOR) :].partition("#### Response")[0].partition('<a name="create">')[0]
        resource: Any = Client(token="unused")
        for name in view.resource:
            resource = getattr(resource, name)
        fields = {field.attribute for field in view.generate_keywords}
        taken = set(inspect.signature(resource.generate).parameters)
        assert set(re.findall(r"^- `(\w+)` \(", text, re.MULTILINE)) == taken - fields
        calls = [each for each in ast.walk(ast.parse(snippet(text))) if isinstance(each, ast.Call)]
        given = [{str(word.arg) for word in call.keywords} for call in calls if "generate" in ast.dump(call.func)]
        assert len(given) == 2
        assert all("download_directory" in names and names <= taken for names in given)
        assert "api-assets/" not in snippet(text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_help_of_generate_has_the_fields_of_the_table(path: Path, node: Any) -> None:
    for view, text in zip(node.operations, operations(path.read_text(encoding="utf-8")), strict=True):
        if view.generates:
            resource: Any = Client(token="unused")
            for name in view.resource:
                resource = getattr(resource, name)
            lines = inspect.getdoc(resource.generate).splitlines()
            for row in rows(text):
                start = " " * 4 * (row.depth + 1) + f"{row.name}: "
                assert any(line.startswith(start) for line in lines), row.name


def snippet(text: str) -> str:
    """All Python of a text, as one program."""
    return "".join(re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))


def test_custom_blocks_survive(project: Path, command: Any) -> None:
    page = project / "docs" / "reference" / "things.md"
    mine = "\n\n### Mine <a name='x'></a>\r\n\n| a | `b` |\n```python\n1\n```\n\\1 \\g<0> é \u2028\n\n"
    text = page.read_bytes().decode("utf-8")
    page.write_bytes(f"{text.partition(START)[0]}{START}{mine}{END}{text.partition(END)[2]}".encode())
    spec = project / "spec" / "small.json"
    spec.write_text(spec.read_text().replace("What it is called", "Its name"))
    assert command().code == 0
    after = page.read_bytes().decode("utf-8")
    assert f"{START}{mine}{END}" in after
    assert "Its name" in after
    assert command("--check").code == 0


@pytest.mark.parametrize("damage", [lambda text: text.replace(END, ""), lambda text: text + START, lambda text: "\xff"])
def test_damaged_markers_lose_nothing(damage: Any, project: Path, command: Any) -> None:
    page = project / "docs" / "reference" / "things.md"
    damaged = damage(page.read_bytes().decode("utf-8")).encode("latin-1" if damage("") == "\xff" else "utf-8")
    page.write_bytes(damaged)
    ran = command()
    assert ran.code == 2
    assert page.name in ran.error
    assert page.read_bytes() == damaged


def test_pages_of_a_foreign_document(foreign: Any) -> None:
    text = (foreign.reference / "books.md").read_text(encoding="utf-8")
    assert text.count("\n### ") == 6
    found = {row.name: row for row in rows(operations(text)[0])}
    assert (found["limit"].example, found["limit"].description) == ("`5`", "At most this many.")
    assert found["published_after"].example == '`"2026-01-31"`'
    lines = operations(text)[1]
    assert '    title="Say \\"hi\\" | it\'s",\n' in lines
    shelves = rows((foreign.reference / "shelves.md").read_text(encoding="utf-8"))
    assert len(shelves) < 60, "an object inside itself is not repeated without end"


def test_page_without_a_page_before(contract_build: Any, tmp_path: Path) -> None:
    for name, text in pages(contract_build, tmp_path / "none", tmp_path).items():
        assert name == INDEX or f"{START}\n\n{END}" in text.decode("utf-8")


def test_the_first_page_lists_every_operation(contract_build: Any) -> None:
    """Each once, with its call, its page and its command; it has no block written by hand."""
    text = (ROOT / "docs" / "reference" / INDEX).read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "client." in line]
    views = [view for resource in contract_build.endpoints.resources() for view in resource.operations]
    assert len(rows) == len(views)
    for view in views:
        resource = ".".join(view.resource)
        method = "generate" if view.generates else view.method_name
        about = view.source.get("x-command", {})
        typed = " ".join(["magic-hour", *(about[word] for word in ("group", "name") if word in about)])
        cells = f"| [`client.{resource}.{method}`]({resource}.md) | {f'`{typed}`' if about else ''} |"
        assert [row for row in rows if row.endswith(cells)], view.path
    assert START not in text


def test_an_example_is_made_for_every_schema() -> None:
    contract = load(ROOT / "spec" / "magic-hour.openapi.yaml")
    made = [
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"type": ["null", "integer"]}, 1),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, True),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, ["a"]),
        ({"properties": {"a": {"default": 3}, "b": {}}, "required": ["a"]}, {"a": 3}),
        ({"allOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}]}, {"a": 1}),
        ({"$ref": "#/components/schemas/ProjectDownload"}, {"url": "string", "expires_at": "2026-01-31T12:00:00Z"}),
        ({}, "string"),
    ]
    for schema, example in made:
        assert made_up(contract.schema(schema), contract) == example
