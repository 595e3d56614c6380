"""People and pictures in several splits are told by everything that uses these splits."""

from dataclasses import replace

import numpy as np
import pytest

from bincam.data import AttributeTable, celeba
from bincam.data.checking.leakage import shared_pictures, split_leaks

ALL = ("train", "validation", "test")


def test_a_sound_set_says_nothing(folder):
    assert split_leaks(celeba(folder), ALL) == []


def test_people_and_pictures_of_the_used_splits_alone_are_told(folder):
    table = celeba(folder)  # rows 0 to 3 train, 4 to 7 validation, 8 to 11 test
    table.path(11).write_bytes(table.path(0).read_bytes())
    identities = table.identities.copy()
    identities[8] = identities[0]
    leaking = replace(table, identities=identities)
    people, pictures = split_leaks(leaking, ALL)
    assert "1 person is in several of the splits train, validation and test, so that" in people
    assert identities[0] not in people.replace(str(folder), "")  # notes stand in reports that are sent on
    assert "1 picture is in several" in pictures
    assert "(first: '000001.jpg' and '000012.jpg')" in pictures
    assert f"'bincam data check {folder}' lists all" in pictures
    assert len(split_leaks(leaking, ("train", "test"))) == 2
    assert split_leaks(leaking, ("train", "validation")) == split_leaks(leaking, ("test",)) == []


def test_pictures_of_equal_size_that_differ_are_not_the_same(tmp_path):
    content = bytearray(np.random.default_rng(0).bytes(4_000))
    for name, byte in (("a", 0), ("b", 1), ("c", 0)):
        content[0] = byte  # far from the middle, by which most files are told apart
        (tmp_path / name).write_bytes(content)
    splits = np.array(["train", "test", "test", "test"])
    table = AttributeTable(("Bald",), np.ones((4, 1)), ("a", "b", "c", "gone"), tmp_path, splits=splits)
    assert shared_pictures(table) == [[0, 2]]


@pytest.mark.parametrize("same", [True, False])
def test_people_who_are_the_classes_are_no_leak(tmp_path, same):
    names = ("who=ann", "who=ben")
    labels = np.eye(2)[[0, 1, 0, 1]]
    table = AttributeTable(
        names, labels, tuple("abcd"), tmp_path, splits=np.array(["train", "train", "test", "test"]),
        identities=np.array(["ann", "ben", "ann", "ben" if same else "ann"]), one_of={"who": names},
    )  # fmt: skip
    assert bool(split_leaks(table, ALL)) != same
