"""Readers of formats for images of any kind."""

from __future__ import annotations

from bincam.data.readers.format import Format, named

FORMATS: tuple[Format, ...] = (
    Format(
        "table",
        "a CSV or Parquet table with a row per image",
        "a .csv or .parquet file with a column of paths",
        "table:table",
        named(".csv", ".parquet"),
        yields=True,
    ),
)
