"""Audits: how well a classifier works for each class of each attribute, where it looks, and what it decides unseen.

Public names are loaded on first use, so ``import bincam.audit`` costs neither pandas nor torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bincam.audit.contrast import compare as compare
    from bincam.audit.runner import run as run
    from bincam.audit.settings import Settings as Settings
    from bincam.audit.store import Audit as Audit
    from bincam.audit.store import open_audit as open_audit
    from bincam.audit.summary import summarise as summarise

_NAMES = {
    "Audit": "store",
    "Settings": "settings",
    "compare": "contrast",
    "open_audit": "store",
    "run": "runner",
    "summarise": "summary",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        # No module has the name of a public function: importing it would put the module in the function's place.
        return getattr(importlib.import_module(f"bincam.audit.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'bincam.audit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
