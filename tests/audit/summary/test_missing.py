"""What a summary does with what is missing: identities, labels, logits, images."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from statsmodels.stats.proportion import proportion_confint

from bincam.audit import open_audit
from bincam.audit.folder import reader
from bincam.audit.summary.summarize import summarise
from bincam.errors import InputError
from tests.audit.summary.records import edit, rewrite
from tests.audit.synthetic import make_audit, reseal


def test_without_identities_rates_have_plain_wilson_intervals(copy):
    images = pq.read_table(copy / "images.parquet").to_pandas()
    images["identity"] = ""
    images.to_parquet(copy / "images.parquet")
    reseal(copy)
    found = summarise(open_audit(copy), resamples=100)
    rate = found["attributes"]["Bald"]["rates"]["fpr"]
    hits = round(rate["value"] * rate["images"])
    assert (rate["low"], rate["high"]) == pytest.approx(proportion_confint(hits, rate["images"], method="wilson"))
    assert rate["identities"] is None
    assert rate["method"] == "wilson"
    assert found["identities"] is None


def test_fewer_than_five_people_are_too_few(copy):
    images = pq.read_table(copy / "images.parquet").to_pandas()
    images["identity"] = [f"p{n % 4}" for n in range(len(images))]
    images.to_parquet(copy / "images.parquet")
    reseal(copy)
    found = summarise(open_audit(copy), resamples=100)["attributes"]["Smiling"]["rates"]["error"]
    assert found["images"] > 300
    assert found["status"] == "small"


def test_nan_logits_are_counted_and_not_averaged(copy, summary):
    def break_some(columns):
        bald = columns["attribute"] == "Bald"
        columns["logit"][bald & (columns["row"] < 50)] = np.nan
        columns["grad_cam.gain"][bald & (columns["row"] < 50)] = 1e6

    found = summarise(rewrite(copy, break_some), resamples=100)["attributes"]["Bald"]
    assert found["counts"]["nan_logit"] == 50
    assert found["measures"]["grad_cam.gain"]["all"]["value"] < 1
    assert found["rates"]["error"]["images"] < summary["attributes"]["Bald"]["rates"]["error"]["images"]
    counts = summary["attributes"]["Smiling"]["counts"]
    assert counts["nan_logit"] == 1
    assert counts["unknown"] > 0
    assert sum(counts.values()) == 399


def test_one_class_alone_is_undefined_where_it_has_to_be(copy):
    def all_negative(columns):
        columns["label"][columns["attribute"] == "Bald"] = 0

    rates = summarise(rewrite(copy, all_negative), resamples=100)["attributes"]["Bald"]["rates"]
    for name in ("minority_error", "fnr", "auroc", "ap", "balanced_error"):
        assert rates[name]["status"] == "undefined", name
        assert rates[name]["value"] is None
    assert rates["fpr"]["status"] == "ok"


def test_an_unknown_logit_shift_leaves_its_figures_undefined_with_a_reason(copy):
    edit(copy / "manifest.json", logit_shift={"Smiling": 0.5}, train_counts_from="audited data")
    found = summarise(open_audit(copy), resamples=100)
    assert found["attributes"]["Bald"]["rates"]["ece_unshifted"]["status"] == "undefined"
    assert "neither logit shift" in found["attributes"]["Bald"]["calibration"]["reason"]
    smiling = found["attributes"]["Smiling"]
    assert smiling["calibration"]["reason"] == ""
    assert smiling["rates"]["ece_unshifted"]["value"] != smiling["rates"]["ece"]["value"]
    assert found["minority_from"] == "audited data"


def test_what_lies_beside_the_records_is_taken_in(copy):
    leakage = {"kind": "bincam-leakage", "schema": 1, "overlap": [[1.0]]}
    (copy / "leakage.json").write_text(json.dumps(leakage))
    (copy / "sample.json").write_text(
        json.dumps({"kind": "bincam-sample", "schema": 1, "gates": {"grad_cam": "passed"}})
    )
    summary = summarise(reseal(copy), resamples=100)
    assert summary["leakage"] == leakage
    assert summary["gates"] == {"grad_cam": "passed"}
    (copy / "leakage.json").write_text(json.dumps({"overlap": [[1.0]]}))
    with pytest.raises(InputError, match="expected a bincam-leakage file"):
        summarise(reseal(copy), resamples=100)


def test_an_audit_without_an_image_is_refused(tmp_path):
    folder = make_audit(tmp_path / "none", images=12)
    file = reader.records_file(folder, 0)
    pq.write_table(pq.read_table(file).slice(0, 0), file)
    with pytest.raises(InputError, match="no image was read"):
        summarise(reseal(folder))
