"""A summary against scikit-learn and pandas on the same records, and what it does with what is missing."""

import dataclasses
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from bincam.audit import open_audit
from bincam.audit.folder import reader
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.gate.rules import judge, parse_rule
from bincam.audit.summary.calibration import DEBIASED
from bincam.audit.summary.divisions import slicings
from bincam.audit.summary.panel import Panel, read_panel
from bincam.audit.summary.summarize import RATES, column_of, summarise, summarise_panel
from bincam.errors import InputError
from bincam.stats.calibration import PLUG_IN
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import Estimate
from bincam.stats.intervals import mover_gap, mover_mean, mover_ratio
from bincam.stats.outcomes import GROUPS
from tests.audit.synthetic import ATTRIBUTES, make_audit


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    return open_audit(make_audit(tmp_path_factory.mktemp("audits") / "one", images=400))


@pytest.fixture(scope="module")
def summary(audit):
    return summarise(audit, resamples=200, slice_by=["sex", "age", "Young"])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The same images and attributes with one method and no masks: most of a summary's time is in its measures."""
    return make_audit(tmp_path_factory.mktemp("small") / "one", images=400, methods=("grad_cam",), masks=())


@pytest.fixture
def copy(small, tmp_path):
    return shutil.copytree(small, tmp_path / "copy")


def rewrite(folder, change):
    """Change the records of an audit; ``change`` edits a table's columns in place."""
    for number in range(open_audit(folder).shards):
        file = reader.records_file(folder, number)
        table = pq.read_table(file)
        columns = {
            name: table[name].to_numpy().copy() for name in table.column_names if name not in ("attribute", "outcome")
        }
        columns["attribute"] = np.array(table["attribute"].to_pylist())
        change(columns)
        for name, values in columns.items():
            if name != "attribute":
                at = table.schema.get_field_index(name)
                table = table.set_column(at, table.schema.field(name), pa.array(values, table.schema.field(name).type))
        pq.write_table(table, file)
    return open_audit(folder)


def edit(file, **changes):
    value = json.loads(file.read_text())
    file.write_text(json.dumps(value | changes))


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_rates_are_those_of_the_records(audit, summary, name):
    records = audit.records()
    held = records[(records["attribute"] == name) & (records["outcome"] != "")]
    rates = summary["attributes"][name]["rates"]
    wrong = held["outcome"].isin(["FP", "FN"])
    minority = held["label"] == (1 if audit.minority(name) > 0 else 0)
    for rate, expected in {
        "error": wrong.mean(),
        "accuracy": 1 - wrong.mean(),
        "minority_error": wrong[minority].mean(),
        "majority_error": wrong[~minority].mean(),
        "fnr": wrong[held["label"] == 1].mean(),
        "fpr": wrong[held["label"] == 0].mean(),
        "balanced_error": (wrong[minority].mean() + wrong[~minority].mean()) / 2,
        "auroc": roc_auc_score(held["label"], held["logit"]),
        "ap": average_precision_score(held["label"], held["logit"]),
        "brier": brier_score_loss(held["label"], 1 / (1 + np.exp(-held["logit"].astype(float)))),
    }.items():
        assert rates[rate]["value"] == pytest.approx(expected, abs=1e-6), rate
        assert rates[rate]["low"] <= rates[rate]["value"] <= rates[rate]["high"]
    excess = 1 / (1 + np.exp(-held["logit"].astype(float))) - held["label"]
    assert rates["signed_calibration_error"]["value"] == pytest.approx(excess.mean(), abs=1e-6)
    assert (rates["ece"]["low"], rates["ece"]["high"]) == (None, None)
    error = summary["attributes"][name]["calibration"]["error"]
    assert error["value"] == rates["ece"]["value"]
    assert 0 <= error["low"] <= error["debiased"] <= error["value"] <= error["high"]
    assert set(rates) == set(RATES)
    assert rates["minority_error"]["images"] == minority.sum()
    assert rates["ece"] == rates["ece_unshifted"]  # the card's shift is 0


