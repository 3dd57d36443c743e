"""Uploading the input files of a call: one request for all upload URLs, then all files at once.

Rule: nothing is paid for yet, so everything here may be repeated, and what cannot work fails early.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from magic_hour_client.endpoints import UPLOAD_URLS, endpoint
from magic_hour_client.errors import ConnectionFailed, UnexpectedResponse

from .._retry import has_expired, may_repeat
from .._sources import Source
from .._storage_http import checked_url
from ..errors import TransferFailed, UploadFailed
from ..events import Uploading
from .call import Call


async def upload(call: Call, sources: Sequence[Source]) -> list[str]:
    """Upload every source; the remote paths are in the same order.

    Raises:
        UploadFailed: storage did not accept a file.
        InvalidArgument: a stream turned out to be empty.
    """
    if not sources:
        return []
    for source in sources:
        if source.size is None:  # a stream that has to be read to know; the others are read again when they are sent
            with _naming(source):
                await call.backend.run_in_thread(
                    partial(source.prepare, call.left), abandon_on_cancel=True, deadline=call.deadline
                )
    places = await _places(call, sources)
    return await call.backend.map(lambda pair: _upload_one(call, *pair), list(zip(sources, places, strict=True)))


def measure(source: Source) -> None:
    """Read a stream that has to be read to know its length and form, without a call around it.

    Raises:
        UploadFailed: it cannot be read.
        InvalidArgument: it turned out to be empty, or not a file that the service accepts.
    """
    if source.size is None:
        with _naming(source):
            source.prepare()


async def _places(call: Call, sources: Sequence[Source]) -> list[Any]:
    if UPLOAD_URLS is None:
        raise UploadFailed("the contract has no way to upload files", final=True)
    request = endpoint(UPLOAD_URLS).request(
        items=[{"type": source.known.role, "extension": source.known.extension} for source in sources]
    )

    async def attempt() -> list[Any]:
        answer = await call.backend.send(request, call.attempt_deadline())
        usable = [place for place in answer.items if _is_text(place.upload_url) and _is_text(place.file_path)]
        if not len(usable) == len(answer.items) == len(sources):
            message = f"{request.name} returned {len(usable)} upload URLs for {len(sources)} files"
            raise UnexpectedResponse(message, operation=request.name, status=200)
        return usable

    return await call.repeat(request.name, attempt)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


async def _upload_one(call: Call, source: Source, place: Any) -> str:
    size = source.size or 0

    def report(sent: int, _: int | None) -> None:
        call.emit(Uploading(name=source.name, sent=sent, total=size))

    async def attempt() -> str:
        nonlocal place
        try:
            url = checked_url(place.upload_url, call.allow_http)
            await call.backend.put(url, source, call.deadline, report)
        except TransferFailed as error:
            if has_expired(error):
                [place] = await _places(call, [source])
            raise
        return str(place.file_path)

    with _naming(source):
        return await call.repeat(f"upload of {source.name}", attempt, again=_may_upload_again)


@contextmanager
def _naming(source: Source) -> Iterator[None]:
    """Add to an error which file it is about, and that nothing was charged."""
    try:
        yield
    except (TransferFailed, ConnectionFailed) as error:
        problem = f"{source.name} was not uploaded: {error.problem}. No job was submitted"
        status, retry_after = getattr(error, "status", None), getattr(error, "retry_after", None)
        raise UploadFailed(problem, error.remedy, status=status, retry_after=retry_after) from error


def _may_upload_again(error: Exception) -> bool:
    return may_repeat(error) or has_expired(error)
