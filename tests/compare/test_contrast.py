"""A contrast of two synthetic audits: paired figures against pandas, refusals, sentences."""

import json
import shutil
from copy import deepcopy

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from bincam.audit import open_audit
from bincam.audit.folder import reader
from bincam.compare.contrast import _moved, compare, findings
from bincam.compare.differing_maps import MAP_GROUPS
from bincam.compare.imbalance_correlation import spearman
from bincam.compare.paired_audits import pair_audits
from bincam.compare.paired_differences import COLUMNS, Difference
from bincam.compare.sentences import VERDICTS, threshold_verdict
from bincam.errors import InputError
from bincam.files import read_json
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import images, written
from bincam.stats.intervals import mover_mean
from tests.audit.synthetic import ATTRIBUTES, make_audit, reseal
from tests.folders import taken_elsewhere

MOVED = {"Bald": -1.5, "Eyeglasses": -0.8, "Young": 1.0, "No_Beard": 1.4, "Wearing_Hat": -1.2}
FIRST, THRESHOLD, SECOND = COLUMNS


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("audits")
    return [
        make_audit(root / name, images=400, seed=n, prior=p) for n, (name, p) in enumerate({"a": 0.8, "b": 0.1}.items())
    ]


@pytest.fixture(scope="module")
def audits(folders):
    return [open_audit(folder) for folder in folders]


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("contrast") / "out"


@pytest.fixture(scope="module")
def contrast(audits, out):
    return compare(*audits, out, moved=MOVED, published=True, resamples=200)


@pytest.fixture
def other(folders, tmp_path):
    return shutil.copytree(folders[1], tmp_path / "other")


def edit(folder, **changes):
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return reseal(folder)


def joined(audits, name):
    tables = []
    for audit in audits:
        held = audit.records()
        tables.append(held[held["attribute"] == name].set_index("row"))
    both = tables[0].add_suffix(".a").join(tables[1].add_suffix(".b"))
    both = both[both["logit.a"].notna() & both["logit.b"].notna()]
    minority = 1 if audits[0].minority(name) > 0 else 0
    for arm in "ab":
        both[f"yes.{arm}"] = both[f"logit.{arm}"] >= both[f"threshold.{arm}"]
        both[f"wrong.{arm}"] = (both[f"yes.{arm}"] != (both["label.a"] == 1)).where(both["label.a"].notna())
    both["moved"] = (both["logit.a"] >= MOVED.get(name, np.nan)) != (both["label.a"] == 1)
    return both, both["label.a"] == minority, minority


@pytest.mark.parametrize("name", ["Bald", "Young"])
def test_three_columns_of_errors_are_those_of_the_records(audits, contrast, name):
    both, minority, _ = joined(audits, name)
    held = contrast["attributes"][name]["errors"]["minority_error"]
    for column, wrong in ((FIRST, "wrong.a"), (THRESHOLD, "moved"), (SECOND, "wrong.b")):
        assert held[column]["value"] == pytest.approx(both.loc[minority, wrong].astype(float).mean()), column
    difference = contrast["attributes"][name]["error_differences"]["minority_error"][f"{FIRST} - {SECOND}"]
    d = both.loc[minority, "wrong.a"].astype(float) - both.loc[minority, "wrong.b"].astype(float)
    assert difference["difference"]["value"] == pytest.approx(d.mean())
    assert difference["difference"]["low"] <= d.mean() <= difference["difference"]["high"]


