"""Audits of the mean over views: planted objects are found where they are, and what has no mean is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bincam.audit import Audit
from bincam.audit.pipeline.runner import run
from bincam.audit.settings import Settings
from bincam.cam import Explainer
from bincam.compare.paired_audits import pair_audits
from bincam.data import AttributeTable, Regions, write_celeba
from bincam.errors import InputError, UnsupportedError
from bincam.inference import chosen_plan, predict
from bincam.models import AttributeClassifier
from bincam.report.figures.pictured.examples import Photographs
from bincam.report.html.page import build, open_source
from tests.audit import planted, planted_sets
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.planted_sets import coloured_pictures  # noqa: F401  # a fixture

pytestmark = NOTES_ALLOWED
PLAN = chosen_plan(4, (planted.SIDE, planted.SIDE))


@pytest.fixture(scope="module")
def made(pictures: AttributeTable, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    chosen = Settings(regions=planted.regions(), views=4, batch_size=4, shard_images=8, gate_images=2)
    return run(planted.reader(0), pictures, tmp_path_factory.mktemp("audits") / "views", chosen)


def paths(table: AttributeTable, audit: Audit) -> list[Path]:
    row_of = {name: row for row, name in enumerate(table.ids)}
    return [table.path(row_of[name]) for name in audit.images["image"]]


def test_logits_and_maps_are_those_of_the_explainer_and_of_predict(made: Audit, pictures: AttributeTable) -> None:
    model, files = planted.reader(0), paths(pictures, made)
    logits = made.records(["logit"])["logit"].to_numpy().reshape(len(files), -1)
    np.testing.assert_allclose(logits, predict(model, files, PLAN).logits.mean(1), rtol=1e-5, atol=1e-6)
    explainer = Explainer(model)
    explanation = explainer(explainer.views_of(files, PLAN))
    assert made.manifest.grid["grad_cam"] == explanation.maps.shape[-2:] == (16, 16)
    stored = np.concatenate(list(made.maps()))
    np.testing.assert_allclose(stored, explanation.maps, rtol=2e-3, atol=1e-5)
    gaps = explanation.identity_gap
    assert gaps.abs().max() < 1e-5


def test_the_planted_object_is_found_in_its_quarter_and_its_twin_is_not(
    made: Audit, pictures: AttributeTable, tmp_path: Path
) -> None:
    chosen = Settings(regions=planted.regions(), views=4, batch_size=4, shard_images=8, gate_images=0)
    twin = run(planted.reader(1), pictures, tmp_path / "twin", chosen)
    inside = []
    for audit in (made, twin):
        records = audit.records(["attribute", "label", "grad_cam.energy"])
        there = records[(records["attribute"] == "Object") & (records["label"] == 1)]
        inside.append(float(there["grad_cam.energy"].mean()))
    assert inside[0] > 0.9
    assert inside[1] < 0.1


def test_references_are_fitted_on_the_mean_over_views(made: Audit) -> None:
    assert (made.folder / "references" / "midpoint.json").is_file()
    shares = made.records(["midpoint.bias_share"])
    assert shares["midpoint.bias_share"].notna().any()


def test_the_manifest_states_the_views_and_notes_tell_the_cost(made: Audit) -> None:
    assert made.manifest.views == tuple(tuple(view) for view in PLAN.views)
    notes = " ".join(made.unmeasured["notes"])
    assert "mean over 4 views is audited, at 4 forward passes per image" in notes
    gates = made.summary["gates"]["grad_cam"]
    assert gates["images"] == 2, "the randomisation test is of single images"


def test_an_audit_again_is_the_same_and_other_views_are_another(
    made: Audit, pictures: AttributeTable, tmp_path: Path
) -> None:
    chosen = Settings(regions=planted.regions(), views=[tuple(view) for view in PLAN.views], batch_size=4,
                      shard_images=8, gate_images=2, workers=1)  # fmt: skip
    again = run(planted.reader(0), pictures, tmp_path / "again", chosen)
    assert digests(again.folder) == digests(made.folder)
    for views in (None, 3):
        with pytest.raises(InputError, match="begun with different views"):
            run(planted.reader(0), pictures, again.folder, chosen.replace(views=views), resume=True)
    plain = run(planted.reader(1), pictures, tmp_path / "plain", chosen.replace(views=None, gate_images=0))
    with pytest.raises(InputError, match="audited with different views"):
        pair_audits(made, plain)
    assert pair_audits(made, again).attributes == made.attributes


@pytest.mark.parametrize("one_of_rows", [20, 0])
def test_sets_are_averaged_before_the_softmax(coloured: AttributeTable, tmp_path: Path, one_of_rows: int) -> None:
    chosen = planted_sets.audit_settings().replace(views=3, one_of_rows=one_of_rows)
    model = planted_sets.weak_reader()
    audit = run(model, coloured, tmp_path / "sets", chosen)
    plan = chosen_plan(3, (planted.SIDE, planted.SIDE))
    explainer = Explainer(model)
    expected = explainer(explainer.views_of(paths(coloured, audit), plan))
    assert expected.scores is not None
    np.testing.assert_allclose(audit.scores(), expected.scores[:, :3], rtol=1e-5, atol=1e-5)
    records = audit.records(["zero.bias_share", "logit"])
    assert np.isfinite(records["logit"]).all()


def wide(root: Path) -> AttributeTable:
    """Pictures twice as wide as high, with the object at their left border, which no centred crop shows."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (24, 1)).astype(np.float32)
    labels[:4] = [[0], [1], [0], [1]]
    pixels = rng.integers(0, 40, (24, 32, 64, 3)).astype(np.uint8)
    pixels[labels[:, 0] == 1, 8:24, 0:10, 0] = 250
    table = AttributeTable(
        names=("Object",),
        labels=labels,
        ids=tuple(f"{row:04d}.png" for row in range(24)),
        root=root,
        splits=np.where(np.arange(24) % 3 == 0, "validation", "test"),
    )
    return write_celeba(table, pixels, root)