def test_measures_of_groups_are_means_of_the_records(audit, summary):
    records = audit.records()
    for name in ("Bald", "Young"):
        minority = "positive" if audit.minority(name) > 0 else "negative"
        held = records[(records["attribute"] == name) & records["logit"].notna()]
        yes = held["logit"] >= held["threshold"]
        inside = {
            "all": yes | True,
            "predicted:minority": yes == (minority == "positive"),
            "true:positive": held["label"] == 1,
            "outcome:FN": held["outcome"] == "FN",
        }
        for column in ("grad_cam.gain", "midpoint.bias_share", "hirescam@pre_activation.empty"):
            entry = summary["attributes"][name]["measures"][column]
            assert set(entry) == set(GROUPS)
            assert entry["true:minority"] == entry[f"true:{minority}"]
            for group, picked in inside.items():
                values = held.loc[picked, column].dropna()
                if len(values):
                    assert entry[group]["value"] == pytest.approx(values.mean(), rel=1e-4)
                assert entry[group]["images"] == len(values)
                people = audit.images.set_index("row").loc[held.loc[values.index, "row"], "identity"]
                assert entry[group]["identities"] == people.nunique()


def test_means_over_attributes_are_means_of_their_means(summary):
    values = [summary["attributes"][name]["rates"]["minority_error"]["value"] for name in ATTRIBUTES]
    overall = summary["overall"]["rates"]["minority_error"]
    assert overall["value"] == pytest.approx(np.mean(values), rel=1e-5)
    assert overall["low"] < overall["value"] < overall["high"]
    assert overall["attributes"] == len(ATTRIBUTES)


def test_a_mean_over_attributes_is_small_where_one_of_its_cells_is(audit, summary):
    found = {"ok": 0, "small": 0}
    for column, groups in summary["overall"]["measures"].items():
        for group, mean in groups.items():
            cells = [entry["measures"][column][group] for entry in summary["attributes"].values()]
            small = sum(cell["status"] == "small" for cell in cells)
            assert mean["small_attributes"] == small
            assert mean["attributes"] == sum(cell["value"] is not None for cell in cells)
            if mean["value"] is not None:
                assert mean["status"] == ("small" if small else "ok")
                found[mean["status"]] += 1
    assert min(found.values()) > 0
    for rate, mean in summary["overall"]["rates"].items():
        cells = [entry["rates"][rate]["status"] for entry in summary["attributes"].values()]
        assert mean["small_attributes"] == cells.count("small")
    # One attribute of hundreds of images does not stand for another of a handful.
    false = summary["overall"]["measures"]["grad_cam.gain"]["outcome:FP"]
    assert false["images"] >= 20
    (judged,) = judge(summary, [parse_rule("overall.gain@outcome:FP>=-1", audit)])
    assert judged.verdict == "insufficient"


def test_balanced_errors_and_slices_account_for_people_on_both_sides(audit, summary):
    panel = read_panel(audit)
    entry = summary["attributes"]["Smiling"]
    positive = entry["minority"] == "positive"
    wrong, label = (part[:, panel.attributes.index("Smiling")] for part in (panel.wrong, panel.label))
    sex = audit.images.set_index("row").loc[panel.rows, "group.sex"].to_numpy()

    def contribution(inside):
        """What every person adds to the error's deviation from its mean, with the correction for large persons."""
        kept = inside & np.isfinite(wrong)
        size = np.bincount(panel.clusters.codes[kept], minlength=panel.clusters.count) / kept.sum()
        hits = np.bincount(panel.clusters.codes[kept], wrong[kept], panel.clusters.count) / kept.sum()
        return (hits - wrong[kept].mean() * size) / np.sqrt(1 - size)

    def joint(one, other):
        first, second = contribution(one), contribution(other)
        return (first @ second) / np.sqrt((first @ first) * (second @ second))

    balanced = Estimate.from_json(entry["rates"]["balanced_error"])
    fnr, fpr = (Estimate.from_json(entry["rates"][rate]) for rate in ("fnr", "fpr"))
    r = joint(label == 1, label == 0)
    assert abs(r) > 0.01
    assert (balanced.low, balanced.high) == pytest.approx(mover_mean(fnr, fpr, r), rel=1e-4)
    assert balanced.method == "variance recovery"
    assert balanced.identities == entry["rates"]["error"]["identities"]
    for measure, inside in (("error", label > -1), ("fpr", label == 0), ("minority_error", label == positive)):
        of_sex = [
            found
            for found in summary["slices"]
            if (found["attribute"], found["measure"], found["column"]) == ("Smiling", measure, "group.sex")
        ]
        (compared,) = (found for found in of_sex if "worst" in found)
        by_value = {found["value"]: Estimate.from_json(found["estimate"]) for found in of_sex if "value" in found}
        both = [by_value[compared[name]] for name in ("worst", "best")]
        r = joint(*(inside & (sex == compared[name]) for name in ("worst", "best")))
        for name, mover in (("gap", mover_gap), ("ratio", mover_ratio)):
            found = Estimate.from_json(compared[name])
            np.testing.assert_allclose((found.low, found.high), mover(*both, r), rtol=1e-4, atol=1e-6)
            assert found.images == (inside & np.isfinite(wrong)).sum()


