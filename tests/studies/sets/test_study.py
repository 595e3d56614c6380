"""The study of sets: planted minorities are found, guarantees hold, and what cannot be calibrated is refused."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bincam.audit import open_audit
from bincam.errors import BincamWarning, InputError
from bincam.postprocessing.average_k import fit_average_k
from bincam.studies.folder import StudyFolder, study_folder
from bincam.studies.sets.division import check_model
from bincam.studies.sets.settings import SetsSettings
from bincam.studies.sets.study import run_sets
from tests.studies.sets.made import drawn_heads, drawn_set, identities, write_made

NAMES = ("Bald", "Even")


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """4,000 images: an attribute of 10 % and one of 50 %, one image of each person."""
    return write_made(tmp_path_factory.mktemp("heads") / "audit", names=NAMES, **drawn_heads(4000, [0.1, 0.5]))


@pytest.fixture(scope="module")
def studied(heads):
    return run_sets(heads).summary


def figure(summary, subject, rule, name):
    return summary["subjects"][subject]["rules"][rule][name]


def test_the_starved_minority_is_found_and_its_twin_is_not(studied):
    for name in ("coverage", "minority_coverage"):
        assert figure(studied, "Even", "lac", name)["value"] == pytest.approx(0.9, abs=0.03)
    assert figure(studied, "Bald", "lac", "coverage")["value"] == pytest.approx(0.9, abs=0.03)
    assert figure(studied, "Bald", "lac", "minority_coverage")["high"] < 0.6
    assert figure(studied, "Bald", "lac", "majority_coverage")["low"] > 0.9
    for part in ("minority", "majority"):
        fair = figure(studied, "Bald", "class_conditional", f"{part}_coverage")
        assert fair["low"] < 0.9 < fair["high"]
    assert figure(studied, "Bald", "lac", "worst_class")["name"] == "yes"
    assert studied["primary"] == "lac"


def test_size_less_one_is_cannot_say_less_nothing(studied):
    for subject in NAMES:
        for entry in studied["subjects"][subject]["rules"].values():
            excess = entry["several"]["value"] - entry["empty"]["value"]
            assert entry["size"]["value"] - 1 == pytest.approx(excess, abs=1e-9)
            assert sum(entry["histogram"]) == entry["size"]["images"]


def test_average_k_and_lac_are_points_of_one_curve(studied):
    for subject in NAMES:
        curve = studied["subjects"][subject]["curve"]
        for rule in ("lac", "average_k=1", "average_k=1.2"):
            size, coverage = (figure(studied, subject, rule, name)["value"] for name in ("size", "coverage"))
            assert np.interp(size, curve["size"], curve["coverage"]) == pytest.approx(coverage, abs=0.005)


def test_rules_of_all_attributes_stand_side_by_side(studied):
    rules = studied["attributes"]["rules"]
    assert {"global", "per_attribute", "crc"} <= set(rules)
    assert rules["global"]["recall"]["Bald"]["high"] < rules["global"]["recall"]["Even"]["low"]
    for name in NAMES:
        assert rules["per_attribute"]["recall"][name]["high"] > 0.9
        assert rules["per_attribute"]["recall"][name]["value"] == pytest.approx(0.9, abs=0.05)
    with_true = 1 - rules["crc"]["without_true"] / studied["judged"]["images"]  # the others count as none missed
    assert rules["crc"]["false_negative_rate"]["value"] * with_true == pytest.approx(0.1, abs=0.02)
    assert studied["attributes"]["prevalence"]["Bald"] == pytest.approx(0.1, abs=0.02)


def test_sets_of_every_image_are_those_of_the_stored_rules(heads, studied):
    folder = study_folder(heads, "sets") / "per_image"
    table = pd.read_parquet(folder / "lac.parquet")
    assert len(table) == studied["judged"]["images"]
    threshold = figure(studied, "Bald", "lac", "fitted")["thresholds"][0]
    records = heads.records(["row", "attribute", "logit"])
    logit = records[records["attribute"] == "Bald"].set_index("row")["logit"].loc[table["row"]].to_numpy()
    p = 1 / (1 + np.exp(-logit.astype(np.float32)))
    said = table["Bald"].astype(str).to_numpy()
    clear = (np.abs(p - threshold) > 1e-5) & (np.abs(1 - p - threshold) > 1e-5)
    yes, no = p >= threshold, 1 - p >= threshold
    wanted = np.select([yes & no, yes, no], ["cannot say", "yes", "no"], "nothing")
    assert (said == wanted)[clear].all()
    of_all = pd.read_parquet(folder / "crc.parquet")["attributes"]
    assert set(of_all.explode().dropna()) <= set(NAMES)


def test_people_are_on_one_side_alone_and_one_image_of_each_calibrates(tmp_path):
    audit = write_made(tmp_path / "a", names=NAMES, **drawn_heads(400, [0.3, 0.5], people=4))
    study = run_sets(audit, SetsSettings(share=0.3))
    summary = study.summary
    assert summary["calibration"] | summary["judged"] == {"images": 280, "identities": 70,
                                                         "source": "30 of 100 people of this audit"}  # fmt: skip
    assert figure(summary, "Bald", "lac", "fitted")["images"] == 30
    assert "one per person: 90 further images" in figure(summary, "Bald", "lac", "fitted")["note"]
    judged = pd.read_parquet(study.folder / "per_image" / "lac.parquet")["row"]
    assert all((judged // 4 == person).sum() in (0, 4) for person in range(100))


def test_a_set_of_outputs_with_top_k_beside_average_k(tmp_path):
    outputs = ("cat", "dog", "fox", "owl")
    audit = write_made(tmp_path / "a", outputs=outputs, **drawn_set(1500, [0.4, 0.3, 0.25, 0.05]))
    summary = run_sets(audit, SetsSettings(sizes=(1, 1.5, 2), free=1)).summary
    assert summary["attributes"] is None
    rules = summary["subjects"]["pet"]["rules"]
    assert set(rules) == {"lac", "class_conditional", "average_k=1", "average_k=1.5", "average_k=2", "aps", "raps"}
    assert rules["average_k=1.5"]["size"]["value"] == pytest.approx(1.5, abs=0.06)
    assert "top_k" not in rules["average_k=1.5"]
    assert rules["average_k=2"]["coverage"]["value"] >= rules["average_k=2"]["top_k"]["value"] - 0.01
    for rule in ("lac", "aps", "raps"):
        assert rules[rule]["coverage"]["value"] == pytest.approx(0.9, abs=0.04)
    assert rules["lac"]["per_class"]["owl"]["value"] < rules["class_conditional"]["per_class"]["owl"]["value"]
    assert summary["subjects"]["pet"]["minority"] == ["owl"]
    assert {entry["value"] for entry in rules["lac"]["slices"]} == {"a", "b"}
    p = np.exp(audit.scores()) / np.exp(audit.scores()).sum(1, keepdims=True)
    judged = pd.read_parquet(study_folder(audit, "sets") / "per_image" / "average_k=2.parquet")
    calibration = np.setdiff1d(np.arange(1500), judged["row"])
    wanted = fit_average_k(p[calibration], 2).threshold
    assert rules["average_k=2"]["fitted"]["thresholds"][0] == pytest.approx(wanted, rel=1e-5)


def two_audits(tmp_path, **other):
    made = drawn_heads(300, [0.3, 0.5], seed=1)
    judged = write_made(tmp_path / "test", names=NAMES, **made)
    options = {"names": NAMES, "split": "validation", "start": 1000, **drawn_heads(300, [0.3, 0.5], seed=2)} | other
    return judged, write_made(tmp_path / "validation", **options).folder


def test_another_audit_calibrates_whatever_the_order_of_its_outputs(tmp_path):
    made = drawn_heads(300, [0.3, 0.5], seed=2)
    judged, folder = two_audits(tmp_path)
    first = run_sets(judged, calibration=folder).summary
    turned = {key: value[:, ::-1] for key, value in made.items() if key != "identity"}
    _, other = two_audits(tmp_path / "turned", names=NAMES[::-1], **turned)
    again = run_sets(judged, calibration=other, out=tmp_path / "again").summary
    assert first["judged"]["images"] == 300
    assert first["subjects"] == again["subjects"]
    assert first["attributes"] == again["attributes"]


def test_people_who_are_judged_do_not_calibrate(tmp_path):
    shared = identities(300, 1, 2)[:250] + identities(300, 1, 1)[:50]
    judged, folder = two_audits(tmp_path, identity=shared)
    summary = run_sets(judged, calibration=folder).summary
    assert summary["calibration"]["images"] == 250
    assert "50 images of the calibration left out, because their people are judged" in summary["notes"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"digest": "1" * 64}, "an audit of another model"),
        ({"names": ("Bald", "Odd")}, "other outputs than .*: it lacks 'Even'"),
        ({"split": "test", "start": 0, **drawn_heads(300, [0.3, 0.5], seed=1)}, "the very images that are judged"),
        ({"identity": identities(300, 1, 1)}, "all of its people are judged"),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(tmp_path, other, message):
    judged, folder = two_audits(tmp_path, **other)
    with pytest.raises(InputError, match=message):
        run_sets(judged, calibration=folder)
    assert not study_folder(judged, "sets").exists()


def test_a_calibration_of_other_views_is_refused(tmp_path):
    judged, folder = two_audits(tmp_path)
    of_model = {"model": judged.manifest.model, "second_head": False}
    audits = [SimpleNamespace(folder=folder, manifest=SimpleNamespace(**of_model, views=views))
              for views in (((32, 1, 1),), None)]  # fmt: skip
    with pytest.raises(InputError, match=r"an audit of other views of each image .*with the same --views"):
        check_model(*audits)
    check_model(audits[0], audits[0])


def test_an_audit_without_the_scores_of_a_second_head_is_told(tmp_path):
    drawn = drawn_set(200, [0.5, 0.3, 0.2])
    audit = write_made(tmp_path / "audit", outputs=("cat", "dog", "fox"), **drawn)
    before = run_sets(audit, out=tmp_path / "one").summary["notes"]
    assert not any("second head" in note for note in before)
    audit.manifest.model.card["set_output"] = "label_sets"  # as an audit of an earlier version
    with pytest.warns(BincamWarning, match=r"made of the softmax of its first; audit again"):
        after = run_sets(audit, out=tmp_path / "two").summary["notes"]
    assert after[:-1] == before
    assert "the model has a second head for label sets" in after[-1]


def test_training_images_as_calibration_are_told(tmp_path):
    judged, folder = two_audits(tmp_path, split="train")
    with pytest.warns(BincamWarning, match="scores are too sure"):
        summary = run_sets(judged, calibration=folder).summary
    assert any("training images" in note for note in summary["notes"])
    _, training = two_audits(tmp_path / "half", split="train")
    with pytest.warns(BincamWarning, match="calibrated and judged on training images"):
        summary = run_sets(open_audit(training)).summary
    assert any("cover less than is stated here" in note for note in summary["notes"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SetsSettings(sizes=(0.5,)), "a mean size of 0.5; expected at least 1"),
        (SetsSettings(sizes=(3,)), "a mean size of 3, but an image can have 2 labels at most"),
        (SetsSettings(alpha=0), "alpha = 0"),
        (SetsSettings(alpha=1), "alpha = 1"),
        (SetsSettings(methods=("lacs",)), "unknown method 'lacs'; did you mean 'lac'"),
        (SetsSettings(methods=("lac", "lac")), "lac is given twice"),
        (SetsSettings(alpha=1e-5, methods=("lac", "crc")), "images to calibrate on; a coverage of 0.99999 needs"),
        (SetsSettings(share=1.5), "a share of 1.5"),
        (SetsSettings(seed=-1), "a seed of -1"),
        (SetsSettings(free=-1), "expected neither to be negative"),
        (SetsSettings(methods=("aps",)), "no method of sets suits this audit"),
    ],
)
def test_settings_out_of_range_are_refused(heads, tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        run_sets(heads, settings, out=tmp_path / "sets")
    assert not (tmp_path / "sets").exists()


def test_undefined_scores_and_unknown_labels_count_nowhere(tmp_path):
    made = drawn_heads(600, [0.3, 0.5])
    made["logits"][::10, 0] = np.nan
    made["labels"][1::10, 0] = np.nan
    audit = write_made(tmp_path / "a", names=NAMES, **made)
    study = run_sets(audit)
    entry = study.summary["subjects"]["Bald"]["rules"]["lac"]
    judged = pd.read_parquet(study.folder / "per_image" / "lac.parquet")
    undefined, unknown = (judged["row"] % 10 == 0).sum(), (judged["row"] % 10 == 1).sum()
    assert (entry["undefined"], entry["unknown"]) == (undefined, unknown)
    assert entry["coverage"]["images"] == len(judged) - undefined - unknown
    assert judged["Bald"].isna().sum() == undefined
    assert judged["Even"].notna().all()
    assert "not finite" in entry["fitted"]["note"]
    assert study.summary["attributes"]["rules"]["crc"]["undefined"] == undefined


@pytest.mark.parametrize(("ties", "size"), [("whole", 2.0), ("random", 1.2)])
def test_scores_that_are_all_equal(tmp_path, ties, size):
    made = drawn_heads(2000, [0.3, 0.5])
    made["logits"][:] = 0
    audit = write_made(tmp_path / "a", names=NAMES, **made)
    entry = run_sets(audit, SetsSettings(ties=ties)).summary["subjects"]["Bald"]["rules"]["average_k=1.2"]
    assert entry["size"]["value"] == pytest.approx(size, abs=0.05)
    assert entry["fitted"]["tied"] == 2000
    assert entry["fitted"]["size_with_ties"] == 2
    assert entry["ties"]["how"] == ties


def test_a_class_without_a_calibration_image_is_always_kept_and_named(tmp_path):
    made = drawn_heads(400, [0.3, 0.5])
    made["labels"][:, 0] = 0
    made["labels"][0, 0] = 1  # in the judged half or in the other, it is the only one
    audit = write_made(tmp_path / "a", names=NAMES, **made)
    summary = run_sets(audit).summary
    fitted = figure(summary, "Bald", "class_conditional", "fitted")
    assert fitted["always_kept"] == ["yes"]
    assert None in fitted["thresholds"]
    assert figure(summary, "Bald", "class_conditional", "minority_coverage")["status"] in ("small", "undefined")
    assert summary["attributes"]["rules"]["per_attribute"]["fitted"]["always_kept"] == ["Bald"]


def test_too_few_people(tmp_path):
    audit = write_made(tmp_path / "a", names=NAMES, **drawn_heads(12, [0.3, 0.5], people=12))
    with pytest.raises(InputError, match="12 images of 1 person: nobody is left to judge"):
        run_sets(audit)


def test_a_rule_that_cannot_be_fitted_is_told_and_the_others_are_made(tmp_path):
    audit = write_made(tmp_path / "a", names=NAMES, **drawn_heads(12, [0.3, 0.5]))
    summary = run_sets(audit).summary
    left_out = {(entry["subject"], entry["rule"]) for entry in summary["left_out"]}
    assert {("Bald", "lac"), ("Even", "class_conditional"), ("attributes", "crc")} <= left_out
    assert "a coverage of 0.9 needs 9 at least" in summary["left_out"][0]["reason"]
    assert set(summary["subjects"]["Bald"]["rules"]) == {"average_k=1", "average_k=1.2", "average_k=1.5"}


def test_without_identities_it_is_told(tmp_path):
    audit = write_made(tmp_path / "a", names=NAMES, **{**drawn_heads(100, [0.3, 0.5]), "identity": None})
    summary = run_sets(audit).summary
    assert summary["notes"][0].startswith("the data names no identities")
    assert summary["judged"]["identities"] is None


def test_the_same_seed_gives_the_same_files_and_another_one_other_people(heads, tmp_path):
    first, second, other = (
        run_sets(heads, SetsSettings(methods=("lac",), seed=seed), out=tmp_path / name)
        for name, seed in (("first", 1), ("second", 1), ("other", 2))
    )
    assert (first.folder / "summary.json").read_bytes() == (second.folder / "summary.json").read_bytes()
    assert first.summary["subjects"] != other.summary["subjects"]


def test_a_finished_study_is_opened_and_an_interrupted_one_made(heads, tmp_path):
    settings = SetsSettings(methods=("lac",))
    study = run_sets(heads, settings, out=tmp_path / "s")
    with pytest.raises(InputError, match="resume it with --resume"):
        run_sets(heads, settings, out=tmp_path / "s")
    before = json.loads((study.folder / "summary.json").read_text())
    (study.folder / "summary.json").unlink()
    assert run_sets(heads, settings, out=tmp_path / "s", resume=True).summary == before
    with pytest.raises(InputError, match="begun with different seed"):
        run_sets(heads, SetsSettings(methods=("lac",), seed=5), out=tmp_path / "s", resume=True)
    assert StudyFolder.open(tmp_path / "s", "sets", audit=heads).finished


def test_an_attribute_without_a_finite_score_has_no_rules_and_the_others_do(tmp_path):
    made = drawn_heads(200, [0.3, 0.5])
    made["logits"][:, 0] = np.nan
    summary = run_sets(write_made(tmp_path / "a", names=NAMES, **made)).summary
    assert summary["subjects"]["Bald"]["rules"] == {}
    assert summary["subjects"]["Even"]["rules"]["lac"]["coverage"]["status"] == "ok"
    assert ("Bald", "average_k=1") in {(entry["subject"], entry["rule"]) for entry in summary["left_out"]}
    made["logits"][:] = np.nan
    with pytest.raises(InputError, match="0 images to calibrate on"):
        run_sets(write_made(tmp_path / "b", names=NAMES, **made))
