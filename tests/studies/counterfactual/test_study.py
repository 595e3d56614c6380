"""The study on pairs whose truth is known: planted, resumed, degenerate and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bincam.data import crop
from bincam.data.readers.celeba_labels import LANDMARK_COLUMNS
from bincam.errors import InputError, UnsupportedError
from bincam.models import AttributeClassifier, open_image, preprocess
from bincam.studies.counterfactual import TruthSettings, read_pairs, run_truth
from bincam.studies.counterfactual import study as module
from bincam.studies.counterfactual.loaded_pairs import load_pairs
from bincam.studies.counterfactual.pair_maps import MapSource, check_specs
from bincam.studies.counterfactual.shards import PairShard
from bincam.studies.counterfactual.table import truth_table
from bincam.studies.folder import StudyFolder
from tests.studies.counterfactual.conftest import COUNT, SIDE

EVERY = ("grad_cam", "grad_cam_pp", "occlusion", "rise", "brightness")


def figures(study: StudyFolder, method: str) -> dict[str, Any]:
    return dict(study.summary["methods"][method]["all"]["figures"])


def test_planted_truth_is_found(model: AttributeClassifier, pairs: Any, tmp_path: Path) -> None:
    study = run_truth(model, read_pairs(pairs()), tmp_path / "truth", TruthSettings(EVERY, masks=60))
    summary = study.summary
    assert (summary["pairs"], summary["people"], summary["attributes"]) == (COUNT, COUNT, ["Red"])
    assert summary["edits"]["all"]["of_mask"]["value"] == pytest.approx(1, abs=1e-5)
    exact = figures(study, "grad_cam")
    for name in ("held", "held_inside", "toward", "absolute", "auroc", "reach"):
        assert exact[name]["value"] == pytest.approx(1, abs=1e-5), name
    assert exact["response"]["value"] == 1
    assert exact["tracking"]["value"] > 0.99
    assert exact["auroc_over_other"]["value"] > 0.3
    assert figures(study, "occlusion")["auroc"]["value"] > 0.95
    assert figures(study, "rise")["auroc_over_other"]["low"] > 0
    unitless = figures(study, "grad_cam_pp")
    assert unitless["held"]["status"] == unitless["held_inside"]["status"] == "undefined"
    assert unitless["auroc"]["value"] == pytest.approx(1)
    assert summary["methods"]["grad_cam"]["agreement"]["occlusion"]["value"] > 0.3
    assert [summary["methods"][name]["passes"] for name in EVERY] == [1, 1, 65, 60, 0]


def test_an_edit_that_the_model_does_not_see_is_counted_and_scored_by_nothing(
    model: AttributeClassifier, pairs: Any, tmp_path: Path
) -> None:
    """The same edits, of an output that reads blue."""
    study = run_truth(model, read_pairs(pairs("Blue")), tmp_path / "truth")
    score = study.summary["methods"]["grad_cam"]["all"]
    assert (score["judged"], score["still"]) == (0, COUNT)
    assert {score["figures"][name]["status"] for name in ("held", "toward", "auroc", "tracking")} == {"undefined"}
    assert score["figures"]["size"]["value"] == pytest.approx(0, abs=1e-5)
    assert "changes by 0.1 or more" in truth_table(study.summary)


def test_masks_are_found_where_none_is_given(model: AttributeClassifier, pairs: Any, tmp_path: Path) -> None:
    given, found = (
        load_pairs(read_pairs(pairs(masks=masks, folder=f"masks {masks}")).pairs, model.card) for masks in (True, False)
    )
    assert np.array_equal(given.masks, found.masks)
    torch.testing.assert_close(given.composites, given.edited)
    whole = load_pairs(read_pairs(tmp_path / "masks False" / "pairs.csv").pairs, model.card, tau=255)
    assert not whole.masks.any()
    torch.testing.assert_close(whole.composites, whole.originals[whole.original])


def test_an_interrupted_study_ends_like_one_that_was_not(
    model: AttributeClassifier, pairs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARD", 10)
    table, settings = read_pairs(pairs()), TruthSettings(("grad_cam", "rise"), masks=5)
    whole = run_truth(model, table, tmp_path / "whole", settings).summary
    written: list[Path] = []
    write = PairShard.write

    def interrupted(shard: PairShard, file: Path) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(file)
        write(shard, file)

    with monkeypatch.context() as patch:
        patch.setattr(PairShard, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_truth(model, table, tmp_path / "parts", settings)
    assert sorted(file.name for file in (tmp_path / "parts").glob("*.npz")) == ["pairs-00000.npz", "pairs-00001.npz"]
    with pytest.raises(InputError, match="already contains a study; resume it with --resume"):
        run_truth(model, table, tmp_path / "parts", settings)
    with pytest.raises(InputError, match="begun with different masks"):
        run_truth(model, table, tmp_path / "parts", TruthSettings(("grad_cam", "rise"), masks=6), resume=True)
    assert run_truth(model, table, tmp_path / "parts", settings, resume=True).summary == whole


def test_a_damaged_part_is_named(model: AttributeClassifier, pairs: Any, tmp_path: Path) -> None:
    table = read_pairs(pairs(count=2))
    run_truth(model, table, tmp_path / "truth")
    (tmp_path / "truth" / "summary.json").unlink()
    (tmp_path / "truth" / "pairs-00000.npz").write_bytes(b"PK no zip")
    with pytest.raises(InputError, match=r"pairs-00000\.npz: cannot be read"):
        run_truth(model, table, tmp_path / "truth", resume=True)


def test_the_model_is_only_borrowed(model: AttributeClassifier, pairs: Any, tmp_path: Path) -> None:
    model.train()
    state = torch.get_rng_state()
    run_truth(model, read_pairs(pairs(count=3)), tmp_path / "truth", TruthSettings(EVERY, masks=3))
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_nothing_is_written_before_everything_is_checked(
    model: AttributeClassifier, pairs: Any, tmp_path: Path
) -> None:
    file = pairs(count=2)
    for settings, error, message in (
        (TruthSettings(("occlusion",)), InputError, "name a CAM method as well"),
        (TruthSettings(("grad_cam", "grad_cam")), InputError, "named twice"),
        (TruthSettings(("grad_cm",)), InputError, "unknown method 'grad_cm'"),
        (TruthSettings(("grad_cam@nowhere",)), InputError, "no layer 'nowhere'"),
        (TruthSettings(("eigen_cam",)), UnsupportedError, "eigen_cam"),
        (TruthSettings(least=0), InputError, "least=0"),
        (TruthSettings(tau=256), InputError, "tau=256"),
        (TruthSettings(masks=1), InputError, "masks=1"),
    ):
        with pytest.raises(error, match=message):
            run_truth(model, read_pairs(file), tmp_path / "truth", settings)
    Image.new("RGB", (9, 8)).save(file.parent / "b0.png")
    with pytest.raises(InputError, match=r"b0\.png has 9 x 8 pixels, but .*a0\.png has 8 x 8"):
        run_truth(model, read_pairs(file), tmp_path / "truth")
    assert not (tmp_path / "truth").exists()


def test_both_images_and_the_mask_are_cropped_by_the_landmarks_of_the_original(
    model: AttributeClassifier, pairs: Any
) -> None:
    card = model.card.model_copy(update={"fit": "face"})
    file = pairs(count=2)
    with pytest.raises(InputError, match=r"a0\.png: .*cropped by their landmarks.*columns lefteye_x to rightmouth_y"):
        load_pairs(read_pairs(file).pairs, card)
    points = np.array([[2.0, 3.0], [5.0, 3.5], [3.5, 4.0], [3.0, 5.0], [4.5, 5.0]])
    head, *rows = file.read_text().splitlines()
    marks = ",".join(f"{value:g}" for value in points.ravel())
    file.write_text("\n".join([f"{head},{','.join(LANDMARK_COLUMNS)}", *(f"{row},{marks}" for row in rows)]))
    loaded = load_pairs(read_pairs(file).pairs, card)
    for row in range(2):
        before, after = (open_image(file.parent / f"{name}{row}.png") for name in "ab")
        assert torch.equal(loaded.originals[loaded.original[row]], preprocess(before, card, points))
        assert torch.equal(loaded.edited[row], preprocess(after, card, points))
    mask = np.asarray(open_image(file.parent / "m1.png"))[..., 0] > 0
    warped = crop.warp(mask.astype(np.uint8), crop.face_matrix(points, SIDE), (SIDE, SIDE), mask=True) > 0
    assert np.array_equal(loaded.masks[1], warped)
    file.write_text(file.read_text().replace("rightmouth_y", "other"))
    with pytest.raises(InputError, match="a column 'lefteye_x' but none 'rightmouth_y'"):
        read_pairs(file)


def test_one_pair_is_told_as_few(model: AttributeClassifier, pairs: Any, tmp_path: Path) -> None:
    study = run_truth(model, read_pairs(pairs(count=1)), tmp_path / "truth")
    found = figures(study, "occlusion")
    assert found["held_inside"]["status"] == "small"
    assert found["held_inside"]["low"] is None
    assert found["auroc_over_other"]["status"] == found["tracking"]["status"] == "undefined"
    assert "†" in truth_table(study.summary)


def test_maps_are_of_each_pairs_own_attribute(model: AttributeClassifier, pairs: Any) -> None:
    table = read_pairs(pairs(count=4))
    loaded = load_pairs(table.pairs, model.card)
    source = MapSource(model, "grad_cam")
    mixed = source.of(loaded, ["Red", "Blue", "Red", "Blue"])
    red, blue = (source.of(loaded, [name] * 4) for name in ("Red", "Blue"))
    for row, own in enumerate((red, blue, red, blue)):
        assert np.array_equal(mixed.before[row], own.before[row])
        assert np.array_equal(mixed.after[row], own.after[row])


def test_names_of_maps_are_checked() -> None:
    assert check_specs(["cam", "rise"]) == ("cam", "rise")
    with pytest.raises(InputError, match="methods none"):
        check_specs([])
