"""Thresholds of the reference split: what cross-fitting says of a planted gain, and of none; and where they are."""

import json

import numpy as np
import pytest

from bincam.audit.folder.parts.reference_scores import FILE, read_reference_scores, write_reference_scores
from bincam.audit.folder.reader import open_audit
from bincam.audit.pipeline.runner import run
from bincam.audit.settings import Settings
from bincam.audit.summary.reference_split.thresholds import KEY, reference_threshold
from bincam.audit.summary.summarize import summarise
from bincam.compare.paired_audits import REFERENCE_SPLIT, pair_audits
from bincam.errors import InputError
from bincam.models import AttributeClassifier
from bincam.postprocessing.thresholds import tune
from bincam.report.conclusions.thresholds import reference_gain, tuned_thresholds
from bincam.report.html.page import open_source
from bincam.stats.clusters import Clusters
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted import Eye, regions, write_pictures
from tests.audit.planted_sets import card

pytestmark = NOTES_ALLOWED


def drawn(lean, images=600, seed=0, people=3):
    random = np.random.default_rng(seed)
    label = (np.arange(images) % 4 == 0).astype(float)
    logit = 3 * (label - 0.5) + lean + random.normal(size=images)
    return logit, label, Clusters.of([str(n // people) for n in range(images)])


def test_a_model_that_leans_gains_and_the_threshold_is_that_of_all_images():
    logit, label, clusters = drawn(-2.0)
    found = reference_threshold(logit, label, clusters, 0.0)
    assert found.threshold == tune(logit[:, None], label[:, None])[0]
    assert found.as_audited["fnr"].value == pytest.approx((logit < 0)[label == 1].mean())
    assert found.gained["fnr"].low > 0.4
    assert found.gained["fpr"].high < 0
    assert found.gained["fnr"].identities == len(set(clusters.codes[label == 1]))
    for rate in ("fnr", "fpr"):
        gained = found.as_audited[rate].value - found.chosen[rate].value
        assert found.gained[rate].value == pytest.approx(gained)


def test_scores_that_say_nothing_gain_nothing_on_people_whom_the_threshold_was_not_chosen_on():
    """On the images that it was chosen on, the best of many thresholds always seems to gain."""
    seeming, honest = [], []
    for seed in range(20):
        random = np.random.default_rng(seed)
        label, logit = (np.arange(80) % 2).astype(float), random.normal(size=80)
        found = reference_threshold(logit, label, Clusters.of([""] * 80), 0.0)
        wrong = (logit >= found.threshold) != (label == 1)
        seeming.append(0.5 - (wrong[label == 1].mean() + wrong[label == 0].mean()) / 2)
        honest.append(0.5 - (found.chosen["fnr"].value + found.chosen["fpr"].value) / 2)
    assert np.mean(seeming) > 0.05
    assert abs(np.mean(honest)) < 0.03


def test_images_without_label_or_logit_are_left_out_and_a_lacking_class_has_no_threshold():
    logit, label, clusters = drawn(-2.0)
    logit[::7], label[::11] = np.nan, np.nan
    found = reference_threshold(logit, label, clusters, 0.0)
    usable = np.isfinite(logit) & np.isfinite(label)
    assert found.as_audited["fnr"].images == int((usable & (label == 1)).sum())
    assert reference_threshold(logit, np.zeros(600), clusters, 0.0) is None


def shifted():
    """A model that reads the planted object, and leans to no so that it misses all of them."""
    network = Eye([[400.0, 0.0, 0.0], [0.0, 400.0, 0.0]], [-40.0, -12.0])
    return AttributeClassifier(network, card({}, ("Object", "Other"), name="tests.audit.planted:build")).eval()


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leaning")
    table = write_pictures(folder / "pictures", 240)
    settings = Settings(regions=regions(), batch_size=40, shard_images=160, gate_images=0)
    return {
        name: run(shifted(), table, folder / name, settings.replace(**change))
        for name, change in {"a": {}, "same": {"split": None}, "train": {"reference_split": None}}.items()
    }


def test_an_audit_stores_the_logits_of_its_reference_split_and_chooses_a_threshold_there(audited):
    scores = read_reference_scores(audited["a"])
    assert scores.logits.shape == (80, 2)
    assert scores.clusters.known
    entry = audited["a"].summary["attributes"]["Object"][KEY]
    assert entry["split"] == ["validation"]
    assert entry["as_audited"]["fnr"]["value"] == 1.0
    assert entry["chosen"]["fnr"]["value"] == 0.0
    assert entry["gained"]["fnr"]["low"] > 0.8
    assert entry["threshold"] < 0
    arm = open_source(audited["a"].folder).arms[0]
    assert tuned_thresholds(arm, ["Object"]) == {"Object": entry["threshold"]}
    gain = reference_gain(arm, "Object")
    assert gain.split == "validation"
    assert {one.value for one in gain.chosen.parts} == {0.0}
    pair = pair_audits(audited["a"], audited["a"])
    assert pair.moved_from == REFERENCE_SPLIT
    assert pair.moved[0] == entry["threshold"]
    assert summarise(audited["a"])["attributes"]["Object"][KEY] == entry


def test_a_split_that_is_audited_itself_tells_nothing_and_neither_does_none(audited):
    assert read_reference_scores(audited["same"]) is not None
    assert KEY not in audited["same"].summary["attributes"]["Object"]
    assert read_reference_scores(audited["train"]) is None
    assert KEY not in audited["train"].summary["attributes"]["Object"]


def test_a_file_of_other_attributes_is_refused_in_a_line(audited):
    audit = open_audit(audited["a"].folder)
    before = (audit.folder / FILE).read_bytes()
    write_reference_scores(
        audit.folder, {"logits": np.zeros((3, 1), np.float32), "labels": np.zeros((3, 1), np.float32)}
    )
    with pytest.raises(InputError, match=r"no logits and labels of 2 attributes"):
        read_reference_scores(audit)
    (audit.folder / FILE).write_bytes(before)
    assert FILE in json.loads((audit.folder / "digests.json").read_text())["files"]
