"""Training: losses that weigh the classes, and the loop that makes a balanced and an unbalanced model alike.

Public names are loaded on first use, so ``import bincam.train`` costs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        # No module has the name of a public function: importing it would put the module in the function's place.
        return getattr(importlib.import_module(f"bincam.train.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'bincam.train' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
