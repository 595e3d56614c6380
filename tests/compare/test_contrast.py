"""A contrast of two synthetic audits: its file, maps, sentences and findings."""

import json
import shutil
from copy import deepcopy

import numpy as np
import pytest
from safetensors.numpy import load_file

from bincam.audit import open_audit
from bincam.compare.contrast import compare, findings
from bincam.compare.differing_maps import MAP_GROUPS
from bincam.compare.paired_differences import COLUMNS
from bincam.compare.sentences import VERDICTS
from bincam.errors import InputError
from bincam.files import read_json
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import images, written
from tests.audit.synthetic import ATTRIBUTES, make_audit
from tests.compare.two_audits import FIRST, MOVED, SECOND
from tests.folders import taken_elsewhere


def test_the_file_is_of_its_kind_and_says_where_it_came_from(contrast, out, audits):
    held = read_json(out / "contrast.json", kind="bincam-contrast", schema=1)
    assert held == json.loads(json.dumps(contrast))
    assert held["columns"] == list(COLUMNS)
    assert held["arms"]["first"]["folder"] == str(audits[0].folder)
    assert held["moved"]["thresholds"] == MOVED
    assert held["images"] == 399
    assert held["not_in_both"] == 1


def test_difference_maps_are_of_means_by_group(audits, contrast, out):
    tensors = load_file(out / contrast["maps"]["file"])
    difference = tensors["grad_cam.difference"]
    assert difference.shape == (6, len(MAP_GROUPS), 7, 7)
    a = ATTRIBUTES.index("Young")
    means = []
    for audit in audits:
        total, count = audit.means()
        means.append((total[a, 0] + total[a, 1]) / (count[a, 0] + count[a, 1]))
    at = contrast["maps"]["groups"].index("predicted:positive")
    np.testing.assert_allclose(difference[a, at], means[0] - means[1], atol=1e-6)
    np.testing.assert_allclose(tensors["grad_cam.scale"], np.nanmax(np.abs(difference), axis=(1, 2, 3)))


def test_every_figure_in_a_sentence_is_one_of_the_table(contrast):
    for name in ATTRIBUTES:
        sentences = " ".join(contrast["sentences"][name])
        held = contrast["attributes"][name]
        error = Estimate.from_json(held["errors"]["minority_error"][FIRST])
        assert written(error, "percent") in sentences
        assert images(error) in sentences
        for rate in ("minority_error", "majority_error"):
            assert VERDICTS[held["threshold"][rate]] in sentences
    assert "at its adjusted threshold" in " ".join(contrast["sentences"]["Bald"])


def test_findings_are_tests_that_stand_after_holm(contrast):
    assert 1 <= len(contrast["findings"]) <= 5
    standing = {t["attribute"] for f in contrast["families"] for t in f["tests"] if t["finding"]}
    assert {line.partition(":")[0] for line in contrast["findings"]} <= standing
    nothing = {
        **contrast,
        "families": [{**f, "tests": [{**t, "finding": False} for t in f["tests"]]} for f in contrast["families"]],
    }
    sentences = findings(nothing)
    assert len(sentences) == 1
    assert sentences[0].startswith("None of")


def test_a_finding_has_an_interval_that_excludes_zero(contrast):
    assert any("difference " in line for line in contrast["findings"])
    entries = deepcopy(contrast["attributes"])
    for entry in entries.values():  # the tests stand, the intervals contain 0
        for rates in entry["error_differences"].values():
            for difference in rates.values():
                difference["difference"] |= {"low": -0.9, "high": 0.9}
        for groups in entry["differences"].values():
            for difference in groups.values():
                difference["difference"] |= {"low": -0.9, "high": 0.9}
    (none,) = findings({**contrast, "attributes": entries})
    assert "remains after Holm's correction with an interval that excludes 0." in none


def test_mean_errors_are_of_the_attributes_with_enough_images_and_in_all_three_columns(contrast):
    overall = contrast["overall"]
    assert set(overall["attributes"]) | set(overall["left_out"]) == set(ATTRIBUTES)
    for part in ("minority", "majority"):
        for place in (0, 2):
            of_each = [
                contrast["attributes"][name]["errors"][f"{part}_error"][COLUMNS[place]]["value"]
                for name in overall["attributes"]
            ]
            assert overall["rates"][part][place]["value"] == pytest.approx(np.mean(of_each))
    if "Smiling" in overall["attributes"]:  # which has no adjusted threshold
        assert overall["rates"]["minority"][1]["value"] is None


def test_the_same_model_twice_differs_in_nothing(folders, tmp_path):
    same = shutil.copytree(folders[0], tmp_path / "same")
    found = compare(open_audit(folders[0]), open_audit(same), tmp_path / "out", moved=MOVED, resamples=100)
    assert sum(f["findings"] for f in found["families"]) == 0
    assert {held["threshold"]["minority_error"] for held in found["attributes"].values()} == {"no difference"}
    for attribute in found["attributes"].values():
        difference = attribute["error_differences"]["error"][f"{FIRST} - {SECOND}"]["difference"]
        assert difference["value"] == 0
        assert difference["low"] < -0.005 < 0.005 < difference["high"]  # other images might be told apart
        gain = attribute["differences"]["grad_cam.gain"]["true:minority"]["difference"]
        assert (gain["low"], gain["status"]) == (None, "small")
    assert np.nanmax(np.abs(load_file(tmp_path / "out/maps/difference.safetensors")["grad_cam.difference"])) == 0


def test_two_models_that_differ_by_chance_give_no_finding(tmp_path):
    pair = [open_audit(make_audit(tmp_path / str(n), images=300, seed=n, prior=0.3)) for n in range(2)]
    found = compare(*pair, tmp_path / "out", resamples=100)
    assert [t for f in found["families"] for t in f["tests"] if t["finding"]] == []


def test_a_folder_that_another_process_writes_is_refused(audits, tmp_path):
    out = tmp_path / "out"
    with taken_elsewhere(out), pytest.raises(InputError, match="another process is writing this folder"):
        compare(*audits, out, resamples=100)
    (out / "maps").mkdir()
    for left in (".contrast-ab12cd34.json", "maps/.difference-ab12cd34.safetensors"):  # by a killed process
        (out / left).touch()
    compare(*audits, out, resamples=100)
    assert not list(out.rglob(".*"))


def test_long_audits_are_compared_on_all_of_their_images(audits, contrast, out, tmp_path, monkeypatch):
    monkeypatch.setattr("bincam.audit.folder.parts.sampled.MOST", 200)
    found = compare(*audits, tmp_path / "long", moved=MOVED, resamples=50)
    assert (found["images"], found["not_in_both"]) == (contrast["images"], 400 - contrast["images"])
    assert found["notes"] == contrast["notes"]
    for name in ("Smiling", "Young"):
        whole, part = (
            Estimate.from_json(one["attributes"][name]["errors"]["error"][SECOND]) for one in (contrast, found)
        )
        assert part == whole
    first, second = (load_file(folder / "maps/difference.safetensors") for folder in (tmp_path / "long", out))
    assert all(np.array_equal(first[key], second[key], equal_nan=True) for key in second)
