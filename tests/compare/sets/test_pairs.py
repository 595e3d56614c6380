"""Sets of two audits, aligned image by image."""

import json
import shutil

import numpy as np
import pytest

from bincam.audit.pipeline.runner import run
from bincam.audit.summary.panel import read_panel
from bincam.compare.names import Names
from bincam.compare.paired_audits import pair_audits
from bincam.compare.sets.pairs import in_common, pair_sets
from bincam.errors import InputError
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted_sets import reader
from tests.audit.synthetic import reseal

pytestmark = NOTES_ALLOWED


def test_each_model_breaks_ties_in_the_order_of_its_own_outputs(audits, restated, monkeypatch):
    first, second = audits[0], restated("tied", {"colour": ("green", "blue", "red")})
    panels = read_panel(first, []), read_panel(second, [])
    equal = np.zeros((40, 3), np.float32)
    equal[0, 0] = np.nan
    monkeypatch.setattr(type(first), "scores", lambda _: equal)
    common = in_common(first, second, Names("a", "b"))
    (pair,), _ = pair_sets((first, second), panels, common, panels[0].rows, panels[0].clusters)
    assert pair.outputs == ("red", "green", "blue")
    assert [predicted[0] for predicted in pair.predicted] == [-1, -1]
    assert {int(k) for k in pair.predicted[0][1:]} == {0}  # red
    assert {int(k) for k in pair.predicted[1][1:]} == {1}  # green, the first of the second's
    assert not pair.both[0]
    assert pair.both[1:].all()


def rewritten(audit, folder, **changes):
    """A copy of an audit whose manifest states something else."""
    shutil.copytree(audit.folder, folder)
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return reseal(folder)


def test_regions_count_of_the_common_outputs_alone(audits, tmp_path):
    first = audits[0]
    source = first.manifest.regions.model_dump()
    assert set(source["by_attribute"]) == {"red", "green", "blue"}
    fewer = {**source, "digest": "of fewer attributes", "by_attribute": {**source["by_attribute"], "Hat": "0"}}
    assert pair_audits(first, rewritten(audits[1], tmp_path / "more", regions=fewer)).attributes == ("Bright",)
    moved = {**fewer, "by_attribute": {**source["by_attribute"], "green": "elsewhere"}}
    with pytest.raises(InputError, match=r"different regions \(the corners, the corners\)"):
        pair_audits(first, rewritten(audits[1], tmp_path / "moved", regions=moved))
    older = {**fewer, "by_attribute": None}
    with pytest.raises(InputError, match="different regions"):
        pair_audits(first, rewritten(audits[1], tmp_path / "older", regions=older))


def test_audits_of_sets_alone_agree_on_sides_and_regions(coloured, chosen, tmp_path):
    alone = chosen.replace(attributes=["colour"])
    first, second = (run(reader(fault), coloured, tmp_path / str(fault), alone) for fault in ("green", None))
    assert pair_audits(first, second).attributes == ()
    with pytest.raises(InputError, match=r"different sides \(predicted, positive\)"):
        pair_audits(first, rewritten(second, tmp_path / "side", side="positive"))
    with pytest.raises(InputError, match=r"different regions \(the corners, None\)"):
        pair_audits(first, rewritten(second, tmp_path / "none", regions=None))


def test_a_moved_threshold_of_a_set_is_refused_by_its_name(audits):
    with pytest.raises(InputError, match=r"moved has one for set 'colour', which has none"):
        pair_audits(*audits, moved={"colour": 1.0})