def cropping() -> AttributeClassifier:
    model = planted.reader(0, names=("Object",))
    return AttributeClassifier(model.network, model.card.model_copy(update={"fit": "crop"})).eval()


def test_what_the_crop_cuts_off_is_seen_by_a_view_and_laid_where_it_is(tmp_path: Path) -> None:
    mask = np.zeros((planted.SIDE, planted.SIDE), bool)
    mask[8:24, :5] = True  # of the whole picture, 64 pixels wide
    table = wide(tmp_path / "wide")
    chosen = Settings(regions=Regions.drawn({"Object": mask}, source="left"), gate_images=0, side="positive")
    plain = run(cropping(), table, tmp_path / "plain", chosen)
    seeing = run(cropping(), table, tmp_path / "views", chosen.replace(views=[(32, 1, 0)]))
    inside, logits = {}, {}
    for audit in (plain, seeing):
        records = audit.records(["label", "logit", "grad_cam.energy"])
        there = records[records["label"] == 1]
        inside[audit.folder.name] = float(there["grad_cam.energy"].mean())
        logits[audit.folder.name] = float(there["logit"].mean())
    assert not inside["plain"] > 0
    assert logits["plain"] == pytest.approx(-1), "the constant alone"
    assert inside["views"] > 0.6, "cells of 4 by 2 pixels of the frame, upsampled"
    assert logits["views"] > 0
    assert any("the frame of maps and masks is the whole image" in note for note in seeing.unmeasured["notes"])
    red = [Photographs(audit).get(int(row)) for audit in (plain, seeing) for row in audit.records(["row", "label"])
           .query("label == 1")["row"][:1]]  # fmt: skip
    assert [photo is not None and bool((photo[10:22, :4, 0] > 200).all()) for photo in red] == [False, True]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"views": 0}, "views=0: at least one view"),
        ({"views": 1000}, "1000 views cannot be chosen from"),
        ({"views": [(32, 1, 5)]}, "anchors from 0 to 2"),
        ({"views": 2, "grid": True}, "views is not combined with grid"),
        ({"views": 2, "boxes": True}, "views is not combined with boxes"),
        ({"views": 2, "sample": 4}, "views is not combined with sample"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line(
    pictures: AttributeTable, tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InputError, match=problem) as told:
        run(planted.reader(0), pictures, tmp_path / "out", Settings(**changes))
    assert "\n" not in str(told.value)
    assert not (tmp_path / "out").exists()


def test_a_method_without_a_mean_and_a_face_model_without_landmarks_are_refused(
    pictures: AttributeTable, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedError, match="fullgrad cannot be averaged over views"):
        run(planted.reader(0), pictures, tmp_path / "out", Settings(views=2, methods=("grad_cam", "fullgrad")))
    model = planted.reader(0)
    face = AttributeClassifier(model.network, model.card.model_copy(update={"fit": "face"})).eval()
    with pytest.raises(InputError, match="landmarks"):
        run(face, replace(pictures, landmarks=None), tmp_path / "out", Settings(views=2))


def test_the_report_says_that_views_were_averaged(made: Audit, tmp_path: Path) -> None:
    page = build(open_source(made.folder), tmp_path / "report.html")
    assert any("on the mean over 4 views of 32 × 32 pixels" in value for _, value in page.subject)
    (facts,) = page.provenance
    assert dict(facts.entries)["views"].startswith("mean over 4 views S:row:column (32:1:1, 37:1:1")
