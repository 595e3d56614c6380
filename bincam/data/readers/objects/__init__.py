"""Readers of formats of data sets of objects, with their boxes and masks."""

from __future__ import annotations

from bincam.data.readers.format import Format

FORMATS: tuple[Format, ...] = ()
