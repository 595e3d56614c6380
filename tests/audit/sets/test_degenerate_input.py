"""Sets with undefined scores, unknown labels or absent classes, sets alone, and input that contradicts itself."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from bincam.audit.pipeline.defaults import common
from bincam.audit.pipeline.runner import run
from bincam.audit.summary.panel import read_panel
from bincam.errors import BincamWarning, InputError
from bincam.models import AttributeClassifier
from bincam.report import write_report
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted_sets import COLOURS, NAMES, SETS, card, of_set, reader, true_and_scores

pytestmark = NOTES_ALLOWED


def test_a_set_of_which_a_score_is_nan_is_undefined_and_counted(coloured, chosen, tmp_path):
    model = reader()

    class Sick(torch.nn.Module):
        def __init__(self, healthy):
            super().__init__()
            self.healthy = healthy

        def forward(self, images):
            out = self.healthy(images)
            green = images[:, 1, 2:10, 22:30].mean((1, 2)) > 0.9
            return torch.where(green[:, None] & (torch.arange(4) == 2), torch.nan, out)

    sick = AttributeClassifier(Sick(model.network), model.card).eval()
    done = run(sick, coloured, tmp_path / "sick", chosen.replace(methods=("grad_cam@network.healthy.features",)))
    true, scores = true_and_scores(done)
    lost = int(np.isnan(scores).any(1).sum())
    assert 0 < lost < 15
    assert done.unmeasured["undefined_sets"] == {"colour": lost}
    assert done.unmeasured["nan_logits"] == {}
    entry = of_set(done)
    assert (entry["undefined"], entry["images"]) == (lost, 40 - lost)
    records = done.records(["attribute", "logit", "side", "outcome"])
    undefined = np.repeat(np.isnan(scores).any(1), len(NAMES)) & records["attribute"].isin(COLOURS).to_numpy()
    assert records["logit"][undefined].isna().all()
    assert (records["side"][undefined] == 0).all()
    assert (records["outcome"][undefined] == "").all()
    assert [figures["counts"]["nan_logit"] for figures in entry["outputs"].values()] == [lost] * 3
    assert (np.array(entry["confusion"]["counts"]).sum(1) == np.bincount(true[~np.isnan(scores).any(1)])).all()


def test_unknown_labels_of_a_set_are_counted_and_enter_no_rate(coloured, chosen, noisy_reader, tmp_path):
    labels = coloured.labels.copy()
    labels[1:9, :3] = np.nan
    half_known = replace(coloured, labels=labels)
    for rows in (20, 2):
        done = run(noisy_reader, half_known, tmp_path / str(rows), chosen.replace(one_of_rows=rows))
        entry = of_set(done)
        assert (entry["unknown"], entry["images"]) == (6, 34)
        if rows == 20:
            counts = [figures["counts"] for figures in entry["outputs"].values()]
            assert [count["unknown"] for count in counts] == [6, 6, 6]
            panel = read_panel(done)
            assert panel.predicted[:, :3].sum() == 40  # decided, though the label is unknown


def test_a_class_without_an_image_has_no_miss_rate_and_means_leave_it_out(coloured, chosen, noisy_reader, tmp_path):
    without = coloured.take(coloured.labels[:, 2] == 0)
    names = {"colour": ("colour=red", "colour=green")}
    stated = replace(
        without, names=("colour=red", "colour=green", "Bright"), labels=without.labels[:, [0, 1, 3]], one_of=names
    )
    with pytest.warns(BincamWarning, match="no image has the class 'blue'"):
        done = run(noisy_reader, stated, tmp_path / "a", chosen)
    entry = of_set(done)
    assert list(entry["outputs"]) == list(COLOURS)
    assert entry["outputs"]["blue"]["rates"]["fnr"]["value"] is None
    green = entry["outputs"]["green"]["rates"]["fnr"]["value"]
    assert entry["rates"]["minority_error"]["value"] == pytest.approx(green)
    assert done.manifest.only_in_data == ()


def test_a_set_alone_without_yes_or_no_attributes(coloured, chosen, noisy_reader, audits, tmp_path):
    done = run(noisy_reader, coloured, tmp_path / "a", chosen.replace(attributes=["colour"], gate_images=2))
    assert done.summary["attributes"] == {}
    assert of_set(done)["rates"] == of_set(audits["noisy"])["rates"]
    assert json.loads(json.dumps(done.summary, allow_nan=False))["overall"] == {}
    alone = run(
        noisy_reader, coloured, tmp_path / "b", chosen.replace(attributes=["colour"], one_of_rows=0, gate_images=2)
    )
    assert alone.attributes == ("colour: predicted", "colour: true")
    assert of_set(alone)["rates"] == of_set(done)["rates"]
    assert set(alone.manifest.references_from.counts) == set(COLOURS)
    assert "colour" in repr(alone)


def test_card_and_data_must_agree_on_the_sets(coloured, chosen, noisy_reader, tmp_path):
    def refused(data, model=noisy_reader, **changes):
        with pytest.raises(InputError) as caught:
            run(model, data, tmp_path / "refused", chosen.replace(**changes))
        assert not (tmp_path / "refused").exists()
        return str(caught.value)

    lacking = replace(coloured, names=("red", "green", "Bright"), labels=coloured.labels[:, [0, 1, 3]], one_of={})
    assert "'blue', which is no column" in refused(lacking)
    plain = AttributeClassifier(noisy_reader.network, card({})).eval()
    stated = refused(coloured, plain)
    assert "'red' is a yes-or-no attribute on the model's card" in stated
    assert "--one-of colour=" in stated
    twice = coloured.labels.copy()
    twice[5, :3] = 1
    assert "exactly one" in refused(replace(coloured, labels=twice, one_of={}))
    assert "name the set itself, 'colour'" in refused(coloured, attributes=["red", "Bright"])
    assert "threshold has one for 'red'" in refused(coloured, threshold={"red": 1.0})
    assert "label noise of 'red'" in refused(coloured, label_noise={"red": (0.1, 0.1)})
    further = np.concatenate([coloured.labels[:, :3], np.zeros((60, 1), np.float32)], 1)
    further[3, :3], further[3, 3] = 0, 1
    names = tuple(f"colour={name}" for name in (*COLOURS, "black"))
    assert "'black'" in refused(replace(coloured, names=names, labels=further, one_of={"colour": names}))


def test_a_set_without_labels_is_named_by_its_name(coloured, chosen, tmp_path):
    bright = replace(coloured.select(["Bright"]), one_of={})
    with pytest.warns(BincamWarning, match="the data has no labels of them: set 'colour' of 3 outputs$"):
        done = run(reader(), bright, tmp_path / "bright", chosen)
    assert done.manifest.only_in_model == COLOURS
    page = write_report(done.folder, tmp_path / "page.html").read_text()
    assert "set &#39;colour&#39; of 3 outputs" in page


def test_a_mistyped_set_is_suggested():
    with pytest.raises(InputError, match=r"attribute 'colur' cannot be audited: .*; did you mean 'colour'\?"):
        common(NAMES, NAMES, ["colur"], SETS)
