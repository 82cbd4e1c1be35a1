"""The page in a real browser: screens and phones, light and dark, keyboard, screen reader, paper."""

import shutil

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
sync_playwright = pytest.importorskip("axe_playwright_python.sync_playwright")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
READERS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, written):
    """Open the page as a reader does; fail for anything that the console or the network says."""
    contexts, complaints = [], []

    def open_page(width=1280, scheme="light", **settings):
        viewport = {"width": width, "height": 900}
        context = browser.new_context(viewport=viewport, color_scheme=scheme, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(request.url))
        page.on(
            "request", lambda sent: None if sent.url.startswith(("file:", "data:")) else complaints.append(sent.url)
        )
        page.goto((written / "report.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize(("width", "scheme"), READERS)
def test_no_one_is_shut_out(opened, width, scheme):
    page = opened(width, scheme)
    for query in page.locator("details").all()[:12]:
        query.evaluate("each => { each.open = true; }")
    found = sync_playwright.Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []


@pytest.mark.parametrize(("width", "scheme"), READERS)
def test_nothing_sticks_out_and_hostile_texts_do_nothing(opened, width, scheme):
    page = opened(width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.title() == "Not decided yet · does routing pay?"
    drawings = page.locator(".drawing svg:visible")
    assert drawings.count() == 6
    for drawing in drawings.all():
        box = drawing.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        # Text that is scaled down cannot be read.
        assert drawing.evaluate("svg => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width") > 0.95


def test_light_and_dark_differ(opened):
    papers = {
        scheme: opened(1280, scheme).evaluate("getComputedStyle(document.documentElement).backgroundColor")
        for scheme in ("light", "dark")
    }
    assert papers == {"light": "rgb(255, 255, 254)", "dark": "rgb(20, 24, 27)"}


def test_the_slider_moves_the_ring_and_says_what_changes_by_keyboard(opened):
    page = opened()
    slider = page.get_by_role("slider", name="Quality weight")
    ring = page.locator(".drawing svg:visible .ring").first
    quality, change = page.locator("[data-slide=quality]"), page.locator("[data-slide=quality_change]")
    assert change.inner_text() == "no change"
    start, before = ring.get_attribute("transform"), quality.inner_text()
    slider.focus()
    page.keyboard.press("Home")
    assert page.locator("#slide-shown").inner_text() == "0"
    assert ring.get_attribute("transform") != start
    assert quality.inner_text() != before
    assert change.inner_text().startswith("−")
    said = slider.get_attribute("aria-valuetext")
    assert said.startswith("Quality weight 0: quality 0.450, $")
    page.keyboard.press("End")
    assert page.locator("#slide-shown").inner_text() == "1"
    assert change.inner_text().startswith("+")
    dots = page.locator(".drawing svg:visible .judged_marks > path")
    assert ring.get_attribute("transform") == dots.nth(20).get_attribute("transform")


def test_every_control_is_reached_by_tab_and_shows_that_it_is(opened):
    page = opened()
    reached = set()
    for _ in range(140):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("(document.activeElement.id || document.activeElement.tagName.toLowerCase())"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or page.evaluate("document.activeElement === document.body")
    assert {"a", "slide-weight", "summary"} <= reached


def test_queries_open_by_keyboard_and_hold_the_answers(opened):
    page = opened()
    first = page.locator("details.query").first
    answer = first.locator("pre").first
    assert not answer.is_visible()
    first.locator("summary").focus()
    page.keyboard.press("Enter")
    assert answer.is_visible()
    assert "</script><script>" in answer.inner_text()


def test_a_link_to_a_definition_leads_there(opened):
    page = opened()
    page.locator("#metrics tbody a.term").first.click()
    assert page.url.endswith("#def-quality")
    assert page.locator("#def-quality").is_visible()


def test_without_scripts_everything_but_the_slider_is_there(opened):
    page = opened(java_script_enabled=False)
    assert not page.locator("#slide").is_visible()
    assert page.locator(".drawing svg:visible").count() == 6
    assert page.locator("#verdict h1").inner_text() == "Not decided yet"


def test_on_paper_the_tables_are_printed_and_the_controls_are_not(opened):
    page = opened(scheme="dark")
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert page.locator("details.behind[open]").count() == 0  # closed again
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.behind:not([open])").count() == 0
    assert not page.locator("#slide").is_visible()
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 254)"
