"""Input files, whatever the caller gave: a path, an open file, a named stream or bytes.

Rule: everything that can be known without waiting is checked when the source is made, before anything is uploaded.
A source can be read as often as needed, and its length is known before the first byte goes out.
"""

from __future__ import annotations

import inspect
import io
import os
import re
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeAlias

import attrs

from magic_hour_client.errors import InvalidArgument
from magic_hour_client.types import AssetRole

from ._formatting import file_name, last_part, looked_in, reason, shown
from ._media import FIRST_BYTES, Media, sniff
from ._streams import Pipe, ask, extent, read_chunk, seek, spooled
from .errors import AssetNotFound, TransferFailed

Roles: TypeAlias = AssetRole | tuple[AssetRole, ...] | None
"""What a file may be used as: one role, one of several, or whatever its extension says."""

# The extensions the service takes (upload URLs API, Input Files). webm is both: the role of the field decides.
EXTENSIONS: dict[AssetRole, tuple[str, ...]] = {
    "video": ("mp4", "m4v", "mov", "webm"),
    "audio": ("mp3", "wav", "aac", "flac", "webm", "weba", "m4a", "opus", "ogg", "oga", "aiff", "amr"),
    "image": ("png", "jpg", "jpeg", "jfif", "heic", "heif", "webp", "avif", "jp2", "tiff", "tif", "bmp"),
    "gif": ("gif", "webp", "webm"),
}
_UPLOADED_AS: dict[AssetRole, AssetRole] = {"gif": "video"}
"""The service takes a GIF as a video."""
_ARTICLES = {"image": "an image", "audio": "an audio file", "video": "a video", "gif": "a GIF"}
_SOUND_OF = {"mp4": "m4a"}
"""Containers of sound, and the names that the service has for them."""
_IN_URL = re.compile(r"[?#].*", re.DOTALL)
_COLLAPSED_URL = re.compile(r"(?i)https?:/+[^/]")


class Form(NamedTuple):
    """What the service needs to know about a file."""

    extension: str
    """Lowercase, without its dot."""
    role: AssetRole
    """What it is uploaded as."""


@attrs.define(eq=False)
class Source:
    name: str
    """For messages and events; never a whole path, and safe to print."""
    form: Form | None
    """None while it depends on the first bytes, which cannot be read without waiting."""
    role: Roles
    """The requested role."""
    identity: object
    """Equal for the same file given twice."""
    field: str
    """Where it was given, for messages."""
    path: Path | None = None
    is_pipe: bool = False
    """Whether `path` is a pipe, which can be read once."""
    stream: IO[bytes] | None = attrs.field(default=None, repr=False)
    start: int | None = None
    """Where the stream stood, or None if it cannot be rewound."""
    size: int | None = None
    _spool: IO[bytes] | None = attrs.field(default=None, repr=False)
    _closed: bool = attrs.field(default=False, repr=False)

    @property
    def is_read_once(self) -> bool:
        """Whether it cannot be opened a second time."""
        return self.stream is not None or self.is_pipe

    @property
    def known(self) -> Form:
        """The form, once it is known: when the source was made, or when it was prepared.

        Raises:
            InvalidArgument: the service does not accept such a file.
        """
        if self.form is None:
            self.form = checked_extension(self.name, self.role, self.field)
        return self.form

    def prepare(self, left: Callable[[], float] = lambda: 1.0) -> int:
        """Make the source readable from its beginning, and return its length in bytes. May read a stream.

        Args:
            left: returns the seconds left; called between chunks.

        Raises:
            InvalidArgument: it is empty, or a file that the service does not accept.
            TransferFailed: it cannot be read.
        """
        if self.path is not None and not self.is_pipe:
            try:
                self.size = self.path.stat().st_size
            except OSError:
                raise self._gone() from None
        elif self._spool is None and self.start is None:
            self._copy(lambda: 0.0 if self._closed else left())
        if not self.size:
            raise InvalidArgument(f"{self.name} is empty", "pass a non-empty file", field=self.field)
        return self.size

    def _copy(self, left: Callable[[], float]) -> None:
        """Copy a stream that cannot be rewound, or a pipe."""
        pipe = Pipe(self.path, left) if self.path is not None else None
        stream: Any = pipe or self.stream
        try:
            self._spool, self.size = spooled(stream, left)
        finally:
            if pipe is not None:
                pipe.close()
        if self._closed:  # this thread was abandoned, and nothing else will do it
            self._drop_spool()
        elif self.form is None and self.size:
            self._spool.seek(0)
            self.form = checked_extension(self.name, self.role, self.field, self._spool.read(FIRST_BYTES))

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The source, at its beginning; a caller's stream is put back there afterwards."""
        if self._spool is not None:
            self._spool.seek(0)
            yield self._spool
        elif self.path is not None and not self.is_pipe:
            try:
                file = self.path.open("rb")
            except FileNotFoundError:
                raise self._gone() from None
            with file:
                yield file
        elif self.stream is not None and self.start is not None:
            stream, start = self.stream, self.start
            with _reading(stream, self.name, self.field):
                seek(stream, start)
                try:
                    yield stream
                finally:
                    ask(lambda: stream.seek(start), None)  # closed meanwhile; the earlier error says more

    def _gone(self) -> AssetNotFound:
        return AssetNotFound(f"{self.name} is no longer there", field=self.field)

    def close(self) -> None:
        """Delete the copy of a stream that cannot be rewound; the caller's own files stay open."""
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
    return InvalidArgument(
        f"the stream {name} is being uploaded already", "give every call its own stream", field=field
    )


