"""The machinery of every client: checked to be closed, then copied.

Rule: closed means that it can be read, linted and tested on its own. It imports the standard library, the libraries
named here and itself, and it names no package that is built on it, not even in a string or a comment.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from .problems import BrokenOutput

FOLDER = "_runtime"
"""Where it is in a client."""
CONTRACT = "_contract.py"
"""The only module of it that is rendered."""
LIBRARIES = {"anyio", "attrs", "httpcore", "httpx"}
_UPPER = re.compile(r"magic_hour_\w+")


def copy(runtime: Path, client: Path) -> None:
    """Copy it into a client, byte for byte: a line number in a traceback is one of `templates/runtime/`."""
    modules = sorted(runtime.glob("*.py"))
    own = frozenset(path.stem for path in modules)
    lines = [f"{path.name}:{line}" for path in modules for line in _leaks(path.read_text(encoding="utf-8"), own)]
    if lines:
        raise BrokenOutput("templates/runtime/ depends on what is built on it:", lines)
    for path in modules:
        if path.name != CONTRACT:
            shutil.copyfile(path, client / FOLDER / path.name)


@cache
def _leaks(source: str, own: frozenset[str]) -> list[str]:
    """What a module must not mention, each with its line; `own` are the modules beside it."""
    texts = enumerate(source.splitlines(), start=1)
    named = [(line, f"names {name}") for line, text in texts for name in _UPPER.findall(text)]
    return [f"{line}: {what}" for line, what in (*_foreign_imports(source, own), *named)]


def _foreign_imports(source: str, own: frozenset[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        if isinstance(node, ast.ImportFrom) and node.level:
            if node.level > 1 or not own.issuperset(names):
                yield node.lineno, f"imports {'.' * node.level}{node.module or ''} from outside"
        else:
            known = sys.stdlib_module_names | LIBRARIES
            yield from ((node.lineno, f"imports {name}") for name in names if name.partition(".")[0] not in known)
