"""Sets of outputs on the page of a contrast: both models' errors, confusion tables and outputs, also of sets alone."""

import json
import re
from dataclasses import replace

import pytest

from bincam.audit import open_audit
from bincam.audit.pipeline.runner import run
from bincam.audit.summary.panel import read_panel
from bincam.audit.summary.sets.records import read_sets
from bincam.compare.contrast import compare
from bincam.models import AttributeClassifier
from bincam.report import write_report
from bincam.report.figures.audited.confusion import confusion
from bincam.report.html.page import build, open_source
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted import Eye
from tests.audit.planted_sets import COLOURS, audit_settings, card, reader, weak_reader, write_pictures
from tests.report import accessibility

pytestmark = NOTES_ALLOWED


@pytest.fixture(scope="module")
def contrasts(tmp_path_factory):
    """The first model takes green for red; the second is right throughout."""
    folder = tmp_path_factory.mktemp("set-contrasts")
    table = write_pictures(folder / "pictures")
    settings = audit_settings(batch_size=8, shard_images=16)
    result = {}
    for name, changes in {"both": {}, "alone": {"attributes": ["colour"]}, "large": {"one_of_rows": 2}}.items():
        chosen = settings.replace(**changes)
        audits = [run(reader(fault), table, folder / f"{name}-{fault}", chosen) for fault in ("green", None)]
        compare(*audits, folder / name)
        result[name] = folder / name
    return result


@pytest.fixture(scope="module")
def pages(contrasts):
    return {name: build(open_source(folder), folder / "page.html") for name, folder in contrasts.items()}


def texts(table):
    return {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}


def test_the_planted_fault_is_on_the_card_in_figures_differences_tables_and_outputs(pages):
    (of_set,) = pages["both"].set_contrasts
    assert not pages["both"].sets
    assert [card.name for card in pages["both"].cards] == ["Bright"]
    figures = dict(of_set.figures)
    assert re.fullmatch(r"62\D* → 100\D*", figures["accuracy"])
    assert re.fullmatch(r"50\D* → 0\D*", figures["minority error"])
    rows = texts(of_set.differences)
    assert list(rows) == ["accuracy", "balanced accuracy", "minority error", "majority error"]
    assert rows["accuracy"][0] == "40"
    assert rows["accuracy"][3].startswith("−38")  # 25 of 40 less all 40
    assert rows["accuracy"][4] == "< 0.001"
    assert rows["minority error"][3].startswith("+50")
    assert [rows[rate][4] for rate in list(rows)[1:]] == ["–"] * 3
    outputs = texts(of_set.outputs)
    assert list(outputs) == ["red", "green, minority", "blue, minority"]
    assert [outputs["green, minority"][k][:3] for k in (1, 2)] == ["100", "0\u202f%"]
    assert outputs["red"][3].startswith("56")  # 15 of 27 other images are taken for red
    first, second = of_set.confusions
    assert "25 of 40 images on the diagonal" in first.lines[0]
    assert "40 of 40 images on the diagonal" in second.lines[0]
    assert "The accuracy is 62" in " ".join(of_set.sentences)
    assert [tile.label for tile in pages["both"].tiles][-2:] == ["Accuracy, colour", "Minority error, colour"]
    assert any(finding.startswith("colour: The accuracy is 62") for finding in pages["both"].findings)


def test_both_confusion_tables_have_one_colour_scale():
    few, all_right = (confusion(counts, COLOURS, "model") for counts in ([[1, 9, 0]] * 3, [[9, 0, 0]] * 3))
    limits = [figure.axes[0].collections[0].get_clim() for figure in (few, all_right)]
    assert limits == [(0.0, 100.0)] * 2
    assert few.axes[0].get_title(loc="left") == "model"


