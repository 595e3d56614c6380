"""Audits of sets of outputs: a planted fault is found, and figures are those of scikit-learn on the scores."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn import metrics

from bincam.audit import open_audit, summarise
from bincam.audit.folder import writer
from bincam.audit.folder.sets import columns_of_scores
from bincam.audit.gate.rules import judge, parse_rule
from bincam.audit.pipeline.runner import run
from bincam.audit.settings import Settings
from bincam.audit.summary.panel import read_panel
from bincam.audit.summary.sets.confident_errors import with_sets
from bincam.audit.summary.sets.entry import set_calibration
from bincam.audit.summary.sets.records import SetRecords
from bincam.cam import Explainer
from bincam.data import loader
from bincam.errors import BincamWarning, InputError
from bincam.models import AttributeClassifier
from bincam.stats import Clusters
from bincam.stats.sets.scores import log_odds
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.planted import Eye
from tests.audit.planted_sets import COLOURS, NAMES, SETS, card, corners, reader, write_pictures

pytestmark = NOTES_ALLOWED


@pytest.fixture(scope="module")
def coloured(tmp_path_factory):
    """60 pictures: 20 for validation, 40 for the test."""
    return write_pictures(tmp_path_factory.mktemp("coloured"))


@pytest.fixture(scope="module")
def chosen():
    return Settings(regions=corners(), batch_size=4, shard_images=8, gate_images=0)


@pytest.fixture(scope="module")
def noisy_reader():
    """A model that is wrong now and then: weak evidence of its colours, and a bias."""
    weight = [[30.0, 4.0, 0.0], [0.0, 26.0, 8.0], [6.0, 0.0, 26.0], [400.0] * 3]
    return AttributeClassifier(Eye(weight, [0.9, 0.0, 0.1, -12.0]), card()).eval()


@pytest.fixture(scope="module")
def audits(coloured, chosen, noisy_reader, tmp_path_factory):
    folder = tmp_path_factory.mktemp("audits")
    models = {"honest": reader(), "faulty": reader("green"), "noisy": noisy_reader}
    return {name: run(model, coloured, folder / name, chosen) for name, model in models.items()}


def of_set(audit):
    return audit.summary["sets"]["colour"]


def true_and_scores(audit):
    records = audit.records(["attribute", "label"])
    labels = records["label"].to_numpy().reshape(-1, len(audit.attributes))[:, :3]
    return labels.argmax(1), audit.scores()


def test_a_fault_in_one_output_is_in_its_misses_and_its_confusion_cell_and_its_twin_has_none(audits):
    honest, faulty = of_set(audits["honest"]), of_set(audits["faulty"])
    green = COLOURS.index("green")
    assert [figures["rates"]["fnr"]["value"] for figures in honest["outputs"].values()] == [0, 0, 0]
    assert [figures["rates"]["fnr"]["value"] for figures in faulty["outputs"].values()] == [0, 1, 0]
    assert np.array_equal(np.array(honest["confusion"]["counts"]), np.diag([13, 15, 12]))
    assert faulty["confusion"]["counts"][green] == [15, 0, 0]
    assert faulty["confusion"]["share"][green][0] == 1
    assert faulty["rates"]["minority_error"]["value"] == 0.5  # green and blue are rarer than a third in training
    assert faulty["rates"]["majority_error"]["value"] == 0
    assert (faulty["minority"], faulty["minority_from"]) == (["green", "blue"], "card")
    assert audits["faulty"].summary["attributes"]["Bright"]["rates"]["error"]["value"] == 0
    assert list(audits["faulty"].summary["attributes"]) == ["Bright"]


def test_the_evidence_of_each_colour_is_in_its_corner_and_of_the_fault_in_the_wrong_one(audits):
    for name, gains in {"honest": (0.5, 0.5, 0.5), "faulty": (None, -0.5, 0.5)}.items():
        outputs = of_set(audits[name])["outputs"]
        for colour, least in zip(COLOURS, gains, strict=True):
            gain = outputs[colour]["measures"]["grad_cam.gain"]["outcome:TP"]["value"]
            if least is not None and least > 0:
                assert gain > least, (name, colour)
    red = audits["faulty"].records(["attribute", "outcome", "grad_cam.gain"]).query("attribute == 'red'")
    assert (red[red["outcome"] == "TP"]["grad_cam.gain"] > 0.5).all()
    assert (red[red["outcome"] == "FP"]["grad_cam.gain"] < 0).all()  # a green square is taken for red


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


_KEYS = ("logit", "side", "outcome", "label")


def test_figures_of_a_set_are_those_of_scikit_learn_on_its_scores(audits):
    done = audits["noisy"]
    entry, (true, scores) = of_set(done), true_and_scores(done)
    predicted = scores.argmax(1)
    probabilities = torch.from_numpy(scores).double().softmax(1).numpy()
    rates = {name: rate["value"] for name, rate in entry["rates"].items()}
    assert 0.2 < rates["error"] < 0.8
    assert rates["accuracy"] == pytest.approx(metrics.accuracy_score(true, predicted))
    assert rates["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(true, predicted))
    macro = metrics.roc_auc_score(true, probabilities, multi_class="ovr", average="macro")
    assert rates["macro_auroc"] == pytest.approx(macro)
    np.testing.assert_array_equal(entry["confusion"]["counts"], metrics.confusion_matrix(true, predicted))
    recall = metrics.recall_score(true, predicted, average=None)
    assert rates["minority_error"] == pytest.approx(1 - recall[1:].mean())
    for k, colour in enumerate(COLOURS):
        figures = {name: rate["value"] for name, rate in entry["outputs"][colour]["rates"].items()}
        assert figures["fnr"] == pytest.approx(1 - recall[k])
        assert figures["fpr"] == pytest.approx(((predicted == k) & (true != k)).sum() / (true != k).sum())
        assert figures["auroc"] == pytest.approx(metrics.roc_auc_score(true == k, probabilities[:, k]))
        assert figures["ap"] == pytest.approx(metrics.average_precision_score(true == k, log_odds(scores)[:, k]))
        assert figures["brier"] == pytest.approx(metrics.brier_score_loss(true == k, probabilities[:, k]))
        assert entry["outputs"][colour]["calibration"]["reason"] == "the model's card does not state the shift of " \
            "every raw score of the set"  # fmt: skip


def test_slices_of_a_set_are_its_figures_on_the_images_of_a_value(audits):
    done = audits["noisy"]
    true, scores = true_and_scores(done)
    wrong = scores.argmax(1) != true
    odd = done.images.set_index("row")["group.half"].to_numpy() == "odd"
    figures = {
        (entry["measure"], entry["value"]): entry["estimate"]["value"]
        for entry in done.summary["slices"]
        if entry["attribute"] == "colour" and "value" in entry
    }
    assert figures["error", "odd"] == pytest.approx(wrong[odd].mean())
    assert figures["error", "even"] == pytest.approx(wrong[~odd].mean())
    misses = [wrong[odd & (true == k)].mean() for k in (1, 2)]
    assert figures["minority_error", "odd"] == pytest.approx(np.mean(misses))
    by_colour = summarise(done, slice_by=["colour"])
    assert {entry["attribute"] for entry in by_colour["slices"]} == {"Bright"}  # a set is not divided by itself
    bright = [e for e in by_colour["slices"] if e["measure"] == "error" and e.get("value") == "green"]
    assert bright[0]["estimate"]["images"] == int((true == 1).sum())


def test_a_set_of_two_outputs_has_the_figures_of_the_yes_or_no_attribute(coloured, chosen, tmp_path):
    two = coloured.take(coloured.labels[:, 2] == 0)
    labels = two.labels[:, [0, 1, 3]]
    names = ("red", "green", "Bright")
    as_set = replace(two, names=names, labels=labels, one_of={"colour": ("red", "green")})
    single = replace(two, names=("green", "Bright"), labels=labels[:, 1:], one_of={})
    weight = torch.tensor([[30.0, 4.0, 0.0], [0.0, 22.0, 8.0], [400.0] * 3])
    network = Eye(weight.tolist(), [0.4, 0.0, -12.0])
    alone = Eye([(weight[1] - weight[0]).tolist(), weight[2].tolist()], [-0.4, -12.0])
    of_set_model = AttributeClassifier(network, card({"colour": ("red", "green")}, names)).eval()
    counts = {"green": (600, 300), "Bright": (500, 500)}
    of_attribute = AttributeClassifier(alone, card({}, ("green", "Bright"), train_counts=counts)).eval()
    settings = chosen.replace(reference_split="validation")
    pair = run(of_set_model, as_set, tmp_path / "set", settings)
    plain = run(of_attribute, single, tmp_path / "attribute", settings)
    output, attribute = of_set(pair)["outputs"]["green"], plain.summary["attributes"]["green"]
    for rate in ("fnr", "fpr", "auroc", "ap", "brier", "ece", "calibration_slope"):
        for key in ("value", "low", "high", "images", "status"):
            expected = attribute["rates"][rate][key]
            assert output["rates"][rate][key] == (
                pytest.approx(expected, rel=1e-4, abs=1e-6) if isinstance(expected, float) else expected
            ), (rate, key)
    assert output["counts"] == attribute["counts"]
    for column in ("grad_cam.gain", "zero.bias_share", "midpoint.bias_share", "grad_cam.mass"):
        for group, figure in output["measures"][column].items():
            expected = attribute["measures"][column][group]
            for key in ("value", "low", "high"):
                assert figure[key] == (None if expected[key] is None else pytest.approx(expected[key], rel=1e-3))
    assert of_set(pair)["rates"]["accuracy"]["value"] == attribute["rates"]["accuracy"]["value"]


@pytest.mark.parametrize("rows", [20, 2])
def test_resumed_an_audit_of_sets_has_the_same_bytes(coloured, chosen, noisy_reader, tmp_path, monkeypatch, rows):
    settings = chosen.replace(one_of_rows=rows)
    whole = run(noisy_reader, coloured, tmp_path / "whole", settings)
    tables, make_table = [], writer._records

    def interrupted(*parts):
        tables.append(parts)
        if len(tables) == 3:  # the third shard's scores are written, its records are not
            raise KeyboardInterrupt
        return make_table(*parts)

    with monkeypatch.context() as patched:
        patched.setattr(writer, "_records", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(noisy_reader, coloured, tmp_path / "cut", settings)
    left = {file.name for file in (tmp_path / "cut" / "scores").iterdir()}
    assert left == {f"part-{number:05d}.npy" for number in range(3)}
    run(noisy_reader, coloured, tmp_path / "cut", settings, resume=True)
    assert digests(tmp_path / "cut") == digests(whole.folder)
    if rows == 20:
        with pytest.raises(InputError, match="begun with another one_of_rows"):
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


def test_rules_of_sets_and_outputs_are_judged(audits):
    faulty = audits["faulty"]

    def judged(text):
        return {one.attribute: one for one in judge(faulty.summary, [parse_rule(text, faulty)])}

    assert judged("colour.accuracy>=0.9")["colour"].verdict == "fail"
    assert judged("colour.minority_error<=0.2")["colour"].estimate.value == 0.5
    assert judged("green.fnr<=0.2")["green"].estimate.value == 1
    assert judged("red.fpr<=0.2")["red"].verdict == "fail"
    assert judged("colour.signed_calibration_error<=0.1")["colour"].verdict == "fail"  # sure of red where green is true
    assert judged("colour.brier<=0.1")["colour"].estimate.value == pytest.approx(15 / 40, abs=0.01)
    # The value is the debiased one, and with an upper bound above the bound of the rule nothing is decided.
    ece = judged("colour.ece<=0.4")["colour"]
    assert ece.verdict == "insufficient"
    assert ece.estimate.value == of_set(faulty)["confidence"]["error"]["debiased"]
    assert judged("colour.ece<=0.1")["colour"].verdict == "fail"
    assert set(judged("ece<=0.5")) == {"Bright", "colour", *COLOURS}
    assert set(judged("accuracy>=0.5")) == {"Bright", "colour"}
    assert set(judged("fnr<=0.5")) == {"Bright", *COLOURS}
    assert set(judged("macro_auroc>=0.5")) == {"colour"}
    assert set(judged("gain@true:minority>=0")) == {"Bright"}
    assert set(judged("gain>=0")) == {"Bright", *COLOURS}
    assert judged("red.ppv>=0.2")["red"].estimate.value == pytest.approx(13 / 28)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("green.minority_error<=0.1", "write it for the set, colour.minority_error"),
        ("colour.fnr<=0.1", "its outputs have others, such as red.fnr"),
        ("Bright.macro_auroc>=0.5", "measure of a set of outputs: write it for 'colour'"),
        ("top5_accuracy>=0.5", "more than 5 outputs; 'colour' has 3"),
        ("colour.top5_accuracy>=0.5", "more than 5 outputs; 'colour' has 3"),
        ("red.gain@true:minority>=0", "write @true:positive or :negative"),
        ("red.person_error<=0.1", "it has fnr, fpr and auroc"),
        ("brown.fnr<=0.1", "unknown attribute 'brown'"),
    ],
)
def test_rules_that_a_set_or_an_output_does_not_have_are_refused(audits, rule, message):
    with pytest.raises(InputError, match=message):
        parse_rule(rule, audits["faulty"])


def test_confident_errors_name_the_set_and_the_labelled_output(audits):
    import pandas as pd

    faulty = audits["faulty"]
    listed = pd.read_csv(faulty.folder / "relabel.csv")
    assert set(listed["attribute"]) == {"colour"}
    assert set(listed["label"]) == {"green"}
    assert len(listed) == 15
    assert (np.diff(listed["margin"]) <= 0).all()
    _, scores = true_and_scores(faulty)
    order = faulty.records(["row"])["row"].to_numpy()[:: len(NAMES)].tolist()
    first = scores[order.index(listed["row"][0])]
    assert listed["margin"][0] == pytest.approx(first[0] - first[1], rel=1e-4)
    empty = pd.DataFrame({name: [] for name in ("row", "attribute", "label", "margin", "probability")})
    assert len(with_sets(empty, audits["honest"])) == 0


def test_scores_and_records_that_disagree_are_refused(audits, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(audits["noisy"].folder, folder)
    part = folder / "scores" / "part-00001.npy"
    scores = np.load(part)
    np.save(part, -scores)
    with pytest.raises(InputError, match="are not those of the scores"):
        summarise(open_audit(folder))
    np.save(part, scores.astype(np.float64))
    with pytest.raises(InputError, match="expected float32 scores of 3 outputs"):
        summarise(open_audit(folder))
    part.unlink()
    with pytest.raises(InputError, match=r"part-00001\.npy: no such file"):
        open_audit(folder)


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
    assert alone.manifest.references_from is None
    assert "colour" in repr(alone)


def test_all_scores_equal_predict_the_first_and_raise_a_doubt(coloured, chosen, tmp_path):
    flat = AttributeClassifier(Eye([[0.0] * 3] * 4, [1.0, 1.0, 1.0, 1.0]), card()).eval()
    done = run(flat, coloured, tmp_path / "flat", chosen)
    entry = of_set(done)
    assert entry["outputs"]["red"]["predicted"] == 40
    assert entry["rates"]["macro_auroc"]["value"] == 0.5
    doubts = {doubt["attribute"]: doubt["text"] for doubt in done.summary["doubts"]}
    assert "the same probabilities to all 40 images" in doubts["colour"]


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


def test_calibration_undoes_the_shift_of_every_raw_score():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([2.0, 1.0, 1.0], 4000)
    true = (random.random((4000, 1)) > probabilities.cumsum(1)).sum(1)
    shifts = np.array([0.0, 1.5, -1.0])
    scores = (np.log(probabilities) + shifts + random.normal(size=(4000, 1))).astype(np.float32)
    clusters = Clusters.of([""] * 4000)
    names, counts = ("a", "b", "c"), np.array([2, 1, 1])
    records = SetRecords("abc", names, scores, true, counts, True, clusters, shifts=shifts)
    for k in range(3):
        rates, details = set_calibration(records, k)
        corrected = rates["signed_calibration_error_unshifted"]
        assert corrected.low < 0 < corrected.high
        assert rates["calibration_slope_unshifted"].value == pytest.approx(1, abs=0.1)
        assert details["reason"] == ""
    shifted = set_calibration(records, 1)[0]["signed_calibration_error"]
    assert shifted.low > 0.1


def test_rows_of_large_sets_have_no_masks_where_attributes_have_them(coloured, chosen, noisy_reader, tmp_path):
    masks = tmp_path / "masks" / "Bright"
    masks.mkdir(parents=True)
    for name in coloured.ids:
        Image.fromarray(np.pad(np.full((8, 8), 255, np.uint8), 12)).save(masks / name)
    settings = chosen.replace(one_of_rows=2, influence_masks=tmp_path / "masks")
    done = run(noisy_reader, coloured, tmp_path / "a", settings)
    records = done.records(["attribute", "grad_cam.influence_energy", "grad_cam.mass"])
    own = records["attribute"] == "Bright"
    assert records["grad_cam.influence_energy"][own].notna().any()
    assert records["grad_cam.influence_energy"][~own].isna().all()
    assert records["grad_cam.mass"][~own].notna().all()


@pytest.mark.parametrize("column", ["colour", "green", "half*colour"])
def test_slices_by_a_large_set_are_refused_before_the_pass_and_the_advice_works(
    column, noisy_reader, coloured, chosen, tmp_path
):
    large = chosen.replace(one_of_rows=2, slice_by=[column])
    with pytest.raises(InputError, match="with one_of_rows=3"):
        run(noisy_reader, coloured, tmp_path / "large", large)
    assert not (tmp_path / "large").exists()
    done = run(noisy_reader, coloured, tmp_path / "small", large.replace(one_of_rows=3))
    assert column.rpartition("*")[2] in json.dumps(done.summary["slices"])
