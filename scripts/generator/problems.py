"""What can stop the generator, each with the exit code that `scripts/generate.py` ends with.

Rule: nothing is written once one of these is raised.
"""

from __future__ import annotations


class Problem(Exception):
    """A reason to stop, with everything that is wrong, one line each."""

    exit_code = 1

    def __init__(self, title: str, lines: list[str]) -> None:
        self.lines = ["".join(c if c.isprintable() or c == "\n" else " " for c in line) for line in lines]
        super().__init__("\n".join([title, *(f"  {line}" for line in self.lines)]))


class Differs(Problem):
    """`--check` found other files than the generator would write."""

    exit_code = 1


class ForeignFolder(Problem):
    """A folder to write into holds files that this generator did not make."""

    exit_code = 2


class DamagedPage(Problem):
    """A reference page has lost the markers around its hand-written part."""

    exit_code = 2


class InvalidSpec(Problem):
    """The document is not valid OpenAPI."""

    exit_code = 3


class UnusableName(Problem):
    """A name in the document would break the generated code, or collides with one of ours."""

    exit_code = 4


class LostOperation(Problem):
    """Part of the document would silently be missing from the client."""

    exit_code = 5


class ChangedGenerator(Problem):
    """The installed generator is not the one the templates were written for."""

    exit_code = 6


class BrokenOutput(Problem):
    """The generated code is not Python. A mistake of the templates."""

    exit_code = 7
