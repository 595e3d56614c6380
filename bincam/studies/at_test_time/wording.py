"""Sentences about methods at test time: what they did to errors, and whether they pull to the majority."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bincam.stats.estimate import Estimate
from bincam.stats.formatting import written


def sentence(title: str, question: str, entry: Mapping[str, Any], *, minimises_entropy: bool) -> str:
    """Say what a method did to the answers to one question.

    A pull is stated only where the interval of the paired difference leaves 0 out.

    Args:
        title: The method's name in text.
        question: The question's name.
        entry: A ``Comparison`` as JSON has it.
        minimises_entropy: Whether the method lowers the entropy of a mean over views.

    Example:
        >>> import numpy as np
        >>> from bincam.stats import Clusters
        >>> from bincam.studies.at_test_time.comparison import compare_answers
        >>> from bincam.studies.zoom.encoding import encoded
        >>> true = np.repeat([1, 0], [50, 150])
        >>> after = np.where(np.arange(200) < 30, 0, true)
        >>> entry = encoded(compare_answers(true, after, true, [False, True], Clusters.of([""] * 200)))
        >>> said = sentence("MEMO", "Bald", entry, minimises_entropy=True)
        >>> said.partition(": ")[0], "Lowering entropy pulls to the majority" in said
        ('Bald, MEMO', True)
    """
    minority, majority, pull = (
        Estimate.from_json(entry[name]["difference"]) for name in ("minority", "majority", "pull")
    )
    errors = (
        f"{question}, {title}: minority error {written(minority, 'points')}, "
        f"majority error {written(majority, 'points')}"
        if minority.defined or majority.defined
        else f"{question}, {title}: no labelled image has an answer before and after"
    )
    if not pull.defined:
        return f"{errors}."
    what = "Lowering entropy" if minimises_entropy else "It"
    if pull.low > 0:
        meaning = f"{what} pulls to the majority"
    elif pull.high < 0:
        meaning = f"{what} pulls to the minority"
    else:
        meaning = f"{what} is not shown to pull to the majority"
    return f"{errors}. {meaning}: answers of the majority {written(pull, 'points')}."
