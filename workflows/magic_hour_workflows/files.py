"""Downloads on disk: a temporary file that grows, and a final name that appears only when it is complete.

Rule: never a partial file under a final name, never an existing file overwritten, never a name that leaves the
directory. The decisions about an answer of storage (go on, start over, refuse) are made here, once for both worlds.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import IO
from urllib.parse import urljoin, urlsplit

from magic_hour_client.errors import InvalidArgument, retry_after
from magic_hour_client.schema import wrong_type
from magic_hour_client.settings import may_speak_to

from .errors import DownloadFailed, TransferFailed
from .results import Job, Kind
from .sources import EXTENSIONS, reason, shown

_MEDIA = {extension for group in EXTENSIONS.values() for extension in group} | {"gif", "zip"}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")  # device names on Windows
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_LONGEST_NAME = 120


def checked_directory(directory: str | os.PathLike[str] | None, *, make: bool = True) -> Path:
    """The directory to save into, made if it is missing, known to be writable; the current one by default.

    Args:
        directory: what the caller gave.
        make: False to look only whether it could be made.

    Raises:
        InvalidArgument: it is a file, or nothing can be written there.
    """
    field = "download_directory"
    if not (directory is None or isinstance(directory, (str, os.PathLike))):
        raise wrong_type(field, "a path", directory)
    if directory == "":
        raise InvalidArgument(f"`{field}`: the path is empty; leave it out for the current directory", field=field)
    if isinstance(directory, str) and "://" in directory:
        message = f"`{field}`: {shown(directory)} is a URL; give a directory of this machine"
        raise InvalidArgument(message, field=field)
    where = "the current directory" if directory is None else shown(directory)
    try:
        path = Path.cwd() if directory is None else Path(directory).expanduser()
        if make:
            path.mkdir(parents=True, exist_ok=True)
        there = next(known for known in (path, *path.absolute().parents) if os.path.lexists(known))
        probe = there / f".{secrets.token_hex(8)}.probe"
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        probe.unlink()
    except (FileExistsError, NotADirectoryError):
        message = f"`{field}`: {where} is not a directory; give one, or the name of a new one"
        raise InvalidArgument(message, field=field) from None
    except (OSError, ValueError, RuntimeError) as error:
        message = f"`{field}`: nothing can be written to {where} ({reason(error)}); give another directory"
        raise InvalidArgument(message, field=field) from None
    return path


def checked_output_name(name: object, kind: Kind | None = None) -> str | None:
    """A name for the outputs; it cannot lead out of the directory.

    Args:
        name: what the caller gave.
        kind: what the outputs are, if it is known: a picture saved as .mp4 would be found out by whoever opens it.

    Raises:
        InvalidArgument: it is no plain file name, or one of another kind of file.
    """
    if name is None:
        return None
    if not isinstance(name, str) or not _is_plain(name):
        wanted = "give a plain one without a folder, such as 'portrait'"
        message = f"`output_name`: {shown(name)} cannot be a file name on every system; {wanted}"
        raise InvalidArgument(message, field="output_name")
    extension = os.path.splitext(name)[1].lstrip(".").lower()
    kinds = [known for known, extensions in EXTENSIONS.items() if extension in extensions]
    if kind is not None and kinds and kind not in kinds:
        other = f"is a name for {kinds[0]}, and the outputs are {kind}s"
        message = f"`output_name`: {shown(name)} {other}; leave .{extension} out"
        raise InvalidArgument(message, field="output_name")
    return name


def _is_plain(name: str) -> bool:
    """Whether every system takes this as a name of a file, with a number behind it, in one directory."""
    fits = 0 < len(name.encode("utf-8", "replace")) <= _LONGEST_NAME
    clean = name.isprintable() and not re.search(r'[/\\:*?"<>|]', name) and name.strip(". ") == name
    return fits and clean and not _RESERVED.match(name)


def output_names(job: Job, urls: list[str], output_name: str | None) -> list[tuple[str, str]]:
    """Stem and suffix for each output: `<id>-<n>`, or the name that was asked for, numbered if there are several.

    >>> output_names(Job("image", "abc"), ["https://s.example/abc/output.png?sig=1"], None)
    [('abc-1', '.png')]
    """
    names = []
    for number, url in enumerate(urls, 1):
        suffix = _suffix(url, job)
        if output_name is None:
            stem = f"{safe_stem(job.id)}-{number}"
        else:
            stem, given = os.path.splitext(output_name)
            if not names_a_file(output_name):
                stem, given = output_name, ""
            suffix = given or suffix
            stem = stem if len(urls) == 1 else f"{stem}-{number}"
        names.append((stem, suffix))
    return names


def names_a_file(name: str) -> bool:
    """Whether a name ends like a file of media, and not like a folder.

    >>> names_a_file("sunset.png"), names_a_file("run.2026")
    (True, False)
    """
    return os.path.splitext(name)[1].lstrip(".").lower() in _MEDIA


def safe_stem(text: str) -> str:
    """`text` as the beginning of a file name on any system."""
    stem = _UNSAFE.sub("_", text).strip("._")[:_LONGEST_NAME] or "output"
    return f"_{stem}" if _RESERVED.match(stem) else stem


def _suffix(url: str, job: Job) -> str:
    extension = os.path.splitext(urlsplit(url).path)[1].lstrip(".").lower()
    return f".{extension}" if extension in _MEDIA else (".png" if job.kind == "image" else ".mp4")


def checked_url(url: str, allow_http: bool) -> str:
    """A signed URL that may be spoken to: HTTPS, or plain HTTP to this machine, or that was allowed.

    Raises:
        TransferFailed: it is neither.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise TransferFailed("storage gave something that is no URL", final=True)
    if not may_speak_to(parts.scheme, host, allow_http):
        raise TransferFailed(f"storage gave a plain http:// URL on {host}; allow_http=True would accept it", final=True)
    return url


