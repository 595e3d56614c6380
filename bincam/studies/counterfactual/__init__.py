"""Counterfactual truth of a model's maps: pairs of images that differ in one place, whose change of the logit is known.

Public names are loaded on first use, so ``import bincam.studies.counterfactual`` costs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.studies.counterfactual.pair_table import ImagePair as ImagePair
    from bincam.studies.counterfactual.pair_table import PairTable as PairTable
    from bincam.studies.counterfactual.pair_table import read_pairs as read_pairs
    from bincam.studies.counterfactual.study import TruthSettings as TruthSettings
    from bincam.studies.counterfactual.study import run_truth as run_truth

_NAMES = {
    "ImagePair": "pair_table",
    "PairTable": "pair_table",
    "TruthSettings": "study",
    "read_pairs": "pair_table",
    "run_truth": "study",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
