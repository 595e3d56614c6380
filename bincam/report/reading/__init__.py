"""Audits and contrasts as the page reads them."""