def test_balanced_errors_account_for_people_in_both_classes(audits, contrast):
    pair = pair_audits(*audits, MOVED)
    a = pair.attributes.index("Young")
    label = pair.first.label[:, a]
    minority = 1 if audits[0].minority("Young") > 0 else 0
    for m, column in enumerate(COLUMNS):
        wrong = pair.wrong[m, :, a]
        contributions = []
        for sign in (minority, 1 - minority):
            inside = (label == sign) & np.isfinite(wrong)
            codes, count = pair.clusters.codes[inside], pair.clusters.count
            share = np.bincount(codes, minlength=count) / inside.sum()
            deviation = np.bincount(codes, wrong[inside] - wrong[inside].mean(), count) / inside.sum()
            contributions.append(deviation / (1 - share))
        one, other = contributions
        both = (one @ one) * (other @ other)
        r = one @ other / np.sqrt(both) if both else 0  # no error at all in one class
        errors = {rate: entry[column] for rate, entry in contrast["attributes"]["Young"]["errors"].items()}
        parts = [Estimate.from_json(errors[f"{name}_error"]) for name in ("minority", "majority")]
        balanced = errors["balanced_error"]
        assert (balanced["low"], balanced["high"]) == pytest.approx(mover_mean(*parts, r), rel=1e-4)
        assert balanced["identities"] == errors["error"]["identities"]


def test_mcnemar_without_identities_is_statsmodels(folders, tmp_path):
    copies = [shutil.copytree(folder, tmp_path / folder.name) for folder in folders]
    for copy in copies:
        images = pq.read_table(copy / "images.parquet").to_pandas()
        images["identity"] = ""
        images.to_parquet(copy / "images.parquet")
    audits = [reseal(copy) for copy in copies]
    found = compare(*audits, tmp_path / "out", resamples=100)
    assert found["identities"] is None
    both, minority, _ = joined(audits, "Bald")
    one, two = (both.loc[minority, f"wrong.{arm}"].astype(bool) for arm in "ab")
    table = [[(one & two).sum(), (one & ~two).sum()], [(~one & two).sum(), (~one & ~two).sum()]]
    held = found["attributes"]["Bald"]["error_differences"]["minority_error"][f"{FIRST} - {SECOND}"]
    assert held["p"] == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert found["moved"]["reason"].startswith("no threshold tuned on validation")
    assert found["attributes"]["Bald"]["threshold"]["minority_error"] == "unknown"


def test_differences_are_paired_within_true_class_and_where_both_answer_alike(audits, contrast):
    both, minority, sign = joined(audits, "Young")
    yes_is_minority = sign == 1
    alike = (both["yes.a"] == yes_is_minority) & (both["yes.b"] == yes_is_minority)
    majority = both["label.a"] == 1 - sign
    alike_majority = (both["yes.a"] != yes_is_minority) & (both["yes.b"] != yes_is_minority)
    still = (both["logit.a"] >= MOVED["Young"]) == both["yes.a"]
    held = contrast["attributes"]["Young"]["differences"]["grad_cam.gain"]
    for group, inside in {
        "true:minority": minority,
        "true:majority": majority,
        "alike:minority": alike,
        "alike:majority": alike_majority,
        "alike, moved too:majority": alike_majority & still,
    }.items():
        d = (both["grad_cam.gain.a"] - both["grad_cam.gain.b"])[inside].dropna()
        assert held[group]["difference"]["images"] == len(d), group
        if len(d):
            assert held[group]["difference"]["value"] == pytest.approx(d.mean(), abs=1e-5), group


def test_predicted_classes_are_labelled_unpaired_and_a_moved_threshold_keeps_unchanged_maps_alone(audits, contrast):
    both, _, _ = joined(audits, "Bald")
    held = contrast["attributes"]["Bald"]["measures"]
    table = held["grad_cam.gain"]["predicted:majority"]
    assert table["paired"] is False
    assert "paired" not in held["grad_cam.gain"]["true:majority"]
    assert table[FIRST]["value"] == pytest.approx(both.loc[~both["yes.a"], "grad_cam.gain.a"].mean(), abs=1e-5)
    unchanged = both.loc[both["logit.a"] < MOVED["Bald"], "grad_cam.gain.a"]
    assert table[THRESHOLD]["value"] == pytest.approx(unchanged.mean(), abs=1e-5)
    assert held["midpoint.bias_share"]["predicted:majority"][THRESHOLD]["status"] == "undefined"
    assert held["midpoint.bias_share"]["predicted:majority"][FIRST]["status"] == "ok"


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


