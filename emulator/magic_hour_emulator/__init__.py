"""The Magic Hour service on your own machine: run everything without an API key and without being charged.

`Emulator` starts it, `faults` makes things go wrong, `samples` has files to try. All other modules are internal.

Rule: importing this package is cheap. The web server and the media libraries load with the first use of `Emulator`.

    from magic_hour_emulator import Emulator

    with Emulator() as emulator:
        print(emulator.url, emulator.token)
"""

from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from ._server import Emulator

__all__ = ["Emulator", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Emulator":
        try:
            from ._server import Emulator
        except ModuleNotFoundError as error:
            remedy = "pip install magic-hour-emulator"
            raise ModuleNotFoundError(f"the emulator needs {error.name}: {remedy}", name=error.name) from None
        return Emulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
