"""Label sets of a model with a second head for them: its scores are stored, sealed, and what sets are made of."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit

from bincam.audit import Settings, open_audit, run
from bincam.audit.folder.digest import measurements_digest
from bincam.audit.folder.files import MANIFEST
from bincam.data import loader
from bincam.data.images import decode
from bincam.errors import BincamWarning, InputError
from bincam.inference import view_plan
from bincam.inference.zoom.batches import normalised
from bincam.inference.zoom.render import render
from bincam.models import load, save
from bincam.report.explained.photographs import Photographs
from bincam.report.explained.sets import AskedSets
from bincam.studies.sets.division import check_model
from bincam.studies.sets.settings import SetsSettings
from bincam.studies.sets.stored import read_rules
from bincam.studies.sets.study import run_sets
from tests.audit.conftest import digests
from tests.audit.planted import SIDE
from tests.audit.planted_sets import COLOURS, audit_settings, reader, two_heads, write_pictures
from tests.inference.test_prediction import assert_same_state, state_of

ASKED = SetsSettings(sizes=(1, 1.5), alpha=0.3)


def audited(model, table, folder, **changes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BincamWarning)
        return run(model, table, folder, replace(audit_settings(), **changes), source="model")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("pictures"), 90, people=1)


@pytest.fixture(scope="module")
def audit(table, tmp_path_factory):
    return audited(two_heads(), table, tmp_path_factory.mktemp("two") / "audit")


def second_logits(model, table, audit):
    """What the second head says, by the network alone."""
    own = table.take([table.ids.index(name) for name in audit.images["image"]])
    images = next(iter(loader(own, card=model.card, batch_size=len(own)))).images
    with torch.no_grad():
        return model.network(images)["label_sets"].numpy()


def test_the_second_head_is_stored_beside_the_first_and_decides_nothing(audit, table, tmp_path):
    model = two_heads()
    before = state_of(model)
    again = audited(model, table, tmp_path / "again")
    assert_same_state(before, state_of(model))
    assert digests(again.folder) == digests(audit.folder)
    expected = second_logits(model, table, audit)
    assert audit.manifest.second_head
    np.testing.assert_allclose(audit.set_scores(), expected, rtol=1e-5, atol=1e-5)
    alone = audited(reader(), table, tmp_path / "alone")
    np.testing.assert_array_equal(audit.scores(), alone.scores())
    np.testing.assert_array_equal(audit.records(["logit"]), alone.records(["logit"]))
    assert not alone.manifest.second_head
    assert "second_head" not in json.loads((alone.folder / MANIFEST).read_text())
    with pytest.raises(InputError, match=r"no scores of a second head .*audit again"):
        alone.set_scores()


def test_its_files_are_sealed_and_part_of_the_digest(audit, tmp_path):
    folder = shutil.copytree(audit.folder, tmp_path / "audit")
    (file, *_) = sorted((folder / "set_scores").iterdir())
    assert file.name == "part-00000.npy"
    stated = json.loads((folder / "digests.json").read_text())["files"]
    assert "set_scores/part-00000.npy" in stated
    values = np.load(file)
    np.save(file, values + 1)
    with pytest.raises(InputError, match=r"set_scores/part-00000.npy: not the file that the audit wrote"):
        open_audit(folder)
    assert measurements_digest(folder, audit.manifest) != audit.digest
    file.unlink()
    with pytest.raises(InputError, match=r"set_scores/part-00000.npy: no such file"):
        open_audit(folder)


def test_sets_are_those_of_the_second_head(audit, tmp_path):
    study = run_sets(audit, ASKED, out=tmp_path / "sets")
    summary = study.summary
    assert summary["second_head"] is True
    assert "sets of outputs (colour) are those of the model's second head, by its logistic" in summary["notes"]
    rules = read_rules(study.folder)
    assert rules.second_head
    frame = pd.read_parquet(study.folder / "per_image" / "average_k=1.5.parquet")
    threshold = rules.subjects["colour"]["average_k=1.5"]
    p = expit(audit.set_scores().astype(np.float64)).astype(np.float32)
    kept = threshold.sets(p[frame["row"].to_numpy()]).members
    said = [[COLOURS[k] for k in np.flatnonzero(row)] for row in kept]
    assert [list(names) for names in frame["colour"]] == said
    # The second head takes each colour for the next, so that sets of one label never hold the true one.
    one = summary["subjects"]["colour"]["rules"]["average_k=1"]
    assert one["coverage"]["value"] == 0
    reasons = {left["rule"]: left["reason"] for left in summary["left_out"] if left["subject"] == "colour"}
    assert reasons["aps"].startswith("aps adds up probabilities until they reach a sum")
    assert "with 5 free labels" in reasons["raps"]  # which comes first


def test_explain_makes_sets_of_the_second_head(audit, table, tmp_path):
    model = two_heads()
    rules = read_rules(run_sets(audit, ASKED, out=tmp_path / "sets").folder)
    asked = AskedSets(rules, "average_k=1").check(model)
    row = table.ids.index(audit.images["image"].iloc[0])
    (entry,) = asked.describe(Photographs(model.card), model, [table.path(row)])
    true = COLOURS[int(table.labels[row, :3].argmax())]
    assert entry["labels"]["colour"] == [COLOURS[(COLOURS.index(true) + 1) % 3]]


def test_the_mean_over_views_is_that_of_the_second_heads_logits(table, tmp_path):
    plan = view_plan([(24, 1, 1), (32, 1, 1)], (SIDE, SIDE))
    model, few = two_heads(), table.split("test").subset(9, seed=0)
    settings = Settings(views=plan.views, split=None, batch_size=4, gate_images=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BincamWarning)
        audit = run(model, few, tmp_path / "views", settings, source="model")
    for row, name in enumerate(audit.images["image"]):
        views = normalised(np.stack(list(render(decode(few.path(few.ids.index(name))), plan))), model.card)
        with torch.no_grad():
            expected = model.network(views)["label_sets"].mean(0)
        np.testing.assert_allclose(audit.set_scores()[row], expected, rtol=1e-4, atol=1e-4)


def test_an_audit_of_an_earlier_version_is_not_mixed_with_one_of_this(audit):
    older = replace(audit, manifest=audit.manifest.model_copy(update={"second_head": False}))
    with pytest.raises(InputError, match=r"of an earlier bincam, which did not store .*; audit that split again"):
        check_model(audit, older)
    check_model(audit, audit)


def test_where_no_rule_but_aps_is_asked_for_it_says_why(audit, tmp_path):
    with pytest.raises(InputError, match=r"aps adds up probabilities .*ask for lac"):
        run_sets(audit, SetsSettings(methods=("aps",)), out=tmp_path / "sets")
    assert not (tmp_path / "sets").exists()


def test_a_saved_model_is_audited_as_the_one_in_memory(audit, table, tmp_path):
    save(two_heads(), tmp_path / "model")
    loaded = audited(load(tmp_path / "model", factory="tests.audit.planted_sets:TwoHeads"), table, tmp_path / "loaded")
    np.testing.assert_array_equal(loaded.set_scores(), audit.set_scores())