class Partial:
    """One output on its way to disk."""

    def __init__(self, directory: Path, stem: str, suffix: str, *, allow_http: bool = False) -> None:
        self.directory = directory
        self.stem = stem
        self.suffix = suffix
        self.allow_http = allow_http
        self.path: Path = directory / f".{stem}.{secrets.token_hex(6)}.part"
        self.received: int = 0
        self.total: int | None = None
        self._etag: str | None = None
        self._redirects = 0
        self._file: IO[bytes] | None = None

    @property
    def name(self) -> str:
        return f"{self.stem}{self.suffix}"

    def request_headers(self) -> dict[str, str]:
        """What to ask for: all of it, or the rest if the file cannot have changed meanwhile."""
        headers = {"accept-encoding": "identity"}
        if self.received and self._etag:
            headers["range"] = f"bytes={self.received}-"
            headers["if-range"] = self._etag
        return headers

    def begin(self, url: str, status: int, headers: Mapping[str, str]) -> str | None:
        """Take the head of an answer. Returns the URL to ask instead, if storage says so.

        Raises:
            TransferFailed: storage refused, or its answer does not fit what is there already.
        """
        if status in _REDIRECTS and "location" in headers:
            self._redirects += 1
            if self._redirects > _MOST_REDIRECTS:
                self._redirects = 0
                raise TransferFailed("storage redirects in circles", status=status)
            return checked_url(urljoin(url, headers["location"]), self.allow_http)
        self._redirects = 0
        if status == 206 and self.received:
            self._go_on(headers)
        elif status == 200:
            self._start_over(headers)
        elif status in (206, 416):
            self.reset()
            raise TransferFailed("storage answered another part than was asked for")
        else:
            message = f"storage answered with status {status}"
            raise TransferFailed(message, status=status, retry_after=retry_after(headers))
        return None

    def _start_over(self, headers: Mapping[str, str]) -> None:
        self.reset()
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise TransferFailed("storage sent the file in an encoding that was not asked for", final=True)
        length = headers.get("content-length", "")
        # What stands between us and storage may answer in its place: a login page, or nothing.
        if length == "0" or headers.get("content-type", "").lower().startswith("text/html"):
            raise TransferFailed("storage answered a page or nothing where a file should be")
        if not length.isdecimal() and "transfer-encoding" not in headers:
            raise TransferFailed("storage did not say how long the file is, so a cut could not be seen", final=True)
        self.total = int(length) if length.isdecimal() else None
        etag = headers.get("etag", "")
        self._etag = etag if etag.startswith('"') else None  # a weak one does not promise the same bytes

    def _go_on(self, headers: Mapping[str, str]) -> None:
        found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        same = found is not None and int(found[1]) == self.received and found[3] in ("*", str(self.total))
        if not same or headers.get("etag", self._etag) != self._etag:
            self.reset()
            raise TransferFailed("storage answered another part than was asked for")

    def reset(self) -> None:
        """Forget what arrived; the next request starts over."""
        self.received = 0
        self.total = self._etag = None
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()

    def write(self, chunk: bytes) -> None:
        """Append what arrived.

        Raises:
            DownloadFailed: the disk did not take it.
        """
        try:
            if self._file is None:
                descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
                self._file = os.fdopen(descriptor, "wb", buffering=0)
            view = memoryview(chunk)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise self._unwritable(error) from None
        self.received += len(chunk)

    def _unwritable(self, error: OSError) -> DownloadFailed:
        why = error.strerror or type(error).__name__
        # A status of its own kind: asking again does not make room on the disk.
        return DownloadFailed(f"{self.name} cannot be written to {self.directory}: {why}", final=True)

    def check_complete(self) -> None:
        """Called at the end of an answer.

        Raises:
            TransferFailed: bytes are missing, or there are too many.
        """
        if self.total is not None and self.received != self.total:
            received, total = self.received, self.total
            if received > total:
                self.reset()
            raise TransferFailed(f"{received} of {total} bytes of {self.name} arrived")

    def finish(self) -> Path:
        """Put the complete file under the first free final name and return its path.

        Raises:
            DownloadFailed: the disk refused.
        """
        self.write(b"")
        self._close()
        try:
            for target in self._candidates():
                if _moved(self.path, target):
                    return target
        except OSError as error:
            raise self._unwritable(error) from None
        raise AssertionError("there is always another name")

    def _candidates(self) -> Iterator[Path]:
        yield self.directory / f"{self.stem}{self.suffix}"
        for number in count(2):
            yield self.directory / f"{self.stem} ({number}){self.suffix}"

    def discard(self) -> None:
        """Remove what is left of an unfinished download."""
        with suppress(OSError):  # the directory may be gone; what went wrong before says more
            self._close()
            self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _moved(source: Path, target: Path) -> bool:
    """Give the file its final name unless something has it: a link fails where a rename would overwrite."""
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except OSError:
        # No hard links here (FAT, some network drives). What is left is to look first, with a moment in between in
        # which somebody else could take the name.
        if os.path.lexists(target):
            return False
        os.rename(source, target)
        return True
    with suppress(OSError):  # the file has its name; a hidden second one is no reason to call it failed
        source.unlink()
    return True
