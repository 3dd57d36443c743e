"""Every operation of the contract that makes something makes real media of its kind, which show what went in.

Rule: no operation is named in the tables. The bodies are the contract's examples, with files of a known colour or pitch
as inputs; outputs are decoded.
"""

import copy
import functools
import io
import math
from array import array
from fractions import Fraction

import av
import httpx
import pytest
from PIL import Image, ImageChops

from magic_hour_emulator import samples
from magic_hour_emulator._contract import load_contract
from magic_hour_emulator._emulation import parse_emulation
from magic_hour_emulator._inputs import role_of
from magic_hour_emulator._prices import dig
from magic_hour_emulator._products import inspect
from magic_hour_emulator._render import videos
from magic_hour_emulator._render.decoding import RATE
from magic_hour_emulator._render.sounds import sound_frames

CREATES = [operation for operation in load_contract().operations if operation.emulation]
PAID = [operation for operation in CREATES if operation.charges]
TASKS = [operation for operation in CREATES if not operation.charges]
WITH_FILES = [
    (operation, field)
    for operation in CREATES
    for field in operation.assets
    if "*" not in field.path and not field.deprecated
]
COLOURS = ("red", "lime", "blue")
PITCH, OTHER_PITCH = 440, 1200
PROMPT, OTHER_PROMPT = "A red fox in the snow", "Two blue whales at noon"


def each(operations):
    return pytest.mark.parametrize("operation", operations, ids=lambda operation: operation.id)


def put(body, path, value):
    """Set a nested field of a body, with its parents."""
    *parents, last = path
    for part in parents:
        body = body.setdefault(part, {})
    body[last] = value


@functools.cache
def movie(colour):
    """An MP4 of 1.2 seconds in one colour, with a tone."""
    file, size, seconds = io.BytesIO(), (128, 128), 1.2
    tone = array(
        "h", (round(9000 * math.sin(2 * math.pi * OTHER_PITCH * at / RATE)) for at in range(round(seconds * RATE)))
    )
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("libx264", 10, options={"preset": "ultrafast"})
        (video.width, video.height), video.pix_fmt = size, "yuv420p"
        sound = container.add_stream("aac", RATE, layout="mono")
        for number in range(round(seconds * 10)):
            frame = av.VideoFrame.from_image(Image.new("RGB", size, colour))
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(video.encode(frame))
        for frame in sound_frames(tone):
            container.mux(sound.encode(frame))
        container.mux([*video.encode(None), *sound.encode(None)])
    return file.getvalue()


@pytest.fixture
def files(api, plain_picture, wave):
    """Uploads a file for each asset of an operation, and returns the body with them and the colours that it shows."""

    def given(operation):
        body, colours = copy.deepcopy(operation.example), []
        for field in operation.assets:
            if field.deprecated or (
                "*" in field.path and dig(body, ".".join(field.path[: field.path.index("*")])) is None
            ):
                continue
            colour = COLOURS[len(colours) % len(COLOURS)]
            if "image" in field.roles:
                path = api.upload(plain_picture(colour))
            elif "video" in field.roles:
                path = api.upload(movie(colour), "video", "mp4")
            else:
                path = api.upload(wave([(PITCH, 1.2)]), "audio", "wav")
            colours += [] if field.roles == ("audio",) else [colour]
            put(
                body,
                field.path[:-1] if field.path[-1] == "*" else field.path,
                [path] if field.path[-1] == "*" else path,
            )
        if "end_seconds" in body:
            body |= {"start_seconds": 0, "end_seconds": 1} if "start_seconds" in body else {"end_seconds": 1}
        if str(body.get("resolution")).endswith("0p"):
            body["resolution"] = "480p"  # larger ones take longer, and show the same
        return body, colours

    return given


def made(api, operation, body):
    """Create a job, let it end, and return its answer and the bytes of its outputs."""
    job_id = api.create(operation.path, body)["id"]
    api.emulator.clock.advance(10)
    [about] = [each for each in load_contract().operations if (each.method, each.kind) == ("GET", operation.kind)]
    answer = api.http.get(about.path.replace("{id}", job_id)).raise_for_status().json()
    assert answer["status"] == "complete", answer
    outputs = answer["downloads"] if "downloads" in answer else answer[operation.emulation.outputs]
    responses = [httpx.get(output["url"]).raise_for_status() for output in outputs]
    assert {response.headers["content-type"] for response in responses} == {operation.emulation.medium(body)}
    return answer, [response.content for response in responses]


