from __future__ import annotations

import numpy as np
import pytest

from bincam.data import load
from bincam.errors import BincamWarning, InputError

NAMES = (
    "100_0_0_20170112213500903.jpg.chip.jpg",
    "1_1_4_20161219154612988.jpg.chip.jpg",
    "26_0_2_20170104023102422.jpg.chip.jpg",
)
LACKING = (  # the published folder's
    "39_1_20170116174525125.jpg.chip.jpg",
    "61_1_20170109142408075.jpg.chip.jpg",
    "61_1_20170109150557335.jpg.chip.jpg",
)


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        (tmp_path / name).touch()
    return tmp_path


def test_labels_are_in_the_names(folder):
    read = load(folder)
    assert read.ids == NAMES
    assert read.names == ("Male", "race=White", "race=Black", "race=Asian", "race=Indian", "race=Others")
    np.testing.assert_array_equal(read.labels, [[1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1], [1, 0, 0, 1, 0, 0]])
    assert read.groups["age"].tolist() == ["100", "1", "26"]
    assert read.counts() == {"": 3}
    assert load(folder, **read.reading).digest() == read.digest()


def test_ages_are_classes_where_their_bounds_are_stated(folder):
    read = load(folder, ages_from=[0, 1, 2, 27])
    assert read.one_of["age"] == ("age=0", "age=1", "age=2-26", "age=27 or more")
    assert read.select(["age"]).labels.argmax(1).tolist() == [3, 1, 2]
    for wrong in ([1, 2], [0], [0, 5, 3], [0, 3, 3]):
        with pytest.raises(InputError, match="ascending order, from 0"):
            load(folder, ages_from=wrong)


def test_names_without_a_race_are_refused_by_name_or_skipped(folder):
    (folder / "part2").mkdir()
    for name in LACKING:
        (folder / "part2" / name).touch()
    with pytest.raises(InputError, match=rf"3 images .*part2/{LACKING[0]}, part2/{LACKING[1]}, part2/{LACKING[2]};"):
        load(folder)
    with pytest.warns(BincamWarning, match=f"3 images skipped.*{LACKING[0]}"):
        read = load(folder, malformed="skip")
    assert read.ids == NAMES
    (folder / "44_3_0_20170116174525125.jpg").touch()
    with pytest.raises(InputError, match=r"4 images.*44_3_0"):
        load(folder, format="utkface")


def test_other_names_are_not_taken_for_it(tmp_path):
    for name in ("1_2.jpg", "cat.jpg", NAMES[0]):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match="of no format"):
        load(tmp_path)
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(InputError, match="no images named AGE_GENDER_RACE_TIME"):
        load(tmp_path, format="utkface")