def test_a_contrast_of_sets_alone_has_a_page(contrasts, pages, tmp_path):
    page = pages["alone"]
    assert (page.cards, page.rows, page.averages) == ([], [], [])
    assert texts(page.set_contrasts[0].differences) == texts(pages["both"].set_contrasts[0].differences)
    assert "attribute" not in page.question
    assert not any("adjusted threshold" in note for note in page.notes)
    text = write_report(contrasts["alone"], tmp_path / "page.html").read_text()
    for section in ("overview", "table", "attributes"):
        assert f'<section id="{section}" aria-labelledby="{section}-head" hidden>' in text
        assert f'href="#{section}">' not in text.split("</nav>")[0]
    assert 'href="#sets"' in text
    assert accessibility.faults(text) == []
    assert "red cells" in text  # its maps are explained
    assert "Maps are correlational" in text
    assert "p = <" not in text
    assert "p &lt; 0.001 (McNemar, Holm-corrected for 1 test on sets)" in text


def test_a_large_set_lists_the_confusions_of_each_model(pages):
    (of_set,) = pages["large"].set_contrasts
    assert of_set.confusions == []
    first, second = of_set.most
    assert texts(first) == {"green": ["red", "15", "100\u202f%"]}
    assert first.caption == "Occurring: 1 pair of a true and another predicted output."
    assert not second.rows
    assert second.caption == "No output is taken for another."


@pytest.mark.filterwarnings("ignore:.*kept no digests")
def test_a_contrast_of_an_earlier_version_has_the_figures_that_it_states(contrasts, tmp_path):
    document = json.loads((contrasts["both"] / "contrast.json").read_text())
    entry = document["sets"]["colour"]
    for part in (entry["rates"], entry["differences"]):
        del part["balanced_accuracy"], part["majority_error"]
    del entry["confusion"], entry["by_output"]
    del document["seal"]
    for arm in document["arms"].values():
        del arm["measurements"]
    (tmp_path / "contrast.json").write_text(json.dumps(document))
    (of_set,) = build(open_source(tmp_path), tmp_path / "page.html").set_contrasts
    assert list(texts(of_set.differences)) == ["accuracy", "minority error"]
    assert (of_set.outputs, of_set.confusions, of_set.most) == (None, [], [])
    assert any("'bincam compare'" in warning for warning in of_set.warnings)


def test_the_page_of_contrasted_sets_has_no_fault_in_a_browser(contrasts, browser, tmp_path):
    for name, drawn in {"both": 2, "alone": 2, "large": 0}.items():
        path = write_report(contrasts[name], tmp_path / f"{name}.html")
        page, faults = browser.new_page(viewport={"width": 390, "height": 800}), []
        page.on("console", lambda message, faults=faults: faults.append(message.text))
        page.on("pageerror", lambda error, faults=faults: faults.append(str(error)))
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator("#sets svg.plot").count() == drawn
        assert faults == []
        page.close()


def test_mean_maps_of_both_models_and_their_difference_are_on_one_scale(pages, contrasts):
    for page, outputs in (("both", COLOURS), ("alone", COLOURS), ("large", ("predicted", "true"))):
        (of_set,) = pages[page].set_contrasts
        named = [row.name for row in of_set.maps]
        assert len(named) == 3 * len(outputs)
        assert [name.partition(",")[0] for name in named] == [output for output in outputs for _ in range(3)]
        for row in of_set.maps[2::3]:  # the differences of maps that both models have
            assert "−" in row.name
            assert not any(row.counts)
    (of_set,) = pages["both"].set_contrasts
    rows = {row.name: row for row in of_set.maps}
    shown = {name: [picture is not None for picture in row.pictures] for name, row in rows.items()}
    ours, theirs, difference = (name for name in rows if name.startswith("green"))
    # TP, FN, FP, TN: the fault never predicts green, its twin always where it is true.
    assert shown[ours] == [False, True, False, True]
    assert shown[theirs] == [True, False, False, True]
    assert shown[difference] == [False, False, False, True]
    assert rows[ours].counts[1] == rows[theirs].counts[0] == "15 images"
    assert float(of_set.limit.replace("\u2212", "-")) > 0
    assert all(row.outline for row in of_set.maps)
    text = contrasts["both"] / "page.html"
    write_report(contrasts["both"], text)
    assert "Mean maps by outcome" in text.read_text()