def test_a_person_on_both_sides_of_a_gap_counts_once(audit, summary):
    (found,) = [
        one
        for one in summary["slices"]
        if (one["attribute"], one["measure"], one["column"]) == ("Smiling", "gain", "Young") and "worst" in one
    ]
    held = audit.records().merge(audit.images[["row", "identity"]], on="row")
    young = held[held["attribute"] == "Young"].set_index("row")["label"]
    held = held[(held["attribute"] == "Smiling") & held["logit"].notna() & held["grad_cam.gain"].notna()]
    held = held[held["row"].map(young).notna()]
    assert found["gap"]["images"] == len(held)
    assert found["gap"]["identities"] == found["ratio"]["identities"] == held["identity"].nunique()


def test_an_attribute_without_an_error_leaves_room_for_one(copy):
    def flawless(columns):
        here = (columns["attribute"] == "Bald") & np.isfinite(columns["label"])
        columns["logit"][here] = np.where(columns["label"][here] == 1, 1, -1)

    found = summarise(rewrite(copy, flawless), resamples=100)
    balanced = found["attributes"]["Bald"]["rates"]["balanced_error"]
    assert balanced["value"] == 0
    assert balanced["high"] > 0.01
    gaps = [
        one["gap"]
        for one in found["slices"]
        if one["attribute"] == "Bald" and one["measure"] == "error" and one.get("gap")
    ]
    assert gaps
    assert all(one["low"] < -0.005 and one["high"] > 0.005 for one in gaps)


def test_overall_of_one_attribute_is_that_attribute(small):
    found = summarise_panel(
        read_panel(open_audit(small)).select(["Bald"]),
        open_audit(small).manifest,
        leakage={},
        gates={},
        slice_by=[],
        resamples=100,
    )
    own, overall = found["attributes"]["Bald"], found["overall"]
    for rate, mean in overall["rates"].items():
        assert {
            **own["rates"][rate],
            "attributes": mean["attributes"],
            "small_attributes": mean["small_attributes"],
        } == mean
    for column, groups in overall["measures"].items():
        for group, mean in groups.items():
            one = own["measures"][column][group]
            assert {name: mean[name] for name in one} == one, (column, group)


@pytest.mark.parametrize("attributes", [1, 2])
def test_no_miss_among_45_positives_of_15_people_is_no_evidence_for_one_in_a_hundred(attributes):
    panel = planted(people=15, images=6, misses=0, attributes=attributes)
    found = summarise_panel(panel, manifest_of(panel), leakage={}, gates={}, slice_by=[], resamples=100)
    judged = gate(found, "overall.fnr<=0.01", "fnr<=0.01")
    assert {one.verdict for one in judged} == {"insufficient"}
    assert found["overall"]["rates"]["fnr"]["high"] > 0.1
    overall, *own = judged
    if attributes == 1:
        assert (overall.estimate.low, overall.estimate.high) == (own[0].estimate.low, own[0].estimate.high)


@pytest.mark.parametrize("attributes", [1, 3])
@pytest.mark.parametrize(("misses", "verdict"), [(0.0, "pass"), (0.2, "fail")])
def test_with_enough_people_a_bad_model_fails_and_its_good_twin_passes(attributes, misses, verdict):
    panel = planted(people=1200, images=2, misses=misses, attributes=attributes)
    found = summarise_panel(panel, manifest_of(panel), leakage={}, gates={}, slice_by=[], resamples=100)
    for rate in ("fnr", "fpr", "minority_error", "majority_error", "error"):
        assert {one.verdict for one in gate(found, f"overall.{rate}<=0.05", f"{rate}<=0.05")} == {verdict}, rate


