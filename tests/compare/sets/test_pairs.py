"""Sets of two audits, aligned image by image."""

import numpy as np

from bincam.audit.summary.panel import read_panel
from bincam.compare.names import Names
from bincam.compare.sets.pairs import in_common, pair_sets
from tests.audit.conftest import NOTES_ALLOWED

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
