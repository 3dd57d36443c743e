"""Input files, whatever the caller gave: a path, an open file, a named stream or bytes.

Rule: everything that can be known without reading is checked when the source is made, before anything is uploaded.
A source can be read as often as it takes, and its length is known before the first byte goes out.
"""

from __future__ import annotations

import inspect
import io
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import attrs

from magic_hour_client.errors import InvalidArgument
from magic_hour_client.types import AssetRole

from .errors import AssetNotFound, TransferFailed
from .wording import looked_in, reason, shown

# The extensions the service takes (upload URLs API, Input Files). webm is both: the role of the field decides.
EXTENSIONS: dict[AssetRole, tuple[str, ...]] = {
    "video": ("mp4", "m4v", "mov", "webm"),
    "audio": ("mp3", "wav", "aac", "flac", "webm", "weba", "m4a", "opus", "ogg", "oga", "aiff", "amr"),
    "image": ("png", "jpg", "jpeg", "jfif", "heic", "heif", "webp", "avif", "jp2", "tiff", "tif", "bmp"),
}
_SPOOL_BYTES = 4 * 1024 * 1024
_CHUNK = 1024 * 1024


@attrs.define(eq=False)
class Source:
    """One input file."""

    name: str
    """For messages and events; never a whole path."""
    extension: str
    role: AssetRole
    identity: object
    """Equal for the same file given twice."""
    field: str
    """Where it was given, for messages."""
    path: Path | None = None
    stream: IO[bytes] | None = attrs.field(default=None, repr=False)
    start: int | None = None
    """Where the stream stood, or None if it cannot be rewound."""
    size: int | None = None
    _spool: IO[bytes] | None = attrs.field(default=None, repr=False)
    _closed: bool = attrs.field(default=False, repr=False)

    def prepare(self, left: Callable[[], float] = lambda: 1.0) -> int:
        """Make the source readable from its beginning, and give its length in bytes. May read a stream.

        Args:
            left: tells how many seconds are left; asked between chunks.
        """
        if self.path is not None:
            try:
                self.size = self.path.stat().st_size
            except OSError:
                raise self._gone() from None
        elif self._spool is None and self.start is None and self.stream is not None:
            self._spool, self.size = _spooled(self.stream, self.name, left)
            if self._closed:  # this thread was left behind, and nobody else will do it
                self._drop_spool()
        if not self.size:
            message = f"`{self.field}`: {self.name} is empty; give one with something in it"
            raise InvalidArgument(message, field=self.field)
        return self.size

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The source, standing at its beginning; a stream of the caller's is put back there afterwards."""
        if self.path is not None:
            try:
                file = self.path.open("rb")
            except FileNotFoundError:
                raise self._gone() from None
            with file:
                yield file
        elif self._spool is not None:
            self._spool.seek(0)
            yield self._spool
        elif self.stream is not None and self.start is not None:
            with _reading(self.stream, self.name, self.field):
                _seek(self.stream, self.start)
                try:
                    yield self.stream
                finally:
                    with suppress(OSError, ValueError):  # closed meanwhile; what went wrong before says more
                        self.stream.seek(self.start)

    def _gone(self) -> AssetNotFound:
        return AssetNotFound(f"`{self.field}`: {self.name} is no longer there", field=self.field)

    def close(self) -> None:
        """Drop what was kept of a stream that cannot be rewound; the caller's own files stay open."""
        self._closed = True
        self._drop_spool()

    def _drop_spool(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None


_in_use: set[int] = set()
_lock = threading.Lock()


@contextmanager
def _reading(stream: IO[bytes], name: str, field: str) -> Iterator[None]:
    """Two uploads cannot read one stream: each would get a part of it."""
    with _lock:
        if id(stream) in _in_use:
            raise _busy(name, field)
        _in_use.add(id(stream))
    try:
        yield
    finally:
        _in_use.discard(id(stream))


def _busy(name: str, field: str) -> InvalidArgument:
    message = f"`{field}`: the stream {name} is being uploaded already; give every call a stream of its own"
    return InvalidArgument(message, field=field)


def _seek(stream: IO[bytes], position: int) -> None:
    try:
        stream.seek(position)
    except (OSError, ValueError) as error:
        raise TransferFailed(f"it cannot be read ({error})", final=True) from None


def read_chunk(stream: IO[bytes], size: int) -> bytes:
    """At most `size` bytes; none at the end.

    Raises:
        InvalidArgument: the stream has nothing to read yet.
        TransferFailed: it cannot be read.
    """
    try:
        chunk: bytes | None = stream.read(size)
    except (OSError, ValueError) as error:
        raise TransferFailed(f"it cannot be read ({error})", final=True) from None
    if chunk is None:
        raise InvalidArgument("a stream has nothing to read yet; give one that waits for its data")
    return chunk


def _spooled(stream: IO[bytes], name: str, left: Callable[[], float]) -> tuple[IO[bytes], int]:
    """A copy of a stream that cannot be rewound."""
    spool = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115  (closed by the source)
    try:
        while chunk := read_chunk(stream, _CHUNK):
            if left() <= 0:
                raise TransferFailed("it could not be read in time", final=True)
            spool.write(chunk)
    except BaseException:
        spool.close()
        raise
    return spool, spool.tell()


def from_path(value: str | os.PathLike[str], role: AssetRole | None, field: str) -> Source:
    """A file on disk; `~` is the home folder."""
    try:
        path = Path(os.fspath(value)).expanduser()
        found = path.stat()
        if stat.S_ISREG(found.st_mode):  # opening anything else could wait for ever
            os.close(os.open(path, os.O_RDONLY))
    except FileNotFoundError:
        message = f"`{field}`: there is no file {shown(value)}{looked_in(value)}; check the path"
        raise AssetNotFound(message, field=field) from None
    except PermissionError:
        message = f"`{field}`: {shown(value)} may not be read; change its permissions or give another file"
        raise InvalidArgument(message, field=field) from None
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        message = f"`{field}`: {shown(value)} is no path of a file ({reason(error)}); check the path"
        raise InvalidArgument(message, field=field) from None
    if not stat.S_ISREG(found.st_mode):
        what = "a directory" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise InvalidArgument(f"`{field}`: {shown(path)} is {what}; give a file", field=field)
    if found.st_size == 0:
        raise InvalidArgument(f"`{field}`: {shown(path)} is empty; give a file with something in it", field=field)
    extension, known = checked_extension(path.name, role, field)
    return Source(
        name=path.name,
        extension=extension,
        role=known,
        identity=("path", os.path.realpath(path)),
        field=field,
        path=path,
        size=found.st_size,
    )


def from_stream(stream: Any, name: str | None, role: AssetRole | None, field: str) -> Source:
    """An open binary file or any other readable object, with the name it has or was given."""
    if name is None:
        own = getattr(stream, "name", None)
        if not isinstance(own, str) or not own or own.startswith("<"):  # "<stdin>" is no name of a file
            raise InvalidArgument(
                f'`{field}`: the stream has no name to tell its type by; give a pair instead, ("portrait.png", stream)',
                field=field,
            )
        name = own
    base = Path(name).name
    if getattr(stream, "closed", False):
        raise InvalidArgument(f"`{field}`: the file {base} is closed; keep it open until the call is done", field=field)
    if inspect.iscoroutinefunction(stream.read):
        message = f"`{field}`: {base} is an async file; give its path, or open it with the built-in open(path, 'rb')"
        raise InvalidArgument(message, field=field)
    if not _readable(stream):
        raise InvalidArgument(f"`{field}`: {base} is open for writing only; open it with mode 'rb'", field=field)
    if isinstance(stream, io.TextIOBase) or isinstance(_nothing(stream), str):
        raise InvalidArgument(f"`{field}`: {base} is open in text mode; open it with mode 'rb'", field=field)
    extension, found = checked_extension(base, role, field)
    if id(stream) in _in_use:
        raise _busy(base, field)
    start, size = _extent(stream)
    if size == 0:
        remedy = "go back with seek(0)" if start else "it is empty"
        raise InvalidArgument(f"`{field}`: nothing is left to read from {base}; {remedy}", field=field)
    return Source(
        name=base,
        extension=extension,
        role=found,
        identity=("stream", id(stream)),
        field=field,
        stream=stream,
        start=start,
        size=size,
    )


def from_bytes(content: bytes, name: str, role: AssetRole | None, field: str) -> Source:
    """Bytes in memory, with a file name to tell their type by."""
    source = from_stream(io.BytesIO(content), name, role, field)
    source.identity = ("bytes", id(content))
    return source


def _readable(stream: Any) -> bool:
    ask = getattr(stream, "readable", None)
    return not callable(ask) or bool(ask())


def _nothing(stream: Any) -> object:
    """What reading nothing gives: tells text from bytes without taking anything."""
    try:
        return stream.read(0)
    except (OSError, ValueError, TypeError):
        return b""


def _extent(stream: Any) -> tuple[int | None, int | None]:
    """Where the stream stands and how much is left, or (None, None) if it cannot be rewound."""
    try:
        if not stream.seekable():
            return None, None
        start = stream.tell()
        stream.seek(0, os.SEEK_END)
        end = stream.tell()
        stream.seek(start)
    except (OSError, ValueError, AttributeError):
        return None, None
    return start, max(0, end - start)


def checked_extension(name: str, role: AssetRole | None, field: str) -> tuple[str, AssetRole]:
    """The extension of a file name, lowercase and without its dot, and the role it is for.

    Our own table decides, not the system's, which differs from machine to machine. Without a role the extension
    tells it; the first role that takes it wins, so webm is a video.
    """
    if role is not None and role not in tuple(EXTENSIONS):
        raise InvalidArgument(f"`role`: expected image, audio or video, got {shown(role)}", field="role")
    extension = Path(name).suffix.lstrip(".").lower()
    roles: list[AssetRole] = [known for known, extensions in EXTENSIONS.items() if extension in extensions]
    found = role if role in roles else roles[0] if role is None and roles else None
    if found is not None:
        return extension, found
    wanted = EXTENSIONS[role] if role else tuple(e for group in EXTENSIONS.values() for e in group)
    article = {"image": "an image", "audio": "an audio file", "video": "a video"}.get(role or "", "a media file")
    has = f"ends in .{extension}" if extension else "has no extension"
    raise InvalidArgument(
        f"`{field}`: expected {article}, but {name} {has}; the service takes {', '.join(dict.fromkeys(wanted))}",
        field=field,
    )
