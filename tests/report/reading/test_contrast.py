import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from bincam.audit.folder import reader
from bincam.compare.contrast import compare
from bincam.compare.document import sealed
from bincam.errors import BincamWarning, InputError
from bincam.files import write_json
from bincam.report.html.page import build, open_source, render
from bincam.report.reading.contrast import Contrast, open_contrast
from bincam.report.sections.contrast_tables import published_table
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import interval, percent, shown
from tests.audit.synthetic import ATTRIBUTES
from tests.report.conftest import finished_audit


@pytest.fixture(scope="module")
def document(contrast_folder):
    return json.loads((contrast_folder / "contrast.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(contrast_folder, tmp_path_factory):
    return build(open_source(contrast_folder), tmp_path_factory.mktemp("out") / "report.html")


def test_three_columns_of_errors_two_of_maps(page, document):
    assert page.arms == ["a", "b"]  # the folders' names: nothing states roles
    names = ["unbalanced", "unbalanced, threshold moved", "balanced"]  # keys of the document
    labels = ["a", "a, adjusted threshold", "b"]
    assert document["columns"] == names
    assert page.models == list(zip(names, labels, strict=True))
    assert len(page.rows) == 3 * len(page.cards)
    for row in page.rows:
        errors = document["attributes"][row.name]["errors"]
        assert row.data["minority_error"] == pytest.approx(errors["minority_error"][row.arm]["value"], rel=1e-5)
    assert [row.name for row in page.cards[0].maps] == ["a", "b", "a − b"]


def test_sentences_and_findings_are_the_contrast_s(page, document):
    assert list(page.findings) == document["findings"]
    for card in page.cards:
        assert list(card.sentences) == document["sentences"][card.name]
    html = render(page)
    assert "Averages of both models" in html
    assert "adjusted threshold: " in html
    assert "Adjusted thresholds come from validation." in html


def test_where_moved_thresholds_come_from_is_a_sentence(contrast_folder):
    source = open_contrast(contrast_folder)
    from_card = {**source.document, "moved": {**source.document["moved"], "from": "card"}}
    assert replace(source, document=from_card).note.startswith("Adjusted thresholds come from the model's card, where")
    assert "optimistic" not in replace(source, document=from_card).note
    same = {**from_card, "moved": {**from_card["moved"], "fitted_on_audited": True}}
    assert "fitted on these same images, so optimistic" in replace(source, document=same).note


def test_the_tile_s_moved_error_is_the_mean_over_attributes(page, document):
    moved = [
        entry["errors"]["minority_error"][document["columns"][1]]["value"] for entry in document["attributes"].values()
    ]
    assert f"adjusted threshold: {percent(sum(moved) / len(moved))}" in page.tiles[0].note


def test_paired_differences_are_first_less_second_with_corrected_p(page, document):
    corrected = {(test["attribute"], test["measure"]): test["holm"] for test in document["families"][0]["tests"]}
    for card in page.cards:
        table = next(table for table in card.tables if table.title == "Paired differences")
        by_pair = document["attributes"][card.name]["error_differences"]["minority_error"]
        plain, moved = table.rows[0], table.rows[1]
        assert (plain[0].text, plain[1].text) == ("error", "minority class")
        assert moved[1].text == "minority class, adjusted threshold"
        difference = Estimate.from_json(by_pair["unbalanced - balanced"]["difference"])
        assert (plain[3].text, plain[3].interval) == (shown(difference, "points"), interval(difference, "points"))
        p = corrected[card.name, "minority_error"]
        assert plain[4].text == ("–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}")
        assert moved[4].text == "–"  # not tested


def test_gain_against_exact_masks_is_shown(page, document):
    shown = {column.key: column for column in page.columns}
    assert {"object_gain", "influence_gain"} <= {key for key, column in shown.items() if not column.further}
    assert {"energy_minority", "lift_majority", "object_energy_minority", "influence_gain_majority"} <= set(shown)
    for row in page.rows:
        measures = document["attributes"][row.name]["measures"]
        for key in ("energy", "lift", "object_gain", "influence_gain", "object_energy"):
            expected = measures[f"grad_cam.{key}"]["predicted:minority"][row.arm]
            value = row.data[f"{key}_minority"]
            assert value is expected["value"] is None or value == pytest.approx(expected["value"], rel=1e-5)
            assert row.data[f"{key}_minority_images"] == expected["images"]
    for card in page.cards:
        table = next(table for table in card.tables if table.title == "Paired differences")
        texts = {(row[0].text, row[1].text): row[3].text for row in table.rows}
        differences = document["attributes"][card.name]["differences"]
        for key in ("energy", "lift", "object_gain", "influence_gain"):
            difference = differences[f"grad_cam.{key}"]["alike:majority"]["difference"]
            text = texts.get((key.replace("_", " "), "both predict majority"))
            assert (text is None) == (difference["images"] == 0)
            if text:
                assert float(text.replace("−", "-")) == pytest.approx(difference["value"], abs=0.0051)
    terms = [definition.term for definition in page.definitions]
    assert "Energy and lift" in terms
    assert "Object and influence gain and energy" in terms


@pytest.fixture(scope="module")
def opposite(tmp_path_factory):
    """Two models, of which the second was trained where Bald is frequent and Young is rare."""
    folder = tmp_path_factory.mktemp("opposite")
    first = finished_audit(folder / "a", images=150, seed=0)
    counts = dict(reader.open_audit(first).manifest.train_counts)
    counts |= {name: counts[name][::-1] for name in ("Bald", "Young")}
    second = finished_audit(folder / "b", images=150, seed=1, manifest={"train_counts": counts})
    document = compare(*map(reader.open_audit, (first, second)), folder / "contrast", resamples=100)
    page = build(open_source(folder / "contrast"), folder / "report.html")
    return document, page, folder / "contrast"


def test_both_models_are_described_of_the_first_one_s_classes(opposite):
    document, page, _ = opposite
    second = [row for row in page.rows if row.arm == "balanced"]
    assert len(second) == len(ATTRIBUTES)
    for row in second:
        entry = document["attributes"][row.name]
        tied = entry["train_counts"][0] == entry["train_counts"][1]
        rarer = "with" if entry["minority"] == "positive" else "without"
        assert row.data["minority"] == ("equal" if tied else rarer)
        for part in ("minority", "majority"):
            error = entry["errors"][f"{part}_error"]["balanced"]["value"]
            assert row.data[f"{part}_error"] == pytest.approx(error, rel=1e-5)
            for key, column in (("gain", "grad_cam.gain"), ("bias", "midpoint.bias_share")):
                expected = entry["measures"][column][f"predicted:{part}"]["balanced"]["value"]
                assert row.data[f"{key}_{part}"] == pytest.approx(expected, rel=1e-4)
    mean = sum(row.data["minority_error"] for row in second) / len(second)
    few = any(row.data["minority_error_status"] == "small" for row in second)
    assert page.tiles[0].value.split(" → ")[1] == percent(mean) + "†" * few
    assert any("other class is the minority for Bald and Young" in note for note in page.notes)
    assert "is significantly higher" not in page.averages[3]  # tested of other classes


def test_cards_and_slices_too_are_of_the_first_one_s_classes(opposite):
    document, page, folder = opposite
    arm = open_source(folder).arms[1]
    for card in (card for card in page.cards if card.name in ("Bald", "Young")):
        positive = document["attributes"][card.name]["minority"] == "positive"
        answer = arm.column(card.name, "logit") >= 0
        shares = arm.column(card.name, "midpoint.bias_share")
        median = 100 * np.nanmedian(shares[answer == positive])
        assert card.charts[0].lines[1].startswith(f"b: median {percent(median / 100)} (minority predicted)")
        table = next(table for table in card.tables if table.title == "By group")
        at = table.heads.index("minority error")
        rows = [row for row in table.rows if row[1].text == "b"]
        slices = {
            f"{entry['column'].removeprefix('group.')}: {entry['value']}": Estimate.from_json(entry["estimate"])
            for entry in arm.summary["slices"]
            if entry["attribute"] == card.name
            if entry["measure"] == ("fnr" if positive else "fpr") and "value" in entry
        }
        assert len(rows) == len(slices) > 1
        for row in rows:
            assert row[at].text == shown(slices[row[0].text], "percent")


def row_of(direction, low, high, inside=None):
    defined = {"value": low, "low": low, "high": high, "images": 9}
    return {
        "attribute": "Bald", "figure": "fnr", "direction": direction,
        "published": {"unbalanced": 0.2, "balanced": 0.1},
        "ours": {"unbalanced": defined, "balanced": {"value": 0.1, "low": 0.0, "high": 0.2, "images": 9}},
        "size": {"unbalanced": inside, "balanced": None if inside is None else True},
    }  # fmt: skip


@pytest.mark.parametrize("graded", [True, False])
def test_the_paper_s_table_says_why_no_direction_is_shown(graded):
    rows = [
        row_of("same", 0.3, 0.4, True), row_of("other", 0.3, 0.4, False), row_of("not shown", 0.1, 0.3, True),
        row_of("equal", 0.1, 0.3, True), row_of("equal", None, None), row_of("not shown", None, None),
    ]  # fmt: skip
    published = {"source": "Paper", "graded": graded, "reason": "sizes are compared on CelebA alone", "rows": rows}
    document = {"published": published, "names": {"first": "a", "second": "b"}}
    table = published_table(Contrast(None, document, None, None))
    assert "For 1 of 6 figures the models differ in the paper's direction, for 1 in the opposite one" in table.caption
    assert "; for 1, the intervals of this audit overlap; for 2, the paper's two figures are equal" in table.caption
    assert "; for 1, a figure of this audit is undefined." in table.caption
    assert ("3 of 4 (a) and 4 of 4 (b)" in table.caption) == graded
    assert ("Sizes are compared on CelebA alone." in table.caption) != graded
    assert [row[6].text for row in table.rows] == ["same", "other", "overlapping", "equal", "equal", "undefined"]


def test_the_paper_s_figures_stand_beside_these(page, document):
    assert len(page.published.rows) == len(document["published"]["rows"]) > 0
    assert "arXiv 2403.14435" in page.published.caption
    assert all(row[-1].text == "" for row in page.published.rows)  # sizes are compared on the paper's images alone


def test_a_contrast_of_other_audits_is_refused(contrast_folder, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(contrast_folder.parent, moved)
    file = moved / "contrast" / "contrast.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document["arms"]["first"]["folder"] = "/nowhere/a"  # found next to the contrast instead
    write_json(file, sealed(document, file.parent))
    assert open_contrast(moved / "contrast").first.audit.folder == moved / "a"
    for key in ("settings_digest", "measurements"):
        first = document["arms"]["first"]
        write_json(file, sealed({**document, "arms": {**document["arms"], "first": {**first, key: "0"}}}, file.parent))
        with pytest.raises(InputError, match="no longer the audit"):
            open_contrast(moved / "contrast")
    document["arms"]["first"]["folder"] = "/nowhere/c"
    write_json(file, sealed(document, file.parent))
    with pytest.raises(InputError, match="is missing"):
        open_contrast(moved / "contrast")


def test_a_contrast_that_was_changed_is_refused_and_an_older_one_read_with_a_note(contrast_folder, tmp_path):
    moved = shutil.copytree(contrast_folder.parent, tmp_path / "moved") / "contrast"
    whole = json.loads((moved / "contrast.json").read_text(encoding="utf-8"))
    assert open_contrast(moved).document == whole
    for changed in (
        {**whole, "images": 4_000},
        {**whole, "attributes": dict(list(whole["attributes"].items())[1:])},
        {name: value for name, value in whole.items() if name != "seal"},
    ):
        write_json(moved / "contrast.json", changed)
        with pytest.raises(InputError, match=r"contrast\.json: changed since it was written; 'bincam compare'"):
            open_contrast(moved)
    older = json.loads(json.dumps(changed))
    for arm in older["arms"].values():
        del arm["measurements"]
    write_json(moved / "contrast.json", older)
    with pytest.warns(BincamWarning, match="kept no digests"):
        open_contrast(moved)
    write_json(moved / "contrast.json", whole)
    maps = moved / "maps" / "difference.safetensors"
    maps.write_bytes(maps.read_bytes()[:-4] + bytes(4))
    with pytest.raises(InputError, match=r"difference\.safetensors: not the maps"):
        open_contrast(moved)


def test_without_a_moved_threshold_there_are_two_columns_and_the_reason(contrast_folder, tmp_path):
    shutil.copytree(contrast_folder.parent, tmp_path / "all")
    file = tmp_path / "all" / "contrast" / "contrast.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document["moved"] |= {"thresholds": {}, "reason": "none is known"}
    write_json(file, sealed(document, file.parent))
    source = open_source(file.parent)
    assert len(source.columns) == 2
    assert source.contrast.note == "No column for an adjusted threshold: none is known."
