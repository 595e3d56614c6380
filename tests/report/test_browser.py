"""The page in a real browser: it sorts, filters, downloads, keeps its state, asks for nothing and shuts nobody out."""

import csv
import json
from pathlib import Path

import pytest

from bincam.report import write_report

WIDTHS = {"desktop": 1280, "phone": 390}


@pytest.fixture(scope="session")
def page_file(contrast_folder, tmp_path_factory):
    return write_report(contrast_folder, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture
def visit(browser, page_file):
    """Open the page; at the end, whatever it complained of or asked for fails the test."""
    contexts, faults = [], []

    def go(hash_="", scheme="light", width="desktop"):
        context = browser.new_context(viewport={"width": WIDTHS[width], "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()

        def route(request):
            if request.request.url.startswith(("file:", "data:", "blob:")):
                request.continue_()
            else:
                faults.append(f"asked for {request.request.url}")
                request.abort()

        page.route("**/*", route)
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(page_file.as_uri() + hash_)
        return page

    yield go
    for context in contexts:
        context.close()
    assert faults == []


def names(page, column=0):
    return page.eval_on_selector_all(
        "#numbers tbody tr:not([hidden])", f"rows => rows.map(row => row.cells[{column}].innerText.split('\\n')[0])"
    )


def numbers(page, key):
    return page.evaluate(
        """key => {
            const at = [...document.querySelectorAll("#numbers th[data-key]")].findIndex(h => h.dataset.key === key);
            return [...document.querySelectorAll("#numbers tbody tr:not([hidden])")]
                .map(row => row.cells[at].dataset.sort).map(text => text === undefined ? null : Number(text));
        }""",
        key,
    )


def state(page):
    return page.evaluate("location.hash")


def test_pictures_are_there_and_nothing_runs_out_of_the_screen(visit):
    for width, pixels in WIDTHS.items():
        page = visit(width=width)
        page.click("#open-all")
        broken = page.evaluate(
            """async () => {
                const pictures = [...document.images];
                pictures.forEach(picture => (picture.loading = "eager"));
                await Promise.all(pictures.map(picture => picture.decode()));
                return pictures.filter(picture => !picture.naturalWidth || !picture.alt).length;
            }"""
        )
        assert page.evaluate("document.images.length") > 50
        assert broken == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= pixels
        assert page.locator("svg.plot").evaluate_all("all => all.every(one => one.getAttribute('aria-label'))")


def test_heads_sort_by_mouse_and_by_keyboard(visit):
    page = visit()
    head = page.locator("th[data-key=minority_error]")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    values = numbers(page, "minority_error")
    assert values == sorted(values, reverse=True)
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert numbers(page, "minority_error") == sorted(values)
    assert page.locator("[aria-sort=ascending], [aria-sort=descending]").count() == 1
    page.locator("th[data-key=attribute] button").click()
    assert names(page) == sorted(names(page))


def test_undefined_numbers_stand_last_in_either_order(visit):
    page = visit()
    for order in ("descending", "ascending"):
        page.locator("th[data-key=auroc] button").click()
        assert page.locator("th[data-key=auroc]").get_attribute("aria-sort") == order
        values = numbers(page, "auroc")
        assert values[-3:] == [None, None, None]
        assert values[:-3] == sorted(values[:-3], reverse=order == "descending")


def test_filters_and_the_address_that_restores_them(visit):
    page = visit()
    page.fill("#query", "EYE")
    assert set(names(page)) == {"Eyeglasses"}
    page.select_option("#arm", "balanced")
    page.locator("th[data-key=gain_majority] button").click()
    assert names(page, 1) == ["balanced"]
    assert page.inner_text("#count") == "1 of 18 rows"
    kept = state(page)
    again = visit(kept)
    assert names(again) == ["Eyeglasses"]
    assert again.input_value("#query") == "EYE"
    assert again.input_value("#arm") == "balanced"
    assert again.locator("th[data-key=gain_majority]").get_attribute("aria-sort") == "descending"
    again.fill("#query", "")
    again.select_option("#arm", "")
    assert len(names(again)) == 18
    assert "q=" not in state(again)


def test_a_broken_address_is_no_fault(visit):
    page = visit("#?sort=nothing&dir=sideways&model=none&q=%3Cb%3E")
    assert names(page) == []
    assert page.inner_text("#count") == "0 of 18 rows"


def test_rows_of_few_images_can_be_hidden(visit):
    page = visit()
    marked = page.locator("#numbers tr[data-small]").count()
    assert 0 < marked < 18
    page.check("#solid")
    assert len(names(page)) == 18 - marked
    assert "†" not in page.inner_text("#numbers tbody")


def test_downloads_hold_what_is_shown_unrounded(visit):
    page = visit("#?model=balanced&sort=minority_error&dir=desc")
    with page.expect_download() as waiting:
        page.click("#csv")
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert waiting.value.suggested_filename == "attributes.csv"
    with page.expect_download() as waiting:
        page.click("#json")
    objects = json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))
    assert [row["attribute"] for row in rows] == [row["attribute"] for row in objects] == names(page)
    assert {row["model"] for row in rows} == {"balanced"}
    assert [float(row["minority_error"]) for row in rows] == numbers(page, "minority_error")
    assert all(row["minority_error_images"] > 0 for row in objects)
    assert {row["attribute"] for row in rows if row["auroc"] == ""} == {"Wearing_Hat"}
    assert {row["attribute"] for row in objects if row["auroc"] is None} == {"Wearing_Hat"}


def test_a_link_opens_its_card(visit):
    page = visit("#attribute-Bald")
    assert page.locator("#attribute-Bald").get_attribute("open") is not None
    page.locator("#numbers tbody a", has_text="Young").first.click()
    page.wait_for_selector("#attribute-Young[open] .body")
    assert state(page) == "#attribute-Young"
    page.go_back()
    page.click("#close-all")
    assert page.locator("details.card[open]").count() == 0
    page.locator("#attribute-Young > summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("details.card[open]").count() == 1


@pytest.mark.parametrize(("scheme", "width"), [("light", "desktop"), ("dark", "phone")])
def test_axe_finds_no_serious_fault(visit, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(scheme=scheme, width=width)
    page.click("details.card summary")  # the cards are alike
    page.click("details.card details.more:last-of-type summary")
    found = Axe().run(page).response
    serious = [
        (fault["id"], fault["nodes"][0]["html"][:160], fault["nodes"][0].get("failureSummary", "")[:300])
        for fault in found["violations"]
        if fault["impact"] in {"serious", "critical"}
    ]
    assert serious == []
    assert len(found["passes"]) > 20  # it has looked


def test_themes_differ_and_print_is_on_white(visit):
    shade = "getComputedStyle(document.body).backgroundColor"
    ink = "getComputedStyle(document.querySelector('svg.plot text')).fill"
    light, dark = visit(), visit(scheme="dark")
    assert light.evaluate(shade) != dark.evaluate(shade)
    assert light.evaluate(ink) != dark.evaluate(ink)  # figures follow the theme
    dark.emulate_media(media="print")
    assert dark.evaluate(shade) == "rgb(255, 255, 255)"
    assert dark.evaluate("getComputedStyle(document.querySelector('.controls')).display") == "none"
