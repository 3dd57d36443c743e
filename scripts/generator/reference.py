"""Reference pages, one per resource, in the shape that users of this service's SDKs know.

Rule: everything on a page comes from the document, except what stands between the two markers, which is written by
hand and kept as it is.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .endpoints import EndpointView, ResourceView
from .examples import arguments, call_lines, made_up
from .texts import markdown, printable
from .tree import files_in

if TYPE_CHECKING:
    from .build import Build

START = "<!-- CUSTOM DOCS START -->"
END = "<!-- CUSTOM DOCS END -->"
_BLOCK = re.compile(re.escape(START) + "(.*?)" + re.escape(END), re.DOTALL)
_PAGE_OF_SNIPPETS = "from os import getenv"


def pages(build: Build, reference: Path, generated: Path) -> dict[str, bytes]:
    """File name and content of every page; blocks already in `reference` are carried over."""
    kept = {name: _block(content.decode("utf-8")) for name, content in files_in(reference).items()}
    links = os.path.relpath(generated, reference).replace(os.sep, "/")
    result = {}
    for node in build.endpoints.resources():
        if node.operations:
            name = f"{node.path}.md"
            result[name] = Page(build, node, kept.get(name, "\n\n"), links).text().encode("utf-8")
    return result


def _block(text: str) -> str:
    found = _BLOCK.search(text)
    return found.group(1) if found else "\n\n"


class Page:
    """The page of one resource."""

    def __init__(self, build: Build, node: ResourceView, block: str, links: str) -> None:
        self.build = build
        self.contract = build.contract
        self.node = node
        self.block = block
        self.links = links

    def text(self) -> str:
        lines = [f"# {self.node.path}", "", "## Module Functions", "", f"{START}{self.block}{END}"]
        for view in self.node.operations:
            lines += self._operation(view)
        return "\n".join(lines) + "\n"

    def _operation(self, view: EndpointView) -> list[str]:
        return [
            f'### {markdown(view.summary_line)} <a name="{view.method_name}"></a>',
            "",
            markdown(view.description),
            "",
            f"**API Endpoint**: `{view.method} {_code(view.path)}`",
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
        rows = []
        for field in view.path_parameters:
            rows.append(
                _row(field.attribute, True, field.description, dict(arguments(view, self.contract))[field.attribute])
            )
        body = self.contract.resolve(self.contract.json_media(view.source.get("requestBody")).get("schema"))
        properties = body.get("properties") or {}
        for field in view.keywords:
            schema = self.contract.resolve(properties.get(field.name)) if view.body_fields is not None else body
            example = view.example.get(field.name) if isinstance(view.example, dict) else None
            if example is None:
                example = made_up(schema, self.contract)
            rows.append(_row(field.attribute, field.required, field.description, example, field.deprecation))
            rows += self._nested(schema, 1)
        return rows

    def _nested(self, schema: dict[str, Any], depth: int) -> list[str]:
        """Rows of the fields inside an object, or inside the objects of a list; required ones first, by name."""
        if schema.get("type") == "array":
            schema = self.contract.resolve(schema.get("items"))
        properties = schema.get("properties") or {}
        required = schema.get("required") or []
        rows = []
        for name in sorted(properties, key=lambda name: (name not in required, name)) if depth < 6 else []:
            inner = self.contract.resolve(properties[name])
            retired = inner.get("x-deprecation") or "leave it out" if inner.get("deprecated") is True else None
            text = str(inner.get("description") or "")
            text = f"Deprecated: {retired}. {text}" if retired else text
            label = "\N{NO-BREAK SPACE}" * 4 * (depth - 1) + f"└─ {name}"
            rows.append(_row(label, name in required, text, made_up(inner, self.contract), retired))
            rows += self._nested(inner, depth + 1)
        return rows

    def _snippet(self, view: EndpointView, client: str, opening: str) -> list[str]:
        call = call_lines(view, arguments(view, self.contract), opening)
        return [
            "```python",
            f"from {self.build.package} import {client}",
            _PAGE_OF_SNIPPETS,
            "",
            f'client = {client}(token=getenv("API_TOKEN"))',
            f"res = {call[0]}",
            *call[1:],
            "",
            "```",
        ]

    def _response(self, view: EndpointView) -> list[str]:
        status, response = next(
            ((s, r) for s, r in view.source["responses"].items() if str(s).startswith("2")), ("", {})
        )
        media = self.contract.json_media(response)
        if not media:
            described = self.contract.resolve(response).get("description") or ""
            return [f"{markdown(described)} (status {markdown(status)}, no body)"]
        example = media.get("example")
        if example is None:
            example = made_up(self.contract.resolve(media.get("schema")), self.contract)
        return ["##### Type", self._type(view), "", "##### Example", f"`{_code(_json(example))}`"]

    def _type(self, view: EndpointView) -> str:
        name = view.result_annotation.replace("_models.", "")
        model = self.build.views.models.get(name)
        if model is None:
            return f"`{_code(name)}`"
        return f"[{name}]({self.links}/models/{model.class_info.module_name}.py)"


def _row(label: str, required: bool, description: str, example: Any, deprecation: str | None = None) -> str:
    mark = "✓" if required else "✗"
    name = f"`{_code(label)}`" + (" (deprecated)" if deprecation else "")
    return f"| {name} | {mark} | {markdown(description)} | `{_code(_json(example))}` |"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=isinstance(value, dict))


def _code(text: str) -> str:
    """Text for a Markdown code span in a table: it can end neither."""
    return (
        " ".join(printable(text).split(" "))
        .replace("`", "'")
        .replace("|", "\\|")
        .replace("\n", " ")
        .replace("<!--", "<! --")
    )
