"""Pictures are real, made from the parameters and the uploads, and show which job they belong to."""

import io

import httpx
import pytest
from PIL import Image, ImageChops, ImageStat

from magic_hour_emulator import samples
from magic_hour_emulator._render import drawing

IMAGE = "/v1/ai-image-generator"
HEADSHOT = "/v1/ai-headshot-generator"
EDITOR = "/v1/ai-image-editor"
TALKING = "/v1/ai-talking-photo"


def opened(content):
    """The PNG of an output, checked and decoded."""
    Image.open(io.BytesIO(content)).verify()
    image = Image.open(io.BytesIO(content))
    image.load()
    assert image.format == "PNG"
    return image


def headshot(api, content, extension="png", **more):
    (made,) = api.outputs(HEADSHOT, {"assets": {"image_file_path": api.upload(content, extension=extension)}, **more})
    return opened(made)


def edited(api, path, **more):
    (made,) = api.outputs(EDITOR, {"assets": {"image_file_path": path}, "style": {"prompt": "x"}, **more})
    return opened(made)


def middle(image):
    """The average colour of the middle of a picture."""
    width, height = image.size
    return ImageStat.Stat(image.convert("RGB").crop((width // 4, height // 5, width * 3 // 4, height * 3 // 5))).mean


def difference(one, other):
    """The difference of two pictures of the same size, 0 to 255."""
    return ImageStat.Stat(ImageChops.difference(one.convert("L"), other.convert("L"))).mean[0]


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ({}, (640, 640)),
        ({"aspect_ratio": "16:9"}, (640, 360)),
        ({"aspect_ratio": "9:16", "resolution": "1k"}, (576, 1024)),
        ({"aspect_ratio": "1:1", "resolution": "2k"}, (2048, 2048)),
        ({"resolution": "auto", "orientation": "landscape"}, (640, 360)),
        ({"aspect_ratio": "16:9", "orientation": "portrait"}, (640, 360)),
    ],
)
def test_images_have_the_asked_shape(api, image_body, shape, size):
    (content,) = api.outputs(IMAGE, {**image_body, **shape})
    assert opened(content).size == size


class _Counting:
    """A font with letters ten pixels wide, and the number of letters it has measured."""

    measured = 0

    def getlength(self, text):
        self.measured += len(text)
        return 10 * len(text)


@pytest.mark.parametrize("text", ["x" * 8000, "狐" * 3000, "x" * 1_500_000, "a " * 100_000, "\u200b" * 10_000])
def test_a_long_text_is_cut_before_it_is_measured(text):
    font = _Counting()
    rows = drawing.wrap(text, font, 580, 2)
    assert len(rows) <= 2
    assert all(len(row) <= 58 for row in rows)
    assert rows[-1].endswith("…")
    assert font.measured < 5000


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [""]),
        ("red fox", ["red fox"]),
        (" red \n fox  in the snow ", ["red fox in", "the snow"]),
        ("red foxes in the snow", ["red foxes", "in the …"]),
        ("aaaaaaaaaaaa bb", ["aaaaaaaaa…", "bb"]),
        ("aa bbbbbbbbbbbb", ["aa", "bbbbbbbbb…"]),
        ("aaaaaaaaaa bb", ["aaaaaaaaaa", "bb"]),
    ],
)
def test_texts_are_wrapped_at_words(text, rows):
    assert drawing.wrap(text, _Counting(), 100, 2) == rows


@pytest.mark.parametrize("prompt", ["Größe 🙂 and a fox", "x" * 1_100_000, "狐" * 400_000, "word " * 400 + "x" * 4000])
def test_an_image_says_which_job_and_prompt_it_came_from(api, image_body, prompt):
    (content,) = api.outputs(IMAGE, {**image_body, "style": {"prompt": prompt}})
    image = opened(content)
    assert (image.text["magic-hour-job"], image.text["magic-hour-prompt"]) == (api.emulator.jobs[0].id, prompt)
    assert image.size == (640, 640)


def test_as_many_images_as_asked_each_different(api, image_body):
    contents = api.outputs(IMAGE, {**image_body, "image_count": 4})
    pictures = [opened(content) for content in contents]
    assert len(pictures) == 4
    assert all(difference(one, other) > 3 for at, one in enumerate(pictures) for other in pictures[:at])


def test_the_prompt_can_be_seen(api):
    """With another prompt, the same job of the same seed differs only in the caption."""

    def picture(prompt):
        api.emulator.reset()
        (content,) = api.outputs(IMAGE, {"image_count": 1, "style": {"prompt": prompt}})
        return opened(content).convert("RGB")

    left, top, right, bottom = ImageChops.difference(picture("A red fox"), picture("A blue whale")).getbbox()
    assert top > 640 * 0.7
    assert (right - left, bottom - top) > (60, 10)


def test_the_same_seed_and_requests_give_the_same_bytes(api, image_body, talking_body):
    def all_of_it():
        api.emulator.reset()
        return [*api.outputs(IMAGE, image_body), *api.outputs(TALKING, talking_body)]

    assert all_of_it() == all_of_it()


@pytest.mark.parametrize(("colour", "channel"), [("red", 0), ("blue", 2)])
def test_a_headshot_is_made_from_the_upload(api, plain_picture, colour, channel):
    image = headshot(api, plain_picture(colour))
    means = middle(image)
    assert image.width / image.height == 4 / 5
    assert means[channel] > 2 * max(mean for at, mean in enumerate(means) if at != channel)


