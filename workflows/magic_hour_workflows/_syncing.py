"""Bytes and names that reach the disk before the program continues, for what must outlive it.

Rule: a line never continues the half of a line that a power cut or a full disk has left.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""Errors of file systems that do not sync directories."""


def opened(path: Path, mode: int = 0o666) -> int:
    """The descriptor of a file to append to and to read; it and its folder are created if missing."""
    path.parent.mkdir(mode=0o777 if mode & 0o077 else 0o700, parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, mode)


def append(descriptor: int, lines: str) -> None:
    """Append lines of ASCII."""
    content = lines.encode("ascii")
    size = os.fstat(descriptor).st_size
    if size:
        os.lseek(descriptor, size - 1, os.SEEK_SET)
        content = content if os.read(descriptor, 1) == b"\n" else b"\n" + content
    while content:
        content = content[os.write(descriptor, content) :]


def sync_directory(path: Path) -> None:
    """Let the names in a directory reach the disk, where the system supports it."""
    if sys.platform == "win32":  # NTFS journals names, and directories cannot be opened
        return
    with suppress(PermissionError):  # a parent of the output directory may be unreadable
        descriptor = os.open(path, os.O_RDONLY)
        try:
            sync(descriptor)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise
        finally:
            os.close(descriptor)


def sync(descriptor: int) -> None:
    """Let the bytes of a file reach the disk."""
    if sys.platform == "darwin":  # `fsync` does not flush the disk's cache there (see its man page)
        import fcntl

        with suppress(OSError):  # not supported by every file system
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)
