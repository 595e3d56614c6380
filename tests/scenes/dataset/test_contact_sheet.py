import numpy as np
import pytest
from PIL import Image

from bincam.errors import InputError
from bincam.scenes import SHAPES, draw
from bincam.scenes.dataset.contact_sheet import parts_picture, scenes_sheet, shapes_sheet, write


def test_scenes_are_in_their_places():
    drawn = draw(5, seed=2, size=64)
    sheet = scenes_sheet(drawn, 3)
    assert sheet.shape == (2 * 68, 3 * 68, 3)
    assert np.array_equal(sheet[68:132, 68:132], drawn.images[4])
    assert (sheet[68:, 136:] == 255).all()
    beside = scenes_sheet(drawn, 2, masks=True)
    assert np.array_equal(beside[:64, :64], drawn.images[0])
    assert np.array_equal(beside[:64, 64:128], parts_picture(drawn.parts[0], drawn.boxes[0]))


def test_parts_have_colours_of_their_own_and_boxes_darker_edges():
    drawn = draw(1, seed=2, shortcut={"mark:star": 0.5})
    picture = parts_picture(drawn.parts[0], drawn.boxes[0])
    ground = picture[drawn.parts[0] == 0]
    assert ((ground == 205).all(axis=1)).mean() > 0.9
    row = int(np.flatnonzero(drawn.present[0])[0])
    x0, y0, x1, _ = drawn.boxes[0, row].tolist()
    assert len(np.unique(picture[drawn.parts[0] == row + 1], axis=0)) >= 2
    assert (picture[y0, x0:x1] <= 128).all()


@pytest.mark.parametrize("kind", ["scenes", "masks", "shapes", "both"])
def test_written(tmp_path, kind):
    write(tmp_path / "sheet.png", kind, draw(2, size=64), 2, 2)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width in {272, 528, shapes_sheet(64, 2).shape[1]}
        assert len(sheet.getcolors(100_000)) > len(SHAPES)


def test_refusals(tmp_path):
    for options, words in (
        (("mask", 1, 1), "did you mean 'masks'"),
        (("masks", 0, 1), "got 0 and 1"),
        (("masks", 1, 0), "got 1 and 0"),
        (("masks", 1, 100_000), "1 scenes of 64 pixels, in rows of 1 and enlarged by 100000, may have .* lower one"),
        (("masks", 10**9, 1), "in rows of 1000000000"),
    ):
        with pytest.raises(InputError, match=words):
            write(tmp_path / "sheet.png", options[0], draw(1, size=64), *options[1:])
