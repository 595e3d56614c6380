"""Rows of large sets: what is measured of a predicted or true output is what a small set measures of this output."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bincam.audit.pipeline import planning
from bincam.audit.pipeline.runner import run
from bincam.data import Regions
from bincam.errors import BincamWarning
from bincam.files import write_json
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted_sets import COLOURS, CORNERS, NAMES, SIDE, corners, reader

pytestmark = NOTES_ALLOWED


@pytest.fixture(scope="module")
def faulty():
    """Takes green for red, with evidence in the corner of green."""
    return reader("green")


@pytest.fixture(scope="module")
def pictures(coloured):
    """Pictures of which some have no known colour."""
    labels = coloured.labels.copy()
    labels[np.arange(60) % 5 == 1, :3] = np.nan
    return replace(coloured, labels=labels)


def write_attribute_masks(folder, ids, *, shift=0):
    """A mask for every picture and colour, and for the yes-or-no attribute: the corner, moved by some pixels."""
    for name in NAMES:
        (folder / name).mkdir(parents=True)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[CORNERS.get(name, (slice(10, 20), slice(10, 20)))] = 255
        for number, image in enumerate(ids):
            Image.fromarray(np.roll(mask, shift * (number % 3), 1)).save(folder / name / image)
    return folder


def write_parts(folder, ids):
    """An indexed picture of parts, of which each colour has its corner."""
    folder.mkdir(parents=True)
    parts = np.zeros((SIDE, SIDE), np.uint8)
    for number, colour in enumerate(COLOURS, start=1):
        parts[CORNERS[colour]] = number
    for image in ids:
        Image.fromarray(parts).save(folder / image)
    named = {str(k): {"name": colour, "attributes": [colour]} for k, colour in enumerate(COLOURS, start=1)}
    write_json(folder / "parts.json", {"kind": "bincam-parts", "schema": 1, "parts": named})
    return folder


def masks_of(kind, root, ids):
    if kind == "fixed":  # regions are the same in every image, masks are not
        return {
            "regions": corners(),
            "object_masks": write_parts(root / "parts", ids),
            "influence_masks": write_attribute_masks(root / "influence", ids, shift=2),
        }
    return {"regions": Regions.stored(write_attribute_masks(root / "regions", ids, shift=3)), "object_masks": None}


def row_by_row(small, large):
    """Compare every column of a large set's rows with that of the small set's row of the same output."""
    columns = ["row", "attribute", "label", "side", "outcome", *small.measures]
    of_all = small.records(columns).set_index(["row", "attribute"]).sort_index()
    rows = large.records([*columns, "output"])
    assert len(rows) == len(large.attributes) * 40
    rows = rows[rows["output"] != ""]
    expected = of_all.loc[list(zip(rows["row"], rows["output"], strict=True))]
    for name in small.measures:
        ours, theirs = rows[name].to_numpy(), expected[name].to_numpy()
        told = rows["side"].to_numpy() != 0
        np.testing.assert_allclose(ours[told], theirs[told], rtol=2e-4, atol=2e-5, err_msg=name)
    return rows


@pytest.mark.parametrize(
    ("kind", "workers", "side"), [("fixed", 0, "predicted"), ("per image", 0, "true"), ("per image", 1, "predicted")]
)
def test_every_measure_of_an_explained_output_is_that_of_a_small_set(
    pictures, chosen, faulty, tmp_path, kind, workers, side
):
    settings = chosen.replace(**masks_of(kind, tmp_path / "masks", pictures.ids), workers=workers, side=side)
    small = run(faulty, pictures, tmp_path / "small", settings)
    large = run(faulty, pictures, tmp_path / "large", settings.replace(one_of_rows=2))
    rows = row_by_row(small, large)
    of_set = rows[rows["attribute"] != "Bright"]
    wrong = of_set[(of_set["attribute"] == "colour: predicted") & (of_set["outcome"] == "FP")]
    assert len(wrong) > 5, "the planted model has to be wrong"
    assert wrong["grad_cam.gain"].notna().any() == (side == "predicted")  # there is no evidence against red
    for name in ("midpoint.bias_share", "grad_cam.gain", "grad_cam.pointing"):
        assert of_set[name].notna().any(), name
    if kind == "fixed":
        right = of_set[of_set["outcome"] == "TP"]
        assert right["grad_cam.object_gain"].notna().any()
        assert wrong["grad_cam.object_gain"].isna().all()  # the image shows no such object
        assert wrong["grad_cam.influence_gain"].notna().any()
    for part in ("with_a_mask", "outside_the_crop"):
        for source, counts in small.unmeasured[part].items():
            assert large.unmeasured[part][source].get("Bright") == counts.get("Bright")


def test_a_set_alone_is_measured_in_its_regions_and_against_its_references(pictures, chosen, faulty, tmp_path):
    settings = chosen.replace(**masks_of("fixed", tmp_path / "masks", pictures.ids), attributes=["colour"])
    small = run(faulty, pictures, tmp_path / "small", settings)
    large = run(faulty, pictures, tmp_path / "large", settings.replace(one_of_rows=2))
    assert large.attributes == ("colour: predicted", "colour: true")
    row_by_row(small, large)


@pytest.mark.slow  # many forward passes of each output
def test_deletion_insertion_and_road_are_those_of_a_small_set(pictures, chosen, faulty, tmp_path):
    settings = chosen.replace(limit=5, sample=5)
    small = run(faulty, pictures, tmp_path / "small", settings)
    large = run(faulty, pictures, tmp_path / "large", settings.replace(one_of_rows=2))
    assert small.sample["images"] == large.sample["images"]
    of_small, of_large = (audit.sample["methods"]["grad_cam"] for audit in (small, large))
    rows = large.records(["row", "attribute", "output", "side"]).set_index(["row", "attribute"])
    for measure, by_name in of_large.items():
        assert list(by_name) == list(large.attributes)
        np.testing.assert_allclose(by_name["Bright"]["values"], of_small[measure]["Bright"]["values"], rtol=1e-3)
        for slot in large.attributes[1:]:
            for number, row in enumerate(large.sample["images"]):
                value, at = by_name[slot]["values"][number], rows.loc[(row, slot)]
                if at["output"] == "":
                    assert value is None
                    continue
                expected = of_small[measure][at["output"]]["values"][number]
                assert value == pytest.approx(expected, rel=1e-3, abs=1e-5), (measure, slot)
    assert of_large["road"]["colour: true"]["images"] < 5  # without a label there is no true output


def test_references_that_do_not_fit_into_memory_are_left_out_and_the_note_says_so(
    coloured, chosen, noisy_reader, tmp_path, monkeypatch
):
    monkeypatch.setattr(planning, "is_affordable", lambda outputs, _: outputs < 3)
    with pytest.warns(BincamWarning, match="no fitted reference of colour: the sums of 3 outputs"):
        done = run(noisy_reader, coloured, tmp_path / "a", chosen.replace(one_of_rows=2))
    records = done.records(["attribute", "midpoint.bias_share", "zero.bias_share"])
    own = records["attribute"] == "Bright"
    assert records["midpoint.bias_share"][own].notna().any()
    assert records["midpoint.bias_share"][~own].isna().all()
    assert records["zero.bias_share"][~own].notna().any()
    assert (
        done.summary["sets"]["colour"]["rows"]["colour: true"]["measures"]["midpoint.bias_share"]["all"]["value"]
        is None
    )
    with pytest.warns(BincamWarning, match="no fitted reference of colour"):
        alone = run(noisy_reader, coloured, tmp_path / "b", chosen.replace(one_of_rows=2, attributes=["colour"]))
    assert alone.manifest.references_from is None


def test_figures_of_rows_let_their_references_vary_and_are_small_where_these_rest_on_few_images(
    coloured, chosen, faulty, tmp_path
):
    large = run(faulty, coloured, tmp_path / "large", chosen.replace(one_of_rows=2))
    rows = large.summary["sets"]["colour"]["rows"]
    for slot in ("colour: predicted", "colour: true"):
        figure = rows[slot]["measures"]["midpoint.bias_share"]["all"]
        assert figure["method"].endswith(", reference varied")
        assert figure["status"] == "small"  # 20 images in all, of which one third has the colour
        assert "reference varied" not in rows[slot]["measures"]["zero.bias_share"]["all"]["method"]
    fitted = {name: min(counts) for name, counts in large.manifest.references_from.counts.items()}
    assert max(fitted[colour] for colour in COLOURS) < 20
    records = large.records(["row", "attribute", "midpoint.bias_share"])
    of_row = records[records["attribute"] == "colour: true"]["midpoint.bias_share"]
    assert rows["colour: true"]["measures"]["midpoint.bias_share"]["all"]["value"] == pytest.approx(of_row.mean())
    means = large.variation["midpoint.bias_share.without.sum"].sum(1) / large.variation[
        "midpoint.bias_share.without.count"
    ].sum(1)
    assert means.shape == (3, 20)  # rows, groups of people
    assert means[2].mean() == pytest.approx(of_row.mean(), abs=0.05)
    assert np.ptp(means[2]) > 0


def test_outputs_without_a_reference_image_are_counted_in_a_note_and_their_ledger_is_nan(
    coloured, chosen, faulty, tmp_path
):
    kept = (coloured.splits == "test") | (coloured.labels[:, 2] == 0)
    with pytest.warns(BincamWarning, match="no fitted reference of 1 of 3 outputs of colour: no reference image has"):
        done = run(faulty, coloured.take(np.flatnonzero(kept)), tmp_path / "a", chosen.replace(one_of_rows=2))
    records = done.records(["attribute", "output", "midpoint.bias_share"])
    true = records[records["attribute"] == "colour: true"]
    assert true[true["output"] == "blue"]["midpoint.bias_share"].isna().all()
    assert true[true["output"] == "red"]["midpoint.bias_share"].notna().all()