def from_path(value: str | os.PathLike[str], role: Roles, field: str) -> Source:
    """A file on disk, or a pipe; `~` is the home folder."""
    try:
        path = Path(os.fspath(value)).expanduser()
        found = path.stat()
        first = _first_bytes(path, role) if stat.S_ISREG(found.st_mode) else b""
    except FileNotFoundError:
        problem, remedy = f"there is no file {shown(value)}{looked_in(value)}", "check the path"
        if _COLLAPSED_URL.match(str(value)):
            problem, remedy = f"{shown(value)} is a URL and not a file", "pass it as a string, not as a Path"
        raise AssetNotFound(problem, remedy, field=field) from None
    except PermissionError:
        raise InvalidArgument(
            f"{shown(value)} is not readable", "change its permissions or give another file", field=field
        ) from None
    except Exception as error:  # noqa: BLE001  (a caller's object may raise anything)
        raise InvalidArgument(
            f"{shown(value)} is not a valid file path ({reason(error)})", "check the path", field=field
        ) from None
    is_pipe = stat.S_ISFIFO(found.st_mode)
    if not is_pipe and not stat.S_ISREG(found.st_mode):
        what = "a directory" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise InvalidArgument(f"{shown(path)} is {what}", "give a file", field=field)
    if not is_pipe and found.st_size == 0:
        raise InvalidArgument(f"{shown(path)} is empty", "pass a non-empty file", field=field)
    form = form_by_name(path.name, role) if is_pipe else checked_extension(path.name, role, field, first)
    return Source(
        name=file_name(path.name),
        form=form,
        role=role,
        identity=("path", os.path.realpath(path)),
        field=field,
        path=path,
        is_pipe=is_pipe,
        size=None if is_pipe else found.st_size,
    )


def form_of(path: Path, role: Roles, field: str) -> Form:
    """The form of a file on disk.

    Raises:
        OSError: it cannot be read.
        InvalidArgument: the service does not accept such a file.
    """
    return checked_extension(path.name, role, field, _first_bytes(path, role))


