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
from pathlib import Path

from .problems import BrokenOutput

FOLDER = "_runtime"
"""Where it lies in a client."""
CONTRACT = "_contract.py"
"""The only module of it that is rendered."""
LIBRARIES = {"anyio", "attrs", "httpcore", "httpx"}
_UPPER = re.compile(r"magic_hour_\w+")


def copy(runtime: Path, client: Path) -> None:
    """Copy it into a client, byte for byte: a line number in a traceback is one of `templates/runtime/`.

    Raises:
        BrokenOutput: it is not closed.
    """
    modules = sorted(runtime.glob("*.py"))
    lines = [f"{path.name}:{line}" for path in modules for line in _leaks(path.read_text(encoding="utf-8"), modules)]
    if lines:
        raise BrokenOutput("templates/runtime/ depends on what is built on it:", lines)
    for path in modules:
        if path.name != CONTRACT:
            shutil.copyfile(path, client / FOLDER / path.name)


def _leaks(source: str, modules: list[Path]) -> Iterator[str]:
    """What a module must not mention, each with its line."""
    for number, line in enumerate(source.splitlines(), start=1):
        yield from (f"{number}: names {found}" for found in _UPPER.findall(line))
    own = {path.stem for path in modules}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        elif isinstance(node, ast.ImportFrom):
            inside = [node.module] if node.module else [alias.name for alias in node.names]
            if node.level > 1 or not own.issuperset(inside):
                yield f"{node.lineno}: imports {'.' * node.level}{node.module or ''} from outside"
            continue
        else:
            continue
        for name in names:
            if name.partition(".")[0] not in sys.stdlib_module_names | LIBRARIES:
                yield f"{node.lineno}: imports {name}"