def frame_of(content, media):
    """The first picture of an output."""
    if media.startswith("image/"):
        return Image.open(io.BytesIO(content)).convert("RGB")
    with av.open(io.BytesIO(content)) as container:
        return next(container.decode(video=0)).to_image()


def share(image, colour):
    """How much of a picture has roughly this colour."""
    pixels = image.resize((64, 64), Image.Resampling.BOX).tobytes()
    channel = COLOURS.index(colour)
    triples = zip(*(pixels[(channel + step) % 3 :: 3] for step in range(3)), strict=True)
    return sum(this > 1.4 * max(*others) for this, *others in triples) / 4096


def strength(samples, hertz):
    """How much of one pitch is in the samples (Goertzel's algorithm)."""
    turn = 2 * math.cos(2 * math.pi * hertz / RATE)
    one = two = 0.0
    for sample in samples:
        one, two = sample + turn * one - two, one
    return math.sqrt(max(one * one + two * two - turn * one * two, 0)) / max(len(samples), 1)


def heard(content):
    """The samples of an output's sound."""
    samples = []
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(io.BytesIO(content)) as container:
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                samples += memoryview(bytes(piece.planes[0])[: piece.samples * 2]).cast("h")
    return samples


@each(CREATES)
def test_an_output_is_real_media_that_shows_its_inputs_and_job(api, files, operation):
    body, colours = files(operation)
    answer, outputs = made(api, operation, body)
    media = operation.emulation.medium(body)
    assert len(outputs) == operation.emulation.outputs_of(body)
    for content in outputs:
        if media == "image/png":
            image = Image.open(io.BytesIO(content))
            assert (image.format, image.text["magic-hour-job"]) == ("PNG", answer["id"])
        elif media == "image/gif":
            image = Image.open(io.BytesIO(content))
            assert image.format == "GIF"
            assert image.n_frames >= 2
            assert answer["id"].encode() in image.info["comment"]
        else:
            with av.open(io.BytesIO(content)) as container:
                assert answer["id"] in {name.lower(): text for name, text in container.metadata.items()}["comment"]
        if media.startswith("video/"):
            assert frame_of(content, media).size == (answer["width"], answer["height"])
        if not media.startswith("audio/"):
            shares = {colour: share(frame_of(content, media), colour) for colour in colours}
            assert all(found > 0.04 for found in shares.values()), shares


@each([each for each in PAID if each.example.get("style", {}).get("prompt") or each.emulation.prompt != "style.prompt"])
def test_the_prompt_is_seen_or_heard(api, files, operation):
    """With another prompt, the same job of the same seed is different."""

    def output(prompt):
        api.emulator.reset()
        body, _ = files(operation)
        put(body, operation.emulation.prompt.split("."), prompt)
        return made(api, operation, body)[1][0], operation.emulation.medium(body)

    (one, media), (other, _) = output(PROMPT), output(OTHER_PROMPT)
    if media.startswith("audio/"):
        # As many tones as characters, 15 a second.
        assert len(heard(other)) - len(heard(one)) == pytest.approx(
            RATE * (len(OTHER_PROMPT) - len(PROMPT)) / 15, rel=0.1
        )
        return
    difference = ImageChops.difference(frame_of(one, media), frame_of(other, media)).convert("L")
    left, top, right, bottom = difference.point(lambda value: 255 * (value > 60)).getbbox()
    assert top > difference.height * 0.5
    assert (right - left, bottom - top) > (60, 8)


