"""The machinery stands on its own, and what would tie it to something above is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator import runtime
from generator.problems import BrokenOutput
from programs import python

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


@pytest.mark.slow
def test_it_can_be_used_where_it_stands() -> None:
    """With the stand-ins for a contract, in an interpreter that finds nothing of a client."""
    program = """

from runtime.client import BaseClient
from runtime.errors import BaseError, InvalidArgument
print(BaseError.__name__, BaseError.__module__)
with BaseClient("key", base_url=None, request_timeout=1, http_client=None, allow_http=False) as client:
    print(client)
"""
    done = python("-P", "-W", "error", "-c", f"import sys; sys.path[:0] = [{str(TEMPLATES)!r}]\n{program}")
    assert done.stdout.splitlines() == [
        "ExampleError runtime.errors",
        "BaseClient(base_url='https://api.example.com')",
    ], done.stderr


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("import magic_hour_workflows", "names magic_hour_workflows"),
        ("INSIDE = 'magic_hour_workflows.'", "names magic_hour_workflows"),
        ("# as magic_hour_resources does it", "names magic_hour_resources"),
        ("from ..models import error_body", "imports ..models from outside"),
        ("def late():\n    from .. import types", "imports .. from outside"),
        ("from .models import error_body", "imports .models from outside"),
        ("import requests", "imports requests"),
        ("from requests.auth import AuthBase", "imports requests.auth"),
    ],
)
def test_a_dependency_on_something_above_is_refused(planted: str, found: str, tmp_path: Path) -> None:
    for path in (TEMPLATES / "runtime").glob("*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    client = tmp_path / "client"
    (client / runtime.FOLDER).mkdir(parents=True)
    runtime.copy(tmp_path, client)
    shield = tmp_path / "shield.py"
    shield.write_text(f"{shield.read_text(encoding='utf-8')}\n{planted}\n", encoding="utf-8")
    with pytest.raises(BrokenOutput) as raised:
        runtime.copy(tmp_path, client)
    [*_, last] = str(raised.value).splitlines()
    assert last.strip().startswith("shield.py:")
    assert last.endswith(found)
