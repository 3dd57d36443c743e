"""From what a client names as an input to the bytes behind it.

Rule: the emulator never goes out to the network. A URL it cannot read from its own storage becomes a placeholder that
says so; a `file_path` that nobody uploaded is refused.
"""

import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from . import samples
from ._contract import AssetField, Json, Operation
from ._errors import Refusal
from ._jobs import Job, Jobs
from ._signing import Signer
from ._sources import Source
from ._stored_files import Outputs, parse_output_path
from ._uploads import Uploads

__all__ = ["Assets"]

_LIBRARY = "https://magichour.ai/my-library"
_LIBRARY_KEYS = {"imageId": "image", "videoId": "video", "audioId": "audio"}
_SOUND_SUFFIXES = (".mp3", ".wav", ".mp4")  # of the examples that are preloaded


class Assets:
    """Finds the inputs of a request. `storage_url` is asked for late, because the port is known late."""

    def __init__(
        self,
        uploads: Uploads,
        jobs: Jobs,
        outputs: Outputs,
        signer: Signer,
        preloaded: frozenset[str],
        storage_url: Callable[[], str],
    ) -> None:
        self._uploads = uploads
        self._jobs = jobs
        self._outputs = outputs
        self._signer = signer
        self._preloaded = preloaded
        self._storage_url = storage_url

    def resolve(self, operation: Operation, body: Json) -> dict[str, tuple[Source, ...]]:
        """The inputs of a body by role, `image` and `audio`, in the order of the body. Slow; may render an output.

        A retired field counts only if nothing is given in the field that replaced it.
        """
        found: dict[str, tuple[Source, ...]] = {}
        for field in sorted(operation.assets, key=lambda field: field.deprecated):
            if field.deprecated and field.role in found:
                continue
            values = field.values(body)
            if values:
                sources = tuple(self._source(value, field) for value in values)
                found[field.role] = found.get(field.role, ()) + sources
        return found

    def _source(self, value: str, field: AssetField) -> Source:
        label = ".".join(field.path).replace(".*", "")
        if value.startswith(("http://", "https://")):
            return self._from_url(value, field, label)
        uploaded = self._uploads.find(value)
        if uploaded is not None:
            return Source(label, uploaded)
        if value in self._preloaded:
            return self._preloaded_source(value, label)
        raise Refusal(422, "unprocessable_entity", f"{label}: nothing was uploaded to {value!r}, or it is too old")

    def _preloaded_source(self, value: str, label: str) -> Source:
        if PurePosixPath(value).suffix in _SOUND_SUFFIXES:
            return Source(label, samples.voice(), endless=True)
        return Source(label, samples.portrait())

    def _from_url(self, value: str, field: AssetField, label: str) -> Source:
        url = urlsplit(value)
        if value.startswith(f"{_LIBRARY}?"):
            return self._from_library(url.query, field, value)
        if f"{url.scheme}://{url.netloc}" == self._storage_url():
            return self._from_storage(unquote(url.path), url.query, label)
        if not PurePosixPath(url.path).suffix:
            raise Refusal(422, "unprocessable_entity", f"{label}: the path of the URL has no file extension")
        return _placeholder(field, value)

    def _from_library(self, query: str, field: AssetField, value: str) -> Source:
        parameters = parse_qs(query)
        for key, kind in _LIBRARY_KEYS.items():
            job = self._jobs.find(parameters[key][0], kind) if key in parameters else None
            if job is not None and job.status == "complete":
                return Source(value, self._output(job, 0))
        return _placeholder(field, value)

    def _from_storage(self, path: str, query: str, label: str) -> Source:
        parameters = {key: values[0] for key, values in parse_qs(query).items()}
        place = parse_output_path(path)
        job = self._jobs.find(place[0]) if place else None
        if self._signer.objection("GET", path, parameters) or place is None or job is None:
            raise Refusal(422, "unprocessable_entity", f"{label}: the URL could not be read")
        return Source(label, self._output(job, place[1]))

    def _output(self, job: Job, index: int) -> Path:
        """A copy of an output that stays when its job is deleted."""
        copy = self._uploads.begin()
        shutil.copyfile(self._outputs.get(job, index), copy)
        return copy


def _placeholder(field: AssetField, url: str) -> Source:
    """What stands in for a URL: a picture that shows it, or the sample voice."""
    label = url if url.startswith(_LIBRARY) else url.partition("?")[0]  # other queries may hold signatures
    return Source(label) if field.role == "image" else Source(label, samples.voice(), endless=True)
