"""Files in, files out: images, GIFs, videos, face swaps, speech and all other operations of the Magic Hour API.

    from magic_hour_workflows import Client

    with Client() as client:  # the key comes from MAGIC_HOUR_API_KEY
        result = client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "A red fox"})
    print(result.downloaded_paths)

Importing the package is cheap; each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

__warns_its_caller__ = True
"""A deprecation warning points at the caller's line, not at one in this package."""

if TYPE_CHECKING:
    from . import errors as errors
    from . import events as events
    from . import webhooks as webhooks
    from ._client import AsyncClient as AsyncClient
    from ._client import Client as Client
    from ._credits import Estimate as Estimate
    from ._credits import estimate_credits as estimate_credits
    from ._results import Result as Result
    from .errors import *  # noqa: F403  (the whole tree, from its own list)
    from .events import Event as Event

    __all__ = ["AsyncClient", "Client", "Estimate", "Event", "Result", "__version__", "estimate_credits"]
    __all__ += ["errors", "events", "webhooks"]
    __all__ += errors.__all__

_HOMES = {
    "AsyncClient": "_client",
    "Client": "_client",
    "Estimate": "_credits",
    "Event": "events",
    "Result": "_results",
    "estimate_credits": "_credits",
}
"""Where each name is defined; those of errors are in `errors.__all__`."""
_MODULES = ("errors", "events", "webhooks")


if not TYPE_CHECKING:  # type checkers would take any name for one that exists

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return importlib.import_module(f"{__name__}.{name}")
        if name == "__all__":
            value = _names()
        elif name.startswith("_") or name not in _names():
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        else:
            value = getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
        globals()[name] = value
        return value


def _names() -> list[str]:
    errors = importlib.import_module(f"{__name__}.errors")
    return sorted([*_HOMES, *_MODULES, "__version__", *errors.__all__])


def __dir__() -> list[str]:
    return sorted({*globals(), *_names()})
