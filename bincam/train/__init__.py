"""Training: losses with class weights, and a loop for pairs of models that differ only in these.

Public names are loaded on first use, so ``import bincam.train`` costs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.postprocessing.offsets import match_frequencies as match_frequencies
    from bincam.postprocessing.thresholds import tune as tune
    from bincam.stats.class_counts import ClassCounts as ClassCounts
    from bincam.stats.classification import Metrics as Metrics
    from bincam.stats.classification import evaluate as evaluate
    from bincam.train.configuration.config import TrainConfig as TrainConfig
    from bincam.train.configuration.config import read_config as read_config
    from bincam.train.loop import fit as fit
    from bincam.train.losses.base import AttributeLoss as AttributeLoss
    from bincam.train.losses.registry import LOSSES as LOSSES
    from bincam.train.losses.registry import make_loss as make_loss
    from bincam.train.losses.set_registry import SET_LOSSES as SET_LOSSES
    from bincam.train.losses.set_registry import make_set_loss as make_set_loss
    from bincam.train.losses.two_head import pseudo_labels as pseudo_labels
    from bincam.train.pair import fit_pair as fit_pair
    from bincam.train.runs.folder import Result as Result

_NAMES = {
    "LOSSES": "losses.registry",
    "SET_LOSSES": "losses.set_registry",
    "AttributeLoss": "losses.base",
    "ClassCounts": "bincam.stats.class_counts",
    "Metrics": "bincam.stats.classification",
    "Result": "runs.folder",
    "TrainConfig": "configuration.config",
    "evaluate": "bincam.stats.classification",
    "fit": "loop",
    "fit_pair": "pair",
    "make_loss": "losses.registry",
    "make_set_loss": "losses.set_registry",
    "match_frequencies": "bincam.postprocessing.offsets",
    "pseudo_labels": "losses.two_head",
    "read_config": "configuration.config",
    "tune": "bincam.postprocessing.thresholds",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
