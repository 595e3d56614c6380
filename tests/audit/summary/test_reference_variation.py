"""The reference's variation against a jackknife by hand, and the coverage of intervals with a reference that varies."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from bincam.audit.folder.manifest import ReferenceData
from bincam.audit.pipeline.runner import run
from bincam.audit.settings import Settings
from bincam.audit.summary.reference_variation import METHOD, is_few, jackknife_error, widen
from bincam.audit.summary.summarize import summarise
from bincam.cam.reference import GROUPS, ReferenceFit
from bincam.stats.outcomes import BASIC, MEMBERSHIP, cells
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted import reader

pytestmark = NOTES_ALLOWED


def estimate(value, low, high, method="bootstrap"):
    return {"value": value, "low": low, "high": high, "images": 50, "status": "ok", "method": method}


def test_widen_is_pythagorean_and_cuts_shares():
    entry = estimate(0.5, 0.2, 0.9)
    widen(entry, 0.4, share=False)
    assert (entry["low"], entry["high"]) == pytest.approx((0.0, 0.5 + np.hypot(0.4, 0.4)))
    assert entry["method"] == "bootstrap" + METHOD
    widen(entry, 0.4, share=False)  # once only
    assert entry["low"] == pytest.approx(0)
    share = estimate(0.9, 0.8, 0.95)
    widen(share, 0.4, share=True)
    assert share["high"] == 1
    unknown = estimate(0.9, 0.8, 0.95)
    widen(unknown, float("nan"), share=True)
    assert (unknown["low"], unknown["high"], unknown["status"]) == (None, None, "small")
    undefined = estimate(None, None, None)
    widen(undefined, 0.4, share=True)
    assert undefined == estimate(None, None, None)


@pytest.mark.parametrize("people", [None, ["a", "a", "b", "b", "c", "c", "d", "d"]])
def test_replicates_are_fits_without_a_group(people):
    generator = torch.Generator().manual_seed(0)
    evidence = torch.randn(8, 2, 3, 3, generator=generator, dtype=torch.float64)
    labels = torch.tensor([[0, 1], [1, 0]] * 4)
    fit = ReferenceFit(("x", "y"))
    for part in (slice(0, 3), slice(3, 8)):
        fit.add(evidence[part], labels[part], None if people is None else people[part])
    names = np.array(people or [str(n) for n in range(8)])
    for kind in ("midpoint", "mean", "balanced_mean"):
        reference = fit.result(kind)
        assert len(reference.replicates) == len(set(names)) <= GROUPS
        for grid, person in zip(reference.replicates, dict.fromkeys(names.tolist()), strict=True):
            rest = torch.from_numpy(names != person)
            alone = ReferenceFit(("x", "y"))
            alone.add(evidence[rest], labels[rest])
            torch.testing.assert_close(grid.double(), alone.result(kind).grid, rtol=1e-6, atol=1e-6)
    assert reference.people is None if people is None else reference.people.tolist() == [[4, 4], [4, 4]]


@pytest.fixture(scope="module")
def done(pictures, tmp_path_factory):
    from tests.audit.planted import regions

    settings = Settings(regions=regions(), batch_size=4, shard_images=8, gate_images=0)
    return run(reader(0, bias=1.0), pictures, tmp_path_factory.mktemp("varied") / "audit", settings)


def test_the_audit_keeps_what_other_references_would_give(done):
    plain = summarise(done)
    entry = plain["attributes"]["Object"]["measures"]["midpoint.bias_share"]["all"]
    assert entry["method"].endswith(METHOD)
    assert entry["status"] == "small"  # 16 validation pictures
    sums, counts = (done.variation[f"midpoint.bias_share.without.{part}"] for part in ("sum", "count"))
    assert sums.shape == counts.shape
    assert sums.shape[:2] == (2, 6)
    assert 2 <= sums.shape[-1] <= GROUPS
    records = done.records(["attribute", "label", "logit", "threshold", "midpoint.bias_share"])
    mine = records[records["attribute"] == "Object"]
    codes = cells(*(mine[name].to_numpy() for name in ("label", "logit", "threshold")))
    assert counts[0, :, 0].tolist() == [
        int((mine["midpoint.bias_share"].notna() & (codes == n)).sum()) for n in range(6)
    ]
    everyone = MEMBERSHIP[BASIC.index("all")]
    means = everyone @ sums[0] / (everyone @ counts[0])
    assert means.mean() == pytest.approx(entry["value"], abs=0.02)
    fixed = replace(done)
    fixed.__dict__["variation"] = {}
    held = summarise(fixed)["attributes"]["Object"]["measures"]["midpoint.bias_share"]["all"]
    assert METHOD not in held["method"]
    assert entry["value"] - entry["low"] == pytest.approx(
        min(entry["value"], np.hypot(held["value"] - held["low"], jackknife_error(means)))
    )
    facts = json.loads((done.folder / "manifest.json").read_text())["references_from"]
    assert facts["images"] == 16
    assert sum(facts["counts"]["Object"]) == 16
    assert facts["people"]["Object"][0] <= facts["identities"]


def test_a_reference_of_few_images_is_small():
    base = {"split": ["validation"], "images": 90, "digest": ""}
    assert not is_few(ReferenceData(**base), "x")  # an older audit, which did not count them
    assert is_few(ReferenceData(**base, counts={"x": (89, 1)}), "x")
    assert not is_few(ReferenceData(**base, counts={"x": (60, 30)}), "x")
    assert is_few(ReferenceData(**base, counts={"x": (60, 30)}, people={"x": (30, 4)}), "x")


def test_intervals_cover_where_the_reference_is_of_few_people():
    """A share is (b + c)⁺ / (|s - r| + (b + c)⁺) with r fitted on 8 people of six images; b and c are constants."""
    random = np.random.default_rng(0)

    def share(support, reference):
        constant = np.maximum(1 + 2 * reference, 0)
        return constant / (constant + np.abs(support - reference))

    truth = share(2 + random.normal(0, np.hypot(0.5, 0.5), 400_000), 0.0).mean()
    covered = {"fixed": 0, "varied": 0}
    runs = 300
    for _ in range(runs):
        person = random.normal(0, 0.5, 8)
        images = np.repeat(person, 6) + random.normal(0, 0.5, 48)
        reference = images.mean()
        people = random.normal(0, 0.5, 40)
        values = 2 + np.repeat(people, 5) + random.normal(0, 0.5, 200)
        per_person = share(values, reference).reshape(40, 5).mean(1)
        value, error = per_person.mean(), 2.02 * per_person.std(ddof=1) / np.sqrt(40)
        entry = estimate(value, value - error, value + error)
        covered["fixed"] += entry["low"] <= truth <= entry["high"]
        without = np.array([share(values, np.delete(images.reshape(8, 6), g, 0).mean()).mean() for g in range(8)])
        widen(entry, jackknife_error(without), share=True)
        covered["varied"] += entry["low"] <= truth <= entry["high"]
    assert covered["fixed"] / runs < 0.75
    assert 0.92 <= covered["varied"] / runs <= 0.985
