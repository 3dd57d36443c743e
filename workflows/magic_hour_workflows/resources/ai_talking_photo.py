"""`client.v1.ai_talking_photo`: `create` from the contract, `generate` on top of it.

Rule: thin. The parameters are those of `V1AiTalkingPhotoCreateBodyGenerateParams`,
the work is the `generate` flow's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from magic_hour_client.api.v1_ai_talking_photo import create_ai_talking_photo as api
from magic_hour_client.api.v1_video_projects.get_video_project import request as get_request
from magic_hour_client.resources.v1_ai_talking_photo import AsyncV1AiTalkingPhoto, V1AiTalkingPhoto

from .._backend import run_sync
from .._flows.generate import OutputOptions, generate
from .._flows.submit import carry
from .._results import Result
from ..events import Event

if TYPE_CHECKING:
    from magic_hour_client.params import V1AiTalkingPhotoCreateBodyGenerateParams

    from .._client import AsyncClient, Client


class AiTalkingPhoto(V1AiTalkingPhoto):
    """Sync talking photos."""

    _sender: Client

    def generate(
        self,
        *,
        wait_for_completion: bool = True,
        download_outputs: bool = True,
        download_directory: str | os.PathLike[str] | None = None,
        output_name: str | None = None,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_progress: Callable[[Event], object] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        **parameters: Unpack[V1AiTalkingPhotoCreateBodyGenerateParams],
    ) -> Result:
        """Make a photo speak, from local files to a video on disk.

        Args:
            wait_for_completion: wait until the job is done; if False, return as soon as it is accepted.
            download_outputs: save the outputs; only if the call waits.
            download_directory: where to save, made if missing; the current directory if not given.
            output_name: a file name for the outputs, numbered if there are several; `<id>-<n>` if not given. Existing
                files are never overwritten.
            timeout: seconds the whole call may take; the client's `timeout` (1800) if not given.
            poll_interval: seconds between looks at the job; the client's if not given.
            on_progress: called with each `Event`: uploading, created, status changed, downloading, retrying.
            extra_body: fields the contract does not know yet, put over the others as they are.
            parameters: those of `create`, with input files as paths, open files, `(name, bytes)` pairs, URLs or
                remote paths.

        Returns:
            The job's id, its status, the credits charged and the saved files.

        Raises:
            InvalidArgument: something cannot be right; nothing was uploaded or charged.
            UploadFailed: an input could not be uploaded; nothing was charged.
            APIError: the service refused; nothing was charged, unless the error has a `project_id`.
            SubmissionUnknown: nobody knows whether the job was accepted; it is not sent twice.
            JobFailed, JobCanceled, JobTimeout: the job was accepted and did not end well.
            DownloadFailed: the job is done, and an output could not be saved.

        Example:
            >>> result = client.v1.ai_talking_photo.generate(
            ...     assets={"image_file_path": portrait, "audio_file_path": voice},
            ...     start_seconds=0,
            ...     end_seconds=2,
            ...     download_directory=folder,
            ... )
            >>> result.downloaded_paths[0].suffix
            '.mp4'
        """
        call = self._sender._begin(timeout, poll_interval, on_progress)
        outputs = OutputOptions(
            wait_for_completion=wait_for_completion,
            download_outputs=download_outputs,
            download_directory=download_directory,
            output_name=output_name,
        )
        given = {**parameters, "extra_body": extra_body}
        return run_sync(generate(call, api, get_request, given, outputs), partial(carry, call))


class AsyncAiTalkingPhoto(AsyncV1AiTalkingPhoto):
    """Async talking photos."""

    _sender: AsyncClient

    async def generate(
        self,
        *,
        wait_for_completion: bool = True,
        download_outputs: bool = True,
        download_directory: str | os.PathLike[str] | None = None,
        output_name: str | None = None,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_progress: Callable[[Event], object] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        **parameters: Unpack[V1AiTalkingPhotoCreateBodyGenerateParams],
    ) -> Result:
        """Make a photo speak, from local files to a video on disk.

        Args:
            wait_for_completion: wait until the job is done; if False, return as soon as it is accepted.
            download_outputs: save the outputs; only if the call waits.
            download_directory: where to save, made if missing; the current directory if not given.
            output_name: a file name for the outputs, numbered if there are several; `<id>-<n>` if not given. Existing
                files are never overwritten.
            timeout: seconds the whole call may take; the client's `timeout` (1800) if not given.
            poll_interval: seconds between looks at the job; the client's if not given.
            on_progress: called with each `Event`: uploading, created, status changed, downloading, retrying.
            extra_body: fields the contract does not know yet, put over the others as they are.
            parameters: those of `create`, with input files as paths, open files, `(name, bytes)` pairs, URLs or
                remote paths.

        Returns:
            The job's id, its status, the credits charged and the saved files.

        Raises:
            InvalidArgument: something cannot be right; nothing was uploaded or charged.
            UploadFailed: an input could not be uploaded; nothing was charged.
            APIError: the service refused; nothing was charged, unless the error has a `project_id`.
            SubmissionUnknown: nobody knows whether the job was accepted; it is not sent twice.
            JobFailed, JobCanceled, JobTimeout: the job was accepted and did not end well.
            DownloadFailed: the job is done, and an output could not be saved.

        Example:
            >>> result = client.v1.ai_talking_photo.generate(
            ...     assets={"image_file_path": portrait, "audio_file_path": voice},
            ...     start_seconds=0,
            ...     end_seconds=2,
            ...     download_directory=folder,
            ... )
            >>> result.downloaded_paths[0].suffix
            '.mp4'
        """
        call = self._sender._begin(timeout, poll_interval, on_progress)
        outputs = OutputOptions(
            wait_for_completion=wait_for_completion,
            download_outputs=download_outputs,
            download_directory=download_directory,
            output_name=output_name,
        )
        given = {**parameters, "extra_body": extra_body}
        return await generate(call, api, get_request, given, outputs)
