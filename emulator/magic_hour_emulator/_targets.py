"""What requests are called when faults are set on them.

Rule: the names come from the contract's routes, in the form in which clients call them; nothing is listed by hand.
"""

import re
from collections.abc import Callable
from typing import Final

from starlette.types import Scope

from ._contract import Contract, Operation
from ._fault_kinds import Step
from ._products import PRODUCTS
from .faults import Target

__all__ = ["Find", "name_of", "on_api", "on_storage", "operations"]

Find = Callable[[Scope], Target | None]

_PROJECT_STEPS: Final[dict[str, Step]] = {"GET": "get", "DELETE": "delete"}
_VERBS: Final = {"POST": "create", "GET": "get", "DELETE": "delete"}


def name_of(operation: Operation) -> str:
    """An operation as clients call it, such as `v1.ai_image_generator.create`."""
    resource = operation.resource.replace("-", "_").replace("/", ".")
    return f"v1.{resource}.{_VERBS.get(operation.method, operation.method.lower())}"


def operations(contract: Contract) -> dict[str, Step]:
    """The operations that faults can be set on, and the step that each of them is."""
    return {name_of(operation): step for operation in contract.operations if (step := _step(operation)) is not None}


def on_api(contract: Contract) -> Find:
    """Finds what a request to the API is."""
    routes = [
        (operation.method, re.compile(re.sub(r"\{\w+\}", "[^/]+", operation.path)), Target(name_of(operation), step))
        for operation in contract.operations
        if (step := _step(operation)) is not None
    ]

    def find(scope: Scope) -> Target | None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        for wanted, path, target in routes:
            if wanted == method and path.fullmatch(scope["path"]):
                return target
        return None

    return find


def on_storage(scope: Scope) -> Target | None:
    """What a request to the storage is."""
    if scope["method"] == "PUT":
        return Target("put", "put")
    if scope["method"] in ("GET", "HEAD"):
        return Target("download", "download", ranged=any(name == b"range" for name, _ in scope["headers"]))
    return None


def _step(operation: Operation) -> Step | None:
    if operation.resource in PRODUCTS and operation.method == "POST":
        return "create"
    if (operation.method, operation.resource) == ("POST", "files/upload-urls"):
        return "upload-urls"
    if operation.resource in ("image-projects", "video-projects"):
        return _PROJECT_STEPS.get(operation.method)
    return None
