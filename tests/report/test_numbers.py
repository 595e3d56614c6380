"""One format of numbers on the whole page: true minus, one way to write an interval, tables as sentences."""

import json
import re
from html.parser import HTMLParser

import pytest

from bincam.report.html.page import build, open_source, render
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import written

SIGN = re.compile(r"(?<![\w.\-/])-\d")  # no hyphen within a name, a digest or a path
TO = re.compile(r"\[[^\]]*\d[^\]]* to [^\]]*\d[^\]]*\]")
INTERVAL = re.compile(r"\[[+−]?[\d,.∞]+, [+−]?[\d,.∞]+\]")


class Visible(HTMLParser):
    """Texts that a reader sees or hears: also of titles and of images."""

    def __init__(self):
        super().__init__()
        self.texts, self.hidden = [], []

    def handle_starttag(self, tag, attributes):
        if tag in ("script", "style"):
            self.hidden.append(tag)
        self.texts += [text or "" for name, text in attributes if name in ("alt", "title", "aria-label", "placeholder")]

    def handle_endtag(self, tag):
        if self.hidden and tag == self.hidden[-1]:
            self.hidden.pop()

    def handle_data(self, text):
        if not self.hidden and text.strip():
            self.texts.append(text)


@pytest.fixture(scope="module")
def page(contrast_folder, tmp_path_factory):
    return build(open_source(contrast_folder), tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def document(contrast_folder):
    return json.loads((contrast_folder / "contrast.json").read_text(encoding="utf-8"))


def test_every_visible_number_has_a_true_minus_and_every_interval_a_comma(page, document):
    reader = Visible()
    reader.feed(render(page))
    told = [*document["findings"], *(text for texts in document["sentences"].values() for text in texts)]
    texts = [*reader.texts, *told]
    assert [text for text in texts if SIGN.search(text)] == []
    assert [text for text in texts if TO.search(text)] == []
    assert sum("−" in text for text in texts) > 20
    assert sum(bool(INTERVAL.search(text)) for text in texts) > 100
    numbers = [cell for row in page.rows for cell in row.cells if cell.interval]
    assert numbers
    assert all(INTERVAL.fullmatch(cell.interval) for cell in numbers)


def test_an_estimate_is_the_same_text_in_sentences_and_in_tables(page, document):
    compared = 0
    for card in page.cards:
        entry, paragraph = document["attributes"][card.name], " ".join(card.sentences)
        for place, column in ((0, "unbalanced"), (1, "unbalanced, threshold moved"), (2, "balanced")):
            row = next(row for row in page.rows if row.name == card.name and row.arm == column)
            cells = {column.key: cell for column, cell in zip(page.columns, row.cells, strict=True)}
            for part in ("minority", "majority"):
                estimate = Estimate.from_json(entry["errors"][f"{part}_error"][column])
                text = written(estimate, "percent")
                cell = cells[f"{part}_error"]
                assert f"{cell.text} {cell.interval}{' (few images)' * cell.small}" == text, (place, part)
                assert text in paragraph
                compared += 1
        table = next(table for table in card.tables if table.title == "Paired differences")
        for row in table.rows:
            if row[1].text == "both predict majority" and row[0].text in ("gain", "no positive evidence", "bias share"):
                assert f"{row[3].text} {row[3].interval}{' (few images)' * row[3].small}".strip() in paragraph
                compared += 1
    assert compared > 6 * len(page.cards)
