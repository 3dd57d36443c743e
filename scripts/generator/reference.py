"""Reference pages, one per resource, laid out like those of the service's own SDKs.

Rule: everything on a page comes from the document, except what is between the two markers, which is written by
hand and kept as it is. A `generate` that is written there is not described again.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from .contract import Contract
from .endpoint_views import EndpointView, ResourceView
from .examples import arguments, call_lines, made_up, schema_of
from .nested_fields import nested_fields
from .problems import DamagedPage
from .reference_generate import ANCHOR, section
from .reference_index import NAME as INDEX
from .reference_index import index
from .texts import code, markdown

if TYPE_CHECKING:
    from .build import Build

START = "<!-- CUSTOM DOCS START -->"
END = "<!-- CUSTOM DOCS END -->"
_BLOCK = re.compile(re.escape(START) + "(.*?)" + re.escape(END), re.DOTALL)
_WORDS = re.compile(re.escape(START) + r"\s*(?!" + re.escape(END) + r")\S")


def pages(build: Build, reference: Path, generated: Path) -> dict[str, bytes]:
    """File name and content of every page; blocks already in `reference` are carried over."""
    links = os.path.relpath(generated, reference).replace(os.sep, "/")
    result: dict[str, bytes] = {INDEX: index(build.endpoints.resources()).encode("utf-8")}
    for node in build.endpoints.resources():
        if node.operations:
            name = f"{node.path}.md"
            result[name] = Page(build, build.contract, node, _block(reference / name), links).text().encode("utf-8")
    _check_kept(result, reference)
    return result


def _check_kept(wanted: Mapping[str, bytes], reference: Path) -> None:
    """A page whose resource is gone would be deleted, with everything written on it by hand."""
    others = [page for page in sorted(reference.glob("*.md")) if page.name not in wanted]
    lost = [page.name for page in others if _WORDS.search(page.read_text(encoding="utf-8", errors="replace"))]
    if lost:
        remedy = "delete the page yourself if its custom block may go"
        raise DamagedPage("pages of resources that the document does not have:", [f"{name}: {remedy}" for name in lost])


def _block(page: Path) -> str:
    """What is written by hand on a page, if there is one; continuing with a damaged page would lose it."""
    if not page.is_file():
        return "\n\n"
    try:
        text = page.read_bytes().decode("utf-8")
        found = _BLOCK.search(text)
        if found is None or text.count(START) != 1 or text.count(END) != 1:
            raise ValueError(f"needs {START} and {END}, once each")
    except ValueError as error:  # UnicodeDecodeError is one
        raise DamagedPage("cannot keep the custom block of a page:", [f"{page.name}: {error}"]) from None
    return found.group(1)


@attrs.frozen
class Page:
    """The page of one resource."""

    build: Build
    contract: Contract
    node: ResourceView
    block: str
    links: str

    def text(self) -> str:
        lines = [f"# {self.node.path}", "", "## Module Functions", "", f"{START}{self.block}{END}"]
        for view in self.node.operations:
            if view.generates and ANCHOR not in self.block:
                task = self.build.endpoints.tasks.get(view.task or "")
                lines += section(view, self.contract, saves=task is None or not task.outputs)
            lines += self._operation(view)
        return "\n".join(lines) + "\n"

    def _operation(self, view: EndpointView) -> list[str]:
        return [
            f'### {markdown(view.summary_line)} <a name="{view.method_name}"></a>',
            "",
            *([markdown(view.description), ""] if view.description else []),
            f"**API Endpoint**: `{view.method} {code(view.path)}`",
            "",
            "#### Parameters",
            "",
            "| Parameter | Required | Description | Example |",
            "|-----------|:--------:|-------------|--------|",
            *self._rows(view),
            "",
            "#### Synchronous Client",
            "",
            *self._snippet(view, "Client", "client"),
            "",
            "#### Asynchronous Client",
            "",
            *self._snippet(view, "AsyncClient", "await client"),
            "",
            "#### Response",
            "",
            *self._response(view),
            "",
        ]

    def _rows(self, view: EndpointView) -> list[str]:
        given = arguments(view, self.contract)
        rows = []
        for field in (*view.path_parameters, *view.keywords):
            schema = schema_of(view, field, self.contract)
            example = given.get(field.attribute, made_up(schema, self.contract))
            text = self._with_choices(field.description, schema)
            rows.append(_row(field.attribute, field.required, text, example, field.deprecation))
            rows += self._nested(schema)
        return rows

    def _nested(self, schema: dict[str, Any]) -> list[str]:
        rows = []
        for field in nested_fields(schema, self.contract):
            label = "\N{NO-BREAK SPACE}" * 4 * (field.depth - 1) + f"└─ {field.name}"
            text = self._with_choices(field.description, field.schema)
            rows.append(_row(label, field.required, text, made_up(field.schema, self.contract), field.deprecation))
        return rows

    def _with_choices(self, text: str, schema: dict[str, Any]) -> str:
        """The text with the values that the document lists, unless it names them all; as in the help of a command."""
        nodes = [self.contract.schema(part) for part in (schema.get("anyOf") or schema.get("oneOf") or [])]
        nodes = [schema, self.contract.schema(schema.get("items")), *nodes]
        retired = {str(value) for node in nodes for value in node.get("x-deprecated-values") or ()}
        listed = dict.fromkeys(str(value) for node in nodes for value in node.get("enum") or () if value is not None)
        known = [value for value in listed if value not in retired]
        if all(f"`{value}`" in text for value in known):
            return text
        return f"{text} Known: {', '.join(known)}.".lstrip()

    def _snippet(self, view: EndpointView, client: str, opening: str) -> list[str]:
        call = call_lines(view, arguments(view, self.contract), opening)
        return [
            "```python",
            f"from {self.build.package} import {client}",
            "from os import getenv",
            "",
            f'client = {client}(token=getenv("API_TOKEN"))',
            f"res = {call[0]}",
            *call[1:],
            "",
            "```",
        ]

    def _response(self, view: EndpointView) -> list[str]:
        status, response = self.contract.answer(view.source)
        if not (media := self.contract.json_media(response)):
            return [f"{markdown(response.get('description'))} (status {markdown(status)}, no body)"]
        example = media.get("example")
        if example is None:
            example = made_up(self.contract.schema(media.get("schema")), self.contract)
        return ["##### Type", self._type(view), "", "##### Example", f"`{code(_json(example))}`"]

    def _type(self, view: EndpointView) -> str:
        name = view.result_annotation.replace("_models.", "")
        module = next((module.name for module in self.build.modules if name in module.classes), None)
        return f"`{code(name)}`" if module is None else f"[{name}]({self.links}/models/{module}.py)"


def _row(label: str, required: bool, description: str, example: Any, deprecation: str | None = None) -> str:
    mark = "✓" if required else "✗"
    name = f"`{code(label)}`" + (" (deprecated)" if deprecation else "")
    return f"| {name} | {mark} | {markdown(description)} | `{code(_json(example))}` |"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=isinstance(value, dict))
