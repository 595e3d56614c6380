"""Figures and reports of audits, contrasts and explanations.

Public names are loaded on first use, so that what draws a single figure does not load the whole page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.report.html.write import write_report as write_report
    from bincam.report.model_card.write import write_card as write_card

_NAMES = {"write_card": "model_card.write", "write_report": "html.write"}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
