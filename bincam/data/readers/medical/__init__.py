"""Readers of formats of data sets of medical images."""

from __future__ import annotations

from bincam.data.readers.format import Format

FORMATS: tuple[Format, ...] = ()
