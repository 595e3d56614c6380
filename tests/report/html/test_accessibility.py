"""Pages are open to everybody: their structure and names, and colours that can be read in every theme."""

from importlib import resources

import pytest

from tests.report.accessibility import contrast, faults, themes

READABLE = 4.5
"""The contrast that text of any size needs (WCAG 2, level AA)."""

STYLE = resources.files("bincam.report.html").joinpath("assets/style.css").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["audit", "contrast"])
def test_a_page_has_no_fault_that_its_html_tells(written, kind):
    assert faults(written[kind].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("found", "html"),
    [
        ("heading of level 4 after level 2", "<h1>a</h1><h2>b</h2><h4>c</h4>"),
        ("a head without scope", "<table><caption>t</caption><tr><th>a</th></tr></table>"),
        ("an empty head", '<table><caption>t</caption><tr><th scope="col"></th></tr></table>'),
        ("a table without a caption", "<table></table>"),
        ("a picture without alternative", '<img src="x">'),
        ("<a> without a name", '<a href="#"><span aria-hidden="true">x</span></a>'),
        ("a field without a label", "<input>"),
        ("2 landmarks", '<section aria-label="a"></section><section aria-label="a"></section>'),
        ("a landmark without a name", "<section></section>"),
        ("scrolls, but cannot be reached", '<div class="scroll"></div>'),
        ("id 'a' 2 times", '<p id="a"></p><p id="a"></p>'),
        ("leads to '#a', which is not there", '<a href="#a">b</a>'),
        ("refers to 'a', which is not there", '<section aria-labelledby="a"></section>'),
        ("0 <main>", "<p></p>"),
        ("a figure without a name", '<svg class="plot"></svg>'),
    ],
)
def test_each_kind_of_fault_is_found(found, html):
    assert any(fault.startswith(found) for fault in faults(html))


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_text_can_be_read_on_every_ground_that_it_stands_on(theme):
    colours = themes(STYLE)[theme]
    for text in ("ink", "muted", "link", "minority", "majority"):
        for ground in ("page", "card"):
            assert contrast(colours[text], colours[ground]) >= READABLE, (text, ground)
    for text in ("ink", "muted"):
        assert contrast(colours[text], colours["notice"]) >= READABLE, text
    assert contrast(colours["muted"], colours["frame"]) >= READABLE
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#fff") == pytest.approx(4.54, abs=0.01)


def test_borders_that_carry_a_meaning_are_seen():
    """The chip of an action says its meaning in words; its border needs the contrast of a graphic, 3 to 1."""
    for theme in ("light", "dark"):
        colours = themes(STYLE)[theme]
        assert min(contrast(colours[name], colours["card"]) for name in ("bad", "good", "link")) >= 3
