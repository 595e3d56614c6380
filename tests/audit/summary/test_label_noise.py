"""Wrong labels: the list of the most certain errors, and rates with a stated share."""

import numpy as np
import pyarrow as pa
import pytest

from bincam.audit import confident_errors, open_audit, summarise
from bincam.audit.gate.judgements import judge
from bincam.audit.gate.rules import parse_rule
from bincam.errors import InputError
from tests.audit.synthetic import ATTRIBUTES, make_audit


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    return open_audit(make_audit(tmp_path_factory.mktemp("noise") / "one", images=400, methods=("grad_cam",), masks=()))


def test_the_most_certain_errors_come_first(audit):
    errors = confident_errors(audit, per_attribute=5)
    records = audit.records()
    for name in ATTRIBUTES:
        rows = records[(records["attribute"] == name) & records["outcome"].isin(["FP", "FN"])]
        expected = rows.assign(margin=(rows["logit"] - rows["threshold"]).abs()).nlargest(5, "margin")
        listed = errors[errors["attribute"] == name]
        assert listed["row"].tolist() == expected["row"].tolist()
        assert listed["rank"].tolist() == [1, 2, 3, 4, 5]
        assert listed["image"].tolist() == [audit.images["image"].iloc[row] for row in listed["row"]]
        assert ((listed["probability"] > 0.5) == (listed["label"] == 0)).all()
    assert set(errors["new_label"]) == {""}


def test_a_planted_wrong_label_leads_the_list(audit, monkeypatch):
    records = audit.records()
    right = records[(records["attribute"] == "Smiling") & (records["outcome"] == "TP")]
    planted = right.loc[right["logit"].idxmax()]
    changed = records.copy()
    at = (changed["row"] == planted["row"]) & (changed["attribute"] == "Smiling")
    changed.loc[at, ["label", "outcome"]] = [0.0, "FP"]
    parts = [pa.Table.from_pandas(changed[:1000]), pa.Table.from_pandas(changed[1000:])]
    monkeypatch.setattr(type(audit), "record_parts", lambda _, columns: (part.select(columns) for part in parts))
    errors = confident_errors(audit, per_attribute=1)
    first = errors[errors["attribute"] == "Smiling"].iloc[0]
    assert (first["row"], first["label"]) == (planted["row"], 0)


def test_fewer_than_one_image_is_refused(audit):
    with pytest.raises(InputError, match="at least one image"):
        confident_errors(audit, per_attribute=0)


def test_stated_noise_is_in_the_summary_and_may_be_ruled_on(audit):
    summary = summarise(audit, resamples=50, label_noise={"Smiling": (0.05, 0.02)})
    entry = summary["attributes"]["Smiling"]
    rates, counts = entry["rates"], entry["counts"]
    fnr, fpr = counts["FN"] / (counts["TP"] + counts["FN"]), counts["FP"] / (counts["FP"] + counts["TN"])
    mixing = np.array([[0.95, -0.05], [-0.02, 0.98]])
    expected = np.linalg.solve(mixing, [fnr - 0.05, fpr - 0.02])
    assert [rates["fnr_noise_corrected"]["value"], rates["fpr_noise_corrected"]["value"]] == pytest.approx(expected)
    assert entry["label_noise"]["fnr_bounds"][0] <= rates["fnr"]["value"] <= entry["label_noise"]["fnr_bounds"][1]
    assert "label_noise" not in summary["attributes"]["Bald"]
    judged = judge(summary, [parse_rule("Smiling.fnr_noise_corrected<=1", audit)])
    assert judged[0].verdict == "pass"
    with pytest.raises(InputError, match="--label-noise Bald=SHARE"):
        judge(summary, [parse_rule("Bald.fnr_noise_corrected<=1", audit)])


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ({"Smilling": (0.1, 0.1)}, "did you mean 'Smiling'"),
        ({"Smiling": (0.7, 0.4)}, "'Smiling': wrong labels 0.7 and 0.4"),
        ({"Smiling": (0.1,)}, "expected two shares"),
    ],
)
def test_impossible_noise_is_refused(audit, noise, message):
    with pytest.raises(InputError, match=message):
        summarise(audit, resamples=50, label_noise=noise)


def test_person_level_rates_are_those_of_the_records(audit):
    summary = summarise(audit, resamples=50)
    records = audit.records().merge(audit.images[["row", "identity"]], on="row")
    for name in ATTRIBUTES:
        rows = records[(records["attribute"] == name) & (records["outcome"] != "")]
        wrong = rows["outcome"].isin(["FP", "FN"])
        rates = summary["attributes"][name]["rates"]
        by_person = wrong.groupby(rows["identity"]).mean()
        positives = rows["label"] == 1
        missed = wrong[positives].groupby(rows["identity"][positives]).mean()
        assert rates["person_error"]["value"] == pytest.approx(by_person.mean())
        assert rates["person_fnr"]["value"] == pytest.approx(missed.mean())
        assert rates["ever_wrong"]["value"] == pytest.approx((by_person > 0).mean())
        assert rates["always_wrong"]["value"] == pytest.approx((by_person == 1).mean())
        assert rates["person_error"]["identities"] == len(by_person)
