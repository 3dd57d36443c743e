"""Right uses in every form, which no type checker may complain about. Never run, only checked."""

import io
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, assert_type

import httpx
from PIL import Image as Pillow
from starlette.datastructures import UploadFile

import magic_hour_client as low_level
from magic_hour_client import errors, models, params
from magic_hour_client.types import JobKind
from magic_hour_workflows import AsyncClient, Client, Event, JobError, Result, SubmissionUnknown, events
from magic_hour_workflows.errors import DownloadFailed, JobFailed

Created = models.V1AiImageGeneratorCreateResponse
Image = models.V1ImageProjectsGetResponse
Video = models.V1VideoProjectsGetResponse


def create(client: low_level.Client, workflows: Client) -> None:
    ratio: Literal["16:9", "1:1"] = "16:9"
    alias: models.V1AiImageGeneratorCreateBodyAspectRatio = "9:16"
    style: params.V1AiImageGeneratorCreateBodyStyleParams = {"prompt": "x", "tool": "ai-anime-generator"}
    for generator in (client.v1.ai_image_generator, workflows.v1.ai_image_generator):
        created = generator.create(image_count=1, style=style, aspect_ratio=ratio, name="x")
        assert_type(created, Created)
        assert_type(created.id, str)
        assert_type(created.credits_charged, int | float)
        generator.create(image_count=1, style={"prompt": "x", "tool": None}, aspect_ratio=alias, name=None)
        generator.create(image_count=1, style=models.V1AiImageGeneratorCreateBodyStyle(prompt="x"), model="next-year")
        generator.create(
            image_count=1,
            style=style,
            extra_body={"new": {"a": [1, None]}},
            extra_headers={"x-a": "b"},
            timeout=5,
        )
    client.v1.ai_talking_photo.create(
        assets=models.V1AiTalkingPhotoCreateBodyAssets(image_file_path="a.png", audio_file_path="a.mp3"),
        start_seconds=0,
        end_seconds=1.5,
        style={"generation_mode": "prompted", "prompt": "Smile"},
    )
    client.v1.ai_image_editor.create(
        assets={"image_file_paths": ("a.png", "b.png")}, style={"prompt": "x"}, image_count=4
    )
    item = models.V1FilesUploadUrlsCreateBodyItemsItem(type="audio", extension="mp3")
    places = client.v1.files.upload_urls.create(items=[{"type": "image", "extension": "png"}, item])
    assert_type(places.items[0].upload_url, str)


def ordinary_variables(
    workflows: Client, text: str, count: int, style: dict[str, Any], other: Mapping[str, Any], paths: list[Path]
) -> None:
    """From a form, a configuration file or the command line: only the call itself can tell whether they are right."""
    generator, editor = workflows.v1.ai_image_generator, workflows.v1.ai_image_editor
    generator.create(image_count=count, style=style, aspect_ratio=text, model=text, resolution=text)
    generator.generate(image_count=count, style=other, aspect_ratio=text, resolution=text)
    generator.create(image_count=count, style={"prompt": text, "tool": text, "quality_mode": text})
    generator.create(image_count=1, style={"prompt": "x"}, aspect_ratio="21:9")
    models.V1AiImageGeneratorCreateBodyStyle(prompt=text, tool=text)
    editor.generate(assets=style, style=other, image_count=count)
    editor.generate(assets={"image_file_paths": (path for path in paths)}, style=style)
    editor.generate(assets={"image_file_paths": dict.fromkeys(paths, 1).keys()}, style=style)
    workflows.v1.files.upload_urls.create(items=[other, {"type": text, "extension": text}])


def other_objects(workflows: Client, upload: UploadFile, image: Pillow.Image, archive: zipfile.ZipFile) -> None:
    headshot = workflows.v1.ai_headshot_generator
    headshot.generate(assets={"image_file_path": upload})
    headshot.generate(assets={"image_file_path": ("a.png", upload)})
    headshot.generate(assets={"image_file_path": image})
    headshot.generate(assets={"image_file_path": ("a.png", bytearray(b"x"))})
    with archive.open("a.png") as member, urllib.request.urlopen("https://a.example/a.png") as response:
        headshot.generate(assets={"image_file_path": member})
        headshot.generate(assets={"image_file_path": ("a.png", response)})


def others(client: low_level.Client, workflows: Client, operation: low_level.Request[Created]) -> None:
    image = client.v1.image_projects.get("x", timeout=5)
    assert_type(image, Image)
    assert_type(image.created_at, datetime)
    assert_type(image.downloads, list[models.ProjectDownload])
    assert_type(image.name, str | None)
    assert_type(image.additional_properties, dict[str, Any])
    assert_type(image.to_dict(), dict[str, Any])
    assert_type(Image.from_dict({}), Image)
    assert_type(client.v1.video_projects.get(id="x").fps, float)
    client.v1.video_projects.delete("x")
    assert_type(client.send(operation), Created)
    assert_type(workflows.v1.image_projects.wait("x"), Image)
    assert_type(workflows.v1.video_projects.wait("x", timeout=5, poll_interval=0.5, on_progress=print), Video)
    assert_type(workflows.v1.image_projects.download("x", Path("out")), list[Path])
    assert_type(workflows.v1.video_projects.check_result("x", True, False, "out"), Result)
    assert_type(workflows.v1.files.upload_file(("a.png", b"x"), role="image"), str)


