"""Reading a document, and making one of several files: a root, and the parts that its references name.

Rule: a part is a YAML or JSON file in the root's folder or below, after every link is followed; nothing else is ever
read. It gives the whole what stands under its `paths` and `components`, under the same names, so a reference keeps its
meaning when the name of the file is taken off it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from .bounds import MOST_CHARACTERS, check_nodes, check_values
from .problems import InvalidSpec
from .walk import references, transformed

_FILE = re.compile(r"[\w./-]+\.(?:ya?ml|json)", re.ASCII)
_PATH = re.compile(r"/paths/([^/]+)")
_COMPONENT = re.compile(r"/components/[^/]+/[^/]+(/.*)?")
_MAX_LINES = 20


def read_bundled(path: Path) -> dict[str, Any]:
    """The document at `path`, with all parts that it refers to put into it.

    Raises:
        InvalidSpec: it or a part cannot be read, or they do not fit together.
    """
    bundle = _Bundle(path)
    whole = bundle.whole()
    if bundle.problems:
        raise InvalidSpec(f"{path.name} cannot be used:", bundle.problems[:_MAX_LINES])
    return whole


class _Bundle:
    """The files of one document."""

    def __init__(self, root: Path) -> None:
        self.problems: list[str] = []
        self._folder = root.resolve().parent
        self._root = root.resolve()
        self._room = MOST_CHARACTERS
        self._documents: dict[Path, dict[str, Any]] = {}
        self._whole: dict[Path, dict[str, Any]] = {}
        self._home: dict[tuple[str, str], Path] = {}
        """Where each component was found first."""
        self._paths_used: set[tuple[Path, str]] = set()
        self._documents[self._root] = self._read(root)

    def whole(self) -> dict[str, Any]:
        """The root with the paths and components of all parts, and all references within it."""
        waiting = [self._root]
        while waiting:  # every document that is found, once
            file = waiting.pop(0)
            waiting += [part for part in self._parts_of(file) if part not in waiting]
        if len(self._documents) == 1 or self.problems:
            return self._documents[self._root]
        whole = dict(self._moved(self._root))
        components: dict[str, dict[str, Any]] = {}
        for file in self._documents:
            self._add_components(file, components)
        whole["components"] = components
        whole["paths"] = self._paths(whole.get("paths"))
        self.problems += [
            f"{self._name(file)}: the path {path!r} is in no `paths` of {self._root.name}"
            for file, document in self._documents.items()
            for path in (document.get("paths") or {} if file != self._root else {})
            if (file, path) not in self._paths_used
        ]
        return whole

    def _parts_of(self, file: Path) -> Iterator[Path]:
        """The files that `file` refers to and that were not read yet; reads them."""
        for where, reference in references(self._documents[file]):
            name, _, pointer = reference.partition("#")
            part = self._part(file, name) if name else None
            if part is None:
                continue  # within the file, or to nowhere we read: `Contract.dangling` says so
            if not (_COMPONENT.fullmatch(pointer) or (_PATH.fullmatch(pointer) and where.startswith("paths/"))):
                self.problems.append(
                    f"{self._name(file)}, {where}: the reference {reference!r} leads to neither a component nor a path"
                )
            elif part not in self._documents:
                self._documents[part] = self._checked_part(part)
                yield part

    def _part(self, file: Path, name: str) -> Path | None:
        """The file of that name beside `file`, if it is one that may be read."""
        if not _FILE.fullmatch(name):
            return None
        part = (file.parent / name).resolve()
        return part if part.is_relative_to(self._folder) and part.is_file() else None

    def _checked_part(self, file: Path) -> dict[str, Any]:
        document = self._read(file)
        odd = [key for key in document if key not in ("paths", "components") and not str(key).startswith("x-")]
        odd += [key for key in ("paths", "components") if not isinstance(document.get(key, {}), dict)]
        if odd:
            self.problems.append(f"{self._name(file)}: it may have `paths` and `components` only, not {odd[0]!r}")
            return {}
        return document

    def _add_components(self, file: Path, components: dict[str, dict[str, Any]]) -> None:
        for section, found in (self._moved(file).get("components") or {}).items():
            for name, value in (found if isinstance(found, dict) else {}).items():
                first = self._home.setdefault((section, name), file)
                if first != file:
                    self.problems.append(
                        f"{self._name(file)}: `components/{section}/{name}` is in {self._name(first)} too"
                    )
                components.setdefault(section, {})[name] = value

    def _paths(self, paths: Any) -> Any:
        """The path items of the root, those of its parts in their places."""
        found = {}
        for path, item in (paths if isinstance(paths, dict) else {}).items():
            found[path] = item
            name, _, pointer = str(item.get("$ref") if isinstance(item, dict) else "").partition("#")
            part = self._part(self._root, name) if name else None
            if part is None:
                continue
            key = _PATH.fullmatch(pointer)[1].replace("~1", "/").replace("~0", "~")  # type: ignore[index]
            known = self._moved(part).get("paths") or {}
            if key in known:
                found[path] = known[key]
                self._paths_used.add((part, key))
            else:
                self.problems.append(f"paths/{path}: {self._name(part)} has no path {key!r}")
        return found

    def _moved(self, file: Path) -> dict[str, Any]:
        """The document of a file, with every reference to a component of another one leading within the whole."""

        def moved(node: dict[str, Any]) -> dict[str, Any]:
            name, _, pointer = str(node.get("$ref", "")).partition("#")
            here = bool(name) and _COMPONENT.fullmatch(pointer) and self._part(file, name) is not None
            return {**node, "$ref": f"#{pointer}"} if here else node

        if file not in self._whole:
            self._whole[file] = transformed(self._documents[file], moved)
        return self._whole[file]

    def _name(self, file: Path) -> str:
        return file.relative_to(self._folder).as_posix()

    def _read(self, path: Path) -> dict[str, Any]:
        """One file as plain values; all files together have one limit."""
        document, characters = _read(path, self._room)
        self._room -= characters
        if not isinstance(document, dict):
            raise InvalidSpec(f"{path.name} is not an OpenAPI document:", ["it has no `openapi` version"])
        return document


def read_document(path: Path) -> dict[str, Any]:
    """One YAML or JSON file with an object in it, as plain values.

    Raises:
        InvalidSpec: it cannot be read, or is something else.
    """
    document = _read(path, MOST_CHARACTERS)[0]
    if not isinstance(document, dict):
        raise InvalidSpec(f"{path.name} cannot be used:", ["it is not an object with keys"])
    return document


def _read(path: Path, room: int) -> tuple[Any, int]:
    """What is in a file, and how many characters it has: at most `room`."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(room + 1)
        if len(text) > room:
            raise ValueError(f"it has more than {MOST_CHARACTERS} characters")
        raw = _document(text)
        check_values(raw)
        raw = json.loads(json.dumps(raw, default=str, allow_nan=False))
        json.dumps(raw, ensure_ascii=False).encode()  # half a surrogate pair is not text
    except (OSError, YAMLError, ValueError, TypeError, RecursionError) as error:
        raise InvalidSpec(f"{path.name} cannot be read:", [str(error)]) from None
    return raw, len(text)


def _document(text: str) -> Any:
    """The document from JSON or YAML; YAML readers accept most JSON only, and slowly."""
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text, object_pairs_hook=_unique)
        except json.JSONDecodeError:
            pass  # a mapping in YAML's own notation
    yaml = YAML(typ="safe", pure=True)
    nodes = yaml.compose(text)
    check_nodes(nodes)  # before values are made: merging expands too
    return yaml.constructor.construct_document(nodes) if nodes else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError(f"there is a duplicate among the keys {', '.join(ascii(key) for key, _ in pairs)[:200]}")
    return dict(pairs)