@each([each for each in PAID if "end_seconds" in each.example])
def test_a_video_is_as_long_as_asked_and_has_the_sound(api, files, operation):
    body, _ = files(operation)
    answer, (content,) = made(api, operation, body)
    with av.open(io.BytesIO(content)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert frames / answer["fps"] == pytest.approx(answer["end_seconds"] - answer["start_seconds"], abs=0.1)
    assert answer["end_seconds"] - answer["start_seconds"] == pytest.approx(1, abs=0.01)
    roles = {role for field in operation.assets for role in field.roles}
    if "audio" in roles or "video" in roles:
        pitch, other = (PITCH, OTHER_PITCH) if "audio" in roles else (OTHER_PITCH, PITCH)
        part = heard(content)[RATE // 10 : RATE // 2]
        assert strength(part, pitch) > 10 * strength(part, other)


@each([each for each in PAID if {"audio", "video"} <= {field.roles[0] for field in each.assets}])
def test_a_sound_given_with_a_video_is_heard_from_its_beginning(api, files, wave, operation):
    """Start and end are about the video, which is 1.2 seconds long; the sound is longer."""
    body, _ = files(operation)
    [field] = [field for field in operation.assets if field.roles == ("audio",)]
    put(body, field.path, api.upload(wave([(PITCH, 0.7), (OTHER_PITCH, 3.0)]), "audio", "wav"))
    answer, (content,) = made(api, operation, {**body, "start_seconds": 0.5, "end_seconds": 10})
    assert (answer["start_seconds"], answer["end_seconds"]) == (0.5, pytest.approx(1.2, abs=0.1))
    part = heard(content)[RATE // 10 : RATE // 2]
    assert strength(part, PITCH) > 10 * strength(part, OTHER_PITCH)


LISTS = [(each, field) for each in PAID for field in each.assets if len(set(field.roles) - {"gif"}) > 1]


@pytest.mark.parametrize(("operation", "field"), LISTS, ids=lambda value: getattr(value, "id", ""))
def test_an_example_of_any_medium_is_shown_and_does_not_shorten_a_clip(api, operation, field):
    parent, star, name = field.path
    examples = [
        {"name": "green", name: api.upload(movie("lime"), "video", "mp4")},
        {"name": "voice", name: api.upload(samples.voice().read_bytes(), "audio", "mp3")},
    ]
    body = {**operation.example, parent: examples, "end_seconds": 3, "resolution": "480p"}
    answer, (content,) = made(api, operation, body)
    assert (star, answer["end_seconds"]) == ("*", 3)
    assert share(frame_of(content, "video/mp4"), "lime") > 0.4
    assert len(heard(content)) / RATE == pytest.approx(3, abs=0.1)


@each([each for each in PAID if each.assets and each.emulation.medium({}).startswith("audio/")])
def test_a_voice_is_made_from_the_given_one(api, files, operation):
    body, _ = files(operation)
    samples = heard(made(api, operation, body)[1][0])
    half = len(samples) // 2
    begin, end = samples[: half - RATE // 10], samples[half + RATE // 10 :]
    assert strength(begin, PITCH) > 10 * strength(end, PITCH)


@pytest.mark.parametrize(
    ("seconds", "media", "expected"),
    [(1, "video/mp4", 15), (10, "video/mp4", 15), (30, "video/mp4", 5), (300, "video/mp4", 2), (1, "image/gif", 6)],
)
def test_long_clips_have_fewer_frames(seconds, media, expected):
    assert videos.frame_rate(seconds, media) == expected


@pytest.mark.parametrize(
    ("body", "inputs", "expected"),
    [
        ({}, [], (640, 360)),
        ({}, [(300, 400)], (360, 480)),
        ({"aspect_ratio": "1:1", "resolution": "720p"}, [(300, 400)], (720, 720)),
        ({"aspect_ratio": "auto"}, [(300, 300)], (360, 360)),
        ({"resolution": "4k"}, [], (1920, 1080)),
        ({"resolution": "new"}, [], (640, 360)),
        ({"width": 513, "height": 64}, [(300, 400)], (512, 64)),
        ({"width": 100_000, "height": 1}, [], (1920, 64)),
    ],
)
def test_the_size_of_a_video_is_even_and_bounded(body, inputs, expected):
    assert videos.frame_size(body, inputs, None, "video/mp4") == expected


def test_a_clip_has_at_least_a_frame_whatever_the_body_says():
    """A contract without `x-before` does not refuse it."""
    clip = inspect(PAID[0].emulation, {"start_seconds": 5, "end_seconds": 1}, ())
    assert clip is None  # a picture
    [video, *_] = [each for each in PAID if each.emulation.medium({}) == "video/mp4"]
    clip = inspect(video.emulation, {"start_seconds": 5, "end_seconds": 1}, ())
    assert clip.end_seconds > clip.start_seconds == 5


@pytest.mark.parametrize(("operation", "field"), WITH_FILES, ids=lambda value: getattr(value, "id", ""))
def test_a_file_that_cannot_be_decoded_fails_the_job_with_a_refund(api, files, operation, field):
    body, _ = files(operation)
    role = field.roles[0]
    put(
        body,
        field.path,
        api.upload(b"\0\0\0\x18ftypmp42 broken" + bytes(100), role, "mp4" if role == "video" else "png"),
    )
    job_id = api.create(operation.path, body)["id"]
    api.emulator.clock.advance(10)
    [about] = [each for each in load_contract().operations if (each.method, each.kind) == ("GET", operation.kind)]
    answer = api.http.get(about.path.replace("{id}", job_id)).json()
    assert (answer["status"], answer["credits_charged"]) == ("error", 0)
    if "error" in answer:
        assert answer["error"]["code"] == ("invalid_video_file" if role == "video" else "invalid_file_format")
        assert ".".join(field.path) in answer["error"]["message"]
    assert api.emulator.ledger.balance == 1_000_000


@pytest.mark.parametrize(
    ("value", "roles", "role"),
    [
        ("api-assets/c1/video.webm", ("audio", "video"), "video"),
        ("api-assets/c1/audio.webm", ("video", "audio"), "audio"),
        ("https://example.com/a/cat.GIF?image=1", ("video", "gif"), "video"),
        ("https://example.com/a/cat.png?x=.mp4", ("video", "image"), "image"),
        ("https://example.com/a/cat.mp3", ("image", "video", "audio"), "audio"),
        ("saved-items/c1/0.unknown", ("image", "video"), "image"),
        ("anything.png", ("audio",), "audio"),
    ],
)
def test_the_path_of_a_file_decides_between_several_roles(value, roles, role):
    assert role_of(value, roles) == role


def test_a_gif_is_a_video_only_where_the_field_takes_it(api, plain_picture):
    gif = api.upload(plain_picture("lime", format="GIF"), "video", "gif")
    for operation, field in WITH_FILES:
        if field.roles[0] == "video":
            body = {**copy.deepcopy(operation.example), "start_seconds": 0, "end_seconds": 1}
            put(body, field.path, gif)
            job_id = api.create(operation.path, body)["id"]
            [job] = [each for each in api.emulator.jobs if each.id == job_id]
            code = job.planned_error and job.planned_error.code
            assert code == (None if "gif" in field.roles else "invalid_video_file"), operation.id


BY_FIELD = [
    (operation, field, value, medium)
    for operation in PAID
    if not isinstance(operation.emulation.media, str)
    for field, media in operation.emulation.media.items()
    for value, medium in media.items()
]
FORMATS = {"image/gif": "gif", "video/mp4": "mov,mp4,m4a,3gp,3g2,mj2", "video/webm": "matroska,webm"}


@pytest.mark.parametrize(("operation", "field", "value", "medium"), BY_FIELD, ids=lambda value: str(value)[:9])
def test_a_field_may_decide_the_medium(api, operation, field, value, medium):
    body = copy.deepcopy(operation.example)
    put(body, field.split("."), value)
    _, (content,) = made(api, operation, body)
    with av.open(io.BytesIO(content)) as container:
        assert container.format.name == FORMATS[medium]
        assert sum(1 for _ in container.decode(video=0)) > 2


@each({operation.kind: operation for operation in PAID}.values())
def test_projects_of_every_kind_can_be_deleted(api, operation):
    job_id = api.create(operation.path, operation.example)["id"]
    [delete] = [each for each in load_contract().operations if (each.method, each.kind) == ("DELETE", operation.kind)]
    path = delete.path.replace("{id}", job_id)
    assert [api.http.delete(path).status_code, api.http.delete(path).status_code] == [204, 404]
    assert api.http.get(path).status_code == 404


def test_jobs_take_the_documented_time_if_asked(start):
    [operation] = [each for each in PAID if each.resource == "ai-talking-photo"]
    with start(realistic=True) as api:
        job_id = api.create(operation.path, operation.example)["id"]
        api.emulator.clock.advance(operation.emulation.median_seconds - 1)
        assert api.get(job_id, operation.kind)["status"] == "rendering"
        api.emulator.clock.advance(2)
        assert api.get(job_id, operation.kind)["status"] == "complete"
    with pytest.raises(ValueError, match="no such resource"), start(durations={"ai-nothing": 1}):
        pass


def test_every_operation_has_a_documented_median_and_is_quick_otherwise():
    assert all(0 < each.emulation.seconds <= 2 < each.emulation.median_seconds for each in PAID)


ROWS = {"type": "A", "media": "image/png"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**ROWS, "media": "image/tiff"}, "makes no image/tiff"),
        ({**ROWS, "media": {"format": {"gif": "image/gif", "x": "text/plain"}}}, "makes no text/plain"),
        ({**ROWS, "sides": 3}, "no row sides"),
    ],
)
def test_a_wrong_row_stops_the_start_with_its_place(row, message):
    with pytest.raises(ValueError, match=f"POST /v1/x: .*{message}"):
        parse_emulation({"x-emulator": row}, None, "POST /v1/x")
