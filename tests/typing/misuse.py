"""Mistakes that a type checker must see, each on a line of its own that is marked. Never run, only checked.

Rule: one mistake a line. What is right is in `correct.py`.
"""

# ruff: noqa: B018  (a name that does not exist is the mistake)

import io
from pathlib import Path

import httpx

import magic_hour_client as low_level
import magic_hour_workflows as workflows_package
from magic_hour_client import models
from magic_hour_workflows import AsyncClient, Client, Event

# --- create, blocking ---------------------------------------------------------------------------------------------


def create(client: low_level.Client, workflows: Client) -> None:
    generator = client.v1.ai_image_generator
    generator.create(image_count=1, style={"prompt": "x"}, aspect_ration="16:9")  # expect-error: wrong name
    generator.create(image_count="1", style={"prompt": "x"})  # expect-error: wrong type
    generator.create(image_count=1.5, style={"prompt": "x"})  # expect-error: wrong type
    generator.create(image_count=1, style={"prompt": "x"}, name=5)  # expect-error: wrong type
    generator.create(image_count=1, style={"prompt": "x"}, name=b"x")  # expect-error: wrong type
    generator.create(image_count=1, style={"prompt": "x"}, model=5)  # expect-error: wrong type
    generator.create(image_count=1, style="x")  # expect-error: wrong type
    generator.create(image_count=1, style={"promt": "x"})  # expect-error: misspelt, nested
    generator.create(image_count=1, style={"prompt": "x", "tol": "general"})  # expect-error: misspelt, nested
    generator.create(image_count=1, style={"prompt": 5})  # expect-error: wrong type, nested
    text: dict[str, str] = {"prompt": "x"}
    generator.create(image_count=1, style=text)  # expect-error: as if it were written down in the call
    generator.create(image_count=1, style={"prompt": "x"}, aspect_ratio=5)  # expect-error: wrong type
    generator.create(image_count=1)  # expect-error: missing
    generator.create(style={"prompt": "x"})  # expect-error: missing
    generator.create(1, {"prompt": "x"})  # expect-error: names are required
    generator.create(image_count=1, style=models.V1AiHeadshotGeneratorCreateBodyStyle())  # expect-error: wrong model
    models.V1AiImageGeneratorCreateBodyStyle(promt="x")  # expect-error: misspelt in a model
    models.V1AiImageGeneratorCreateBodyStyle()  # expect-error: missing in a model
    models.NoSuchModel  # expect-error: no such name

    talking = client.v1.ai_talking_photo
    both = models.V1AiTalkingPhotoCreateBodyAssets(image_file_path="a.png", audio_file_path="a.mp3")
    talking.create(assets=both, start_seconds="0", end_seconds=1)  # expect-error: wrong type
    talking.create(assets=both, start_seconds=0)  # expect-error: missing
    talking.create(assets={"image_file_path": "a.png"}, start_seconds=0, end_seconds=1)  # expect-error: missing, nested
    talking.create(assets=both, start_seconds=0, end_seconds=1, style={"intensity": "1"})  # expect-error: wrong type

    editor = client.v1.ai_image_editor
    editor.create(assets={"image_file_paths": [5]}, style={"prompt": "x"})  # expect-error: wrong type in a list
    editor.create(assets={"image_file_paths": [Path("a.png")]}, style={"prompt": "x"})  # expect-error: only generate

    headshot = workflows.v1.ai_headshot_generator
    headshot.create(assets={"image_file_path": Path("a.png")})  # expect-error: a file, only generate
    headshot.create(assets={"image_file_pat": "a.png"})  # expect-error: misspelt, nested
    headshot.create()  # expect-error: missing

    urls = client.v1.files.upload_urls
    urls.create(items={"type": "image", "extension": "png"})  # expect-error: not a list
    urls.create(items=[{"type": "image"}])  # expect-error: missing in a list
    urls.create(items=[{"type": "image", "extention": "png"}])  # expect-error: misspelt in a list


def others(client: low_level.Client, workflows: Client) -> None:
    client.v1.image_projects.get(5)  # expect-error: wrong type
    client.v1.image_projects.get()  # expect-error: missing
    client.v1.image_projects.get("x").no_such  # expect-error: no such field
    client.v1.image_projects.delete("x").id  # expect-error: there is no answer
    client.v1.video_projects.get("x").image_count  # expect-error: of an image only
    client.v1.no_such  # expect-error: no such resource
    client.v1.ai_image_generator.generate  # expect-error: workflows only
    client.v1.image_projects.get("x", timeout="5")  # expect-error: wrong type
    client.v1.image_projects.get("x", extra_headers={"a": 1})  # expect-error: wrong type
    client.v1.image_projects.get("x", extra_body={})  # expect-error: it has no body
    client.v1.image_projects.get("x", retries=3)  # expect-error: no such option
    workflows.v1.image_projects.wait("x", timeout="5")  # expect-error: wrong type
    workflows.v1.image_projects.wait("x").no_such  # expect-error: no such field
    workflows.v1.image_projects.download("x", 5)  # expect-error: wrong type
    workflows.v1.image_projects.check_result("x", wait_for_completion="yes")  # expect-error: wrong type
    workflows.v1.files.upload_file(b"x")  # expect-error: bytes without a name
    workflows.v1.files.upload_file("a.webm", role="sound")  # expect-error: wrong literal