def test_a_headshot_of_the_sample_portrait_looks_like_it(api):
    made = headshot(api, samples.portrait().read_bytes(), "jpg", style={"prompt": "grey suit"})
    with Image.open(samples.portrait()) as portrait:
        expected = portrait.convert("L").crop((51, 0, 461, 512)).resize((64, 80))
    image = made.convert("L").resize((64, 80))
    face = (16, 8, 48, 52)
    assert difference(image.crop(face), expected.crop(face)) < 25
    assert difference(image.crop(face), expected.transpose(Image.Transpose.FLIP_TOP_BOTTOM).crop(face)) > 40


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "JPEG2000"])
def test_pictures_in_many_formats_are_understood(api, plain_picture, format):
    red, green, _ = middle(headshot(api, plain_picture("red", format=format), "jpg"))
    assert red > 2 * green


def test_heic_is_stood_in_for(api):
    assert headshot(api, b"\0\0\0\x18ftypheic" + bytes(100), "heic")


def test_transparent_pictures_stand_on_white(api):
    file = io.BytesIO()
    Image.new("RGBA", (200, 200), (255, 0, 0, 0)).save(file, "PNG")
    assert min(middle(headshot(api, file.getvalue()))) > 180


@pytest.mark.parametrize(
    ("aspect", "size"), [("auto", (480, 640)), ("4:3", (640, 480)), ("2:3", (427, 640)), ("16:9", (640, 360))]
)
def test_an_edit_keeps_or_takes_the_asked_shape(api, plain_picture, aspect, size):
    path = api.upload(plain_picture("blue", size=(300, 400)))
    body = {"assets": {"image_file_paths": [path]}, "style": {"prompt": "x"}, "aspect_ratio": aspect}
    (content,) = api.outputs(EDITOR, body)
    image = opened(content)
    assert image.size == size
    assert middle(image)[2] > 1.5 * max(middle(image)[:2])


def test_an_edit_changes_the_picture_and_each_variant_differently(api):
    body = {"assets": {"image_file_path": "api-assets/id/1234.png"}, "style": {"prompt": "x"}, "image_count": 4}
    pictures = [opened(content) for content in api.outputs(EDITOR, body)]
    with Image.open(samples.portrait()) as portrait:
        original = portrait.resize((640, 640))
    upper = (20, 20, 620, 400)
    assert len(pictures) == 4
    assert all(3 < difference(picture.crop(upper), original.crop(upper)) < 60 for picture in pictures)
    assert all(difference(one, other) > 0.5 for at, one in enumerate(pictures) for other in pictures[:at])


def test_all_pictures_of_an_edit_are_in_it(api, plain_picture):
    paths = [api.upload(plain_picture(colour)) for colour in ("red", "lime", "blue")]
    body = {"assets": {"image_file_paths": paths, "image_file_path": "unused"}, "style": {"prompt": "x"}}
    (content,) = api.outputs(EDITOR, {**body, "aspect_ratio": "1:1"})
    image = opened(content).convert("RGB")
    spots = [image.getpixel(spot) for spot in ((160, 130), (480, 130), (320, 400))]
    assert [spot.index(max(spot)) for spot in spots] == [0, 1, 2]


def test_an_output_can_be_the_input_of_the_next_job(api, plain_picture):
    first = api.finish(HEADSHOT, {"assets": {"image_file_path": api.upload(plain_picture("lime"))}})
    for value in (first["downloads"][0]["url"], f"https://magichour.ai/my-library?imageId={first['id']}"):
        red, green, blue = middle(edited(api, value))
        assert green > 1.5 * max(red, blue)


def test_an_input_stays_when_the_job_it_came_from_is_deleted(api, plain_picture):
    first = api.finish(HEADSHOT, {"assets": {"image_file_path": api.upload(plain_picture("lime"))}})
    edit = {"assets": {"image_file_path": first["downloads"][0]["url"]}, "style": {"prompt": "x"}}
    second = api.finish(EDITOR, edit)
    assert api.http.delete(f"/v1/image-projects/{first['id']}").status_code == 204
    assert opened(httpx.get(second["downloads"][0]["url"]).content)
    refused = api.http.post(EDITOR, json=edit)
    assert refused.status_code == 422
    assert refused.json()["message"] == "assets.image_file_path: the URL could not be read"


def test_an_output_url_that_was_changed_or_has_expired_is_no_input(api, plain_picture):
    first = api.finish(HEADSHOT, {"assets": {"image_file_path": api.upload(plain_picture("lime"))}})
    url = first["downloads"][0]["url"]
    changed = url[:-1] + ("0" if url[-1] != "0" else "1")
    assert api.http.post(HEADSHOT, json={"assets": {"image_file_path": changed}}).status_code == 422
    api.emulator.clock.advance(25 * 3600)
    assert api.http.post(HEADSHOT, json={"assets": {"image_file_path": url}}).status_code == 422


def test_pictures_are_turned_upright(api):
    """Red above blue, stored upside down with an orientation tag, as phones do."""
    stored = Image.new("RGB", (300, 400), "blue")
    stored.paste("red", (0, 200, 300, 400))
    exif = Image.Exif()
    exif[0x0112] = 3  # orientation: turned by 180 degrees
    file = io.BytesIO()
    stored.save(file, "JPEG", exif=exif)
    red, _, blue = headshot(api, file.getvalue(), "jpg").convert("RGB").getpixel((320, 200))
    assert red > 2 * blue


def test_a_url_elsewhere_is_shown_in_the_picture(api):
    one = edited(api, "https://example.com/one.png")
    api.emulator.reset()
    assert difference(one, edited(api, "https://example.com/another.png")) > 0


@pytest.mark.parametrize("size", [(3000, 2), (2, 3000), (1, 1)])
def test_pictures_of_odd_shapes(api, plain_picture, size):
    picture = plain_picture("red", size)
    assert max(edited(api, api.upload(picture), style={"prompt": "some words to fit in"}).size) == 640
    assert headshot(api, picture).size == (512, 640)
