from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from bincam.data import load
from bincam.data.readers.objects.ilsvrc import ilsvrc
from bincam.errors import InputError

SYNSETS = ("n03995372", "n01440764", "n02106662")
XML = (
    "<annotation><filename>{0}</filename><size><width>500</width><height>375</height></size><object><name>{1}</name>"
    "<bndbox><xmin>0</xmin><ymin>108</ymin><xmax>499</xmax><ymax>193</ymax></bndbox></object>"
    "<object><name>{1}</name><bndbox><xmin>4</xmin><ymin>5</ymin><xmax>6</xmax><ymax>7</ymax></bndbox></object>"
    "</annotation>"
)


@pytest.fixture
def root(tmp_path):
    data = tmp_path / "ILSVRC" / "Data" / "CLS-LOC"
    for synset in SYNSETS:
        (data / "train" / synset).mkdir(parents=True)
        (data / "train" / synset / f"{synset}_1.JPEG").touch()
    (data / "val").mkdir()
    for number in (1, 2, 3):
        (data / "val" / f"ILSVRC2012_val_0000000{number}.JPEG").touch()
    notes = tmp_path / "ILSVRC" / "Annotations" / "CLS-LOC" / "val"
    notes.mkdir(parents=True)
    (notes / "ILSVRC2012_val_00000001.xml").write_text(XML.format("ILSVRC2012_val_00000001", "n02106662"))
    (tmp_path / "LOC_val_solution.csv").write_text(
        "ImageId,PredictionString\nILSVRC2012_val_00000002,n03995372 85 1 499 272 \n"
        "ILSVRC2012_val_00000001,n02106662 0 108 499 193 n02106662 4 5 6 7 \n"
        "ILSVRC2012_val_00000003,n01440764 1 1 2 2 \n"
    )
    return tmp_path


def classes(table):
    known = table.splits == "validation"
    return [table.names[i].removeprefix("class=") for i in table.labels[known].argmax(1)]


def test_one_folder_of_validation_images_gets_its_classes_from_a_list(root):
    table = load(root)
    assert table.reading == {"format": "ilsvrc"}
    assert table.one_of["class"] == ("class=n01440764", "class=n02106662", "class=n03995372")  # sorted
    assert table.counts() == {"train": 3, "validation": 3}
    assert classes(table) == ["n02106662", "n03995372", "n01440764"]
    # Unlike VOC's, the files count from 0: the whole width is 0 to 499.
    boxes = table.objects.of("val/ILSVRC2012_val_00000001.JPEG", "class=n02106662", stored=(375, 500))
    assert boxes.tolist() == [[0, 108, 500, 194], [4, 5, 7, 8]]
    assert not ilsvrc(root, with_boxes=False).objects.boxes


def test_the_development_kit_numbers_the_classes_otherwise(root, tmp_path):
    kit = tmp_path / "devkit" / "data"
    kit.mkdir(parents=True)
    kinds = [("ILSVRC2012_ID", object), ("WNID", object)]
    savemat(kit / "meta.mat", {"synsets": np.array([(2, "n01440764"), (1, "n03995372"), (3, "n02106662")], kinds)})
    (kit / "ILSVRC2012_validation_ground_truth.txt").write_text("3\n1\n2\n")
    (tmp_path / "val.txt").write_text(
        "ILSVRC2012_val_00000001.JPEG 1\nILSVRC2012_val_00000002.JPEG 2\nILSVRC2012_val_00000003.JPEG n01440764\n"
    )
    expected = ["n02106662", "n03995372", "n01440764"]
    assert classes(ilsvrc(root, val_labels=kit / "ILSVRC2012_validation_ground_truth.txt")) == expected
    assert classes(ilsvrc(root, val_labels=tmp_path / "val.txt")) == expected
    (kit / "ILSVRC2012_validation_ground_truth.txt").write_text("3\n1\n")
    with pytest.raises(InputError, match="2 lines, but val has 3 images"):
        ilsvrc(root, val_labels=kit / "ILSVRC2012_validation_ground_truth.txt")
    (kit / "meta.mat").unlink()
    with pytest.raises(InputError, match=r"no meta\.mat beside it"):
        ilsvrc(root, val_labels=kit / "ILSVRC2012_validation_ground_truth.txt")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ILSVRC2012_val_00000001.JPEG 3", r"val\.txt:1: class 3; the 3 synsets are numbered from 0"),
        ("ILSVRC2012_val_00000001.JPEG n0999", "class 'n0999'; known"),
        ("ILSVRC2012_val_00000001.JPEG", "expected the name of an image and its class"),
        ("other.JPEG 1", "no class of this image"),
    ],
)
def test_lists_that_do_not_fit_are_refused(root, line, message, tmp_path):
    (tmp_path / "val.txt").write_text(f"{line}\n")
    with pytest.raises(InputError, match=message):
        ilsvrc(root, val_labels=tmp_path / "val.txt")


def test_without_a_list_the_option_is_named(root):
    (root / "LOC_val_solution.csv").unlink()
    with pytest.raises(InputError, match="state the list of their classes: val_labels="):
        ilsvrc(root)
