"""The sweep's figure shows the numbers it was given."""

from __future__ import annotations

import numpy as np

from experiments.train.figures import prevalence_sweep


def test_a_line_for_each_model_in_percent():
    def value(mean):
        return {"mean": mean, "low": mean - 0.01, "high": mean + 0.01}

    found = {
        p: {
            "unbalanced": {"minority_error": value(0.5 - p), "majority_error": value(p / 10 + 0.01)},
            "balanced": {"minority_error": value(0.2), "majority_error": {"mean": None, "low": None, "high": None}},
        }
        for p in (0.5, 0.1, 0.02)
    }
    figure = prevalence_sweep(found, "Smiling")
    minority, majority = figure.axes
    assert minority.get_title() == "minority error"
    assert "Smiling" in majority.get_xlabel()
    lines = {line.get_label(): line for line in minority.lines}
    assert set(lines) == {"unbalanced", "balanced"}
    np.testing.assert_allclose(lines["unbalanced"].get_xdata(), [0.02, 0.1, 0.5])
    np.testing.assert_allclose(lines["unbalanced"].get_ydata(), [48, 40, 0], atol=1e-12)
    assert np.isnan(majority.lines[1].get_ydata()).all()
