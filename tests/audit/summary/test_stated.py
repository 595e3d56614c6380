"""Stated rates, predictive values and differences between groups in a summary."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference

from bincam.audit import open_audit
from bincam.audit.folder import reader
from bincam.audit.summary.stated import Stated
from bincam.audit.summary.summarize import summarise
from bincam.errors import InputError
from bincam.stats.estimate import MIN_IDENTITIES, MIN_IMAGES
from tests.audit.synthetic import make_audit, reseal


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audits") / "one"
    return open_audit(make_audit(folder, images=500, methods=("grad_cam",), masks=()))


@pytest.fixture(scope="module")
def summary(audit):
    stated = {"specificity": (0.9, 0.95), "sensitivity": (0.8,), "prevalence": {"Bald": 0.01, "Young": [0.3, 0.5]}}
    return summarise(audit, resamples=200, slice_by=["sex"], **stated)


def known(audit, name):
    records = audit.records(["row", "attribute", "label", "logit", "outcome"])
    return records[(records["attribute"] == name) & (records["outcome"] != "")]


def test_figures_are_those_of_the_records(audit, summary):
    for name in ("Bald", "Young", "Smiling"):
        entries = {(e["measure"], e["stated"]): e for e in summary["attributes"][name]["stated"]}
        prevalences = {"Bald": [0.01], "Young": [0.3, 0.5], "Smiling": []}[name]
        assert list(entries) == [
            ("sensitivity", 0.9), ("sensitivity", 0.95), ("specificity", 0.8),
            *((value, at) for at in ("audited", *prevalences) for value in ("ppv", "npv")),
        ]  # fmt: skip
        held = known(audit, name)
        counts = held["outcome"].value_counts()
        assert entries["ppv", "audited"]["value"] == pytest.approx(counts["TP"] / (counts["TP"] + counts["FP"]))
        assert entries["npv", "audited"]["value"] == pytest.approx(counts["TN"] / (counts["TN"] + counts["FN"]))
        assert entries["ppv", "audited"]["prevalence"] == pytest.approx(held["label"].mean())
        point = entries["sensitivity", 0.9]
        above = held["logit"] >= point["threshold"]
        assert point["value"] == pytest.approx(above[held["label"] == 1].mean())
        assert point["attained"] == pytest.approx(1 - above[held["label"] == 0].mean())
        assert point["attained"] >= 0.9
        assert (point["images"], point["others"]) == ((held["label"] == 1).sum(), (held["label"] == 0).sum())
    assert summary["stated"] == {
        "specificity": [0.9, 0.95],
        "sensitivity": [0.8],
        "prevalence": {"Bald": [0.01], "Young": [0.3, 0.5]},
    }


def test_differences_are_fairlearns_over_the_groups_that_are_not_small(audit, summary):
    sex = audit.images.set_index("row")["group.sex"]
    compared = 0
    for entry in summary["group_differences"]:
        assert entry["column"] == "group.sex"
        held = known(audit, entry["attribute"])
        group = sex.loc[held["row"]].to_numpy()
        if entry["left_out"]:
            assert all("too few" in left["reason"] for left in entry["left_out"])
            continue
        compared += 1
        of = {"equalised_odds_difference": equalized_odds_difference}.get(entry["measure"])
        if of is None:
            labelled = np.ones(len(held))  # parity counts images without a label, too
            held = audit.records(["row", "attribute", "label", "logit", "outcome"])
            held = held[(held["attribute"] == entry["attribute"]) & np.isfinite(held["logit"])]
            group, labelled, of = sex.loc[held["row"]].to_numpy(), np.ones(len(held)), demographic_parity_difference
            expected = of(labelled, held["logit"] >= 0, sensitive_features=group)
        else:
            expected = of(held["label"], held["logit"] >= 0, sensitive_features=group)
        assert entry["value"] == pytest.approx(expected)
        assert 0 <= entry["null"] <= entry["null_high"]
        assert entry["low"] <= entry["value"] <= entry["high"]
    assert compared >= 6
    family = next(f for f in summary["families"] if f["name"] == "equalised odds differ by group.sex")
    p = {e["attribute"]: e["p"] for e in summary["group_differences"] if e["measure"].startswith("equalised")}
    assert {test["attribute"]: test["p"] for test in family["tests"]} == p


def planted(audit, folder, share):
    """A copy in which this share of the positives among men is predicted negative for Smiling."""
    import shutil

    shutil.copytree(audit.folder, folder)
    rng = np.random.default_rng(0)
    male = set(audit.images.loc[audit.images["group.sex"] == "male", "row"])
    for number in range(audit.shards):
        file = reader.records_file(folder, number)
        table = pq.read_table(file)
        row, name = table["row"].to_numpy(), np.array(table["attribute"].to_pylist())
        logit = table["logit"].to_numpy().copy()
        hit = (name == "Smiling") & np.isin(row, list(male)) & (table["label"].to_numpy() == 1)
        logit[hit & (rng.random(len(hit)) < share)] = -3
        at = table.schema.get_field_index("logit")
        table = table.set_column(at, table.schema.field("logit"), pa.array(logit, table.schema.field("logit").type))
        pq.write_table(table, file)
    return reseal(folder)


@pytest.mark.parametrize(("share", "finding"), [(0.4, True), (0.0, False)])
def test_a_planted_gap_of_one_group_is_a_finding_and_its_twin_is_not(audit, tmp_path, share, finding):
    changed = planted(audit, tmp_path / "copy", share)
    found = summarise(changed, resamples=500, slice_by=["sex", "sex*age"])
    for column in ("group.sex", "group.sex*group.age"):
        family = next(f for f in found["families"] if f["name"] == f"equalised odds differ by {column}")
        smiling = next(test for test in family["tests"] if test["attribute"] == "Smiling")
        assert smiling["finding"] is finding
        entry = next(
            e for e in found["group_differences"]
            if (e["attribute"], e["column"], e["measure"]) == ("Smiling", column, "equalised_odds_difference")
        )  # fmt: skip
        assert (entry["low"] > 0.05) is finding
        assert (entry["value"] > entry["null_high"]) is finding
        if finding:
            widest = max(entry["gaps"], key=lambda gap: gap["value"])
            assert (widest["rate"], widest["lowest"].partition("*")[0]) == ("tpr", "male")


def test_groups_that_are_small_are_left_out_with_their_numbers(audit):
    found = summarise(audit, resamples=50, slice_by=["sex*age"])
    bald = next(
        e for e in found["group_differences"]
        if e["attribute"] == "Bald" and e["measure"] == "equalised_odds_difference"
    )  # fmt: skip
    assert (bald["status"], bald["too_few"]) == ("undefined", True)
    assert len(bald["left_out"]) >= 3
    for left in bald["left_out"]:
        images, people = (int(text.split()[0]) for text in left["reason"].partition(": ")[2].split(" of "))
        assert images < MIN_IMAGES or people < MIN_IDENTITIES


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"specificity": [1.0]}, "specificity: got 1, expected a number between 0 and 1"),
        ({"sensitivity": [0.9, 0.9]}, "sensitivity: 0.9 is stated twice"),
        ({"prevalence": 0}, "prevalence of Bald: got 0"),
        ({"prevalence": {"Bold": 0.1}}, "prevalence: 'Bold' is not audited; did you mean 'Bald'"),
    ],
)
def test_impossible_statements_are_refused(values, message):
    with pytest.raises(InputError) as refused:
        Stated.of(["Bald", "Young"], **values)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["Bald", "White", "Black"], "'race' is a set of outputs, each of which has a prevalence of its own; state it"),
        (["Bald"], "'race' is a set of outputs, each of which has a prevalence of its own; leave it out"),
    ],
)
def test_a_prevalence_of_a_set_is_refused_with_the_reason(rows, message):
    sets = {"race": ["White", "Black"]}
    with pytest.raises(InputError, match=message):
        Stated.of(rows, prevalence={"race": 0.3}, one_of=sets)
    if "White" in rows:
        assert Stated.of(rows, prevalence={"White": 0.3}, one_of=sets).prevalence == {"White": (0.3,)}
    else:
        with pytest.raises(InputError, match="'White' is an output of the large set 'race', whose outputs have no"):
            Stated.of(rows, prevalence={"White": 0.3}, one_of=sets)


def test_nothing_stated_leaves_the_audited_predictive_values(audit):
    found = summarise(audit, resamples=50, specificity=(), sensitivity=(), slice_by=[])
    assert [e["measure"] for e in found["attributes"]["Bald"]["stated"]] == ["ppv", "npv"]
    assert found["group_differences"] == []
