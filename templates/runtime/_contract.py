"""What the machinery has to know about a contract. These are stand-ins: each client has a `_contract.py` of its own.

Rule: constants only, the same names as in `templates/contract.py.jinja`.
"""

from __future__ import annotations

from typing import Final, TypeAlias

PACKAGE: Final = "runtime"
"""The client's package, wherever it is installed."""
MODELS: Final = f"{PACKAGE}.models"
"""The package of the models, which loads each when it is first asked for."""
BASE_ERROR: Final = "ExampleError"
"""The public name of `BaseError`."""
PRODUCT: Final = "example/0"
"""Name and version, as in the `User-Agent` header."""
DEFAULT_BASE_URL: Final[str] = "https://api.example.com"
PATH_PREFIX: Final[str] = "/v1"
"""What the paths of all operations begin with; empty if they have nothing in common."""
ENV_PREFIX: Final = "EXAMPLE"
"""What the names of the client's environment variables begin with."""

ProjectKind: TypeAlias = str
"""What jobs make. Each kind has its own projects, which can be asked for by the id of the job."""
JobKind: TypeAlias = str
"""The kinds of projects, and those of free tasks."""
