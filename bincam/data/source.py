"""What a user calls a data set on the command line, as a table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bincam.data.attributes import AttributeTable
from bincam.errors import InputError


def load(source: str | os.PathLike[str], **options: Any) -> AttributeTable:
    """Read ``"orl"``, a folder in CelebA's layout, or a CSV or Parquet table.

    Args:
        source: The word ``orl`` (a folder of that name is ``./orl``), a folder, or a file.
        options: Passed on to ``orl``, ``celeba`` or ``table``.

    Raises:
        InputError: There is no such thing, or its reader refuses it.
    """
    from bincam.data.celeba import celeba
    from bincam.data.orl import orl
    from bincam.data.tabular import table

    path = Path(source)
    reader: Any = orl if str(source) == "orl" else celeba if path.is_dir() else table
    if reader is table and not path.is_file():
        raise InputError(
            f"{path}: no such folder or file; a data set is a folder in CelebA's layout, a CSV or Parquet, or 'orl'"
        )
    try:
        return reader(**options) if reader is orl else reader(path, **options)
    except TypeError as error:
        if options and "unexpected keyword" in str(error):
            raise InputError(f"{source}: {', '.join(options)} cannot be said of this kind of data set") from None
        raise
