"""Sets of a yes-or-no head: equal to those of a set of two outputs, in all images and in parts of them."""

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.stats import Clusters, coverage_by_slice, set_coverage
from bincam.stats.sets.abstaining import head_coverage, head_coverage_by_part


@pytest.fixture(params=["people", "images"])
def made(request):
    rng = np.random.default_rng(0)
    labels = (rng.random(400) < 0.2).astype(float)
    p = np.clip(0.5 + 0.3 * (labels - 0.5) + 0.2 * rng.normal(size=400), 0, 1)
    members = np.stack([1 - p >= 0.4, p >= 0.45], 1)
    labels[::50] = np.nan
    defined = rng.random(400) < 0.95
    names = [f"{n // 4}" for n in range(400)] if request.param == "people" else [""] * 400
    return members & defined[:, None], labels, Clusters.of(names), defined


def test_equal_to_a_set_of_two_outputs(made):
    members, labels, clusters, defined = made
    ours = head_coverage(members, labels, clusters, defined=defined)
    true = np.where(np.isnan(labels), -1, labels).astype(int)
    other = set_coverage(members, true, [False, True], clusters, defined=defined)
    for name in ("coverage", "size", "empty", "several"):
        assert getattr(ours, name).to_json() == pytest.approx(getattr(other, name).to_json())
    for name in ("per_class", "several_per_class"):
        for a, b in zip(getattr(ours, name), getattr(other, name), strict=True):
            assert a.to_json() == pytest.approx(b.to_json())
    assert ours.answered.to_json() == pytest.approx(other.by_size[1].to_json())
    assert list(ours.histogram) == other.histogram.tolist()
    assert (ours.unknown, ours.undefined) == (other.unknown, other.undefined)
    assert ours.unknown == 8
    assert ours.size.value - 1 == pytest.approx(ours.several.value - ours.empty.value)


def test_parts_are_slices(made):
    members, labels, clusters, defined = made
    codes = np.arange(400) % 3 - 1
    ours = head_coverage_by_part(members, labels, codes, 2, clusters, defined=defined)
    true = np.where(np.isnan(labels), -1, labels).astype(int)
    marks = {"0": codes == 0, "1": codes == 1}
    other = coverage_by_slice(members, true, marks, clusters, defined=defined)
    for (coverage, size), wanted in zip(ours, other.values(), strict=True):
        assert coverage.to_json() == pytest.approx(wanted[0].to_json())
        assert size.to_json() == pytest.approx(wanted[1].to_json())


def test_without_an_image_it_is_undefined():
    found = head_coverage(np.zeros((3, 2), bool), [np.nan] * 3, Clusters.of([""] * 3))
    assert found.coverage.status == found.size.status == "undefined"
    assert found.histogram == (0, 0, 0)
    ((coverage, size),) = head_coverage_by_part(np.zeros((3, 2), bool), [0] * 3, np.full(3, -1), 1, Clusters.of("abc"))
    assert coverage.status == size.status == "undefined"


@pytest.mark.parametrize(
    ("members", "labels", "message"),
    [
        (np.zeros((2, 3), bool), [0, 1], r"expected sets \(N, 2\)"),
        (np.zeros((2, 2)), [0, 1], "True and False"),
        (np.zeros((2, 2), bool), [0, 2], "label of image 1 is 2"),
    ],
)
def test_other_input_is_refused(members, labels, message):
    with pytest.raises(InputError, match=message):
        head_coverage(members, labels, Clusters.of(["", ""]))
