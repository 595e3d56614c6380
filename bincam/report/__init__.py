"""Figures and reports of audits, contrasts and explanations."""

from bincam.report.html.page import write_report

__all__ = ["write_report"]
