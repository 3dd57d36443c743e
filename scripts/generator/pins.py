"""The tools that the output depends on, to the release.

Rule: asked before any of them is imported, so that a release with another interface ends in a message as well.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from .problems import ChangedGenerator

PINNED = {"openapi-python-client": "0.29.1", "ruff": "0.17.5", "jinja2": "3.1.6"}


def check_pins() -> None:
    """The templates rewrite files of one release of the generator; another one may need other templates.

    Raises:
        ChangedGenerator: another version is installed.
    """
    lines = [
        f"{name} {found} is installed, the templates were written for {wanted}"
        for name, wanted in PINNED.items()
        if (found := _installed(name)) != wanted
    ]
    if lines:
        raise ChangedGenerator("the generator has changed (see templates/README.md):", lines)


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(nothing)"
