"""What can stop the generator, each with the exit code that `scripts/generate.py` ends with.

Rule: nothing is written once one of these is raised.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

PINNED = {"openapi-python-client": "0.29.1", "ruff": "0.17.5", "jinja2": "3.1.6"}
"""The tools that the output depends on, to the release."""


class Problem(Exception):
    """A reason to stop, with everything that is wrong, one line each."""

    exit_code: int

    def __init_subclass__(cls, exit_code: int) -> None:
        cls.exit_code = exit_code

    def __init__(self, title: str, lines: list[str]) -> None:
        self.lines = ["".join(c if c.isprintable() or c == "\n" else " " for c in line) for line in lines]
        super().__init__("\n".join([title, *(f"  {line}" for line in self.lines)]))


class Differs(Problem, exit_code=1):
    """`--check` found other files than the generator would write."""


class ForeignFolder(Problem, exit_code=2):
    """A folder to write into holds files that this generator did not make."""


class DamagedPage(Problem, exit_code=2):
    """A reference page has lost the markers around its hand-written part."""


class InvalidSpec(Problem, exit_code=3):
    """The document is not valid OpenAPI."""


class UnusableName(Problem, exit_code=4):
    """A name in the document would break the generated code, or collides with one of ours."""


class LostOperation(Problem, exit_code=5):
    """Part of the document would silently be missing from the client."""


class ChangedGenerator(Problem, exit_code=6):
    """The installed generator is not the one the templates were written for."""


class BrokenOutput(Problem, exit_code=7):
    """The generated code is not Python. A mistake of the templates."""


class WrongRow(Problem, exit_code=8):
    """A price, a condition or another extension names what the document does not have."""


def check_pins() -> None:
    """Stop unless these releases are installed: the templates rewrite files of one, another may need other templates.

    Asked before any of them is imported, so that a release with another interface ends in a message as well.
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