def clients(http: httpx.Client, async_http: httpx.AsyncClient) -> None:
    with low_level.Client("x", base_url="https://api.example", request_timeout=None, http_client=http) as client:
        assert_type(client, low_level.Client)
    with Client(timeout=5, request_timeout=1.5, poll_interval=1, max_parallel=8, http_client=http) as workflows:
        assert_type(workflows, Client)
        plain: low_level.Client = workflows
        plain.v1.image_projects.get("x")
    low_level.AsyncClient(http_client=async_http, allow_http=True)
    AsyncClient(http_client=async_http)


def show(event: Event) -> str:
    match event:
        case events.Created(id=id, credits_charged=credits):
            return f"{id} {credits}"
        case events.Downloading(name=name, total=None):
            return name
    return ""


def generate(client: Client) -> None:
    result = client.v1.ai_image_generator.generate(
        image_count=1,
        aspect_ratio="16:9",
        style={"prompt": "x", "tool": "ai-anime-generator"},
        name="x",
        wait_for_completion=True,
        download_outputs=True,
        download_directory="outputs",
        output_name="fox.png",
        timeout=600,
        poll_interval=None,
        on_progress=show,
        extra_body={"new": 1},
    )
    assert_type(result, Result)
    assert_type(result.id, str)
    assert_type(result.kind, JobKind)
    assert_type(result.status, str)
    assert_type(result.credits_charged, float | None)
    assert_type(result.downloaded_paths, list[Path])

    headshot = client.v1.ai_headshot_generator
    with open("a.png", "rb") as file, tempfile.NamedTemporaryFile() as temporary:
        headshot.generate(assets={"image_file_path": "~/a.png"})
        headshot.generate(assets={"image_file_path": Path("a.png")}, download_directory=Path("outputs"))
        headshot.generate(assets={"image_file_path": file})
        headshot.generate(assets={"image_file_path": temporary})
        headshot.generate(assets={"image_file_path": ("a.png", b"x")})
        headshot.generate(assets={"image_file_path": ("a.png", io.BytesIO(b"x"))})
        headshot.generate(assets={"image_file_path": ("a.png", sys.stdin.buffer)})
        headshot.generate(assets=models.V1AiHeadshotGeneratorCreateBodyAssets(image_file_path="a.png"))
        client.v1.ai_talking_photo.generate(
            assets={"image_file_path": file, "audio_file_path": ("a.mp3", b"x")},
            start_seconds=0,
            end_seconds=1.5,
            style=models.V1AiTalkingPhotoCreateBodyStyle(generation_mode="realistic"),
        )
        paths = [Path("a.png"), Path("b.png")]
        for editor in (client.v1.ai_image_editor,):
            editor.generate(assets={"image_file_paths": paths}, style={"prompt": "x"}, image_count=4)
            faces = client.v1.face_swap_photo
            faces.generate(
                assets={"target_file_path": "a.png", "face_mappings": [{"original_face": "a", "new_face": file}]}
            )
            faces.generate(
                assets={"target_file_path": file, "face_mappings": [{"original_face": "a", "new_face": Path("b.png")}]}
            )
            client.v1.lip_sync.generate(
                assets={"audio_file_path": file, "video_file_path": file}, start_seconds=0, end_seconds=1
            )
            editor.generate(assets={"image_file_paths": ["a.png", file, ("c.png", b"x")]}, style={"prompt": "x"})
    assets: params.V1AiHeadshotGeneratorCreateBodyAssetsGenerateParams = {"image_file_path": Path("a.png")}
    headshot.generate(assets=assets, on_progress=print)


def failures(client: Client) -> None:
    try:
        client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "x"})
    except SubmissionUnknown as error:
        assert_type(error.name, str | None)
        assert_type(error.submitted_at, datetime)
    except JobFailed as error:
        assert_type(error.code, str | None)
    except JobError as error:
        assert_type(error.project_id, str)
    except DownloadFailed as error:
        assert_type(error.downloaded_paths, list[Path])
    except errors.ConnectionFailed as error:
        assert_type(error.sent, bool)
    except errors.APIError as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.status, int)


async def asynchronous(client: low_level.AsyncClient) -> None:
    created = await client.v1.ai_image_generator.create(image_count=1, style={"prompt": "x"}, timeout=5)
    assert_type(created, Created)
    assert_type(await client.v1.image_projects.get(created.id), Image)
    await client.v1.image_projects.delete("x")
    async with AsyncClient() as workflows:
        assert_type(workflows, AsyncClient)
        plain: low_level.AsyncClient = workflows
        assert_type(await plain.v1.video_projects.get("x"), Video)
        result = await workflows.v1.ai_talking_photo.generate(
            assets={"image_file_path": Path("a.png"), "audio_file_path": ("a.mp3", b"x")},
            start_seconds=0,
            end_seconds=1,
            on_progress=show,
        )
        assert_type(result, Result)
        assert_type(await workflows.v1.image_projects.wait("x"), Image)
        assert_type(await workflows.v1.image_projects.download("x"), list[Path])
        assert_type(await workflows.v1.files.upload_file("a.png"), str)
    await workflows.close()
