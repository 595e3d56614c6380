"""Records and scores of sets in an audit's folder: what they contain, resumed audits, and large sets."""

import json
import shutil

import numpy as np
import pytest

from bincam.audit import open_audit, summarise
from bincam.audit.folder import writer
from bincam.audit.folder.parts.sets import columns_of_scores
from bincam.audit.pipeline.runner import run
from bincam.cam import Explainer
from bincam.data import loader
from bincam.errors import InputError
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.planted_sets import COLOURS, NAMES, SETS, of_set
from tests.audit.synthetic import reseal

pytestmark = NOTES_ALLOWED
_KEYS = ("logit", "side", "outcome", "label")


def test_records_are_decisions_of_the_set_and_not_of_a_threshold(audits, coloured, noisy_reader):
    done = audits["noisy"]
    test = coloured.split("test")
    batch = next(iter(loader(test, card=noisy_reader.card, batch_size=len(test))))
    explained = Explainer(noisy_reader)(batch.images)
    shape = (len(test), len(NAMES))
    records = done.records()
    logit, side, outcome, label = (records[name].to_numpy().reshape(shape) for name in _KEYS)
    np.testing.assert_allclose(logit, explained.logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(side, explained.side)
    np.testing.assert_array_equal(label, test.labels)
    np.testing.assert_allclose(done.scores(), noisy_reader.scores(batch.images)[:, :3].detach(), rtol=1e-4, atol=1e-5)
    predicted = done.scores().argmax(1)
    taken = predicted[:, None] == np.arange(3)
    np.testing.assert_array_equal(side[:, :3] > 0, taken)
    below_half = taken & (logit[:, :3] < 0)
    assert below_half.any(), "the planted model has to take outputs with p < 1/2"
    expected = np.where(taken, np.where(label[:, :3] > 0, "TP", "FP"), np.where(label[:, :3] > 0, "FN", "TN"))
    np.testing.assert_array_equal(outcome[:, :3].astype(str), expected)
    assert (records["threshold"] == 0).all()
    assert done.manifest.thresholds == {"Bright": 0.0}
    ledger = explained.ledger("zero")
    np.testing.assert_allclose(
        records["zero.alternatives"].to_numpy().reshape(shape), ledger.alternatives, rtol=1e-4, atol=1e-5
    )
    total, count = done.means()
    for number, name in enumerate(("TP", "FP", "FN", "TN")):
        np.testing.assert_array_equal(count[:, number], (outcome == name).sum(0))
        maps = (explained.maps.double().numpy() * (outcome == name)[..., None, None]).sum(0)
        np.testing.assert_allclose(total[:, number], maps, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rows", [20, 2])
def test_resumed_an_audit_of_sets_has_the_same_bytes(coloured, chosen, noisy_reader, tmp_path, monkeypatch, rows):
    settings = chosen.replace(one_of_rows=rows)
    whole = run(noisy_reader, coloured, tmp_path / "whole", settings)
    tables, make_table = [], writer.records_table

    def interrupted(*parts):
        tables.append(parts)
        if len(tables) == 3:  # the third shard's scores are written, its records are not
            raise KeyboardInterrupt
        return make_table(*parts)

    with monkeypatch.context() as patched:
        patched.setattr(writer, "records_table", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(noisy_reader, coloured, tmp_path / "cut", settings)
    left = {file.name for file in (tmp_path / "cut" / "scores").iterdir()}
    assert left == {f"part-{number:05d}.npy" for number in range(3)}
    run(noisy_reader, coloured, tmp_path / "cut", settings, resume=True)
    assert digests(tmp_path / "cut") == digests(whole.folder)
    if rows == 20:
        with pytest.raises(InputError, match="begun with different one_of_rows"):
            run(noisy_reader, coloured, tmp_path / "cut", chosen.replace(one_of_rows=19), resume=True)


def test_large_sets_have_two_rows_an_image_and_the_same_figures(coloured, chosen, noisy_reader, audits, tmp_path):
    small = audits["noisy"]
    large = run(noisy_reader, coloured, tmp_path / "large", chosen.replace(one_of_rows=2))
    assert large.attributes == ("Bright", "colour: predicted", "colour: true")
    ours, theirs = of_set(large), of_set(small)
    assert ours["rates"] == theirs["rates"]
    assert ours["confidence"] == theirs["confidence"]
    np.testing.assert_array_equal(large.scores(), small.scores())
    counts = np.zeros((3, 3), int)
    for true, predicted, count in ours["confusion"]["cells"]:
        counts[true, predicted] = count
    np.testing.assert_array_equal(counts, theirs["confusion"]["counts"])
    for colour in COLOURS:
        for rate in ("fnr", "fpr", "auroc"):
            assert ours["outputs"][colour]["rates"][rate] == theirs["outputs"][colour]["rates"][rate]
    columns = ["row", "attribute", "logit", "side", "outcome", "zero.bias_share", "zero.alternatives", "grad_cam.mass"]
    of_all = small.records(columns).set_index(["row", "attribute"])
    rows = large.records([*columns, "output"])
    rows = rows[rows["attribute"] != "Bright"]
    assert len(rows) == 2 * 40
    for row in rows.to_dict("records"):
        expected = of_all.loc[(row["row"], row["output"])]
        assert row["outcome"] == expected["outcome"]
        assert row["side"] == expected["side"]
        for name in ("logit", "zero.bias_share", "zero.alternatives", "grad_cam.mass"):
            assert row[name] == pytest.approx(expected[name], rel=1e-4, abs=1e-5, nan_ok=True), name
    assert large.summary["attributes"] == small.summary["attributes"]
    assert ours["rows"]["colour: predicted"]["counts"]["TP"] == np.trace(counts)


def test_scores_and_records_that_disagree_are_refused(audits, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(audits["noisy"].folder, folder)
    part = folder / "scores" / "part-00001.npy"
    scores = np.load(part)
    np.save(part, -scores)
    with pytest.raises(InputError, match="are not those of the scores"):
        summarise(reseal(folder))
    np.save(part, scores.astype(np.float64))
    with pytest.raises(InputError, match="expected float32 scores of 3 outputs"):
        summarise(reseal(folder))
    part.unlink()
    with pytest.raises(InputError, match=r"part-00001\.npy: no such file"):
        open_audit(folder)


def test_the_columns_of_the_scores_follow_the_sets():
    assert columns_of_scores(SETS) == {"colour": slice(0, 3)}


def test_an_attribute_that_the_card_has_in_a_set_is_not_read_as_decided_by_a_threshold(audits, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(audits["noisy"].folder, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["one_of"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="'red' is an output of set 'colour' on the model's card"):
        open_audit(folder)
