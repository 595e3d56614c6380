import numpy as np
import pytest

from bincam.data import AttributeTable
from bincam.data.readers.celeba_labels import LANDMARK_COLUMNS
from bincam.data.readers.landmarks import landmarks_of, read_landmarks_of
from bincam.errors import InputError

POINTS = np.array([[69.0, 111], [108, 111], [88, 135], [72, 152], [106, 152]])


def faces(root, names, points=None):
    found = np.stack([POINTS + row for row in range(len(names))]) if points is None else points
    return AttributeTable(("Bald",), np.zeros((len(names), 1)), list(names), root, landmarks=found)


def written(folder, rows, columns=LANDMARK_COLUMNS):
    file = folder / "points.txt"
    lines = [f"{name} {' '.join(f'{value:g}' for value in values)}" for name, values in rows]
    file.write_text("\n".join([str(len(rows)), " ".join(columns), *lines]))
    return file


def test_a_file_of_the_data_set_is_found_under_any_path(tmp_path, monkeypatch):
    root = tmp_path / "photos"
    (root / "a").mkdir(parents=True)
    (root / "a" / "1.png").touch()
    (tmp_path / "link").symlink_to(root)
    table = faces(root, ["0.png", "a/1.png"])
    monkeypatch.chdir(root / "a")
    for path in ("1.png", "./../a/1.png", root / "a" / "1.png", tmp_path / "link" / "a" / "1.png"):
        (points,) = landmarks_of(table, [path])
        np.testing.assert_array_equal(points, POINTS + 1)
    through_link = faces(tmp_path / "link", ["0.png", "a/1.png"])
    np.testing.assert_array_equal(landmarks_of(through_link, [root / "a" / "1.png"])[0], POINTS + 1)
    assert landmarks_of(table, ["0.png", root.parent / "1.png"]) == [None, None]  # of the same name, elsewhere


def test_a_data_set_without_landmarks_is_refused(tmp_path):
    table = AttributeTable(("Bald",), np.zeros((1, 1)), ["0.png"], tmp_path)
    with pytest.raises(InputError, match="has no landmarks; name their columns"):
        landmarks_of(table, ["0.png"])


def test_a_line_is_that_of_the_image_whose_path_ends_with_its_name(tmp_path):
    file = written(tmp_path, [("b/0.png", POINTS.ravel()), ("1.png", POINTS.ravel() + 1)])
    found = read_landmarks_of(file, ["x/b/0.png", "c/0.png", "any/1.png", "1x.png"])
    np.testing.assert_array_equal(found[0], POINTS)
    np.testing.assert_array_equal(found[2], POINTS + 1)
    assert found[1] is None
    assert found[3] is None


def test_columns_are_read_by_their_names(tmp_path):
    swapped = [*LANDMARK_COLUMNS[2:4], *LANDMARK_COLUMNS[:2], *LANDMARK_COLUMNS[4:]]
    values = POINTS[[1, 0, 2, 3, 4]].ravel()
    (points,) = read_landmarks_of(written(tmp_path, [("0.png", values)], swapped), ["0.png"])
    np.testing.assert_array_equal(points, POINTS)


@pytest.mark.parametrize(
    ("names", "images", "message"),
    [
        (["0.png"], ["a/0.png", "b/0.png"], "may be a/0.png or b/0.png; put the folder before the name"),
        (["0.png", "a/0.png"], ["a/0.png"], "both '0.png' and 'a/0.png' may be a/0.png"),
        (["0.png", "./0.png"], ["0.png"], "'0.png' has two lines"),
    ],
)
def test_what_may_be_another_images_line_is_refused(tmp_path, names, images, message):
    file = written(tmp_path, [(name, POINTS.ravel()) for name in names])
    with pytest.raises(InputError, match=message):
        read_landmarks_of(file, images)
