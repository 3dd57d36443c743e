"""The input files of a create: from the names in its body to the bytes.

Rule: the emulator never uses the network. A URL outside of its own storage becomes a placeholder that shows the URL; a
`file_path` that was never uploaded is refused.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from . import samples
from ._contract import AssetField, Json, Operation
from ._jobs import Job, Jobs, Source
from ._request_checks import Refusal
from ._stored_files import Outputs, Signer, Uploads, parse_output_path

__all__ = ["Inputs"]

_LIBRARY = "https://magichour.ai/my-library"
_LIBRARY_KEYS = {"imageId": "image", "videoId": "video", "audioId": "audio"}
_SOUND_SUFFIXES = (".mp3", ".wav", ".mp4")  # of the assets in the examples of the contract


@dataclass(frozen=True)
class Inputs:
    """Finds the inputs of a request. `storage_url` is a function, because the port is known only later."""

    uploads: Uploads
    jobs: Jobs
    outputs: Outputs
    signer: Signer
    example_assets: frozenset[str]
    storage_url: Callable[[], str]

    def resolve(self, operation: Operation, body: Json) -> dict[str, tuple[Source, ...]]:
        """The inputs by role, `image` and `audio`, in the order of the body. Slow: may render an output.

        A deprecated field counts only if the field that replaced it is not given.
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
        uploaded = self.uploads.find(value)
        if uploaded is not None:
            return Source(label, uploaded)
        if value in self.example_assets:
            return _sample(value, label)
        raise Refusal(422, "unprocessable_entity", f"{label}: {value!r} was not uploaded, or it has expired")

    def _from_url(self, value: str, field: AssetField, label: str) -> Source:
        url = urlsplit(value)
        if value.startswith(f"{_LIBRARY}?"):
            return self._from_library(url.query, field, value)
        if f"{url.scheme}://{url.netloc}" == self.storage_url():
            return self._from_storage(unquote(url.path), url.query, label)
        if not PurePosixPath(url.path).suffix:
            raise Refusal(422, "unprocessable_entity", f"{label}: the path of the URL has no file extension")
        return _placeholder(field, value)

    def _from_library(self, query: str, field: AssetField, value: str) -> Source:
        parameters = parse_qs(query)
        for key, kind in _LIBRARY_KEYS.items():
            job = self.jobs.find(parameters[key][0], kind) if key in parameters else None
            if job is not None and job.status == "complete":
                return Source(value, self._output(job, 0))
        return _placeholder(field, value)

    def _from_storage(self, path: str, query: str, label: str) -> Source:
        parameters = {key: values[0] for key, values in parse_qs(query).items()}
        output = parse_output_path(path)
        job = self.jobs.find(output[0]) if output else None
        if self.signer.objection("GET", path, parameters) or output is None or job is None:
            raise Refusal(422, "unprocessable_entity", f"{label}: the URL could not be read")
        return Source(label, self._output(job, output[1]))

    def _output(self, job: Job, index: int) -> Path:
        """A copy of an output, which remains when its job is deleted."""
        copy = self.uploads.new_file()
        shutil.copyfile(self.outputs.get(job, index), copy)
        return copy


def _sample(value: str, label: str) -> Source:
    """The sample file for an asset in the examples of the contract."""
    if PurePosixPath(value).suffix in _SOUND_SUFFIXES:
        return Source(label, samples.voice(), endless=True)
    return Source(label, samples.portrait())


def _placeholder(field: AssetField, url: str) -> Source:
    """What replaces the file at a URL: a picture that shows the URL, or the sample voice."""
    label = url if url.startswith(_LIBRARY) else url.partition("?")[0]  # other queries may contain signatures
    return Source(label) if field.role == "image" else Source(label, samples.voice(), endless=True)
