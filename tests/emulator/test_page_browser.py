"""The emulator's page in a browser: what people see and do while programs use the emulator.

Every test ends by looking at what the browser had to say and what it asked for: no error, no violation of the policy,
no request but to the page and the controls.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from browsers import DESKTOP, PHONE, WITNESS, chromium, violations
from magic_hour_emulator import Emulator
from magic_hour_emulator._events import LATEST_JOBS
from servers import LIMIT_SECONDS, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

IMAGE = "/v1/ai-image-generator"
HOSTILE = "<img src=x onerror='window.pwned=1'>\u202e</script><script>window.pwned=1</script>{{1}}\x1b[31m"
Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=LIMIT_SECONDS * 1000)  # only a hang takes so long
    with chromium() as running:
        yield running


@pytest.fixture
def opened(browser: Browser, emulator: Emulator) -> Iterator[Open]:
    """Open the page; afterwards the browser must have nothing to complain about."""
    said: list[str] = []
    asked: list[str] = []
    contexts = []

    def open_(view: str = "", viewport: Any = DESKTOP, **options: Any) -> Page:
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        context.add_init_script(WITNESS)
        page = context.new_page()
        page.set_default_timeout(LIMIT_SECONDS * 1000)
        page.on("console", lambda message: "status of 422" in message.text or said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{emulator.url}/{view}")
        expect(page.locator("#live")).to_have_text("Live")
        return page

    yield open_
    pages = [page for context in contexts for page in context.pages]
    assert [page.evaluate("[window.pwned ?? null, refused]") for page in pages] == [[None, []]] * len(pages)
    for context in contexts:
        context.close()
    assert said == []
    assert {f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" for url in asked} == {emulator.url}
    assert [path for url in asked if not (path := urlsplit(url).path).startswith("/_emulator/") and path != "/"] == []


def rows(page: Page) -> Any:
    return page.locator("#job-list .row")


def test_a_job_appears_and_completes_while_somebody_watches(opened: Open, api: Any, image_body: Any) -> None:
    page = opened()
    expect(page.get_by_text("No jobs yet.")).to_be_visible()
    job_id = api.create(IMAGE, {**image_body, "name": "hills"})["id"]
    expect(rows(page)).to_have_count(1)
    expect(rows(page).locator(".pill")).to_have_text("queued")
    api.emulator.clock.advance(60)
    expect(rows(page).locator(".pill")).to_have_text("complete")
    expect(rows(page).locator("canvas.drawn")).to_have_count(1)
    rows(page).click()
    expect(page.locator("#job h2")).to_have_text("hills")
    assert (
        page.locator("#job .media img").evaluate("async (img) => { await img.decode(); return img.naturalWidth; }") > 0
    )
    api.get(job_id)
    expect(page.locator(".line b")).to_have_text(["Create", "Charge", "Poll"])
    page.locator(".line button").first.click()
    expect(page.locator("#request h2")).to_have_text(f"POST {IMAGE}")
    expect(page.locator("#request pre").first).to_contain_text('"prompt": "Cool image"')
    page.get_by_role("link", name="Show its job").click()
    expect(page.locator("#job h2")).to_have_text("hills")


def test_faults_and_the_clock_are_set_on_the_page(opened: Open, api: Any, image_body: Any) -> None:
    page = opened("#faults")
    page.get_by_label("Kind").select_option("job_error")
    page.get_by_role("textbox", name="code").fill("no_source_face")
    page.get_by_role("button", name="Add fault").click()
    expect(page.locator("#pending .fault")).to_have_text("job_error")
    failed = api.create(IMAGE, image_body)["id"]
    expect(page.locator("#fired .fault")).to_have_text("job_error")
    page.get_by_role("tab", name="Jobs").click()
    before = api.emulator.clock.now()
    page.get_by_role("button", name="+ 1 min").click()
    expect(rows(page).locator(".pill")).to_have_text("error")
    assert api.emulator.clock.now() == before + 60
    assert api.get(failed)["error"]["code"] == "no_source_face"
    page.get_by_role("tab", name="Faults").click()
    page.get_by_label("Kind").select_option("missing_field")
    page.get_by_role("button", name="Add fault").click()
    expect(page.get_by_role("alert")).to_have_text("missing_field needs field")
    page.get_by_role("button", name="Lose next reply").click()
    expect(page.locator("#pending .fault")).to_have_text("close")
    with pytest.raises(httpx.RemoteProtocolError):
        api.http.post(IMAGE, json=image_body)
    expect(page.locator("#fired .fault")).to_have_text(["close", "job_error"])
    assert len(api.emulator.ledger.creates) == 2
    page.get_by_label("Speed of the clock").select_option("10")
    page.get_by_role("button", name="Frozen").click()
    expect(page.get_by_role("button", name="Freeze")).to_have_attribute("aria-pressed", "false")
    assert (api.emulator.clock.speed, api.emulator.clock.frozen) == (10, False)


def test_deliveries_are_listed(opened: Open, api: Any, image_body: Any) -> None:
    page = opened("#webhooks")
    api.emulator.add_webhook(f"{api.emulator.url}/_emulator/none?secret=1", "secret")  # which answers with 404
    job_id = api.finish(IMAGE, image_body)["id"]
    wait_until(lambda: api.emulator.deliveries)
    api.emulator.remove_webhook()
    expect(page.locator("#attempts b").last).to_have_text("image.started")
    assert "secret=1" not in page.content()
    page.locator("#attempts a").last.click()
    expect(page.locator("#job code").first).to_have_text(job_id)
    expect(page.locator(".line b", has_text="Webhook")).not_to_have_count(0)


def test_everything_by_keyboard(opened: Open, api: Any, image_body: Any) -> None:
    first, second = (api.create(IMAGE, {**image_body, "name": name})["id"] for name in ("first", "second"))
    page = opened()
    expect(rows(page)).to_have_count(2)
    page.keyboard.press("/")
    page.keyboard.type("fir")
    expect(rows(page).filter(visible=True)).to_have_count(1)
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    rows(page).first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#job h2")).to_have_text("first")
    page.get_by_role("button", name="Fail this job").press("Enter")
    expect(page.locator("#job .pill")).to_have_text("error")
    assert page.evaluate("document.activeElement.textContent") == "first"  # the button is gone, the focus is not
    page.keyboard.press("Escape")
    expect(page.locator(f"li[data-id='{first}'] .row")).to_be_focused()
    page.get_by_role("tab", name="Jobs").press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-requests"
    expect(page.locator("#request-list .row")).to_have_count(2)
    page.get_by_role("button", name="Reset").press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No requests yet.")).to_be_visible()
    assert api.emulator.jobs == []
    assert second not in page.content()


def test_texts_are_only_texts(opened: Open, api: Any, image_body: Any) -> None:
    api.emulator.faults.add("job_error", on="create", message=HOSTILE, code=HOSTILE)
    job_id = api.create(IMAGE, {**image_body, "name": HOSTILE, "style": {"prompt": HOSTILE}})["id"]
    api.http.get("/v1/image-projects/<script>window.pwned=1<%2fscript>")
    api.emulator.clock.advance(60)
    api.get(job_id)
    shown = HOSTILE.replace("\u202e", "\\u202e").replace("\x1b", "\\u001b")
    page = opened()
    expect(rows(page).locator(".title")).to_have_text(shown)
    rows(page).click()
    expect(page.locator("#job h2")).to_have_text(shown)
    expect(page.locator("#job .prompt")).to_have_text(shown)
    expect(page.locator("#job dd").first).to_contain_text(shown)
    for request in range(2):
        page.goto(f"{api.emulator.url}/#requests/{request}")
        expect(page.locator("#request h2")).to_have_text(re.compile(f"^POST {IMAGE}|^GET /v1/image-projects/<script>"))
    assert page.locator("img, script:not([src])").count() == 0


def test_more_jobs_than_are_listed_and_a_reset(opened: Open, emulator: Emulator, api: Any, image_body: Any) -> None:
    page = opened()
    for _ in range(LATEST_JOBS + 60):
        api.create(IMAGE, image_body)
    expect(page.locator("#jobs-count")).to_have_text("160 jobs")
    page.reload()
    expect(rows(page)).to_have_count(LATEST_JOBS)
    page.get_by_role("button", name="Show older jobs").click()
    expect(rows(page)).to_have_count(LATEST_JOBS + 60)
    emulator.reset()
    expect(page.get_by_text("No jobs yet.")).to_be_visible()


def test_the_page_survives_a_restart(browser: Browser, image_body: Any) -> None:
    context = browser.new_context()
    page = context.new_page()

    def create(emulator: Emulator) -> None:
        headers = {"Authorization": f"Bearer {emulator.token}"}
        httpx.post(f"{emulator.url}{IMAGE}", json=image_body, headers=headers).raise_for_status()

    with Emulator(frozen=True) as first:
        page.goto(first.url)
        create(first)
        create(first)
        expect(rows(page)).to_have_count(2)
    expect(page.locator("#live")).to_have_text("Not connected")
    with Emulator(frozen=True, port=urlsplit(first.url).port or 0) as second:
        expect(page.locator("#live")).to_have_text("Live")
        expect(page.get_by_text("No jobs yet.")).to_be_visible()
        create(second)
        expect(rows(page)).to_have_count(1)
        context.close()


@pytest.fixture
def views(api: Any, image_body: Any, talking_body: Any) -> list[str]:
    """The address of every view with something in it: jobs of three states, a request, faults, files."""
    finished = api.finish("/v1/ai-talking-photo", talking_body)["id"]
    httpx.get(api.get(finished, "video")["download"]["url"])
    api.emulator.fail_next()
    failed = api.create(IMAGE, image_body)["id"]
    api.emulator.clock.advance(60)
    waiting = api.create(IMAGE, image_body)["id"]
    api.emulator.faults.add("reset", times=None)
    jobs = [f"jobs/{job_id}" for job_id in (finished, failed, waiting)]
    return [*jobs, "requests/0", "faults", "webhooks", "ledger", "storage"]


def each_view(page: Page, views: list[str]) -> Iterator[str]:
    """Go to each view, and wait until it shows what its address says."""
    for address in views:
        view, _, item = address.partition("/")
        page.goto(f"{page.url.partition('#')[0]}#{address}")
        expect(page.locator(f"#{view}")).to_be_visible()
        if item:
            expect(page.locator(f"#{view.removesuffix('s')} h2")).to_be_visible()
        yield view


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_nothing_is_hard_to_use(opened: Open, views: list[str], scheme: str) -> None:
    page = opened(color_scheme=scheme, reduced_motion="reduce")
    for view in each_view(page, [views[0], "requests/0", "faults", "ledger", "storage"]):
        assert violations(page) == [], view
    page.get_by_role("button", name="Reset").click()
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_has_enough_contrast(opened: Open, views: list[str], scheme: str) -> None:
    """All that the colour schemes differ in."""
    page = opened(color_scheme=scheme, reduced_motion="reduce")
    for view in each_view(page, views):
        assert violations(page, "color-contrast") == [], view


def test_nothing_is_wider_than_a_phone(opened: Open, views: list[str]) -> None:
    page = opened(viewport=PHONE)
    for view in each_view(page, views):
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], view
