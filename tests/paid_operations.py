"""Every paid operation, read from the contract, as calls with files that tests make.

Rule: no operation is named here. Bodies are the contract's own examples; each file in them is a local file of a role
that the field takes, and a clip takes a second where the operation allows so short a one.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
from PIL import Image

from magic_hour_client.endpoints import endpoint
from magic_hour_client.errors import FieldDeprecated, InvalidArgument
from magic_hour_client.types import Endpoint
from magic_hour_emulator import samples
from magic_hour_workflows._operations import paid, resolved
from magic_hour_workflows.cli.flags import flags
from magic_hour_workflows.cli.generate import TAKEN

Body = dict[str, Any]
_COPY = Path(__file__).parents[1] / "emulator" / "magic_hour_emulator" / "spec" / "contract.json"
_PATHS = json.loads(_COPY.read_text(encoding="utf-8"))["paths"]


def input_files(folder: Path) -> dict[str, Path]:
    """A small file of each role."""
    picture, moving = folder / "picture.png", folder / "moving.gif"
    colors = [Image.new("RGB", (64, 64), color) for color in ("teal", "orange")]
    colors[0].save(picture)
    colors[0].save(moving, save_all=True, append_images=colors[1:], duration=100)
    return {"image": picture, "gif": moving, "video": samples.clip(), "audio": samples.voice()}


@attrs.frozen
class PaidOperation:
    """A paid operation, by the full name of its create."""

    name: str

    def __str__(self) -> str:
        return self.resource

    @property
    def endpoint(self) -> Endpoint[..., Any]:
        return endpoint(self.name)

    @property
    def resource(self) -> str:
        return self.name.split(".")[1]

    def example(self, files: Mapping[str, Path]) -> Body:
        """The contract's example, with local files."""
        body = copy.deepcopy(paid()[self.name]["example"])
        if "end_seconds" in body:
            short = {**body, "end_seconds": body.get("start_seconds", 0) + 1}
            body = short if self._accepts(short) else body
        for field in self.endpoint.assets:
            _replace(body, field.path, str(files[field.roles[0]]))
        return body

    def with_all_files(self, files: Mapping[str, Path]) -> Body:
        """The same with every file field that can be used beside the others, each with a file of its last role."""
        body = self.example(files)
        for field in self.endpoint.assets:
            more = copy.deepcopy(body)
            _add(more, field.path, paid()[self.name]["body"])
            if self._accepts(more):
                body = more
            _replace(body, field.path, str(files[field.roles[-1]]))
        return body

    def _accepts(self, body: Body) -> bool:
        try:
            self.endpoint.request(**body)
        except (InvalidArgument, FieldDeprecated):  # warnings are errors here
            return False
        return True

    def files_in(self, body: Body) -> list[tuple[str, ...]]:
        """The file fields that a body uses."""
        return [field.path for field in self.endpoint.assets if any(_parents(body, field.path))]

    def command(self, body: Body) -> list[str]:
        """The command line for a body."""
        about = paid()[self.name]["command"]
        words = [about["group"], about["name"]]
        for flag in flags(self.name, TAKEN):
            value: Any = body
            for part in flag.path:
                value = value.get(part) if isinstance(value, dict) else None
            if value is None:
                continue
            if flag.negative:
                words.append(flag.flag if value else flag.negative)
            else:
                values = value if flag.many else [value]
                words += [
                    f"{flag.flag}={json.dumps(each) if isinstance(each, (dict, list)) else each}" for each in values
                ]
        return words

    def media_type(self, body: Body) -> str:
        """What the outputs must be, by the rows for the emulator."""
        media = _PATHS[self.endpoint.path]["post"]["x-emulator"]["media"]
        if isinstance(media, dict):
            ((field, by_value),) = media.items()
            media = by_value[body[field]]
        return str(media)


PAID = [PaidOperation(name) for name in sorted(paid())]


def _parents(node: Any, path: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
    """The objects and lists that have the field of a path, and its key in each."""
    first, rest = path[0], path[1:]
    keys = list(range(len(node))) if first == "*" and isinstance(node, list) else [first]
    for key in keys:
        if isinstance(node, dict) and key not in node:
            continue
        if rest:
            yield from _parents(node[key], rest)
        else:
            yield node, key


def _replace(body: Body, path: tuple[str, ...], value: str) -> None:
    for node, key in _parents(body, path):
        node[key] = value


def _add(body: Body, path: tuple[str, ...], schema: Any) -> None:
    """Give a field that is missing the contract's example of it, or of the list that has it."""
    node = body
    for name in path:
        field = resolved(schema)["properties"][name]
        if "example" in resolved(field):
            node.setdefault(name, copy.deepcopy(resolved(field)["example"]))
            return
        node, schema = node.setdefault(name, {}), field
