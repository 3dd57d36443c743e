"""The report in a browser, from the disk: 40 rows with real media and hostile texts, and thousands of rows.

Every test ends by looking at what the browser had to say and what it asked for: no error, and no request but for files.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batch.sample_report import HOSTILE, SampleReport, render_media, summary
from browsers import DESKTOP, PHONE, WITNESS, chromium, violations
from magic_hour_workflows.batch._report import relative, write_report
from magic_hour_workflows.batch._rows import RowResult, RowStatus

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.slow

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; only as long as this module, because its loop is in the way of those of other tests."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleReport:
    """The report of 40 rows."""
    made = SampleReport(tmp_path_factory.mktemp("outputs"), render_media(tmp_path_factory.mktemp("media")))
    write_report(made.directory, made.results, made.summary, HOSTILE[0])
    return made


@pytest.fixture
def opened(browser: Browser, sample: SampleReport) -> Iterator[Open]:
    """Open a report; afterwards the browser must have nothing to complain about."""
    said: list[str] = []
    asked: list[str] = []
    contexts = []

    def open_(path: Path = sample.directory / "report.html", viewport: Any = DESKTOP, **options: Any) -> Page:
        context = browser.new_context(viewport=viewport, offline=True, **options)
        contexts.append(context)
        context.add_init_script(WITNESS)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_
    pages = [page for context in contexts for page in context.pages]
    assert [page.evaluate("[window.pwned ?? null, refused]") for page in pages] == [[None, []]] * len(pages)
    for context in contexts:
        context.close()
    assert said == []
    assert asked
    assert [url for url in asked if not url.startswith("file:")] == []


def keys(page: Page) -> list[str]:
    return page.locator(".open").all_inner_texts()


def chip(page: Page, name: str) -> Locator:
    return page.locator(".chip", has_text=name)


def close_details(page: Page) -> None:
    """Press Escape and wait for the page to hear of it: a dialog is gone a moment before its close event."""
    heard = "new Promise((done) => document.getElementById('details').addEventListener('close', done, { once: true }))"
    page.evaluate(f"() => {{ window.closing = {heard}; }}")
    page.keyboard.press("Escape")
    page.evaluate("() => closing.then(() => null)")


def test_every_thumbnail_and_the_first_frame_of_every_video_are_shown(opened: Open, sample: SampleReport) -> None:
    page = opened()
    saved = [result for result in sample.results if result.status is RowStatus.SAVED]
    pictures = sum(len(result.paths) for result in saved if result.kind == "image")
    videos = sum(len(result.paths) for result in saved if result.kind == "video")
    assert page.locator(".media img").count() == pictures > 20
    assert page.locator(".media video").count() == videos > 3
    for picture in page.locator(".media img").all():
        assert picture.get_attribute("loading") == "lazy"
        picture.scroll_into_view_if_needed()
        assert picture.evaluate("async (img) => { await img.decode(); return img.naturalWidth; }") > 0
    for video in page.locator(".media video").all():
        video.scroll_into_view_if_needed()
        first = """(video) => new Promise((done, fail) => {
            video.addEventListener("error", () => fail("no video"));
            const look = () => video.videoWidth && done([video.videoWidth, video.currentTime, video.paused]);
            video.addEventListener("seeked", look);
            if (video.readyState >= 2 && !video.seeking) look();
        })"""
        assert video.evaluate(first) == [480, 0.1, True]


def test_videos_out_of_sight_are_not_loaded(opened: Open) -> None:
    page = opened(viewport=PHONE)
    assert page.locator(".media video").last.get_attribute("src") is None


def test_all_rows_are_there_and_texts_are_only_texts(opened: Open, sample: SampleReport) -> None:
    page = opened()
    assert page.title() == f"{HOSTILE[0]} · Magic Hour batch"
    assert page.locator("h1").inner_text() == HOSTILE[0]
    hidden = {"‮": "\\u202e", "\u2028": "\\u2028", "\x00": "\\u0000", "\x1b": "\\u001b"}
    expected = [result.key for result in sample.results]
    for character, shown in hidden.items():
        expected = [key.replace(character, shown) for key in expected]
    assert keys(page) == expected
    failed = page.locator(".card.failed", has=page.get_by_text(HOSTILE[3], exact=True))
    assert failed.locator(".error").inner_text().endswith(f"no face was found in {HOSTILE[3]}")
    page.locator(".open").first.hover()


def test_what_gets_past_the_escaping_still_does_not_run(browser: Browser, sample: SampleReport) -> None:
    """The second wall, looked at with a hole in the first."""
    page = (sample.directory / "report.html").read_text("utf-8")
    hole = (
        "<script>window.pwned = true</script><img src=x onerror='window.pwned = true'><style>h1 { color: red }</style>"
        "<img src='http://127.0.0.1:1/x'><script src='evil.js'></script><iframe src='x.html'></iframe><base href='http://x/'>"
    )
    (sample.directory / "evil.js").write_text("window.pwned = true")
    broken = sample.directory / "broken.html"
    broken.write_text(page.replace("<noscript>", f"{hole}<noscript>"), "utf-8")
    context = browser.new_context(offline=True)
    context.add_init_script(WITNESS)
    tab = context.new_page()
    tab.goto(broken.as_uri())
    refused = ["base-uri", "frame-src", "img-src", "script-src-attr", *["script-src-elem"] * 2, "style-src-elem"]
    assert sorted(tab.evaluate("refused")) == refused
    assert tab.evaluate("window.pwned") is None
    with pytest.raises(Exception, match="TrustedHTML"):
        tab.evaluate("document.body.innerHTML = '<b>x</b>'")
    context.close()


def test_filters_and_their_counts(opened: Open, sample: SampleReport) -> None:
    page = opened()

    def rows(*statuses: str, endpoints: tuple[str, ...] = ()) -> list[RowResult]:
        return [
            row for row in sample.results
            if row.status in (statuses or list(RowStatus)) and row.endpoint in (endpoints or (row.endpoint,))
        ]  # fmt: skip

    words = page.locator("#statuses bdi").all_inner_texts()
    assert words == ["Saved", "Failed", "Doubtful", "Running", "Waiting", "Skipped"]
    chip(page, "Failed").click()
    assert page.locator(".open").count() == len(rows("failed")) == page.locator(".card.failed").count() > 0
    chip(page, "Doubtful").click()
    assert page.locator(".open").count() == len(rows("failed", "doubtful"))
    chip(page, "image editor").click()
    left = rows("failed", "doubtful", endpoints=("ai_image_editor",))
    assert page.locator("#shown").inner_text() == f"{len(left)} row" + ("" if len(left) == 1 else "s")
    saved = len(rows("saved", endpoints=("ai_image_editor",)))
    assert chip(page, "Saved").locator("b").inner_text() == str(saved)
    assert chip(page, "talking").locator("b").inner_text() == str(
        len(rows("failed", "doubtful", endpoints=("ai_talking_photo",)))
    )
    page.get_by_role("button", name="Clear").click()
    assert page.locator(".open").count() == 40
    assert page.locator("input:checked").count() == 0
    assert page.evaluate("document.activeElement.id") == "search"


def test_search(opened: Open, sample: SampleReport) -> None:
    page = opened()
    page.keyboard.press("/")
    page.keyboard.type("GRÖSSE #1".replace("SS", "ß"))
    assert page.locator(".open").count() == sum("größe" in row.key.lower() for row in sample.results)
    for text, found in (("c000000000000000000000007", 1), ("no_source_face", 2), ("ai_image_generator-002-1.png", 1)):
        page.locator("#search").fill(text)
        assert page.locator(".open").count() == found, text
    page.locator("#search").fill("no such row")
    assert page.get_by_text("No row matches.").is_visible()
    assert page.locator("#shown").inner_text() == "0 rows"


def test_what_was_asked_is_shown_beside_what_came_of_it(
    opened: Open, sample: SampleReport, tmp_path: Path, portrait: Path, voice: Path
) -> None:
    """The prompt on the card, in the dialog and in the search; inputs beside outputs; a GIF moves, a sound plays."""
    picture = shutil.copy(sample.results[0].paths[0], tmp_path / "loop.gif")
    sound = shutil.copy(voice, tmp_path / "hello.mp3")
    sunset = f"A sunset\n{HOSTILE[0]}"
    rows = [
        RowResult(
            key="gif", endpoint="ai_gif_generator", status=RowStatus.SAVED, paths=[Path(picture)], prompt=sunset,
            inputs=[str(portrait), "api-assets/x.png"],
        ),
        RowResult(
            key="sound", endpoint="ai_voice_cloner", status=RowStatus.SAVED, kind="audio", paths=[Path(sound)],
            prompt="Hello", inputs=[str(voice)],
        ),
    ]  # fmt: skip
    page = opened(write_report(tmp_path, rows, summary(rows), "asked"))
    assert page.locator(".media img").count() == 1
    assert page.locator(".card .prompt").first.inner_text().startswith("A sunset")
    assert page.locator(".card .from").all_inner_texts() == [f"from {portrait.name}, x.png", f"from {voice.name}"]
    player = page.locator(".card audio")
    length = """(sound) => new Promise((done, fail) => {
        sound.addEventListener("loadedmetadata", () => done(sound.duration));
        sound.addEventListener("error", () => fail("no sound"));
        sound.preload = "metadata";
    })"""
    assert player.evaluate(length) > 1
    for text, found in (("SUNSET", ["gif"]), ("hello", ["sound"]), (portrait.name, ["gif"])):
        page.locator("#search").fill(text)
        assert keys(page) == found, text
    page.locator(".open").first.click()
    assert page.locator("#inside .whole").inner_text() == sunset
    inputs = page.locator("#inside .inputs")
    assert inputs.locator("a").all_inner_texts() == [relative(portrait, tmp_path)]
    assert inputs.locator("li").last.inner_text() == "api-assets/x.png"
    assert inputs.locator("img").evaluate("async (img) => { await img.decode(); return img.naturalWidth; }") > 0
    close_details(page)
    page.locator("#search").fill("hello")
    page.locator(".open").first.click()
    assert page.locator(".stage audio").get_attribute("aria-label") == "Output 1 of 1 of sound"


def test_the_commands_that_help_are_on_the_cards(opened: Open) -> None:
    page = opened()
    assert set(page.locator(".card.failed code").all_inner_texts()) == {"magic-hour batch retry"}
    last = page.locator(".card.doubtful").last.locator("code").all_inner_texts()
    key = "'talking_photo/039 Größe #1'"
    assert last == [f"magic-hour batch settle --project ID {key}", f"magic-hour batch settle --not-charged {key}"]


def test_details_by_keyboard(opened: Open, sample: SampleReport) -> None:
    page = opened()
    third = sample.results[2]
    button = page.locator(".open").nth(2)
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=third.key)
    assert dialog.is_visible()
    assert page.evaluate("document.activeElement.id") == "details-title"
    assert dialog.locator(".stage img").evaluate("async (img) => { await img.decode(); return img.naturalWidth; }") > 0
    assert dialog.locator(".stage img").get_attribute("alt") == f"Output 1 of 4 of {third.key}"
    text = dialog.inner_text()
    for value in (third.id, third.name, third.endpoint, "20", *third.sha256, *(path.name for path in third.paths)):
        assert str(value) in text
    links = [link.evaluate("(a) => a.href") for link in dialog.get_by_role("link").all()]
    assert links == [path.as_uri() for path in third.paths]
    for _ in range(60):  # around: never out of the dialog, but for the browser itself
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    dialog.get_by_role("button", name="Output 3").press("Enter")
    assert dialog.locator(".stage img").get_attribute("alt") == f"Output 3 of 4 of {third.key}"
    page.keyboard.press("ArrowRight")
    assert page.locator("#details-title").inner_text() == sample.results[3].key
    assert page.locator("#details .stage video").get_attribute("controls") is not None
    close_details(page)
    assert page.evaluate("document.activeElement.textContent") == sample.results[3].key


def test_the_id_can_be_copied(opened: Open, sample: SampleReport) -> None:
    page = opened()
    page.locator(".open").nth(2).click()
    page.get_by_role("button", name="Copy the id").click()
    page.get_by_text(f"Copied: {sample.results[2].id}").wait_for(state="attached")
    page.get_by_role("button", name="Close").click()
    page.locator("#search").focus()
    page.keyboard.press("Control+V")
    assert page.locator("#search").input_value() == sample.results[2].id


def test_links_open_files_whose_names_urls_cannot_hold(opened: Open, sample: SampleReport) -> None:
    page = opened()
    page.locator(".open").nth(1).click()
    (path,) = sample.results[1].paths
    assert "%" in path.name
    assert "#" in path.name
    assert page.locator("dialog a").evaluate("(a) => a.href") == path.as_uri()
    assert page.locator(".stage img").evaluate("async (img) => { await img.decode(); return img.naturalWidth; }") > 0


def test_a_file_that_is_gone_is_said_to_be(browser: Browser, tmp_path: Path) -> None:
    rows = [
        RowResult(key=name, endpoint="ai_image_generator", status=RowStatus.SAVED, paths=[tmp_path / name])
        for name in ("gone.png", "gone.mp4")
    ]
    with browser.new_context(offline=True) as context:  # not `opened`: the browser does complain
        page = context.new_page()
        page.goto(write_report(tmp_path, rows, summary(rows), "gone").as_uri())
        page.get_by_text("This file cannot be shown").nth(1).wait_for()
        assert keys(page) == ["gone.png", "gone.mp4"]


@pytest.mark.parametrize(
    ("scheme", "viewport"),
    [
        ("light", DESKTOP),
        ("dark", PHONE),
        *(pytest.param(*other, marks=pytest.mark.long) for other in (("light", PHONE), ("dark", DESKTOP))),
    ],
    ids=["light-desktop", "dark-phone", "light-phone", "dark-desktop"],
)
def test_nothing_is_hard_to_use(opened: Open, scheme: str, viewport: Any) -> None:
    """What axe knows of WCAG 2.2 AA: contrast, names, landmarks, headings; of the page and of the dialog."""
    page = opened(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    assert violations(page) == []
    chip(page, "Saved").click()
    for row in (2, 3):
        page.locator(".open").nth(row).click()
        assert violations(page) == []
        close_details(page)
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]


def test_thousands_of_rows(opened: Open, sample: SampleReport, tmp_path: Path) -> None:
    picture = shutil.copy(sample.results[0].paths[0], tmp_path / "a b.png")
    rows = [
        RowResult(
            key=f"row {number:05}", endpoint="ai_image_generator", id=f"c{number:024}", seconds=3, credits=5,
            status=RowStatus.FAILED if number % 200 == 199 else RowStatus.SAVED,
            paths=[Path(picture)], sha256=["a" * 64],
        )
        for number in range(2_000)
    ]  # fmt: skip
    path = write_report(tmp_path, rows, summary(rows), "many")
    assert path.stat().st_size < 1_200_000
    page = opened(path)
    assert page.locator("#shown").inner_text() == "Rows 1 to 48 of 2,000"
    assert page.locator(".card").count() == 48
    page.get_by_role("button", name="Last").click()
    assert page.locator("#shown").inner_text() == "Rows 1,969 to 2,000 of 2,000"
    assert page.evaluate("document.activeElement.id") == "results"
    page.get_by_role("spinbutton", name="Page").fill("3")
    page.keyboard.press("Enter")
    assert keys(page)[0] == "row 00096"
    page.locator(".open").last.click()
    page.keyboard.press("ArrowRight")  # over the edge of the page
    close_details(page)
    assert page.locator("#page").input_value() == "4"
    assert page.evaluate("document.activeElement.textContent") == "row 00144"
    chip(page, "Failed").click()
    assert keys(page) == [f"row {number:05}" for number in range(199, 2_000, 200)]
    page.locator("#search").fill("01199")
    assert keys(page) == ["row 01199"]
    assert page.get_by_role("navigation", name="Pages").is_hidden()