def test_a_set_with_rows_in_one_audit_alone_has_no_maps(contrasts):
    folder = contrasts["both"].parent
    compare(open_audit(folder / "both-green"), open_audit(folder / "large-None"), folder / "mixed")
    (of_set,) = build(open_source(folder / "mixed"), folder / "page.html").set_contrasts
    assert not of_set.maps
    compare(open_audit(folder / "alone-green"), open_audit(folder / "large-None"), folder / "none")
    text = write_report(folder / "none", folder / "none.html").read_text()
    assert "red cells" not in text  # it has no maps to explain
    assert "Maps are correlational" not in text


@pytest.fixture(scope="module")
def stated_otherwise(tmp_path_factory):
    """The same set under another name and in another order, and its outputs as yes-or-no attributes."""
    folder = tmp_path_factory.mktemp("stated-otherwise")
    table, settings = write_pictures(folder / "pictures"), audit_settings(batch_size=8, shard_images=16)
    first = run(reader("green"), table, folder / "first", settings)
    hue = {"hue": ("blue", "red", "green")}
    weight = [[400.0 * (k == channel) for channel in range(3)] for k in range(3)]
    networks = {"hue": (weak_reader().network, hue), "single": (Eye([*weight, [400.0] * 3], [-8, -8, -80, -12]), {})}
    for name, (network, one_of) in networks.items():
        model = AttributeClassifier(network, card(one_of)).eval()
        compare(first, run(model, replace(table, one_of=one_of), folder / name, settings), folder / f"contrast-{name}")
    return folder


def test_a_set_of_another_name_is_said_to_be_and_its_labels_to_check_are_errors_of_both(stated_otherwise):
    page = build(open_source(stated_otherwise / "contrast-hue"), stated_otherwise / "page.html")
    (of_set,) = page.set_contrasts
    assert "Model hue calls this set 'hue'." in of_set.sentences
    assert not any("not compared" in note for note in page.notes)
    arms = open_source(stated_otherwise / "contrast-hue").arms
    wrong = []
    for arm in arms:
        panel = read_panel(arm.audit, [])
        (records,) = read_sets(arm.audit, panel)
        wrong.append(set(panel.rows[records.wrong == 1].tolist()))
    listed = {row[0].text for row in page.relabel.table.rows if row[1].text == "colour"}
    names = arms[0].audit.images["image"]
    assert listed == {names[row] for row in wrong[0] & wrong[1]} != set()
    assert len(wrong[0] & wrong[1]) <= 20


def test_outputs_that_one_model_states_as_attributes_have_a_table_and_a_note(stated_otherwise, browser):
    folder = stated_otherwise / "contrast-single"
    page = build(open_source(folder), folder / "page.html")
    assert page.set_contrasts == []
    rows = [[cell.text for cell in row] for row in page.single_outputs.rows]
    assert [row[:2] for row in rows] == [[name, text] for name in COLOURS for text in ("missed", "false alarm")]
    red = rows[1]
    assert red[2] == "27"
    assert (red[3][:2], red[4][:1], red[5][:3]) == ("56", "0", "+56")
    assert red[6] == "< 0.001"
    assert rows[0][6] == "–"  # of too few images
    assert "Holm-corrected for 3 tests on sets" in page.single_outputs.caption
    notes = " ".join(page.notes)
    assert (
        "Set 'colour' of model first is not compared: model single states its outputs as yes-or-no attributes." in notes
    )
    assert (
        "3 outputs that both models have but state differently, red, green and blue, are compared one by one" in notes
    )
    text = write_report(folder, folder / "page.html").read_text()
    assert 'href="#sets"' in text
    assert "Outputs that the models state differently" in text
    view, faults = browser.new_page(viewport={"width": 390, "height": 800}), []
    view.on("console", lambda message: faults.append(message.text))
    view.goto((folder / "page.html").as_uri())
    assert view.evaluate("document.documentElement.scrollWidth") <= 390
    assert faults == []
    view.close()
