import subprocess
import sys

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.faces.labels import constraints
from bincam.faces.labels.copula import calibrate, phi
from bincam.faces.labels.prevalence import target
from bincam.faces.labels.sampler import SPLITS, Sampler, _seen, sampler, spec
from bincam.faces.labels.spec import index


@pytest.fixture(scope="module")
def copula():
    return calibrate(target())


@pytest.mark.parametrize("preset", ["celeba", "balanced", "independent"])
def test_a_set_has_the_prevalences_and_correlations_of_its_preset(preset):
    wanted = target(preset)
    faces = sampler(wanted, seed=5).faces(0, 50_000)
    assert np.abs(faces.labels.mean(axis=0) * _seen() - wanted.prevalence).max() < 0.01
    off = np.abs(phi(faces.labels) - wanted.phi)
    assert off[np.triu(~constraints.exclusive(), 1)].mean() < 0.03


@pytest.mark.parametrize("seed", range(4))
def test_five_thousand_faces_are_within_the_documented_error(copula, seed):
    faces = Sampler(copula, seed).faces(0, 5000)
    assert np.abs(faces.labels.mean(axis=0) - target().prevalence).max() < 0.015
    off = np.abs(phi(faces.labels) - target().phi)
    assert off[np.triu(~constraints.exclusive(), 1)].mean() < 0.05


def test_a_face_is_the_same_whatever_is_made_with_it(copula):
    drawer = Sampler(copula, seed=3)
    whole = drawer.faces(0, 900)
    for start, stop in [(0, 1), (191, 194), (500, 900), (899, 900)]:
        part = drawer.faces(start, stop)
        assert [part[at] for at in range(len(part))] == [whole[at] for at in range(start, stop)]
        assert np.array_equal(part.split, whole.split[start:stop])
        assert np.array_equal(part.person, whole.person[start:stop])


def test_other_prevalences_keep_people_and_photographs(copula):
    one = Sampler(copula, seed=3).faces(0, 400)
    two = Sampler(calibrate(target(set={"Bald": 0.5})), seed=3).faces(0, 400)
    assert np.array_equal(one.seed, two.seed)
    assert np.array_equal(one.identity, two.identity)
    assert np.array_equal(one.labels[:, index("Male")], two.labels[:, index("Male")])


def test_seeds_differ(copula):
    one, two = (Sampler(copula, seed).faces(0, 300) for seed in (1, 2))
    assert not np.isin(one.seed, two.seed).any()
    assert (one.labels != two.labels).any(axis=1).mean() > 0.9


def test_people_keep_their_split_their_sex_and_their_number(copula):
    faces = Sampler(copula, seed=1).faces(0, 6000)
    male = index("Male")
    for person in np.unique(faces.person):
        own = faces.person == person
        assert len(np.unique(faces.split[own])) == 1
        assert len(np.unique(faces.identity[own])) == 1
        assert len(np.unique(faces.labels[own, male])) == 1
    images = np.bincount(faces.person)[1:]
    assert images.mean() == pytest.approx(6, abs=0.1)
    assert images.max() <= 11
    assert len(np.unique(faces.identity)) == len(images)
    assert len(np.unique(faces.seed)) == 6000


def test_lasting_traits_last_and_passing_ones_pass(copula):
    faces = Sampler(copula, seed=1).faces(0, 12_000)

    def disagreement(name):
        column = faces.labels[:, index(name)]
        share = np.bincount(faces.person, column)[1:] / np.bincount(faces.person)[1:]
        spread = 2 * share * (1 - share)
        return spread[faces.person - 1].mean() / (2 * column.mean() * (1 - column.mean()))

    assert disagreement("Young") < 0.25
    assert disagreement("Big_Nose") < 0.25
    assert disagreement("Blurry") > 0.5
    assert disagreement("Smiling") > disagreement("Eyeglasses") - 0.1


@pytest.mark.slow
@pytest.mark.parametrize("per_person", [1, 6, 20])
def test_splits_are_in_celebas_proportions(copula, per_person):
    faces = Sampler(copula, seed=9, images_per_person=per_person).faces(0, 30_000)
    assert np.bincount(faces.split) / 30_000 == pytest.approx(np.array(SPLITS) / sum(SPLITS), abs=0.01)


def test_all_splits_appear_early(copula):
    assert all({*Sampler(copula, seed).faces(0, 200).split} == {0, 1, 2} for seed in range(10))


def test_labels_follow_from_the_drawn_attributes(copula):
    faces = Sampler(copula, seed=2).faces(0, 5000)
    assert np.array_equal(constraints.labels_from_drawn(faces.drawn), faces.labels)
    no_beard, goatee = index("No_Beard"), index("Goatee")
    assert 0.4 < faces.drawn[faces.labels[:, goatee], no_beard].mean() < 0.8


def test_bad_numbers_are_refused(copula):
    with pytest.raises(InputError, match="-1"):
        Sampler(copula, seed=-1)
    with pytest.raises(InputError, match="at least one image"):
        Sampler(copula, images_per_person=0)
    with pytest.raises(InputError, match="not empty"):
        Sampler(copula).faces(4, 4)


def test_a_seed_stands_for_the_same_face_in_another_process():
    code = "from bincam.faces.labels.sampler import spec; print(spec(17))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == repr(spec(17))
