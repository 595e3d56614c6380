from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bincam.data import load, load_regions
from bincam.data.readers.faces.celebamask_hq import celebamask_hq
from bincam.errors import InputError

LABELS = "3\nEyeglasses Smiling \n0.jpg  -1  1\n1.jpg   1 -1\n2.jpg  -1 -1\n"
MAPPING = "idx\torig_idx\torig_file\n0\t162769\t162770.jpg\n1\t162770\t162771.jpg\n2\t182637\t182638.jpg\n"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "CelebA-HQ-img").mkdir()
    for number in range(3):
        Image.new("RGB", (64, 64)).save(tmp_path / "CelebA-HQ-img" / f"{number}.jpg")
    (tmp_path / "CelebAMask-HQ-attribute-anno.txt").write_text(LABELS)
    (tmp_path / "CelebA-HQ-to-CelebA-mapping.txt").write_text(MAPPING)
    masks = tmp_path / "CelebAMask-HQ-mask-anno" / "0"
    masks.mkdir(parents=True)
    for name, rows in {"00000_mouth": (20, 22), "00000_u_lip": (18, 20), "00001_eye_g": (8, 12)}.items():
        mask = np.zeros((32, 32), np.uint8)
        mask[rows[0] : rows[1], 10:20] = 255
        Image.fromarray(mask).convert("RGB").save(masks / f"{name}.png")  # three channels, as they are distributed
    return tmp_path


def test_splits_are_celebas_through_the_mapping(root):
    table = load(root)
    assert table.reading == {"format": "celebamask_hq"}
    assert table.ids == ("0.jpg", "1.jpg", "2.jpg")
    assert table.labels.tolist() == [[0, 1], [1, 0], [0, 0]]
    # orig_idx counts from 0: 162769 is file 162770, the last of training.
    assert table.splits.tolist() == ["train", "validation", "test"]
    people = root / "identity_CelebA.txt"
    people.write_text("162771.jpg 5\n162770.jpg 7\n182638.jpg 5\n000001.jpg 1\n")
    assert celebamask_hq(root, identities=people).identities.tolist() == ["7", "5", "5"]
    (root / "CelebA-HQ-to-CelebA-mapping.txt").unlink()
    assert celebamask_hq(root).splits.tolist() == ["", "", ""]
    with pytest.raises(InputError, match="without which identities= cannot be assigned"):
        celebamask_hq(root, identities=people)


def test_parts_are_regions_of_images_twice_as_large(root):
    regions = load_regions("parts", root)
    assert "Smiling" in regions
    mask = regions.mask("Smiling", (64, 64), image="0.jpg", positive=True)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    ends = (rows[0], rows[-1], columns[0], columns[-1])
    assert ends == (36, 43, 20, 39)  # mouth and upper lip; there is no lower one
    assert regions.mask("Smiling", (64, 64), image="1.jpg", positive=True) is None  # no file, no part
    assert regions.mask("Eyeglasses", (64, 64), image="1.jpg", positive=False) is None  # no object where there is none
    assert regions.mask("Eyeglasses", (64, 64), image="1.jpg", positive=True).any()
    assert regions.mask("Blurry", (64, 64), image="1.jpg", positive=True) is None  # of no part
    (root / "CelebAMask-HQ-mask-anno/0/00001_eye_g.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"00001_eye_g\.png: cannot be read as a mask"):
        regions.mask("Eyeglasses", (64, 64), image="1.jpg", positive=True)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "CelebA-HQ-to-CelebA-mapping.txt",
            MAPPING.replace("162770.jpg", "162769.jpg"),
            r"mapping\.txt:2: .*do not fit",
        ),
        ("CelebA-HQ-to-CelebA-mapping.txt", MAPPING.replace("2\t182637", "3\t182637"), "no line for image '2.jpg'"),
        ("CelebA-HQ-to-CelebA-mapping.txt", MAPPING.replace("182637\t182638", "202599\t202600"), "CelebA has no image"),
        ("CelebA-HQ-to-CelebA-mapping.txt", "0 1\n", "2 fields, expected 3"),
        ("CelebAMask-HQ-attribute-anno.txt", LABELS.replace("3\n", "4\n", 1), "the count line states 4 images"),
        ("CelebAMask-HQ-attribute-anno.txt", LABELS.replace("-1  1", "0 1"), "a label is -1 or 1"),
    ],
)
def test_malformed_lists_are_refused(root, file, text, message):
    (root / file).write_text(text)
    with pytest.raises(InputError, match=message):
        celebamask_hq(root)