def clients(sync_http: httpx.Client, async_http: httpx.AsyncClient) -> None:
    low_level.Client(5)  # expect-error: wrong type
    low_level.Client("x", "https://api.example")  # expect-error: names are required
    low_level.Client(timeout="5")  # expect-error: wrong type
    low_level.Client(http_client=async_http)  # expect-error: of the other kind
    low_level.AsyncClient(http_client=sync_http)  # expect-error: of the other kind
    low_level.Client(poll_interval=1)  # expect-error: workflows only
    Client(http_client=async_http)  # expect-error: of the other kind
    AsyncClient(http_client=sync_http)  # expect-error: of the other kind
    Client(poll_interval="1")  # expect-error: wrong type
    Client(max_parallel=1.5)  # expect-error: wrong type
    AsyncClient(tokn="x")  # expect-error: misspelt
    low_level.NoSuchName  # expect-error: no such name
    workflows_package.NoSuchName  # expect-error: no such name


# --- generate, blocking -------------------------------------------------------------------------------------------


def tell(event: Event) -> None: ...


def tell_two(event: Event, more: int) -> None: ...


def generate(client: Client) -> None:
    generator = client.v1.ai_image_generator
    generator.generate(image_count=1, style={"prompt": "x"}, aspect_ration="16:9")  # expect-error: wrong name
    generator.generate(image_count="1", style={"prompt": "x"})  # expect-error: wrong type
    generator.generate(image_count=1, style={"promt": "x"})  # expect-error: misspelt, nested
    generator.generate(image_count=1, style={"prompt": 5})  # expect-error: wrong type, nested
    generator.generate(image_count=1)  # expect-error: missing
    swap = client.v1.face_swap_photo.generate
    a = "a.png"
    swap(assets={"target_file_path": a, "face_mappings": [{"original_face": a}]})  # expect-error: missing, in a list
    swap(assets={"target_file_path": a, "face_mappings": [{"original_face": a, "new_face": 5}]})  # expect-error: number
    swap(assets={"target_file_path": a, "face_mappings": [{"original_fac": a}]})  # expect-error: misspelt, in a list
    generator.generate(image_count=1, style={"prompt": "x"}, wait_for_completion="yes")  # expect-error: option
    generator.generate(image_count=1, style={"prompt": "x"}, download_outputs=None)  # expect-error: option
    generator.generate(image_count=1, style={"prompt": "x"}, download_directory=5)  # expect-error: option
    generator.generate(image_count=1, style={"prompt": "x"}, output_name=Path("x"))  # expect-error: option
    generator.generate(image_count=1, style={"prompt": "x"}, timeout="5")  # expect-error: option
    generator.generate(image_count=1, style={"prompt": "x"}, poll_interval="5")  # expect-error: option
    generator.generate(image_count=1, style={"prompt": "x"}, on_progress=5)  # expect-error: option
    generator.generate(image_count=1, style={"prompt": "x"}, on_progress=tell_two)  # expect-error: option
    generator.generate(image_count=1, style={"prompt": "x"}, extra_body=[1])  # expect-error: option
    generator.generate(image_count=1, style={"prompt": "x"}).no_such  # expect-error: no such attribute
    generator.generate(image_count=1, style={"prompt": "x"}).downloaded_paths[0] + 1  # expect-error: it is a path

    headshot = client.v1.ai_headshot_generator
    headshot.generate(assets={"image_file_path": b"x"})  # expect-error: bytes without a name
    headshot.generate(assets={"image_file_path": 5})  # expect-error: wrong type, nested
    headshot.generate(assets={"image_file_path": ("a.png", "text")})  # expect-error: text instead of bytes
    headshot.generate(assets={"image_file_path": io.StringIO()})  # expect-error: text instead of bytes
    headshot.generate(assets={"image_file": "a.png"})  # expect-error: misspelt, nested
    headshot.generate(assets="a.png")  # expect-error: wrong type
    headshot.generate()  # expect-error: missing

    talking = client.v1.ai_talking_photo
    talking.generate(assets={"image_file_path": "a.png"}, start_seconds=0, end_seconds=1)  # expect-error: missing
    editor = client.v1.ai_image_editor
    editor.generate(assets={"image_file_paths": [5]}, style={"prompt": "x"})  # expect-error: wrong type in a list


# --- async: the signatures are those of the blocking twins, which tests/workflows/test_surface.py compares ----------


async def asynchronous(low: low_level.AsyncClient, client: AsyncClient) -> None:
    await low.v1.ai_image_generator.create(image_count=1, style={"promt": "x"})  # expect-error: misspelt, nested
    low.v1.ai_image_generator.create(image_count=1, style={"prompt": "x"}).id  # expect-error: await is missing
    await low.v1.image_projects.get(5)  # expect-error: wrong type
    generator = client.v1.ai_image_generator
    await generator.generate(image_count=1, style={"prompt": "x"}, aspect_ration="16:9")  # expect-error: wrong name
    await generator.generate(image_count=1, style={"promt": "x"})  # expect-error: misspelt, nested
    await generator.generate(image_count=1, style={"prompt": "x"}, on_progress=5)  # expect-error: option
    generator.generate(image_count=1, style={"prompt": "x"}).id  # expect-error: await is missing
    with AsyncClient() as wrong:  # expect-error: async with is needed
        del wrong