def test_other_images_are_refused_and_the_difference_named(folders, tmp_path):
    fewer = open_audit(make_audit(tmp_path / "fewer", images=380, seed=1))
    with pytest.raises(InputError, match=r"not the same images: 20 only in .*/a \(first: 000381.png\)"):
        compare(open_audit(folders[0]), fewer, tmp_path / "out")
    changed = open_audit(make_audit(tmp_path / "changed", images=400, data_seed=9))
    with pytest.raises(InputError, match="files of the same names with different contents"):
        compare(open_audit(folders[0]), changed, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_another_process_writes_is_refused(audits, tmp_path):
    out = tmp_path / "out"
    with taken_elsewhere(out), pytest.raises(InputError, match="another process is writing this folder"):
        compare(*audits, out, resamples=100)
    (out / "maps").mkdir()
    for left in (".contrast-ab12cd34.json", "maps/.difference-ab12cd34.safetensors"):  # by a killed process
        (out / left).touch()
    compare(*audits, out, resamples=100)
    assert not list(out.rglob(".*"))


def test_other_regions_sides_and_labels_are_refused(audits, other):
    with pytest.raises(InputError, match="audited with different regions"):
        pair_audits(audits[0], edit(other, regions={"source": "mine.yaml", "digest": "1"}))
    with pytest.raises(InputError, match="audited with different regions"):
        pair_audits(audits[0], edit(other, regions=None))
    with pytest.raises(InputError, match=r"different sides \(predicted, positive\)"):
        pair_audits(audits[0], edit(other, regions=audits[0].manifest.regions.model_dump(), side="positive"))
    theirs = {"masks_digest": {"object": {"source": "mine", "digest": "1"}}}
    with pytest.raises(InputError, match="audited with different object masks"):
        pair_audits(audits[0], edit(other, side="predicted", **theirs))
    edit(other, masks_digest={})
    file = reader.records_file(other, 0)
    table = pq.read_table(file)
    label = table["label"].to_numpy().copy()
    label[8] = 1 - label[8]
    at = table.schema.get_field_index("label")
    pq.write_table(table.set_column(at, table.schema.field(at), [label]), file)
    with pytest.raises(InputError, match=r"1 differing label \(first: 000002.png, Eyeglasses: "):
        pair_audits(audits[0], reseal(other))


def test_common_attributes_alone_are_compared_and_the_rest_named(folders, tmp_path):
    fewer = make_audit(
        tmp_path / "fewer", images=400, attributes=(*ATTRIBUTES[:4], "Chubby"), prevalence=(0.5, 0.08, 0.15, 0.85, 0.1)
    )
    # The synthetic images differ with the number of attributes; labels are set alike here.
    full = open_audit(folders[0])
    label = full.records(["label"])["label"].to_numpy().reshape(-1, 6)
    done = 0
    for number in range(open_audit(fewer).shards):
        file = reader.records_file(fewer, number)
        table = pq.read_table(file)
        rows = table.num_rows // 5
        here = np.concatenate([label[done : done + rows, :4], np.zeros((rows, 1), np.float32)], 1)
        done += rows
        at = table.schema.get_field_index("label")
        pq.write_table(table.set_column(at, table.schema.field(at), [here.reshape(-1)]), file)
    found = compare(full, reseal(fewer), tmp_path / "out", resamples=100)
    assert list(found["attributes"]) == list(ATTRIBUTES[:4])
    assert found["only_in_first"] == ["No_Beard", "Wearing_Hat"]
    assert found["only_in_second"] == ["Chubby"]


def test_moved_thresholds_come_from_the_card_unless_given(folders, tmp_path, audits):
    copy = shutil.copytree(folders[0], tmp_path / "copy")
    model = {**audits[0].manifest.model.model_dump(), "card": {"tuned_thresholds": {"Bald": -1.0}}}
    pair = pair_audits(edit(copy, model=model), audits[1])
    assert pair.moved_from == "card"
    assert pair.moved[ATTRIBUTES.index("Bald")] == -1
    for split, fitted in (("test", False), ("validation", True), (None, True)):
        assert _moved(pair, split)["fitted_on_audited"] == fitted
    assert np.isnan(pair.moved[0])
    same = {**model, "card": {"tuned_thresholds": dict.fromkeys(ATTRIBUTES, 0.0)}}
    found = compare(edit(copy, model=same), audits[1], tmp_path / "out", resamples=100)
    assert "already made at these thresholds" in found["moved"]["reason"]
    with pytest.raises(InputError, match="unknown attribute 'Balding'; did you mean 'Bald'"):
        pair_audits(*audits, moved={"Balding": 0.0})
    with pytest.raises(InputError, match="Bald: got nan, expected a finite"):
        pair_audits(*audits, moved={"Bald": float("nan")})


def difference(value, low, high, status="ok"):
    return Difference(0, 0, Estimate(value, low, high, 100, None, status, ""), None)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ((0.02, -0.01, 0.05), (0.0, -0.02, 0.02), "no difference"),
        ((0.5, 0.4, 0.6), (0.02, -0.05, 0.09), "yes"),
        ((0.5, 0.4, 0.6), (-0.1, -0.2, -0.05), "yes"),
        ((0.5, 0.4, 0.6), (0.2, 0.1, 0.3), "in part"),
        ((0.5, 0.4, 0.6), (0.55, 0.4, 0.7), "no"),
        ((0.5, 0.1, 0.9), (0.4, -0.1, 0.9), "unclear"),
        ((0.5, 0.1, 0.9, "small"), (0.4, 0.1, 0.9), "unclear"),
        ((0.5, 0.1, 0.9), (np.nan, np.nan, np.nan, "undefined"), "unknown"),
    ],
)
def test_verdicts_on_the_threshold(before, after, verdict):
    assert threshold_verdict(difference(*before), difference(*after)) == verdict


