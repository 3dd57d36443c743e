"""Files in, files out: AI headshots, talking photos, image generation and image editing with the Magic Hour API.

    from magic_hour_workflows import Client

    with Client() as client:  # the key comes from MAGIC_HOUR_API_KEY
        result = client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "A red fox"})
    print(result.downloaded_paths)

Importing the package costs nothing; each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from . import errors as errors
    from . import events as events
    from ._client import AsyncClient as AsyncClient
    from ._client import Client as Client
    from ._credits import Estimate as Estimate
    from ._credits import estimate_credits as estimate_credits
    from ._results import Result as Result
    from .errors import APIError as APIError
    from .errors import DownloadFailed as DownloadFailed
    from .errors import InvalidArgument as InvalidArgument
    from .errors import JobCanceled as JobCanceled
    from .errors import JobError as JobError
    from .errors import JobFailed as JobFailed
    from .errors import JobTimeout as JobTimeout
    from .errors import MagicHourError as MagicHourError
    from .errors import SubmissionUnknown as SubmissionUnknown
    from .errors import TransferFailed as TransferFailed
    from .errors import UploadFailed as UploadFailed
    from .events import Event as Event

_EXPORTS = {
    "AsyncClient": "_client",
    "Client": "_client",
    "Estimate": "_credits",
    "estimate_credits": "_credits",
    "APIError": "errors",
    "InvalidArgument": "errors",
    "UploadFailed": "errors",
    "JobTimeout": "errors",
    "JobFailed": "errors",
    "JobCanceled": "errors",
    "DownloadFailed": "errors",
    "JobError": "errors",
    "MagicHourError": "errors",
    "SubmissionUnknown": "errors",
    "TransferFailed": "errors",
    "Event": "events",
    "Result": "_results",
}
_MODULES = ("errors", "events")

__warns_its_caller__ = True  # a warning about an argument points past this package, at the line that gave it

__all__ = [
    "APIError",
    "AsyncClient",
    "Client",
    "DownloadFailed",
    "Estimate",
    "Event",
    "InvalidArgument",
    "JobCanceled",
    "JobError",
    "JobFailed",
    "JobTimeout",
    "MagicHourError",
    "Result",
    "SubmissionUnknown",
    "TransferFailed",
    "UploadFailed",
    "__version__",
    "errors",
    "estimate_credits",
    "events",
]


if not TYPE_CHECKING:  # type checkers would take any name for one that exists

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return importlib.import_module(f"{__name__}.{name}")
        if name not in _EXPORTS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_EXPORTS[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS, *_MODULES})
