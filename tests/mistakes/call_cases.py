"""Mistakes in a call: its fields, its options, an id."""

from __future__ import annotations

from .case import Case, Here, edit, headshot, image, made, row, talk


@row("a required field left out")
def _(here: Here) -> list[Case]:
    return [image(here, image_count=None)]


@row("None for a required field")
def _(here: Here) -> list[Case]:
    return [Case(given={"image_count": None, "style": {"prompt": "A red fox"}})]


@row("a required field of an object left out or None")
def _(here: Here) -> list[Case]:
    return [image(here, style={}), image(here, style={"prompt": None})]


@row("a misspelt field")
def _(here: Here) -> list[Case]:
    return [image(here, aspekt_ratio="16:9")]


@row("a misspelt field of an object")
def _(here: Here) -> list[Case]:
    return [image(here, style={"promt": "A red fox"}), image(here, style={"prompt": "A red fox", "promt": "x"})]


@row("a misspelt option of the call")
def _(here: Here) -> list[Case]:
    return [image(here, download_dir="out")]


@row('the word "no" for an option of the call')
def _(here: Here) -> list[Case]:
    by_id = Case(call="image_projects.check_result", positional=("cuid-1", "no"))
    return [image(here, wait_for_completion="no"), by_id]


@row("a field outside of its object")
def _(here: Here) -> list[Case]:
    return [image(here, prompt="A red fox")]


@row("a string for an object")
def _(here: Here) -> list[Case]:
    return [image(here, style="A red fox"), image(here, style=["A red fox"])]


@row("another type for an integer")
def _(here: Here) -> list[Case]:
    return [image(here, image_count=value) for value in ("1", 1.5, float("nan"), float("inf"), True, [1])]


@row("another type for a number")
def _(here: Here) -> list[Case]:
    return [talk(here, end_seconds=value) for value in ("2", float("nan"), float("inf"), True, [2])]


@row("another type for a string")
def _(here: Here) -> list[Case]:
    return [image(here, name=value) for value in (7, ["name"], b"name", here.portrait)]


@row("positional arguments")
def _(here: Here) -> list[Case]:
    call = "ai_headshot_generator.generate"
    return [Case(call=call, positional=({"image_file_path": here.portrait},))]


@row("fewer or more images than the service makes")
def _(here: Here) -> list[Case]:
    return [image(here, image_count=count) for count in (0, -1, 17, 99)]


@row("an empty prompt")
def _(here: Here) -> list[Case]:
    editing = edit(here, [here.portrait])
    return [
        image(here, style={"prompt": ""}),
        Case(call=editing.call, given={**editing.given, "style": {"prompt": ""}}),
    ]


@row("a prompt that is too long")
def _(here: Here) -> list[Case]:
    editing = edit(here, [here.portrait])
    return [Case(call=editing.call, given={**editing.given, "style": {"prompt": "x" * 15_001}})]


@row("a clip that starts before 0")
def _(here: Here) -> list[Case]:
    return [talk(here, start_seconds=-1)]


@row("a clip that ends before it begins")
def _(here: Here) -> list[Case]:
    return [talk(here, start_seconds=2), talk(here, start_seconds=3), talk(here, start_seconds=1, end_seconds=0.5)]


@row("a clip longer than any plan allows")
def _(here: Here) -> list[Case]:
    return [talk(here, end_seconds=300.5), talk(here, start_seconds=10, end_seconds=311)]


@row("an `extra_body` that is not a dict")
def _(here: Here) -> list[Case]:
    return [image(here, extra_body=value) for value in ("seed=1", [1], 1)]


@row("an `extra_body` that cannot be written as JSON")
def _(here: Here) -> list[Case]:
    values = (float("nan"), object(), here.portrait, b"bytes", "\ud800")
    uploading = headshot(here, here.portrait, extra_body={"new": float("nan")})
    return [*(image(here, extra_body={"new": value}) for value in values), *uploading]


@row("a `timeout` that is not a number above 0")
def _(here: Here) -> list[Case]:
    values = (0, -1, "60", float("nan"), float("inf"), True)
    by_id = Case(call="image_projects.wait", positional=("cuid-1",), given={"timeout": 0})
    return [image(here, timeout=value) for value in values] + [made(timeout=value) for value in values] + [by_id]


