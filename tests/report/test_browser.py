"""The page in a real browser: it sorts, filters, downloads, keeps its state, asks for nothing and shuts nobody out."""

import csv
import json
import re
from pathlib import Path

import pytest

from bincam.audit import open_audit
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.summary.summarize import summarise
from bincam.report import write_report
from bincam.studies.sets.settings import SetsSettings
from bincam.studies.sets.study import run_sets
from tests.report.conftest import finished_audit
from tests.studies.sets.made import drawn_heads, write_made

WIDTHS = {"desktop": 1280, "phone": 390}


@pytest.fixture(params=["audit", "contrast"])
def kind(request):
    """Which report is looked at; a test that needs two models names it."""
    return request.param


only_contrast = pytest.mark.parametrize("kind", ["contrast"], indirect=True)


@pytest.fixture
def rows(kind):
    """How many rows the table has: an attribute each, in a contrast also by model and for the moved threshold."""
    return {"audit": 6, "contrast": 18}[kind]


@pytest.fixture
def visit(browser, written, kind):
    """Open the page; at the end, whatever it complained of or asked for fails the test."""
    own = written[kind].as_uri()
    contexts, faults = [], []

    def go(hash_="", scheme="light", width="desktop"):
        context = browser.new_context(
            viewport={"width": WIDTHS[width], "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()

        def route(request):
            url = request.request.url
            if url.partition("#")[0] == own or url.startswith(("data:", "blob:")):
                request.continue_()
            else:
                faults.append(f"asked for {url}")
                request.abort()

        page.route("**/*", route)
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(own + hash_)
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


def test_undefined_numbers_stand_last_in_either_order(visit, rows):
    page = visit()
    for order in ("descending", "ascending"):
        page.locator("th[data-key=auroc] button").click()
        assert page.locator("th[data-key=auroc]").get_attribute("aria-sort") == order
        values = numbers(page, "auroc")
        last = rows // 6  # of one attribute
        assert values[-last:] == [None] * last
        assert values[:-last] == sorted(values[:-last], reverse=order == "descending")


@only_contrast
def test_filters_and_the_address_that_restores_them(visit):
    page = visit()
    page.fill("#query", "EYE")
    assert set(names(page)) == {"Eyeglasses"}
    page.select_option("#arm", "balanced")
    page.locator("th[data-key=gain_majority] button").click()
    assert names(page, 1) == ["b"]
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


def test_a_broken_address_is_no_fault(visit, rows):
    page = visit("#?sort=nothing&dir=sideways&model=none&q=%3Cb%3E")
    assert names(page) == []
    assert page.inner_text("#count") == f"0 of {rows} rows"


@pytest.mark.parametrize("broken", ["#%", "#%E0%A4%A", "#%?q=%", "#nowhere"])
@pytest.mark.parametrize("kind", ["audit"], indirect=True)
def test_an_address_that_cannot_be_read_leads_nowhere(visit, rows, broken):
    page = visit(broken)
    assert len(names(page)) == (0 if "?" in broken else rows)
    assert page.locator("details.card[open]").count() == 0


def test_rows_of_few_images_can_be_hidden(visit, rows):
    page = visit()
    marked = page.locator("#numbers tbody tr:has(td.small:not(.further))").count()
    assert 0 < marked < rows
    page.check("#solid")
    assert len(names(page)) == rows - marked
    assert "†" not in page.inner_text("#numbers tbody")
    page.check("#more")
    assert len(names(page)) <= rows - marked
    assert "†" not in page.inner_text("#numbers tbody")


def test_further_columns_are_shown_on_demand_and_kept_in_the_address(visit, kind):
    page = visit()
    further = page.locator("#numbers thead th.further[data-key]")
    assert further.count() == (12 if kind == "contrast" else 4)  # the contrast's audits have masks
    assert not further.first.is_visible()
    page.check("#more")
    assert further.first.is_visible()
    page.locator("th[data-key=lift_minority] button").click()
    kept = state(page).replace("&more=1", "")
    again = visit(kept)
    assert again.is_checked("#more")  # its order shows
    values = [value for value in numbers(again, "lift_minority") if value is not None]
    assert values == sorted(values, reverse=True)
    again.uncheck("#more")
    assert not again.locator("#numbers .further").first.is_visible()


@only_contrast
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
    assert {row["model"] for row in rows} == {"b"}  # the name on the page; the address keeps the key
    assert [float(row["minority_error"]) for row in rows] == numbers(page, "minority_error")
    assert all(row["minority_error_images"] > 0 for row in objects)
    assert all(row["object_gain"] == "" or abs(float(row["object_gain"])) <= 1 for row in rows)
    assert "influence_energy_majority_low" in rows[0]  # all columns, shown or not
    assert {row["attribute"] for row in rows if row["auroc"] == ""} == {"Wearing_Hat"}
    assert {row["attribute"] for row in objects if row["auroc"] is None} == {"Wearing_Hat"}


def test_a_spreadsheet_shows_names_that_begin_as_formulas_do(browser, tmp_path):
    names_ = ("=1+1", "@Bald", "-0.5")
    audit = finished_audit(tmp_path / "audit", images=40, attributes=names_, prevalence=(0.5, 0.3, 0.6))
    page = browser.new_page()
    page.goto(write_report(audit, tmp_path / "report.html").as_uri())
    with page.expect_download() as waiting:
        page.click("#csv")
    rows = list(csv.DictReader(Path(waiting.value.path()).read_text(encoding="utf-8").splitlines()))
    assert sorted(row["attribute"] for row in rows) == ["'=1+1", "'@Bald", "-0.5"]
    numbers_ = [value for row in rows for key, value in row.items() if key not in ("attribute", "model") and value]
    assert any(value.startswith("-") for value in numbers_)
    page.close()


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


def test_links_keep_the_table_s_state_in_the_address(visit):
    page = visit("#?q=y&sort=attribute")
    shown = names(page)
    page.locator("#numbers tbody a", has_text="Young").first.click()
    page.wait_for_selector("#attribute-Young[open] .body")
    assert state(page) == "#attribute-Young?sort=attribute&q=y"
    assert page.locator("#attribute-Young > summary").evaluate("one => one === document.activeElement")
    there = "() => Math.abs(document.querySelector('#limits').getBoundingClientRect().top) < innerHeight / 2"
    page.click("nav a[href^='#limits']")
    page.wait_for_selector("#limits:focus")
    assert page.evaluate(there)
    assert state(page) == "#limits?sort=attribute&q=y"
    again = visit(state(page))
    assert names(again) == names(page) == shown
    assert again.evaluate(there)
    page.evaluate("scrollTo(0, 0)")
    assert not page.evaluate(there)
    page.click("nav a[href^='#limits']")  # the same address once more
    assert page.evaluate(there)
    page.fill("#query", "")
    assert state(page) == "#limits?sort=attribute"
    page.go_back()
    assert names(page) == shown  # that view's state is the address's again


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", "desktop"), ("dark", "phone")])
def test_axe_finds_no_serious_fault(visit, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(scheme=scheme, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(one => (one.open = true))")
    page.check("#more")
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


@pytest.mark.parametrize("kind", ["audit"], indirect=True)
def test_print_keeps_what_explains_and_leaves_out_what_is_of_the_screen(visit):
    page = visit()
    hints = page.locator("#table > .hint")
    texts = hints.all_inner_texts()
    assert [text.split(" ")[0] for text in texts] == ["No", "Click"]
    page.emulate_media(media="print")
    assert [hints.nth(place).is_visible() for place in range(2)] == [True, False]


def pages_of(page, style):
    page.add_style_tag(content=style)
    return len(re.findall(rb"/Type /Page\b", page.pdf(prefer_css_page_size=True)))


def test_short_cards_share_a_printed_page_and_no_chart_is_cut(browser, tmp_path):
    heads = drawn_heads(300, [0.1, 0.5, 0.3, 0.2])
    audit = write_made(tmp_path / "audit", names=("Bald", "Even", "Hat", "Young"), **heads)
    AuditWriter(audit.folder, audit.manifest).write_summary(summarise(audit, resamples=20))
    run_sets(open_audit(audit.folder), SetsSettings(free=1))
    page = browser.new_page()
    page.goto(write_report(audit.folder, tmp_path / "report.html").as_uri())
    assert page.locator("#label-sets > .card").count() == 4
    page.emulate_media(media="print")

    def breaks(where, which):
        return page.eval_on_selector_all(where, f"all => all.map(one => getComputedStyle(one).{which})")

    assert set(breaks("#label-sets .charts > figure", "breakInside")) == {"avoid"}
    assert set(breaks("#label-sets > .card", "breakInside")) == {"avoid"}
    assert breaks("#attributes > .card", "breakBefore") == ["auto", "page", "page", "page"]
    shared = pages_of(page, "body > :not(main), main > :not(#label-sets) { display: none; }")
    alone = pages_of(page, "#label-sets > .card { break-before: page !important; }")
    assert shared <= 3
    assert alone >= 5  # one of what stands before the cards
    page.close()
