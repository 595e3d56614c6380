"""Marks on planted maps: own channels in own places, one map for all, and what cannot be told."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.metrics import Specificity, attribute_specificity

NAMES = ["Bald", "Goatee", "Male", "Smiling", "Young"]
IMAGES, GRID = 90, 6
CORNERS = np.zeros((5, GRID, GRID))
for _number, _place in enumerate([(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]):
    CORNERS[_number, _place[0] : _place[0] + 2, _place[1] : _place[1] + 2] = 1
TOTAL = np.ones((GRID, GRID))


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2, (IMAGES, 5)).astype(float)


@pytest.fixture
def specific(labels: np.ndarray) -> np.ndarray:
    """Evidence for each attribute in its own place, on images that have it; noise elsewhere."""
    noise = np.random.default_rng(1).normal(0, 0.3, (IMAGES, 5, GRID, GRID))
    return 2 * labels[..., None, None] * CORNERS + noise


@pytest.fixture
def general() -> np.ndarray:
    """One map for all attributes of an image."""
    random = np.random.default_rng(2)
    shared = random.normal(size=(IMAGES, 1, GRID, GRID))
    return shared + random.normal(0, 0.01, (IMAGES, 5, GRID, GRID))


def judge(maps: np.ndarray, labels: np.ndarray, **options: object) -> Specificity:
    return attribute_specificity(maps, labels, NAMES, weights=CORNERS, total=TOTAL, **options)  # type: ignore[arg-type]


def test_maps_that_are_the_attributes_own(specific: np.ndarray, labels: np.ndarray) -> None:
    for name, found in judge(specific, labels).attributes.items():
        assert found.mark == "its own", name
        assert found.share.verdict == found.region.verdict == "pass"
        assert found.own_share.low > 0.8 > found.null
        assert found.own_share.high <= 1
        assert found.region.excess.low > 0.2
        assert len(found.competitors) >= 3
        assert found.region.excess.images == labels[:, NAMES.index(name)].sum()


def test_one_map_for_all_attributes_shows_the_image(general: np.ndarray, labels: np.ndarray) -> None:
    for found in judge(general, labels).attributes.values():
        assert found.mark == "shows the image, not the attribute"
        assert found.share.verdict == found.region.verdict == "fail"
        assert found.own_share.high < 0.01
        assert found.region.excess.high < 0.05


def test_both_parts_must_fail(specific: np.ndarray, general: np.ndarray, labels: np.ndarray) -> None:
    """Own channels that look elsewhere are an attribute's own, and so is evidence in its place alone."""
    elsewhere = judge(np.roll(specific, 3, -1), labels).attributes["Bald"]
    assert (elsewhere.share.verdict, elsewhere.mark) == ("pass", "its own")
    assert elsewhere.region.verdict == "fail"
    # Without regions the second part is not known, and nothing is marked.
    unknown = attribute_specificity(general, labels, NAMES).attributes["Bald"]
    assert (unknown.share.verdict, unknown.region.verdict, unknown.mark) == ("fail", "cannot tell", "cannot tell")
    assert unknown.region.reason == "no region"


def test_too_few_to_compare_with(specific: np.ndarray, labels: np.ndarray) -> None:
    regions = CORNERS.copy()
    regions[1], regions[2] = regions[0], np.nan
    found = attribute_specificity(specific, labels, NAMES, weights=regions, total=TOTAL).attributes
    assert found["Bald"].region.reason == "2 attributes to compare with; at least 3 are needed"
    assert found["Male"].region.reason == "no region"
    assert found["Bald"].competitors == ("Smiling", "Young")
    same = labels.copy()
    same[:, 1:] = same[:, :1]
    assert "at least 3 are needed" in judge(specific, same).attributes["Bald"].region.reason
    few = judge(specific[:12], labels[:12]).attributes["Bald"]
    assert few.mark == "cannot tell"
    assert "too few: 12 images" in few.share.reason


def test_images_of_a_person_are_no_independent_evidence(specific: np.ndarray, labels: np.ndarray) -> None:
    names = [f"p{n % 9}" for n in range(IMAGES)]
    found = judge(specific, labels, identities=names).attributes["Bald"]
    assert found.own_share.identities == found.region.excess.identities == 9
    one = judge(specific, labels, identities=["ann"] * IMAGES).attributes["Bald"]
    assert one.mark == "cannot tell"
    assert one.region.reason.endswith("of 1 person")


def test_one_attribute_has_no_specificity(specific: np.ndarray, labels: np.ndarray) -> None:
    found = attribute_specificity(specific[:, :1], labels[:, :1], NAMES[:1])
    assert found.attributes == {}
    assert "one attribute" in found.reason


def test_noise_is_marked_at_the_stated_rate(labels: np.ndarray) -> None:
    """Evidence anywhere: of 20 data sets hardly one attribute has evidence in its region, after Holm."""
    passed = 0
    for seed in range(20):
        maps = np.random.default_rng(seed + 10).normal(size=(IMAGES, 5, GRID, GRID))
        passed += any(found.region.verdict == "pass" for found in judge(maps, labels).attributes.values())
    assert passed <= 4  # 20 at 5 %: more than 4 in 3 of 1,000


def test_wrong_input_is_refused(specific: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(InputError, match="do not belong together"):
        attribute_specificity(specific, labels[:3], NAMES)
    with pytest.raises(InputError, match="do not belong together"):
        attribute_specificity(specific[0], labels, NAMES)
    with pytest.raises(InputError, match="1 name of people for 90 images"):
        attribute_specificity(specific, labels, NAMES, identities=["ann"])


def test_a_grid_of_fewer_than_nine_cells_tells_nothing(labels: np.ndarray) -> None:
    maps = np.random.default_rng(3).normal(size=(IMAGES, 5, 2, 4))
    weights = np.eye(8)[:5].reshape(5, 2, 4)
    found = attribute_specificity(maps, labels, NAMES, weights=weights, total=np.ones((2, 4))).attributes
    assert {one.mark for one in found.values()} == {"cannot tell"}
    reasons = {part.reason for one in found.values() for part in (one.share, one.region)}
    assert reasons == {"the grid has 8 cells; at least 9 are needed"}
    assert all(one.own_share.defined for one in found.values())  # a figure without a verdict


def test_differences_from_the_mean_of_all_attributes_are_judged_by_their_regions(
    specific: np.ndarray, labels: np.ndarray
) -> None:
    differences = specific - specific.mean(1, keepdims=True)
    void = judge(differences, labels).attributes  # each is minus the sum of the others
    assert max(one.own_share.value for one in void.values()) < 1e-4
    assert {one.share.verdict for one in void.values()} == {"fail"}
    for name, found in judge(differences, labels, differences=True).attributes.items():
        assert not found.own_share.defined
        assert found.share.verdict == "cannot tell"
        assert "sum to 0" in found.share.reason
        assert found.region.verdict == "pass", name
        assert found.mark == "its own"


def test_a_fixed_reference_changes_no_own_share(specific: np.ndarray, labels: np.ndarray) -> None:
    reference = np.random.default_rng(4).normal(size=(5, GRID, GRID))
    plain, counted = (judge(maps, labels).attributes for maps in (specific, specific - reference))
    for name in NAMES:
        assert counted[name].own_share.value == pytest.approx(plain[name].own_share.value, abs=1e-12)
        assert counted[name].null == pytest.approx(plain[name].null, abs=1e-12)
