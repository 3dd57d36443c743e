"""The input files of a create: from the names in its body to the bytes.

Rule: the emulator never uses the network. A URL outside of its own storage becomes a placeholder that shows the URL; a
`file_path` that was never uploaded is refused.
"""

import mimetypes
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from . import samples
from ._contract import AssetField, Json, Operation
from ._jobs import Job, Jobs, Source
from ._request_checks import Refusal
from ._stored_files import Outputs, Signer, Uploads, parse_output_path

__all__ = ["Inputs", "role_of"]

_LIBRARY = "https://magichour.ai/my-library"
_GIF = "gif"
_LIBRARY_KEY = "Id"  # `imageId` names an image project, and so on


@dataclass(frozen=True)
class Inputs:
    """Finds the inputs of a request. `storage_url` is a function, because the port is known only later."""

    uploads: Uploads
    jobs: Jobs
    outputs: Outputs
    signer: Signer
    example_assets: frozenset[str]
    storage_url: Callable[[], str]

    def resolve(self, operation: Operation, body: Json) -> tuple[Source, ...]:
        """The inputs in the order of the contract. Slow: may render an output.

        A deprecated field counts only if the field that replaced it is not given.
        """
        found: list[Source] = []
        for field in sorted(operation.assets, key=lambda field: field.deprecated):
            values = field.values(body)
            replaced = field.deprecated and any(source.role in field.roles for source in found)
            if not replaced:
                found += [self._source(value, field) for value in values]
        return tuple(found)

    def _source(self, value: str, field: AssetField) -> Source:
        label = ".".join(field.path).replace(".*", "")
        # A field that takes any medium has examples for the prompt, not what is worked on.
        several = len(set(field.roles) - {_GIF}) > 1
        empty = Source(label, role_of(value, field.roles), may_be_gif=_GIF in field.roles, just_shown=several)
        if value.startswith(("http://", "https://")):
            return self._from_url(value, empty)
        uploaded = self.uploads.find(value) or self._asset_of_task(value)
        if uploaded is not None:
            return replace(empty, path=uploaded)
        if value in self.example_assets:
            return replace(empty, path=_sample(empty.role), endless=empty.role != "image")
        raise Refusal(422, "unprocessable_entity", f"{label}: {value!r} was not uploaded, or it has expired")

    def _asset_of_task(self, file_path: str) -> Path | None:
        output = parse_output_path(f"/{file_path}")
        job = self.jobs.find(output[0]) if output else None
        if output is None or job is None or job.status != "complete" or output[1] >= job.count:
            return None
        return self._output(job, output[1])

    def _from_url(self, value: str, empty: Source) -> Source:
        url = urlsplit(value)
        if value.startswith(f"{_LIBRARY}?"):
            return self._from_library(url.query, value, empty)
        if f"{url.scheme}://{url.netloc}" == self.storage_url():
            return self._from_storage(unquote(url.path), url.query, empty)
        if not PurePosixPath(url.path).suffix:
            raise Refusal(422, "unprocessable_entity", f"{empty.label}: the path of the URL has no file extension")
        return _placeholder(empty, value)

    def _from_library(self, query: str, value: str, empty: Source) -> Source:
        for key, ids in parse_qs(query).items():
            kind = key.removesuffix(_LIBRARY_KEY)
            job = self.jobs.find(ids[0], kind) if kind != key else None
            if job is not None and job.status == "complete":
                return replace(empty, label=value, path=self._output(job, 0))
        return _placeholder(empty, value)

    def _from_storage(self, path: str, query: str, empty: Source) -> Source:
        parameters = {key: values[0] for key, values in parse_qs(query).items()}
        output = parse_output_path(path)
        job = self.jobs.find(output[0]) if output else None
        if self.signer.objection("GET", path, parameters) or output is None or job is None:
            raise Refusal(422, "unprocessable_entity", f"{empty.label}: the URL could not be read")
        return replace(empty, path=self._output(job, output[1]))

    def _output(self, job: Job, index: int) -> Path:
        """A copy of an output, which remains when its job is deleted."""
        copy = self.uploads.new_file()
        shutil.copyfile(self.outputs.get(job, index), copy)
        return copy


def role_of(value: str, roles: tuple[str, ...]) -> str:
    """What a file is: the field's only role, else what its path says."""
    several = [role for role in roles if role != _GIF]  # a GIF is uploaded as a video
    path = PurePosixPath(urlsplit(value).path)
    medium = (mimetypes.guess_type(path.name)[0] or "").partition("/")[0]
    return next((role for role in (path.stem, medium) if role in several), several[0])


def _sample(role: str) -> Path:
    """The sample file for an asset in the examples of the contract."""
    return {"image": samples.portrait, "video": samples.clip, "audio": samples.voice}[role]()


def _placeholder(empty: Source, url: str) -> Source:
    """What replaces the file at a URL: a picture that shows the URL, or the sample voice."""
    if empty.role == "audio":
        return replace(empty, path=samples.voice(), endless=True)
    return replace(empty, label=url if url.startswith(_LIBRARY) else url.partition("?")[0])  # may contain signatures