def test_no_interval_of_a_summary_is_a_point(small):
    """Every figure of images that all have the same value keeps room for another, or has no interval and is small."""
    panel = read_panel(open_audit(small))
    constant = dataclasses.replace(
        panel,
        values=np.where(np.isfinite(panel.values), np.float32(0.83), np.float32(np.nan)),
        logit=np.where(np.isfinite(panel.logit), np.where(panel.label == 1, 3, -3), np.nan).astype(np.float32),
    )
    for attributes in (panel.attributes, panel.attributes[:1]):
        found = summarise_panel(
            constant.select(attributes),
            open_audit(small).manifest,
            leakage={},
            gates={},
            slice_by=["sex"],
            resamples=100,
        )
        figures = list(estimates_in(found))
        assert len(figures) > 100
        for path, one in figures:
            if one["value"] is None or one["method"] in (DEBIASED, PLUG_IN):  # calibration errors have no interval
                continue
            assert one["low"] is None or one["low"] < one["high"] or one["high"] is None, path
            if one["low"] is None and "ratio" not in path:
                assert one["status"] == "small", path
        gain = found["overall"]["measures"]["grad_cam.gain"]["all"]
        assert (gain["low"], gain["status"]) == (None, "small")
        (judged,) = judge(found, [parse_rule("overall.gain>=0.8", open_audit(small))])
        assert judged.verdict == "insufficient"


def estimates_in(entry, path=""):
    """Every estimate in a summary, with its place."""
    if isinstance(entry, dict):
        if {"value", "low", "high", "status"} <= set(entry):
            yield path, entry
        else:
            for key, part in entry.items():
                yield from estimates_in(part, f"{path}/{key}")
    elif isinstance(entry, list):
        for number, part in enumerate(entry):
            yield from estimates_in(part, f"{path}/{number}")


def planted(*, people, images, misses, attributes):
    """Records of people with as many positive as negative images, of which a share is misclassified in either class."""
    n = people * images
    label = np.tile(np.arange(images) % 2, people).astype(np.float32)[:, None].repeat(attributes, 1)
    wrong = np.random.default_rng(0).random((n, attributes)) < misses
    names = tuple(f"x{a}" for a in range(attributes))
    return Panel(
        attributes=names,
        rows=np.arange(n),
        label=label,
        logit=np.where((label == 1) != wrong, 1, -1).astype(np.float32),
        threshold=np.zeros_like(label),
        minority=np.ones(attributes, int),
        clusters=Clusters(np.repeat(np.arange(people), images), True),
        columns=(),
        values=np.zeros((n, attributes, 0), np.float32),
    )


def manifest_of(panel):
    return SimpleNamespace(
        methods=("grad_cam",),
        attributes=panel.attributes,
        train_counts_from="card",
        references_from=None,
        train_counts=dict.fromkeys(panel.attributes, (10, 20)),
        head="logits",
        logit_shift={},
        model=SimpleNamespace(card={}),
    )


def gate(found, *texts):
    names = SimpleNamespace(attributes=tuple(found["attributes"]), methods=("grad_cam",), masks=())
    return judge(found, [parse_rule(text, names) for text in texts])


@pytest.mark.slow
def test_a_summary_is_json_of_the_stated_layout_and_the_same_each_time(audit, summary, tmp_path):
    again = summarise(audit, resamples=200, slice_by=["sex", "age", "Young"])
    assert json.dumps(again, allow_nan=False) == json.dumps(summary, allow_nan=False)
    folder = shutil.copytree(audit.folder, tmp_path / "copy")
    AuditWriter(folder, audit.manifest).write_summary(summary)
    assert open_audit(folder).summary["attributes"]["Bald"]["minority"] == "positive"
    assert summary["minority_from"] == "card"
    assert summary["skipped"] == 1
    assert summary["identities"] == read_panel(audit).clusters.count


