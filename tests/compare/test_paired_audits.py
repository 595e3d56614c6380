"""Audits that are paired, refused, or paired in part."""

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from bincam.audit import open_audit
from bincam.audit.folder import reader
from bincam.compare.contrast import _moved, compare
from bincam.compare.paired_audits import pair_audits
from bincam.errors import InputError
from tests.audit.synthetic import ATTRIBUTES, make_audit, reseal
from tests.compare.two_audits import edit


def test_other_images_are_refused_and_the_difference_named(folders, tmp_path):
    fewer = open_audit(make_audit(tmp_path / "fewer", images=380, seed=1))
    with pytest.raises(InputError, match=r"not the same images: 20 only in .*/a \(first: 000381.png\)"):
        compare(open_audit(folders[0]), fewer, tmp_path / "out")
    changed = open_audit(make_audit(tmp_path / "changed", images=400, data_seed=9))
    with pytest.raises(InputError, match="files of the same names with different contents"):
        compare(open_audit(folders[0]), changed, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_regions_sides_and_labels_are_refused(audits, other):
    with pytest.raises(InputError, match="audited with different regions"):
        pair_audits(audits[0], edit(other, regions={"source": "mine.yaml", "digest": "1"}))
    with pytest.raises(InputError, match="audited with different regions"):
        pair_audits(audits[0], edit(other, regions=None))
    with pytest.raises(InputError, match=r"different sides \(predicted, positive\)"):
        pair_audits(audits[0], edit(other, regions=audits[0].manifest.regions.model_dump(), side="positive"))
    theirs = {"masks_digest": {"object": {"source": "mine", "digest": "1"}}}
    with pytest.raises(InputError, match="audited with different object masks"):
        pair_audits(audits[0], edit(other, side="predicted", **theirs))
    edit(other, masks_digest={})
    file = reader.records_file(other, 0)
    table = pq.read_table(file)
    label = table["label"].to_numpy().copy()
    label[8] = 1 - label[8]
    at = table.schema.get_field_index("label")
    pq.write_table(table.set_column(at, table.schema.field(at), [label]), file)
    with pytest.raises(InputError, match=r"1 differing label \(first: 000002.png, Eyeglasses: "):
        pair_audits(audits[0], reseal(other))


def test_common_attributes_alone_are_compared_and_the_rest_named(folders, tmp_path):
    fewer = make_audit(
        tmp_path / "fewer", images=400, attributes=(*ATTRIBUTES[:4], "Chubby"), prevalence=(0.5, 0.08, 0.15, 0.85, 0.1)
    )
    # The synthetic images differ with the number of attributes; labels are set alike here.
    full = open_audit(folders[0])
    label = full.records(["label"])["label"].to_numpy().reshape(-1, 6)
    done = 0
    for number in range(open_audit(fewer).shards):
        file = reader.records_file(fewer, number)
        table = pq.read_table(file)
        rows = table.num_rows // 5
        here = np.concatenate([label[done : done + rows, :4], np.zeros((rows, 1), np.float32)], 1)
        done += rows
        at = table.schema.get_field_index("label")
        pq.write_table(table.set_column(at, table.schema.field(at), [here.reshape(-1)]), file)
    found = compare(full, reseal(fewer), tmp_path / "out", resamples=100)
    assert list(found["attributes"]) == list(ATTRIBUTES[:4])
    assert found["only_in_first"] == ["No_Beard", "Wearing_Hat"]
    assert found["only_in_second"] == ["Chubby"]


def test_moved_thresholds_come_from_the_card_unless_given(folders, tmp_path, audits):
    copy = shutil.copytree(folders[0], tmp_path / "copy")
    model = {**audits[0].manifest.model.model_dump(), "card": {"tuned_thresholds": {"Bald": -1.0}}}
    pair = pair_audits(edit(copy, model=model), audits[1])
    assert pair.moved_from == "card"
    assert pair.moved[ATTRIBUTES.index("Bald")] == -1
    for split, fitted in (("test", False), ("validation", True), (None, True)):
        assert _moved(pair, split)["fitted_on_audited"] == fitted
    assert np.isnan(pair.moved[0])
    same = {**model, "card": {"tuned_thresholds": dict.fromkeys(ATTRIBUTES, 0.0)}}
    found = compare(edit(copy, model=same), audits[1], tmp_path / "out", resamples=100)
    assert "already made at these thresholds" in found["moved"]["reason"]
    with pytest.raises(InputError, match="unknown attribute 'Balding'; did you mean 'Bald'"):
        pair_audits(*audits, moved={"Balding": 0.0})
    with pytest.raises(InputError, match="Bald: got nan, expected a finite"):
        pair_audits(*audits, moved={"Bald": float("nan")})
