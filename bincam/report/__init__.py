"""Figures and reports: all drawing is here."""

from bincam.report.html.page import write_report

__all__ = ["write_report"]