def test_small_cells_are_shown_and_called_small(summary):
    entry = summary["attributes"]["Wearing_Hat"]["measures"]["grad_cam.gain"]["outcome:FP"]
    assert entry["status"] in ("small", "undefined")
    for attribute in summary["attributes"].values():
        for groups in attribute["measures"].values():
            for one in groups.values():
                few = one["images"] < 20 or one["identities"] < 5 or one["low"] is None
                assert one["status"] == ("undefined" if one["value"] is None else "small" if few else "ok")


def test_without_identities_rates_have_plain_wilson_intervals(copy):
    images = pq.read_table(copy / "images.parquet").to_pandas()
    images["identity"] = ""
    images.to_parquet(copy / "images.parquet")
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


def test_slices_are_rates_within_values_with_gap_and_ratio(audit, summary):
    records = audit.records().merge(audit.images[["row", "group.sex"]], on="row")
    held = records[(records["attribute"] == "Eyeglasses") & (records["outcome"] != "")]
    by_sex = held["outcome"].isin(["FP", "FN"]).groupby(held["group.sex"]).mean()
    found = [
        one
        for one in summary["slices"]
        if (one["attribute"], one["measure"], one["column"]) == ("Eyeglasses", "error", "group.sex")
    ]
    for one in found[:-1]:
        assert one["estimate"]["value"] == pytest.approx(by_sex[one["value"]])
    compared = found[-1]
    assert compared["worst"] == by_sex.idxmax()
    assert compared["gap"]["value"] == pytest.approx(by_sex.max() - by_sex.min())
    assert compared["ratio"]["value"] == pytest.approx(by_sex.max() / by_sex.min())
    gains = [one for one in summary["slices"] if one["measure"] == "gain" and "worst" in one and one["worst"]]
    assert gains
    assert all(one["gap"]["value"] >= 0 for one in gains)
    assert not [one for one in summary["slices"] if one["attribute"] == one["column"]]


def test_slicing_by_an_attribute_divides_by_its_labels(audit):
    found, _ = slicings(read_panel(audit, []), ["Young"])
    label = read_panel(audit, []).label[:, ATTRIBUTES.index("Young")]
    assert found[0].values == ("positive", "negative")
    np.testing.assert_array_equal(found[0].codes, np.where(np.isnan(label), -1, np.where(label == 1, 0, 1)))


def test_a_column_of_one_value_is_refused_where_asked_for_and_else_left_out(copy):
    images = pq.read_table(copy / "images.parquet").to_pandas()
    images["group.sex"] = "male"
    images["group.age"] = [f"value {n}" for n in range(len(images))]
    images.to_parquet(copy / "images.parquet")
    audit = open_audit(copy)
    with pytest.raises(InputError, match=r"group\.sex has only the value 'male'"):
        summarise(audit, slice_by=["sex"])
    with pytest.raises(InputError, match=r"group\.age has 399 values, more than 20"):
        summarise(audit, slice_by=["age"])
    with pytest.raises(InputError, match="cannot slice by 'sexe'; did you mean 'sex'"):
        summarise(audit, slice_by=["sexe"])
    left_out = summarise(audit, resamples=100)["slices_left_out"]
    assert [one["column"] for one in left_out] == ["group.sex", "group.age"]


def test_families_name_their_size_and_find_what_was_planted(summary):
    families = {one["name"]: one for one in summary["families"]}
    errors = families["minority error exceeds majority error"]
    assert errors["size"] == len(ATTRIBUTES)
    found = {one["attribute"]: one["finding"] for one in errors["tests"]}
    assert found["No_Beard"]
    assert not found["Smiling"]  # balanced: there is no prior to lean on
    assert families["error differs by group.sex"]["findings"] == 0


def test_permuted_labels_and_groups_give_no_finding(copy):
    rng = np.random.default_rng(0)
    images = pq.read_table(copy / "images.parquet").to_pandas()
    images["identity"] = ""
    images["group.sex"] = rng.permutation(images["group.sex"])
    images["group.age"] = rng.permutation(images["group.age"])
    images.to_parquet(copy / "images.parquet")

    def permute(columns):
        for name in ATTRIBUTES:
            here = columns["attribute"] == name
            columns["label"][here] = rng.permutation(columns["label"][here])

    found = summarise(rewrite(copy, permute), resamples=100)
    checked = [one for one in found["families"] if "between true classes" in one["name"] or "group." in one["name"]]
    assert len(checked) == 9
    assert [one["name"] for one in checked if one["findings"]] == []


