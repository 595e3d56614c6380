"""Audits: how well a classifier works for each class of each attribute, where it looks, and what it decides unseen.

Public names are loaded on first use, so ``import bincam.audit`` costs neither pandas nor torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

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
__getattr__, __dir__ = lazily(__name__, _NAMES)
