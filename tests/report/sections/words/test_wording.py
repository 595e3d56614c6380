"""Words that claim no more than the audit knows."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from torch import nn

from bincam import Explainer
from bincam.audit.folder import reader
from bincam.files import write_json
from bincam.report.html.page import build, open_source, render
from bincam.report.reading.audited_model import Arm
from bincam.report.sections.first_screen import findings, overview
from bincam.report.sections.words import sentences, wording
from bincam.stats.estimate import estimate
from bincam.units import ARBITRARY, unit
from tests.audit.synthetic import reseal
from tests.report.conftest import bare_audit

FITTED_ON = {"split": ["validation"], "images": 46, "digest": "", "identities": 8}


def with_manifest(folder, target, **changes):
    copy = shutil.copytree(folder, target)
    manifest = json.loads((copy / reader.MANIFEST).read_text(encoding="utf-8"))
    write_json(copy / reader.MANIFEST, manifest | changes)
    reseal(copy)
    return open_source(copy)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return bare_audit(tmp_path_factory.mktemp("wording") / "audit")


@pytest.mark.slow
def test_ties_and_audited_labels_are_called_so(folder, tmp_path):
    counts = {name: [45, 45] for name in ("Smiling", "Bald", "Young")}
    source = with_manifest(folder, tmp_path / "a", train_counts=counts, train_counts_from="audited data")
    (arm,) = source.arms
    assert wording.labels_counted(arm, arm.audit.attributes) == "audited labels"
    html = render(build(source, tmp_path / "a.html"))
    assert "training labels" not in html
    assert "For Bald, Smiling and Young both classes are equally frequent in the audited labels" in html
    tiles = overview.tiles(source.arms, list(arm.audit.attributes))
    assert [tile.label for tile in tiles[:2]] == ["Error, images with the attribute", "Error, images without it"]
    texts = [*findings.findings(source.arms, list(arm.audit.attributes)), *sentences.sentences(arm, "Bald")]
    assert not [text for text in texts if "minority" in text or "majority" in text]
    page = build(source, tmp_path / "b.html")
    assert {row.data["minority"] for row in page.rows} == {"equal"}
    assert page.cards[0].lead.startswith("Both classes are equally frequent in the audited labels")


def test_a_twin_with_training_counts_keeps_its_minority(folder):
    (arm,) = open_source(folder).arms
    assert wording.labels_counted(arm, arm.audit.attributes) == "training labels"
    assert "the minority class, 30\u202f% of the training labels" in sentences.sentences(arm, "Bald")[0]
    assert wording.classes(arm, ["Bald", "Smiling"]) == ("minority class", "majority class")
    assert wording.ties(arm, ["Bald"]) == ""


def test_counts_of_some_attributes_alone(folder, tmp_path):
    card = {"name": "resnet10t", "train_counts": {"Bald": [70, 30]}}
    manifest = open_source(folder).arms[0].audit.manifest
    model = {**manifest.model.model_dump(), "card": card}
    source = with_manifest(
        folder, tmp_path / "a", train_counts_from="card; audited data for Smiling, Young", model=model
    )
    (arm,) = source.arms
    assert [arm.trained_counts(name) for name in ("Smiling", "Bald", "Young")] == [False, True, False]


def test_a_bias_share_names_its_reference_and_shows_zero(folder, tmp_path):
    (arm,) = with_manifest(folder, tmp_path / "a", references_from=FITTED_ON).arms
    named = "the midpoint reference (fitted on 46 images of 8 people)"
    names = list(arm.audit.attributes)
    texts = [
        findings.findings([arm], names)[-1],
        next(text for text in sentences.sentences(arm, "Bald") if "bias share" in text),
        overview.tiles([arm], names)[3].note,
    ]
    for text in texts:
        assert named in text
        assert "without a reference (zero)" in text
    zero = arm.overall(names, "zero.bias_share", "predicted:majority")
    assert wording.marked(zero, "percent") in texts[0]


def changed(arm, images, status):
    summary = json.loads(json.dumps(arm.summary))
    for groups in summary["overall"]["measures"].values():
        for entry in groups.values():
            entry |= {"images": images, "status": status}
    for entry in summary["overall"]["rates"].values():
        entry |= {"images": images, "status": status}
    return Arm(arm.name, arm.audit, summary)


def test_tiles_carry_counts_and_a_dagger_and_one_image_is_no_headline(folder):
    (arm,) = open_source(folder).arms
    names = list(arm.audit.attributes)
    assert all(
        "†" not in tile.value and "at most" in tile.basis for tile in overview.tiles([changed(arm, 40, "ok")], names)
    )
    for tile in overview.tiles([changed(arm, 12, "small")], names):
        assert tile.value.endswith("†")
        assert "too few to rely on" in tile.basis
    for tile in overview.tiles([changed(arm, 1, "small")], names):
        assert (tile.value, tile.interval) == ("–", "")
        assert tile.basis == "of one image: no headline"
    for finding in findings.findings([changed(arm, 1, "small")], names):
        assert "undefined (of one image: no headline)" in finding


def test_a_mean_of_small_cells_is_small(folder):
    (arm,) = open_source(folder).arms
    few = replace(estimate(0.5, 0.2, 0.8, 9, 4, "wilson"))
    summary = json.loads(json.dumps(arm.summary))
    summary["attributes"]["Bald"]["rates"]["fnr"] = few.to_json()
    mean = Arm(arm.name, arm.audit, summary).overall(["Bald"], "minority_error")
    assert (mean.small, mean.images, mean.identities) == (True, 9, 4)


def test_the_best_threshold_of_the_audited_images_is_called_fitted_on_them(folder, tmp_path):
    page = build(open_source(folder), tmp_path / "a.html")
    lines = [line for card in page.cards for chart in card.charts for line in chart.lines if "lowest" in line]
    assert len(lines) == len(page.cards)
    assert all("on these same images" in line and line.endswith("fitted on them, so optimistic") for line in lines)


def test_units_are_the_methods(folder, tmp_path):
    assert [unit(name) for name in ("grad_cam@layer4", "grad_cam_pp", "score_cam")] == ["logit", *[ARBITRARY] * 2]
    assert [unit("fullgrad", complete=complete) for complete in (True, False, None)] == ["logit", *[ARBITRARY] * 2]
    page = build(open_source(folder), tmp_path / "a.html")
    assert "logit per cell" in render(page)
    html = render(replace(page, unit=ARBITRARY))
    assert "arbitrary unit per cell" in html
    assert "logit per cell" not in html


@pytest.mark.parametrize(("method", "expected"), [("grad_cam", "logit"), ("grad_cam_pp", ARBITRARY)])
def test_colour_bars_have_the_unit_of_the_method(method, expected):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1))
    figure = Explainer(network, names=["Bald"], method=method)(torch.rand(1, 3, 16, 16)).plot()
    assert f"against  ←  {expected} per cell  →  for" in [axes.get_xlabel() for axes in figure.axes]


def test_doubts_are_shown_on_the_page(folder, tmp_path):
    (arm,) = open_source(folder).arms
    source = open_source(folder)
    doubt = {"attribute": "Bald", "kind": "swapped", "text": "the AUROC is 0.11: are the classes swapped?"}
    doubted = Arm(arm.name, arm.audit, {**arm.summary, "doubts": [doubt]})
    page = build(replace(source, arms=(doubted,)), tmp_path / "a.html")
    assert "Bald: the AUROC is 0.11: are the classes swapped?" in page.notes
