"""`client.v1.files`: `upload_urls` from the contract, `upload_file` on top of it.

Rule: thin. The work is the flows'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from magic_hour_client.resources.v1_files import AsyncV1Files, V1Files
from magic_hour_client.types import AssetRole, AssetSource

from .._backend import run_sync
from .._flows.generate import upload_file
from ..events import Event

if TYPE_CHECKING:
    from .._client import AsyncClient, Client


class Files(V1Files):
    """Sync uploads."""

    _sender: Client

    def upload_file(
        self,
        file: AssetSource,
        *,
        role: AssetRole | None = None,
        timeout: float | None = None,
        on_progress: Callable[[Event], object] | None = None,
    ) -> str:
        """Upload one file, to use it in several jobs. The service keeps it for 7 days.

        Args:
            file: a path, an open binary file, a pair of a file name and bytes or a stream, an upload of a web
                framework, an image of Pillow or a `data:` URI.
            role: `image`, `audio` or `video`; told by the extension, or the first bytes, if not given. Sound in webm
                or mp4 needs it.
            timeout: seconds the whole call may take; the client's `timeout` (1800) if not given.
            on_progress: called with each `Uploading` and `Retrying`.

        Returns:
            The remote path, which any asset field takes.

        Raises:
            InvalidArgument: the file is missing, empty, unreadable or of a type the service does not take.
            UploadFailed: storage did not take it.

        Example:
            >>> client.v1.files.upload_file(portrait).split("/")[0]
            'api-assets'
        """
        return run_sync(upload_file(self._sender._begin(timeout, None, on_progress), file, role))


class AsyncFiles(AsyncV1Files):
    """Async uploads."""

    _sender: AsyncClient

    async def upload_file(
        self,
        file: AssetSource,
        *,
        role: AssetRole | None = None,
        timeout: float | None = None,
        on_progress: Callable[[Event], object] | None = None,
    ) -> str:
        """Upload one file, to use it in several jobs. The service keeps it for 7 days.

        Args:
            file: a path, an open binary file, a pair of a file name and bytes or a stream, an upload of a web
                framework, an image of Pillow or a `data:` URI.
            role: `image`, `audio` or `video`; told by the extension, or the first bytes, if not given. Sound in webm
                or mp4 needs it.
            timeout: seconds the whole call may take; the client's `timeout` (1800) if not given.
            on_progress: called with each `Uploading` and `Retrying`.

        Returns:
            The remote path, which any asset field takes.

        Raises:
            InvalidArgument: the file is missing, empty, unreadable or of a type the service does not take.
            UploadFailed: storage did not take it.

        Example:
            >>> client.v1.files.upload_file(portrait).split("/")[0]
            'api-assets'
        """
        return await upload_file(self._sender._begin(timeout, None, on_progress), file, role)
