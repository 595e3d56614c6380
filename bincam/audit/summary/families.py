"""Families of tests between the classes of every attribute, of an audit's errors and of its maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.panel import Panel
from bincam.stats.hypotheses.hypothesis_tests import difference_test, family


def class_families(panel: Panel, columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """Test every attribute: if the minority's error is greater, and if the measures of maps differ between classes."""
    minority, majority = panel.member("true:minority"), panel.member("true:majority")

    def tested(name: str, values: NDArray[np.floating], group: NDArray[np.integer], greater: bool) -> dict[str, Any]:
        return family(
            name,
            [
                ({"attribute": attribute}, difference_test(values[:, a], group[:, a], panel.clusters, greater=greater))
                for a, attribute in enumerate(panel.attributes)
            ],
        )

    true = np.where(minority, 0, np.where(majority, 1, -1))
    predicted = np.where(panel.member("predicted:minority"), 0, np.where(panel.member("predicted:majority"), 1, -1))
    result = [tested("minority error exceeds majority error", panel.wrong, true, True)]
    for measure in columns:
        values = panel.column(columns[measure])
        result.append(tested(f"{measure} differs between true classes", values, true, False))
        result.append(tested(f"{measure} differs between predicted classes", values, predicted, False))
    return result
