import numpy as np
import pytest

from bincam.errors import InputError
from bincam.faces.labels.prevalence import celeba_phi, celeba_prevalence, phi_range, target
from bincam.faces.labels.spec import ATTRIBUTES, index


def test_tables_are_celebas():
    assert celeba_prevalence()[index("Male")] == pytest.approx(84437 / 202599, abs=1e-4)
    assert celeba_phi()[index("Male"), index("Wearing_Lipstick")] == -0.795
    assert np.array_equal(celeba_phi(), celeba_phi().T)


def test_phi_range_by_hand():
    low, high = phi_range(np.array([0.5, 0.5, 0.2, 0.0]))
    assert (low[0, 1], high[0, 1]) == (-1, 1)
    assert high[0, 2] == pytest.approx((0.2 - 0.1) / 0.2)  # all of the rarer within the other
    assert low[0, 2] == pytest.approx(-0.5)
    assert low[0, 3] == high[0, 3] == 0


def test_balanced_is_half_wherever_nothing_is_excluded():
    made = target("balanced")
    free = [a for a in ATTRIBUTES if a not in made.given_way]
    assert all(made.prevalence[index(name)] == 0.5 for name in free)
    assert "Smiling" in free
    assert made.prevalence[index("No_Beard")] + made.prevalence[index("Goatee")] == pytest.approx(0.9)


def test_independent_has_celebas_prevalences_and_no_correlation():
    made = target("independent")
    assert np.array_equal(made.prevalence, celeba_prevalence())
    assert np.array_equal(made.phi, np.eye(40))


def test_an_override_makes_others_give_way_in_proportion():
    made = target(set={"Bald": 0.5})
    black, gray = index("Black_Hair"), index("Gray_Hair")
    share = made.prevalence / celeba_prevalence()
    assert made.prevalence[index("Bald")] == 0.5
    assert share[black] == pytest.approx(share[gray])
    assert share[black] < 1
    assert set(made.given_way) >= {"Black_Hair", "Gray_Hair"}


def test_a_file_of_prevalences(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("attribute,note,prevalence\nBald,x,0.25\nMale,,1\n", encoding="utf-8")
    made = target(path)
    assert made.prevalence[index("Bald")] == 0.25
    assert made.prevalence[index("Young")] == celeba_prevalence()[index("Young")]
    assert made.request["prevalence"] == {"Bald": 0.25, "Male": 1.0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,prevalence\nBald,0.1\n", [":1:", "attribute and prevalence"]),
        ("attribute,prevalence\nBald,0.1\nBld,0.2\n", [":3:", "'Bald'"]),
        ("attribute,prevalence\nBald,50\n", [":2:", "between 0 and 1"]),
        ("attribute,prevalence\nBald,\n", [":2:"]),
        ("attribute,prevalence\nBald\n", [":2:"]),
        ("attribute,prevalence\nBald,nan\n", [":2:", "nan"]),
        ("attribute,prevalence\nBald,0.1\nBald,0.1\n", [":3:", "twice"]),
        ("", [":1:"]),
        ("attribute,prevalence\nBald,0.7\nBangs,0.6\n", ["Bald=0.7, Bangs=0.6", "nearest possible"]),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path, text, words):
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        target(path)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"set": {"Bald": 1, "Black_Hair": 1}}, ["Bald=1, Black_Hair=1", "nearest possible: Bald=0.5, Black_Hair=0.5"]),
        ({"set": {"Bald": 1.2}}, ["Bald", "between 0 and 1", "1.2"]),
        ({"set": {"Bald": -0.1}}, ["between 0 and 1"]),
        ({"set": {"bald": 0.1}}, ["did you mean 'Bald'"]),
        ({"prevalence": "balance"}, ["did you mean 'balanced'"]),
        ({"correlation": "some"}, ["'celeba' or 'none'"]),
        ({"correlate": {("Bald", "Male"): 0.9}}, ["Bald and Male", "nearest possible: 0.179"]),
        ({"correlate": {("Bald", "Bangs"): 0.1}}, ["exclude each other"]),
        ({"correlate": {("Male", "Male"): 1.0}}, ["itself"]),
        ({"correlate": {("Male", "Young"): 1.5}}, ["between -1 and 1"]),
        ({"correlate": {("Male", "Young"): 0.1, ("Young", "Male"): 0.2}}, ["twice"]),
        ({"correlate": {("Male", "Young"): 0.1}, "set": {"Young": 1.0}}, ["Young is always true", "undefined"]),
    ],
)
def test_the_impossible_is_refused_by_name(asked, words):
    with pytest.raises(InputError) as caught:
        target(**asked)
    assert all(word in str(caught.value) for word in words)
