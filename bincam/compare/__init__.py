"""Contrasts: paired comparisons of two audits of the same images.

Public names are loaded on first use, so ``import bincam.compare`` costs neither pandas nor torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.compare.contrast import compare as compare
    from bincam.compare.document import Contrast as Contrast

_NAMES = {"Contrast": "document", "compare": "contrast"}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
