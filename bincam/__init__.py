"""bincam: class activation maps, bias ledgers and audits for binary and multi-attribute image classifiers.

Public names are loaded on first use, so ``import bincam`` costs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bincam._version import __version__

if TYPE_CHECKING:
    from bincam import audit as audit
    from bincam import cam as cam
    from bincam import compare as compare
    from bincam import data as data
    from bincam import faces as faces
    from bincam import inference as inference
    from bincam import metrics as metrics
    from bincam import models as models
    from bincam import report as report
    from bincam import scenes as scenes
    from bincam import studies as studies
    from bincam import train as train
    from bincam.cam import Explainer as Explainer
    from bincam.cam import Explanation as Explanation
    from bincam.cam import Ledger as Ledger
    from bincam.models import load as load

_ROOMS = (
    "audit",
    "cam",
    "compare",
    "data",
    "faces",
    "inference",
    "metrics",
    "models",
    "report",
    "scenes",
    "studies",
    "train",
)
_NAMES = {"Explainer": "bincam.cam", "Explanation": "bincam.cam", "Ledger": "bincam.cam", "load": "bincam.models"}
__all__ = ["__version__", *_ROOMS, *_NAMES]  # noqa: PLE0604  # every entry is a string


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"bincam.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'bincam' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