@row("a `poll_interval` that is not a number above 0")
def _(here: Here) -> list[Case]:
    values = (0, -1, "fast", float("nan"))
    return [image(here, poll_interval=value) for value in values] + [made(poll_interval=value) for value in values]


@row("a `poll_interval` that is too short")
def _(here: Here) -> list[Case]:
    return [image(here, poll_interval=0.001), made(poll_interval=1e-9)]


@row("an `on_progress` that is async or not a function")
def _(here: Here) -> list[Case]:
    async def listen(event: object) -> None: ...

    class Listener:
        __call__ = listen

    return [image(here, on_progress=value) for value in (listen, Listener(), "print", 7)]


@row("a file for a directory")
def _(here: Here) -> list[Case]:
    notes = here.folder / "notes.txt"
    by_id = Case(call="image_projects.download", positional=("cuid-1", notes))
    uploading = headshot(here, here.portrait, download_directory=notes)
    cases = [image(here, download_directory=value) for value in (notes, "notes.txt", notes / "below")]
    return [*cases, *uploading, by_id]


@row("an unwritable directory")
def _(here: Here) -> list[Case]:
    case = image(here, download_directory=here.forbidden())
    below = image(here, download_directory=here.forbidden() / "new")
    too_long = image(here, download_directory=here.folder / ("x" * 300))
    closed = [Case(given=case.given, unprivileged=True) for case in (case, below)]
    return [*closed, too_long, image(here, download_directory="~there-is-no-such-user/out")]


@row("an empty path for a directory")
def _(here: Here) -> list[Case]:
    return [image(here, download_directory="")]


@row("a URL for a directory")
def _(here: Here) -> list[Case]:
    return [image(here, download_directory=value) for value in ("s3://bucket/out", "file:///out")]


@row("something that is not a path for a directory")
def _(here: Here) -> list[Case]:
    return [image(here, download_directory=value) for value in (7, b"out", [here.out], True)]


@row("an output name with a folder, or invalid on some systems")
def _(here: Here) -> list[Case]:
    names = (
        "../fox", "a/fox", "a\\fox", "/fox", "", ".", "..", "con", "NUL.png", "fox?", "a\x00b", " fox", "x" * 121,
        "\N{CJK UNIFIED IDEOGRAPH-8096}" * 100, 7,
    )  # fmt: skip
    return [image(here, output_name=name) for name in names] + headshot(here, here.portrait, output_name="../fox")


@row("an id that is empty or has `/ ? # %` or dots alone")
def _(here: Here) -> list[Case]:
    ids = ("", "a/b", "a?b", "a#b", "a%2Fb", ".", "..", "a b", "cuid-1\n", "a\\b")
    url = "https://magichour.ai/my-library?imageId=cuid-1"
    calls = ("get", "delete", "wait", "download", "check_result")
    cases = [Case(call=f"image_projects.{call}", positional=(id,)) for call in calls for id in (*ids, url)]
    return [*cases, Case(call="video_projects.get", positional=("",))]


@row("an id of more than 500 characters")
def _(here: Here) -> list[Case]:
    calls = ("get", "delete", "wait", "download", "check_result")
    return [
        Case(call=f"image_projects.{call}", positional=("x" * length,)) for call in calls for length in (501, 100_000)
    ]


@row("an id that is not a string")
def _(here: Here) -> list[Case]:
    return [Case(call="image_projects.wait", positional=(id,)) for id in (None, 7, b"cuid-1", ["cuid-1"])]


@row("an upload of a file that is already remote")
def _(here: Here) -> list[Case]:
    values = ("https://a.example/a.png?signature=secret", "HTTPS://a.example/a.png", "api-assets/id/1.png")
    return [Case(call="files.upload_file", positional=(value,)) for value in values]


@row("an upload for an unknown role")
def _(here: Here) -> list[Case]:
    return [Case(call="files.upload_file", positional=(here.portrait,), given={"role": role}) for role in ("photo", "")]


@row("an output name of another kind of file")
def _(here: Here) -> list[Case]:
    by_id = Case(call="video_projects.download", positional=("cuid-1", here.out), given={"output_name": "a.png"})
    return [
        image(here, output_name="fox.mp4"),
        image(here, output_name="fox.mp3"),
        talk(here, output_name="a.png"),
        by_id,
    ]
