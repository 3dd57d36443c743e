"""Names of the document that become names in Python.

Rule: a name that cannot be used is reported, never repaired in silence into something that collides.
"""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Iterable

from openapi_python_client import strings

# Used by the generated code, where a field of that name would get in the way.
_MODEL_NAMES = {"from_dict", "to_dict", "additional_properties"}
_SHADOWED = {"str", "int", "float", "bool", "list", "dict", "bytes", "tuple", "object", "property", "self", "cls"}
CALL_OPTIONS = {"extra_body", "extra_headers", "timeout"}
"""Options of every generated method."""
GENERATE_OPTIONS = CALL_OPTIONS | {"wait_for_completion", "download_outputs", "download_directory", "output_name"}
GENERATE_OPTIONS |= {"poll_interval", "on_progress"}
"""Options of `generate` in the workflows package; a test there holds the two together."""
PROJECT_METHODS = ("wait", "download", "check_result")
"""Methods of a resource that gets projects, besides those of the contract."""
CLIENT_NAMES = {"send", "close", "base_url", "runner"}
ERRORS = (
    *("APIError", "ConnectionFailed", "Forbidden", "InvalidArgument", "InvalidRequest", "NotFound", "PaymentRequired"),
    *("RequestTimeout", "ServerError", "TooManyRequests", "Unauthorized", "UnexpectedResponse", "UnknownField"),
    "UnprocessableEntity",
)
"""The generated errors besides their base."""
_CLASSES_OF_OURS = {"Any", "ClassVar", "Mapping", "Sequence", "TYPE_CHECKING"}
_CLASSES_OF_OURS |= {"BaseAsyncClient", "BaseClient", "Client"}
LONGEST = 100  # file systems end at 255 bytes, and names become parts of names


def attribute(name: str) -> str:
    """The Python name for a field or parameter."""
    if name == strings.snake_case(name) and name.isidentifier() and not name.startswith("_"):
        plain = name
    else:
        plain = str(strings.PythonIdentifier(name, "field_")).rstrip("_") or "field"
    return f"{plain}_" if keyword.iskeyword(plain) or (keyword.issoftkeyword(plain) and plain == "_") else plain


def problem_with(name: str, *, of: str, taken: Iterable[str] = ()) -> str | None:
    """Why `name` cannot be an attribute, or None."""
    python = attribute(name)
    shown = ascii(name)[:80]
    if len(python) > LONGEST:
        return f"{of}: {shown}… is longer than {LONGEST} characters"
    if not python.isidentifier() or python.startswith("__"):
        return f"{of}: {shown} cannot be a Python name"
    if unicodedata.normalize("NFKC", python) != python:
        return f"{of}: {shown} would change its letters in Python"
    if python in _MODEL_NAMES | _SHADOWED or python.startswith("_"):
        return f"{of}: {shown} would break the generated code, which uses that name itself"
    if python in taken:
        return f"{of}: {shown} and another name there are both {python!r} in Python"
    return None


def problem_with_class(name: str) -> str | None:
    """Why a class cannot be called that, or None."""
    plain = name.isidentifier() and name.isascii() and not keyword.iskeyword(name) and not name.startswith("_")
    if not plain or len(name) > LONGEST:
        return f"schema {ascii(name)[:80]} cannot be a Python class name"
    if name.removeprefix("Async") in _CLASSES_OF_OURS:
        return f"{name!r} is the name of a class that the generated code uses itself"
    return None
