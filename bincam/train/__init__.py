"""Training: losses that weigh the classes, and the loop that makes a balanced and an unbalanced model alike.

Public names are loaded on first use, so ``import bincam.train`` costs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.train.attribute_loss import AttributeLoss as AttributeLoss
    from bincam.train.config import TrainConfig as TrainConfig
    from bincam.train.config import read_config as read_config
    from bincam.train.loop import fit as fit
    from bincam.train.losses import LOSSES as LOSSES
    from bincam.train.losses import make_loss as make_loss
    from bincam.train.metrics import Metrics as Metrics
    from bincam.train.metrics import evaluate as evaluate
    from bincam.train.pair import fit_pair as fit_pair
    from bincam.train.runfolder import Result as Result
    from bincam.train.thresholds import tune as tune
    from bincam.train.weights import ClassCounts as ClassCounts

_NAMES = {
    "LOSSES": "losses",
    "AttributeLoss": "attribute_loss",
    "ClassCounts": "weights",
    "Metrics": "metrics",
    "Result": "runfolder",
    "TrainConfig": "config",
    "evaluate": "metrics",
    "fit": "loop",
    "fit_pair": "pair",
    "make_loss": "losses",
    "read_config": "config",
    "tune": "thresholds",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
