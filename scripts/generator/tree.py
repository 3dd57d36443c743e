"""Comparing and writing whole folders of generated files.

Rule: what is not generated is never touched, except that inside a folder of ours every file must be generated.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from .problems import ForeignFolder


def files_in(folder: Path) -> dict[str, bytes]:
    """Relative name and content of every file, without Python's caches."""
    if not folder.is_dir():
        return {}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def check_ours(folder: Path, pattern: str, mark: bytes) -> None:
    """Refuse a folder that is not ours: everything in it that was not generated would be deleted."""
    marked = any(mark in path.read_bytes() for path in folder.glob(pattern))
    if files_in(folder) and not marked:
        raise ForeignFolder("will not write into a folder with files of somebody else's:", [str(folder)])


def differences(wanted: Mapping[str, bytes], found: Mapping[str, bytes], label: str) -> list[str]:
    """One line for each file that is missing, extra or different."""
    changed = [name for name in sorted({*wanted, *found}) if wanted.get(name) != found.get(name)]
    how = {name: "missing" if name not in found else "different" if name in wanted else "extra" for name in changed}
    return [f"{how[name]}: {label}/{name}" for name in changed]


def sync(wanted: Mapping[str, bytes], folder: Path) -> int:
    """Make `folder` hold exactly `wanted`; returns how many files changed."""
    found = files_in(folder)
    changed = [name for name in sorted({*wanted, *found}) if wanted.get(name) != found.get(name)]
    for name in changed:
        path = folder / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wanted[name])
        else:
            path.unlink()
    for path in sorted(folder.rglob("*"), reverse=True):
        if not path.is_dir():
            continue
        if path.name == "__pycache__" and not any(path.parent.glob("*.py")):
            shutil.rmtree(path)
        elif not any(path.iterdir()):
            path.rmdir()
    return len(changed)
