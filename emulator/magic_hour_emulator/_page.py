"""The page at `/` of the API's origin: a few static files that show what the controls return.

Rule: the page has no powers. Everything it does is a request to a control that any program may send, and its
Content-Security-Policy lets it reach nothing else.
"""

from functools import partial
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ._request_checks import local_only
from ._service import Service

__all__ = ["PAGE_FILES", "page_routes"]

_FOLDER: Final = files("magic_hour_emulator") / "page"
_TYPES: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
PAGE_FILES: Final = frozenset(each.name for each in _FOLDER.iterdir() if each.name.rpartition(".")[2] in _TYPES)
"""Everything that the page consists of."""

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "media", "connect")),
        *(f"{kind} 'none'" for kind in ("base-uri", "form-action", "frame-ancestors")),
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def page_routes(service: Service) -> list[Route]:
    """The routes of the page and its files."""
    names = {"/": "index.html", **{f"/_emulator/page/{name}": name for name in sorted(PAGE_FILES)}}
    return [
        Route(path, local_only(partial(_serve, name), service.settings.allowed_hosts), methods=["GET"])
        for path, name in names.items()
    ]


async def _serve(name: str, _: Request) -> Response:
    content = (_FOLDER / name).read_bytes()
    return Response(content, media_type=_TYPES[name.rpartition(".")[2]], headers=_HEADERS)
