"""Where outputs go: the directory and the names, checked before anything is paid for.

Rule: no name leads out of its directory, has the extension of another kind of file, or is invalid on some system.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from magic_hour_client._runtime.schema import wrong_type
from magic_hour_client.endpoints import JOBS
from magic_hour_client.errors import InvalidArgument

from ._formatting import reason, shown
from ._results import Job, Kind
from ._sources import EXTENSIONS

_MEDIA = {extension for group in EXTENSIONS.values() for extension in group} | {"gif", "zip"}
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")  # device names on Windows
_LONGEST_NAME = 120


def checked_directory(directory: str | os.PathLike[str] | None, *, make: bool = True) -> Path:
    """The directory to save into, created if it is missing and checked to be writable; the current one by default.

    Args:
        directory: what the caller gave.
        make: False to check only whether it could be created.

    Raises:
        InvalidArgument: it is a file, or nothing can be written there.
    """
    field = "download_directory"
    if not (directory is None or isinstance(directory, (str, os.PathLike))):
        raise wrong_type(field, "a path", directory)
    if directory == "":
        raise InvalidArgument("the path is empty", "leave it out for the current directory", field=field)
    if isinstance(directory, str) and "://" in directory:
        raise InvalidArgument(f"{shown(directory)} is a URL", "give a directory of this machine", field=field)
    where = "the current directory" if directory is None else shown(directory)
    try:
        path = Path.cwd() if directory is None else Path(directory).expanduser()
        if make:
            path.mkdir(parents=True, exist_ok=True)
        _try_out(path if make else next(known for known in (path, *path.absolute().parents) if os.path.lexists(known)))
    except (FileExistsError, NotADirectoryError):
        raise InvalidArgument(
            f"{where} is not a directory", "give a directory, or the name of a new one", field=field
        ) from None
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidArgument(
            f"{where} is not writable ({reason(error)})", "give another directory", field=field
        ) from None
    return path


def _try_out(directory: Path) -> None:
    """Create a file there; one without a name where possible, because nothing is left of it whatever happens."""
    if sys.platform == "linux":
        with suppress(OSError):  # not every file system can; if the directory is the cause, the other way reports it
            os.close(os.open(directory, os.O_TMPFILE | os.O_WRONLY, 0o600))
            return
    probe = directory / f".{secrets.token_hex(8)}.probe"
    os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    probe.unlink()


def checked_output_name(name: object, kind: Kind | None = None, operation: str | None = None) -> str | None:
    """A name for the outputs; it cannot lead out of the directory.

    Args:
        name: what the caller gave.
        kind: what the outputs are, if it is known: a picture must not be saved as .mp4.
        operation: what makes them, if it is known: a field of it may offer formats of another kind.

    Raises:
        InvalidArgument: it is not a plain file name, or has the extension of another kind of file.
    """
    if name is None:
        return None
    if not isinstance(name, str) or not _is_plain(name):
        wanted = "give a plain name without a folder, such as 'portrait'"
        raise InvalidArgument(f"{shown(name)} is not a valid file name on all systems", wanted, field="output_name")
    extension = os.path.splitext(name)[1].lstrip(".").lower()
    # A GIF can be an image or a video.
    kinds = [known for known, extensions in EXTENSIONS.items() if extension in extensions and known != "gif"]
    # What the outputs of a task are is not in the contract.
    other_kind = kind is not None and not JOBS[kind].is_task and kinds and kind not in kinds
    if kind is not None and other_kind and extension not in _offered(kind, operation):
        other = f"is a name for {kinds[0]}, and the outputs are {kind}s"
        raise InvalidArgument(f"{shown(name)} {other}", f"leave .{extension} out", field="output_name")
    return name


def _offered(kind: Kind, operation: str | None) -> set[str]:
    """The formats that a field of the operation lets the caller choose; those of every operation for jobs of this
    kind if it is not known which made the job.
    """
    from ._operations import operations, resolved

    found: set[str] = set()
    for name, each in operations().items():
        if name == operation or (operation is None and each.get("project_kind") == kind):
            fields = resolved(each.get("body", {})).get("properties", {})
            listed = [set(resolved(field).get("enum", ())) for field in fields.values()]
            found |= {extension for values in listed if values and values <= _MEDIA for extension in values}
    return found


def _is_plain(name: str) -> bool:
    """Whether every system accepts this as a file name, also with a number added."""
    fits = 0 < len(name.encode("utf-8", "replace")) <= _LONGEST_NAME
    clean = name.isprintable() and not re.search(r'[/\\:*?"<>|]', name) and name.strip(". ") == name
    return fits and clean and not _RESERVED.match(name)


def output_names(job: Job, urls: Sequence[object], output_name: str | None) -> list[tuple[str, str]]:
    """Stem and expected suffix for each output: `<id>-<n>`, or the requested name, numbered if there are
    several. The content may need another suffix.

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
    """Whether a name has a media extension, so that it is a file and not a folder.

    >>> names_a_file("sunset.png"), names_a_file("run.2026")
    (True, False)
    """
    return os.path.splitext(name)[1].lstrip(".").lower() in _MEDIA


_USUAL: Mapping[str, str] = {"image": ".png", "video": ".mp4", "audio": ".mp3"}
"""The suffix of an output if only the kind of its job is known."""


def safe_stem(text: str) -> str:
    """`text` as the beginning of a file name on any system: letters and digits of any script, dots, dashes and _.

    >>> safe_stem("Zoë & 日本/2026?")
    'Zoë_日本_2026'
    """
    kept = "".join(character if _is_safe(character) else "/" for character in unicodedata.normalize("NFC", text))
    stem = re.sub("/+", "_", kept).strip("._").encode()[:_LONGEST_NAME].decode(errors="ignore") or "output"
    return f"_{stem}" if _RESERVED.match(stem) else stem


def _is_safe(character: str) -> bool:
    """Marks belong to the letters before them, in many scripts as vowels."""
    return character.isalnum() or character in "._-" or unicodedata.category(character).startswith("M")


def _suffix(url: object, job: Job) -> str:
    try:
        path = urlsplit(url).path if isinstance(url, str) else ""
    except ValueError:  # an invalid URL does not affect the names of the other outputs
        path = ""
    extension = os.path.splitext(path)[1].lstrip(".").lower()
    return f".{extension}" if extension in _MEDIA else _USUAL.get(job.kind, "")
