"""The rows of `x-emulator`: what an operation makes or answers, as data.

Rule: a row is checked when the contract is read, so that a wrong one stops the start and not a request. No operation is
named here; what is particular to one stands in its row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ._prices import dig

__all__ = ["EXTENSIONS", "Emulation", "Reading", "parse_emulation", "parse_reading"]

Json = dict[str, Any]

EXTENSIONS: Final[Mapping[str, str]] = {
    "image/png": "png",
    "image/gif": "gif",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
}
"""The media that the emulator makes, each with the extension of its files."""

_ROWS: Final = frozenset({"type", "media", "seconds", "prompt", "count", "aspect_ratio", "longest", "side"})


@dataclass(frozen=True)
class Emulation:
    """What an operation makes.

    `seconds` is how long a job takes, and the length of a clip whose body does not say it; `median_seconds` is the
    documented duration. `prompt` is the field with the text that outputs show. `count` is the number of outputs, or the
    field that has it: by default the one that the price counts. `longest` limits clips: of its rows, the first that
    fits the body counts. `side` is the longer side of a picture in pixels if the body has no resolution. `outputs` is
    the field of a task's answer that lists its outputs; None of a project.
    """

    type: str
    media: Mapping[str, Mapping[str, str]] | str
    seconds: float
    median_seconds: float
    prompt: str
    count: str | int
    aspect_ratio: str | None
    longest: tuple[Mapping[str, Any], ...]
    side: int
    outputs: str | None

    def medium(self, body: Json) -> str:
        """The media type of the outputs for this body; the first of the row if its field is not given."""
        if isinstance(self.media, str):
            return self.media
        ((field, by_value),) = self.media.items()
        return by_value.get(str(dig(body, field)), next(iter(by_value.values())))

    def outputs_of(self, body: Json) -> int:
        """The number of outputs for this body."""
        count = dig(body, self.count) if isinstance(self.count, str) else self.count
        return len(count) if isinstance(count, list) else int(count or 1)

    def longest_seconds(self, body: Json) -> tuple[float, str] | None:
        """The longest clip for this body in seconds, and the values that decide it; None if there is no limit."""
        for row in self.longest:
            conditions = {field: value for field, value in row.items() if field != "seconds"}
            if all(dig(body, field) == value for field, value in conditions.items()):
                return float(row["seconds"]), " and ".join(f"{field} {value}" for field, value in conditions.items())
        return None


@dataclass(frozen=True)
class Reading:
    """What a GET without a job answers: the documented `example`, with the balance in the field `balance`; or pages.

    Of pages, `items` is the field of the answer with the items and `following` the one with the next cursor; `cursor`
    is the parameter that takes it.
    """

    example: Mapping[str, Any]
    balance: str | None = None
    items: str | None = None
    following: str = ""
    cursor: str = ""


def parse_emulation(item: Json, outputs: str | None, place: str) -> Emulation | None:
    """What an operation makes, by its rows; None if it makes nothing. Raises `ValueError`, with the place.

    `outputs` is the field that lists the outputs of a task.
    """
    row = item.get("x-emulator")
    if row is None:
        return None
    unknown = set(row) - _ROWS
    if unknown:
        raise ValueError(f"{place}: x-emulator has no row {', '.join(sorted(unknown))}")
    media = row["media"]
    for medium in [media] if isinstance(media, str) else [each for by in media.values() for each in by.values()]:
        if medium not in EXTENSIONS:
            raise ValueError(f"{place}: the emulator makes no {medium}; it makes {', '.join(EXTENSIONS)}")
    seconds = float(row.get("seconds", 1))
    return Emulation(
        type=row.get("type", ""),
        media=media,
        seconds=seconds,
        median_seconds=float(item.get("x-median-seconds", seconds)),
        prompt=row.get("prompt", "style.prompt"),
        count=row.get("count") or item.get("x-credits", {}).get("quantity", {}).get("count", 1),
        aspect_ratio=row.get("aspect_ratio"),
        longest=tuple(row.get("longest", ())),
        side=int(row.get("side", 640)),
        outputs=outputs,
    )


def parse_reading(item: Json, example: Json) -> Reading | None:
    """What a GET without a job answers, by its rows; None if it is not such a GET."""
    if "x-pages" in item:
        pages = item["x-pages"]
        return Reading(example, items=pages["items"], following=pages["next"], cursor=pages["cursor"])
    return Reading(example, balance=item["x-balance"]) if "x-balance" in item else None
