"""Readers of formats of data sets of people and their attributes."""

from __future__ import annotations

from bincam.data.readers.format import Format

FORMATS: tuple[Format, ...] = ()
