import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from bincam.cli import app
from bincam.errors import InputError
from bincam.faces.dataset import contact_sheet


def test_faces_are_in_rows_and_the_last_is_filled_with_white():
    images = [np.full((3, 2, 3), v, np.uint8) for v in (10, 20, 30)]
    sheet = contact_sheet.faces_sheet(images, columns=2)
    assert sheet.shape == (6, 4, 3)
    assert sheet[0, :, 0].tolist() == [10, 10, 20, 20]
    assert sheet[3, :, 0].tolist() == [30, 30, 255, 255]


def test_influence_is_marked_where_it_is_and_nowhere_else():
    image, mask = np.full((2, 2, 3), 100, np.uint8), np.array([[True, False], [False, False]])
    marked = contact_sheet.marked(image, mask)
    assert marked[0, 0, 0] > 150
    assert marked[0, 0, 1] < 60
    assert (marked[~mask] == 100).all()


def test_command_writes_a_sheet(tmp_path):
    out = tmp_path / "sheet.png"
    result = CliRunner().invoke(
        app,
        ["faces", "sheet", "--out", str(out), "--kind", "faces", "--count", "3", "--columns", "2", "--size", "60x74"],
    )
    assert result.exit_code == 0, result.output
    with Image.open(out) as picture:
        assert picture.size[0] == 120
        assert np.asarray(picture).std() > 20


@pytest.mark.slow
def test_every_drawn_attribute_has_a_row():
    rows = list(contact_sheet.rows(0, (60, 74)))
    assert len(rows) == 39
    assert sum(row.influence.any() for row in rows) >= 38


@pytest.mark.parametrize(("kind", "size"), [("masks", "60x74"), ("faces", "60"), ("faces", "axb")])
def test_invalid_arguments_are_refused(tmp_path, kind, size):
    with pytest.raises(InputError):
        contact_sheet.write(tmp_path / "x.png", kind, 0, 1, 1, size)
    assert not list(tmp_path.iterdir())
