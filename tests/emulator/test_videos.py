"""Talking photos are real videos: the uploaded picture in motion, and exactly the requested part of the sound."""

import io
import math
from array import array

import av
import httpx
import pytest
from PIL import Image, ImageChops, ImageStat

from magic_hour_emulator import samples

TALKING = "/v1/ai-talking-photo"


def difference(one, other):
    """The difference of two pictures of the same size, 0 to 255."""
    return ImageStat.Stat(ImageChops.difference(one.convert("L"), other.convert("L"))).mean[0]


def streams(content):
    """The streams of a video with their lengths in seconds."""
    with av.open(io.BytesIO(content)) as container:
        lengths = {stream.type: float(stream.duration * stream.time_base) for stream in container.streams}
        assert sorted(stream.type for stream in container.streams) == ["audio", "video"]
        video = container.streams.video[0]
        assert (video.codec.name, video.pix_fmt) == ("h264", "yuv420p")
        assert container.streams.audio[0].codec.name == "aac"
        assert sum(1 for _ in container.decode(video=0)) == round(lengths["video"] * 15)
        return lengths, (video.width, video.height), dict(container.metadata)


def heard(content):
    """The samples of a video's sound, mono at 44,100 Hz."""
    found = array("h")
    resampler = av.AudioResampler(format="s16", layout="mono", rate=44_100)
    with av.open(io.BytesIO(content)) as container:
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                found.frombytes(bytes(piece.planes[0])[: piece.samples * 2])
    return found


def strength(tones, hertz):
    """How much of one pitch is in the samples (Goertzel's algorithm)."""
    turn = 2 * math.cos(2 * math.pi * hertz / 44_100)
    one = two = 0.0
    for sample in tones:
        one, two = sample + turn * one - two, one
    return math.sqrt(max(one * one + two * two - turn * one * two, 0)) / max(len(tones), 1)


def test_a_talking_photo_has_the_asked_part_of_the_sound(api, plain_picture, wave):
    """Three tones of a second each; from 0.75 to 2.25 is a quarter of the first, the second, a quarter of the third."""
    sound = api.upload(wave([(440, 1.0), (1200, 1.0), (3000, 1.0)]), "audio", "wav")
    assets = {"image_file_path": api.upload(plain_picture("red", (400, 300))), "audio_file_path": sound}
    (content,) = api.outputs(TALKING, {"assets": assets, "start_seconds": 0.75, "end_seconds": 2.25, "name": "Tones"})
    lengths, size, metadata = streams(content)
    assert lengths == {"video": pytest.approx(1.5, abs=1 / 15), "audio": pytest.approx(1.5, abs=1 / 30)}
    assert size == (480, 360)
    assert api.emulator.jobs[0].id in metadata["comment"]
    samples_heard = heard(content)
    for hertz, start, end in ((440, 0.0, 0.25), (1200, 0.25, 1.25), (3000, 1.25, 1.5)):
        part = samples_heard[round((start + 0.05) * 44_100) : round((end - 0.05) * 44_100)]
        strengths = {tone: strength(part, tone) for tone in (440, 1200, 3000)}
        assert strengths.pop(hertz) > 10 * max(strengths.values())


def test_a_talking_photo_shows_the_picture_and_moves(api, plain_picture, talking_body):
    assets = {**talking_body["assets"], "image_file_path": api.upload(samples.portrait().read_bytes())}
    (content,) = api.outputs(TALKING, {**talking_body, "assets": assets, "resolution": "720p"})
    with av.open(io.BytesIO(content)) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    with Image.open(samples.portrait()) as portrait:
        expected = portrait.resize((720, 720))
    upper = (0, 0, 720, 400)
    assert frames[0].size == (720, 720)
    assert difference(frames[0].crop(upper), expected.crop(upper)) < 10
    assert difference(frames[0], frames[-1]) > 2


def test_a_clip_ends_with_its_sound(api, wave, talking_body):
    sound = api.upload(wave([(440, 1.2)]), "audio", "wav")
    body = {**talking_body, "assets": {**talking_body["assets"], "audio_file_path": sound}, "end_seconds": 30}
    project = api.finish(TALKING, body)
    assert project["end_seconds"] == pytest.approx(1.2, abs=0.05)
    lengths, _, _ = streams(httpx.get(project["downloads"][0]["url"]).content)
    assert lengths["video"] == pytest.approx(1.2, abs=1 / 15)


def test_preloaded_sound_is_as_long_as_asked(api, talking_body):
    project = api.finish(TALKING, {**talking_body, "start_seconds": 4, "end_seconds": 8})  # the sound has 5.3 s
    lengths, size, _ = streams(httpx.get(project["downloads"][0]["url"]).content)
    assert lengths == {"video": pytest.approx(4, abs=1 / 15), "audio": pytest.approx(4, abs=1 / 15)}
    assert (project["width"], project["height"], project["fps"]) == (*size, 15.0)


@pytest.mark.parametrize(
    ("size", "expected"), [((300, 400), (360, 480)), ((2000, 100), (640, 360)), ((1, 1), (360, 360))]
)
def test_videos_keep_the_aspect_within_reason(api, plain_picture, talking_body, size, expected):
    assets = {**talking_body["assets"], "image_file_path": api.upload(plain_picture("red", size))}
    project = api.finish(TALKING, {**talking_body, "end_seconds": 0.2, "assets": assets})
    assert (project["width"], project["height"]) == expected
    assert streams(httpx.get(project["downloads"][0]["url"]).content)[1] == expected


def test_an_endless_sound_is_cut_where_asked(api, talking_body):
    """A clip from 1 to 2 has the second second of the sound, by its loudness in steps of 50 ms."""

    def steps(start, end):
        (content,) = api.outputs(TALKING, {**talking_body, "start_seconds": start, "end_seconds": end})
        sound, step = heard(content), 2205
        return [sum(map(abs, sound[at : at + step])) / step for at in range(0, len(sound) - step, step)]

    def apart(one, other):
        return sum(abs(a - b) for a, b in zip(one, other, strict=False))

    both, second = steps(0, 2), steps(1, 2)
    assert apart(second, both[20:]) < 0.2 * apart(second, both)


def test_a_clip_late_in_an_endless_sound_is_quick(api, talking_body):
    project = api.finish(TALKING, {**talking_body, "start_seconds": 1_000_000, "end_seconds": 1_000_001})
    lengths, _, _ = streams(httpx.get(project["downloads"][0]["url"]).content)
    assert lengths["audio"] == pytest.approx(1, abs=1 / 15)


def test_a_sound_that_breaks_off_is_used_as_far_as_it_goes(api, talking_body):
    cut_off = samples.voice().read_bytes()[:20_000] + bytes(range(256)) * 40
    assets = {**talking_body["assets"], "audio_file_path": api.upload(cut_off, "audio", "mp3")}
    (content,) = api.outputs(TALKING, {**talking_body, "assets": assets, "end_seconds": 4.0})
    assert 1 < streams(content)[0]["audio"] <= 4
