"""Figures and reports of audits, contrasts and explanations."""

from bincam.report.html.page import write_report
from bincam.report.model_card.write import write_card

__all__ = ["write_card", "write_report"]