def _first_bytes(path: Path, role: Roles) -> bytes:
    """The first bytes of a file whose name does not say what it is; always opened, to check that it can be read."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return b"" if form_by_name(path.name, role) else os.read(descriptor, FIRST_BYTES)
    finally:
        os.close(descriptor)


def from_stream(stream: Any, name: str | None, role: Roles, field: str) -> Source:
    """An open binary file or any other readable object, with the name it has or was given."""
    name = _own_name(stream, field) if name is None else name
    base = file_name(name)
    _check_readable(stream, base, field)
    form = form_by_name(name, role)
    if id(stream) in _in_use:
        raise _busy(base, field)
    try:
        start, size = extent(stream)
        if form is None and start is not None:
            first = read_chunk(stream, FIRST_BYTES)
            seek(stream, start)
            form = checked_extension(name, role, field, first)
    except TransferFailed as error:
        raise InvalidArgument(f"{base}: {error.problem}", error.remedy or "pass another file", field=field) from None
    if size == 0:
        remedy = "rewind it with seek(0)" if start else "pass a non-empty file"
        raise InvalidArgument(f"nothing is left to read from {base}", remedy, field=field)
    return Source(
        name=base,
        form=form,
        role=role,
        identity=("stream", id(stream)),
        field=field,
        stream=stream,
        start=start,
        size=size,
    )


def _own_name(stream: Any, field: str) -> str:
    own = ask(lambda: stream.name, None)
    own = os.fsdecode(own) if isinstance(own, bytes) else own
    if not isinstance(own, str) or not own or own.startswith("<"):  # "<stdin>" is not a file name
        raise InvalidArgument(
            "the stream has no file name to infer its type from",
            'give a pair instead, ("portrait.png", stream)',
            field=field,
        )
    return own


def _check_readable(stream: Any, base: str, field: str) -> None:
    """Refuse a stream that is unusable, without reading from it."""
    if ask(lambda: bool(stream.closed), otherwise=False):
        problem, remedy = f"the file {base} is closed", "keep it open until the call is done"
    elif inspect.iscoroutinefunction(stream.read):
        problem, remedy = f"{base} is an async file", "give its path, or open it with the built-in open(path, 'rb')"
    elif not ask(lambda: bool(stream.readable()), otherwise=True):
        problem, remedy = f"{base} is open for writing only", "open it with mode 'rb'"
    elif isinstance(stream, io.TextIOBase) or isinstance(ask(lambda: stream.read(0), None), str):
        problem, remedy = f"{base} is open in text mode", "open it with mode 'rb'"
    else:
        return
    raise InvalidArgument(problem, remedy, field=field)


def from_bytes(content: bytes, name: str, role: Roles, field: str) -> Source:
    """Bytes in memory, with a file name to infer their type from."""
    source = from_stream(io.BytesIO(content), name, role, field)
    source.identity = ("bytes", id(content))
    return source


def form_by_name(name: str, role: Roles) -> Form | None:
    """The form of a file by its extension, or None if that is not enough.

    Our own table decides, not the system's, which differs from machine to machine. Without a role, the extension
    decides; the first role that accepts it wins, so webm is a video.
    """
    base = last_part(name)
    for text in (base, _IN_URL.sub("", base)):
        extension = Path(text).suffix.lstrip(".").lower()
        for known in _each(role) or EXTENSIONS:
            if extension in EXTENSIONS.get(known, ()):
                return Form(extension, _UPLOADED_AS.get(known, known))
    return None


def _each(role: Roles) -> tuple[AssetRole, ...]:
    """Every role that a file may have; empty for any."""
    if role is None:
        return ()
    return role if isinstance(role, tuple) else (role,)


def _form_of(media: Media | None, role: Roles) -> Form | None:
    if media is None:
        return None
    for known in _each(role) or EXTENSIONS:
        extension = _SOUND_OF.get(media.extension, media.extension) if known == "audio" else media.extension
        if extension in EXTENSIONS[known] and (known in media.roles or known == "gif"):
            return Form(extension, _UPLOADED_AS.get(known, known))
    return None


def checked_extension(name: str, role: Roles, field: str, first_bytes: bytes = b"") -> Form:
    """The form of a file by its extension, or else by its first bytes.

    Raises:
        InvalidArgument: the service does not accept such a file, or not for this role.
    """
    roles = _each(role)
    for each in roles:
        if each not in tuple(EXTENSIONS):
            raise InvalidArgument(f"expected image, audio, video or gif, got {shown(each)}", field="role")
    found = form_by_name(name, role)
    media = None if found is not None or not first_bytes else sniff(first_bytes)
    found = found or _form_of(media, role)
    if found is not None:
        return found
    wanted = [extension for known in roles or EXTENSIONS for extension in EXTENSIONS[known]]
    article = " or ".join(_ARTICLES[each] for each in roles) or "a media file"
    extension = Path(file_name(name)).suffix
    has = f"ends in {extension[:20]}" if extension else "has no extension"
    has += f" and is {media.extension}" if media is not None else ""
    raise InvalidArgument(
        f"expected {article}, but {file_name(name)} {has}",
        f"the service takes {', '.join(dict.fromkeys(wanted))}",
        field=field,
    )