def test_bare_names_are_the_primary_methods():
    methods = ("hirescam@pre_activation", "grad_cam")
    assert column_of("gain", methods) == "hirescam@pre_activation.gain"
    assert column_of("bias_share", methods) == "midpoint.bias_share"
    assert column_of("grad_cam.gain", methods) == "grad_cam.gain"


def test_what_lies_beside_the_records_is_taken_in(copy):
    leakage = {"kind": "bincam-leakage", "schema": 1, "overlap": [[1.0]]}
    (copy / "leakage.json").write_text(json.dumps(leakage))
    (copy / "sample.json").write_text(
        json.dumps({"kind": "bincam-sample", "schema": 1, "gates": {"grad_cam": "passed"}})
    )
    summary = summarise(open_audit(copy), resamples=100)
    assert summary["leakage"] == leakage
    assert summary["gates"] == {"grad_cam": "passed"}
    (copy / "leakage.json").write_text(json.dumps({"overlap": [[1.0]]}))
    with pytest.raises(InputError, match="expected a bincam-leakage file"):
        summarise(open_audit(copy), resamples=100)


def test_an_audit_without_an_image_is_refused(tmp_path):
    folder = make_audit(tmp_path / "none", images=12)
    file = reader.records_file(folder, 0)
    pq.write_table(pq.read_table(file).slice(0, 0), file)
    with pytest.raises(InputError, match="no image was read"):
        summarise(open_audit(folder))


def test_calibration_within_groups_is_that_of_their_images(audit, summary):
    records = audit.records().merge(audit.images[["row", "group.sex"]], on="row")
    held = records[(records["attribute"] == "Bald") & (records["outcome"] != "")]
    excess = 1 / (1 + np.exp(-held["logit"].astype(float))) - held["label"]
    entries = [one for one in summary["slices"] if (one["attribute"], one["column"]) == ("Bald", "group.sex")]
    for value, of_value in excess.groupby(held["group.sex"]):
        signed, debiased = (
            next(one for one in entries if one["measure"] == measure and one.get("value") == value)
            for measure in ("signed_calibration_error", "ece_debiased")
        )
        assert signed["estimate"]["value"] == pytest.approx(of_value.mean(), abs=1e-6)
        assert signed["estimate"]["images"] == debiased["estimate"]["images"] == len(of_value)
        assert debiased["estimate"]["value"] == debiased["error"]["debiased"]
        assert debiased["estimate"]["low"] is None
    compared = next(one for one in entries if one["measure"] == "signed_calibration_error" and "worst" in one)
    means = excess.groupby(held["group.sex"]).mean()
    assert compared["worst"] == means.abs().idxmax()
    expected = means[compared["worst"]] - means[compared["best"]]
    assert compared["gap"]["value"] == pytest.approx(expected, abs=1e-6)
    assert compared["gap"]["low"] < expected < compared["gap"]["high"]
    assert compared["ratio"] is None


def test_a_group_that_is_miscalibrated_is_found_and_its_twin_is_not(copy):
    rng = np.random.default_rng(0)
    sex = pq.read_table(copy / "images.parquet").to_pandas().set_index("row")["group.sex"]
    first = sorted(set(sex) - {""})[0]

    def plant(columns):
        for name, shift in (("Bald", 1.5), ("Young", 0.0)):
            here = columns["attribute"] == name
            odds = rng.normal(size=here.sum())
            columns["label"][here] = (rng.random(here.sum()) < 1 / (1 + np.exp(-odds))).astype(float)
            shifted = odds + shift * (sex.loc[columns["row"][here]].to_numpy() == first)
            columns["logit"][here] = shifted

    found = summarise(rewrite(copy, plant), resamples=100)
    tests = next(f for f in found["families"] if f["name"] == "signed calibration error differs by group.sex")["tests"]
    findings = {one["attribute"]: one["finding"] for one in tests}
    assert (findings["Bald"], findings["Young"]) == (True, False)
    worst = [
        one["worst"]
        for one in found["slices"]
        if one["attribute"] == "Bald"
        and one["column"] == "group.sex"
        and "worst" in one
        and one["measure"] in ("signed_calibration_error", "ece_debiased")
    ]
    assert worst == [first, first]
