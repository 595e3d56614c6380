"""Audits of classifiers: errors of each class, the evidence in the image, and the decisions made without looking.

Public names are loaded on first use, so ``import bincam.audit`` costs neither pandas nor torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit as Audit
    from bincam.audit.folder.reader import open_audit as open_audit
    from bincam.audit.pipeline.runner import run as run
    from bincam.audit.settings import Settings as Settings
    from bincam.audit.summary.label_noise import confident_errors as confident_errors
    from bincam.audit.summary.summarize import summarise as summarise

_NAMES = {
    "Audit": "folder.reader",
    "Settings": "settings",
    "confident_errors": "summary.label_noise",
    "open_audit": "folder.reader",
    "run": "pipeline.runner",
    "summarise": "summary.summarize",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