def test_spearman_is_scipys_and_its_interval_covers():
    rng = np.random.default_rng(0)
    inside = 0
    truth = 6 / np.pi * np.arcsin(0.5 / 2)
    for _ in range(300):
        x = rng.normal(size=40)
        y = 0.5 * x + np.sqrt(0.75) * rng.normal(size=40)
        found = spearman(x, y)
        inside += found["low"] <= truth <= found["high"]
    assert found["rho"] == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found["status"] == "ok"
    perfect = spearman(np.arange(4.0), np.arange(4.0) ** 2)
    assert (perfect["rho"], perfect["low"], perfect["high"], perfect["status"]) == (1.0, None, None, "small")
    assert 0.92 <= inside / 300 <= 0.98
    for x, y in ((np.ones(10), np.arange(10.0)), (np.arange(3.0), np.arange(3.0)), (np.full(9, np.nan), np.ones(9))):
        assert spearman(x, y)["rho"] is None


def test_long_audits_are_compared_on_the_same_random_images_and_it_is_said(
    audits, contrast, out, tmp_path, monkeypatch
):
    monkeypatch.setattr("bincam.audit.folder.parts.sampled.MOST", 200)
    found = compare(*audits, tmp_path / "long", moved=MOVED, resamples=50)
    assert found["images"] == 200 - found["not_in_both"] <= 200
    assert "random sample of 200 of the 400 images" in found["notes"][-1]
    for name in ("Smiling", "Young"):
        whole, part = (
            Estimate.from_json(one["attributes"][name]["errors"]["error"][SECOND]) for one in (contrast, found)
        )
        assert part.images < whole.images
        assert part.low <= whole.value <= part.high
    first, second = (load_file(folder / "maps/difference.safetensors") for folder in (tmp_path / "long", out))
    assert all(np.array_equal(first[key], second[key], equal_nan=True) for key in second)
