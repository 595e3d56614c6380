import json
import shutil

import pytest

from bincam.errors import InputError
from bincam.report.contrasts import open_contrast
from bincam.report.page import build, open_source, render


@pytest.fixture(scope="module")
def document(contrast_folder):
    return json.loads((contrast_folder / "contrast.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(contrast_folder, tmp_path_factory):
    return build(open_source(contrast_folder), tmp_path_factory.mktemp("out") / "report.html")


def test_three_columns_of_errors_two_of_maps(page, document):
    assert page.arms == ["unbalanced", "balanced"]
    assert page.models == document["columns"] == ["unbalanced", "unbalanced, threshold moved", "balanced"]
    assert len(page.rows) == 3 * len(page.cards)
    for row in page.rows:
        errors = document["attributes"][row.name]["errors"]
        assert row.data["minority_error"] == pytest.approx(errors["minority_error"][row.arm]["value"], rel=1e-5)
    assert [row.name for row in page.cards[0].maps] == ["unbalanced", "balanced", "unbalanced − balanced"]


def test_sentences_and_findings_are_the_contrast_s(page, document):
    assert list(page.findings) == document["findings"]
    for card in page.cards:
        assert list(card.sentences) == document["sentences"][card.name]
    html = render(page)
    assert "Both models on average" in html
    assert "threshold alone" in html
    assert "Moved thresholds come from validation." in html


def test_the_tile_s_moved_error_is_the_mean_over_attributes(page, document):
    moved = [
        entry["errors"]["minority_error"][document["columns"][1]]["value"] for entry in document["attributes"].values()
    ]
    assert f"threshold alone: {100 * sum(moved) / len(moved):.1f}" in page.tiles[0].note


def test_paired_differences_are_first_less_second_with_corrected_p(page, document):
    corrected = {(test["attribute"], test["measure"]): test["holm"] for test in document["families"][0]["tests"]}
    for card in page.cards:
        table = next(table for table in card.tables if table.title == "Paired differences")
        held = document["attributes"][card.name]["error_differences"]["minority_error"]
        plain, moved = table.rows[0], table.rows[1]
        assert (plain[0].text, plain[1].text) == ("error", "minority class")
        assert moved[1].text == "minority class, threshold moved"
        value = 100 * held["unbalanced - balanced"]["difference"]["value"]
        assert float(plain[3].text.removesuffix(" points").replace("−", "-")) == pytest.approx(value, abs=0.051)
        p = corrected[card.name, "minority_error"]
        assert plain[4].text == ("–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}")
        assert moved[4].text == "–"  # not tested


def test_the_paper_s_figures_stand_beside_these(page, document):
    assert len(page.published.rows) == len(document["published"]["rows"]) > 0
    assert "arXiv 2403.14435" in page.published.caption
    assert all(row[-1].text == "" for row in page.published.rows)  # sizes are compared on the paper's images alone


def test_a_contrast_of_other_audits_is_refused(contrast_folder, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(contrast_folder.parent, moved)
    file = moved / "contrast" / "contrast.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document["arms"]["first"]["folder"] = "/nowhere/a"  # found beside the contrast instead
    file.write_text(json.dumps(document), encoding="utf-8")
    assert open_contrast(moved / "contrast").first.audit.folder == moved / "a"
    document["arms"]["first"]["settings_digest"] = "0"
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InputError, match="no longer the audit"):
        open_contrast(moved / "contrast")
    document["arms"]["first"]["folder"] = "/nowhere/c"
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InputError, match="is gone"):
        open_contrast(moved / "contrast")


def test_without_a_moved_threshold_there_are_two_columns_and_the_reason(contrast_folder, tmp_path):
    shutil.copytree(contrast_folder.parent, tmp_path / "all")
    file = tmp_path / "all" / "contrast" / "contrast.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document["moved"] |= {"thresholds": {}, "reason": "none is known"}
    file.write_text(json.dumps(document), encoding="utf-8")
    source = open_source(file.parent)
    assert len(source.columns) == 2
    assert source.contrast.note == "No column for a moved threshold: none is known."
