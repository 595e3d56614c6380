"""Model cards: read back by huggingface_hub, complete, and text whatever the names are."""

import re

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from PIL import Image

from bincam.audit import open_audit
from bincam.report.model_card.write import write_card
from tests.report.conftest import finished_audit

HOSTILE = ("<img src=x onerror=alert(1)>", "[a](http://b.c)", "x|y *z* `q`", "</td><script>", "a\nb # c", "k@x.y $1$")


def rendered(file):
    """The card's body as HTML, as GitHub and the hub make it of tables and CommonMark."""
    return MarkdownIt("commonmark").enable("table").render(ModelCard.load(file).text)


def test_the_card_of_an_audit_is_read_back_with_every_rate(audit_folder, tmp_path):
    file = write_card(audit_folder, tmp_path / "card.md")
    data = ModelCard.load(file).data
    summary = open_audit(audit_folder).summary
    found = {result.metric_name: result for result in data.eval_results}
    for name, entry in summary["attributes"].items():
        rate = entry["rates"]["fnr"]
        result = found[f"{name}, missed"]
        assert result.metric_value == pytest.approx(rate["value"], abs=1e-6)
        assert result.metric_args["low"] == pytest.approx(rate["low"], abs=1e-6)
        assert (result.metric_args["images"], result.metric_args["people"]) == (rate["images"], rate["identities"])
        assert (result.metric_type, result.dataset_split) == ("false_negative_rate", "test")
    *_, last = summary["attributes"]
    assert f"{last}, AUROC" not in found  # undefined in this audit, so no number of it
    assert data.pipeline_tag == "image-classification"
    assert data.model_name == "resnet10t"


def test_it_has_its_sections_and_pictures(audit_folder, tmp_path):
    file = write_card(audit_folder, tmp_path / "my card.md")
    text = file.read_text()
    heads = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert heads == ["Intended use", "Limits", "Errors by class", "Errors by group", "Figures"]
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert pictures == [f"my%20card-{measure}.png" for measure in ("error", "gain", "bias_share")]
    for picture in pictures:
        with Image.open(tmp_path / picture.replace("%20", " ")) as image:
            assert image.format == "PNG"
            assert min(image.size) > 200
    rate = open_audit(audit_folder).summary["attributes"]["Bald"]["rates"]["fnr"]
    row = next(line for line in text.splitlines() if line.startswith("| Bald |"))
    assert f"{rate['images']} images" in row
    assert rendered(file).count("<table>") == 2
    assert str(audit_folder.parent) not in text  # nothing of the machine's folders


def test_that_of_a_contrast_is_of_the_second_model_beside_the_first(contrast_folder, tmp_path):
    file = write_card(contrast_folder, tmp_path / "card.md")
    card = ModelCard.load(file)
    assert {result.metric_args["model"] for result in card.data.eval_results} == {"a", "b"}
    assert "## Compared with " in card.text
    assert len(re.findall(r"^\| Bald \|", card.text, re.MULTILINE)) == 2


def test_names_of_any_kind_stay_text(tmp_path):
    folder = finished_audit(tmp_path / "audit", images=60, attributes=HOSTILE, prevalence=(0.5,) * len(HOSTILE))
    file = write_card(folder, tmp_path / "card.md")
    html = rendered(file)
    tags = set(re.findall(r"<(\w+)", html))
    assert tags <= {"h1", "h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "img"}
    assert len(re.findall(r"<img ", html)) == len(re.findall(r"^!\[", file.read_text(), re.MULTILINE))
    cells = [re.sub(r"\s+", " ", row) for row in re.findall(r"<tr>\n<td>(.*?)</td>", html)]
    assert "&lt;img src=x onerror=alert(1)&gt;" in cells
    assert "[a](http://b.c)" in cells
    assert "x|y *z* `q`" in cells
    names = {result.metric_name.rpartition(", ")[0] for result in ModelCard.load(file).data.eval_results}
    assert {"[a](http://b.c)", "a\\nb # c"} <= names
