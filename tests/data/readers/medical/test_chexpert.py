from __future__ import annotations

import numpy as np
import pytest

from bincam.data import load
from bincam.data.readers.medical.chexpert import FINDINGS, chexpert
from bincam.errors import InputError

HEAD = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *FINDINGS]
PATH = "CheXpert-v1.0-small/{}/patient{}/study1/view1_frontal.jpg"


def row(split, patient, values, sex="Female"):
    cells = {**dict.fromkeys(FINDINGS, ""), **values}
    return ",".join([PATH.format(split, patient), sex, "68", "Frontal", "AP", *cells.values()])


@pytest.fixture
def write(tmp_path):
    (tmp_path / "CheXpert-v1.0-small").mkdir()

    def written(*rows):
        file = tmp_path / "CheXpert-v1.0-small" / "train.csv"
        file.write_text("\n".join([",".join(HEAD), *rows]) + "\n")
        return file

    return written


ROWS = (
    row("train", "00001", {"No Finding": "1.0", "Pneumothorax": "0.0"}),
    row("train", "00002", {"Edema": "-1.0", "Lung Opacity": "1.0", "Fracture": "-1"}, sex="Unknown"),
)


@pytest.mark.parametrize(
    ("uncertain", "unmentioned", "edema", "empty", "said"),
    [
        ("ignore", "unknown", np.nan, np.nan, "read as unknown (uncertain=ignore)"),
        ("zero", "absent", 0, 0, "read as no (uncertain=zero)"),
        ("one", "absent", 1, 0, "read as yes (uncertain=one)"),
    ],
)
def test_the_policy_is_chosen_and_told(write, uncertain, unmentioned, edema, empty, said):
    table = load(write(*ROWS), uncertain=uncertain, unmentioned=unmentioned)
    assert table.reading["format"] == "chexpert"
    np.testing.assert_array_equal(table.labels[1, table.index("Edema")], edema)
    np.testing.assert_array_equal(table.labels[1, table.index("Fracture")], edema)
    np.testing.assert_array_equal(table.labels[0, table.index("Edema")], empty)
    assert table.labels[0, table.index("Pneumothorax")] == 0
    assert any("-1 is uncertain, 2 cells" in line and said in line for line in table.meaning)
    assert any("empty is not mentioned, 23 cells" in line for line in table.meaning)
    assert table.identities.tolist() == ["patient00001", "patient00002"]
    assert table.groups["Sex"].tolist() == ["Female", ""]
    assert table.splits.tolist() == ["train", "train"]
    assert table.path(0) == write(*ROWS).parent.parent / PATH.format("train", "00001")


def test_without_a_policy_nothing_is_read(write):
    with pytest.raises(InputError, match=r"format chexpert needs uncertain, one of 'ignore', 'zero', 'one'"):
        load(write(*ROWS))
    with pytest.raises(InputError, match="uncertain='maybe': expected one of 'ignore', 'zero', 'one'"):
        chexpert(write(*ROWS), uncertain="maybe")
    with pytest.raises(InputError, match=r"train\.csv:3: 'Edema' is '2'; findings are 1 = yes"):
        chexpert(write(ROWS[0], row("valid", "00003", {"Edema": "2"})), uncertain="one")
    file = write(*ROWS)
    file.write_text(file.read_text().replace("No Finding", "Nothing", 1))
    with pytest.raises(InputError, match="no column 'No Finding'"):
        chexpert(file, uncertain="one")
