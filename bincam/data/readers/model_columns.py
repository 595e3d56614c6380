"""Reading a data set for a model: of a table, the columns that are outputs of the model."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.celeba_labels import BOX_COLUMNS, LANDMARK_COLUMNS
from bincam.data.readers.formats import choose
from bincam.data.readers.load import read, with_stated
from bincam.data.readers.table_cells import column_names
from bincam.data.stated_sets import StatedSets
from bincam.errors import BincamWarning, InputError, nearest
from bincam.one_of import Sets

_TABLE = "table"


def load_for_outputs(
    source: str | os.PathLike[str], outputs: Sequence[str], sets: Sets | None = None, **options: Any
) -> AttributeTable:
    r"""Read a data set for a model: of a CSV or Parquet table only the columns that the model has outputs for.

    The meaning of the other columns need not be known: they are left aside, with a warning that names them.

    Args:
        source: As for ``load``.
        outputs: Names of the model's outputs.
        sets: The model's sets of outputs. A set that the options state has its labels from there alone.
        options: As for ``load``. With ``attributes``, or where ``data.yaml`` states them, those are read instead.

    Returns:
        The table; outputs without a column are missing from it. The one-hot columns of a stated set are always read.

    Raises:
        InputError: As for ``load``, or no output is a column, and no set is stated.

    Warns:
        BincamWarning: Columns are left aside; or as for ``load``.

    Example:
        >>> import warnings
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam import data
        >>> with TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as told:
        ...     warnings.simplefilter("always")
        ...     _ = Path(folder, "mine.csv").write_text("image,Smiling,remark\na.png,1,blurred\nb.png,0,\n")
        ...     faces = data.load_for_outputs(Path(folder, "mine.csv"), ["Smiling", "Bald"])
        >>> faces.names, "no output of their name: remark" in str(told[0].message)
        (('Smiling',), True)
    """
    arguments = with_stated(source, options)
    path = Path(source)
    if "attributes" in arguments or choose(source, arguments.get("format")).name != _TABLE:
        return read(source, arguments)
    stated = StatedSets.of(
        arguments.get("one_of"), arguments.get("one_of_columns"), names=arguments.get("one_of_names")
    )
    columns, used = column_names(path), {*_used(arguments), *stated.columns, *stated.hot_columns}
    of_stated = {output for name, members in (sets or {}).items() if name in stated.names for output in members}
    chosen = [name for name in outputs if name in columns and name not in used and name not in of_stated]
    if not chosen and not stated:
        free = [column for column in columns if column not in used]
        raise InputError(
            f"{source}: no output of the model is a column: the model has {_some(outputs)}, and the table "
            f"{_some(free)}{nearest(outputs[0], free) if len(outputs) == 1 else ''}; rename the columns, or, if one of "
            "them contains the classes of a set of the model, state it (--one-of-column COLUMN, and --one-of-name "
            "COLUMN=SET if the set has another name)"
        )
    table = read(source, {**arguments, "attributes": chosen})
    if aside := [column for column in columns if column not in used and column not in chosen]:
        warnings.warn(
            f"{source}: columns left aside, because the model has no output of their name: {_some(aside, 12)}",
            BincamWarning,
            stacklevel=2,
        )
    return table


def _used(arguments: Mapping[str, Any]) -> set[str]:
    """The columns whose meaning the arguments state, but for sets."""
    used = {arguments.get("path", "image"), arguments.get("split"), arguments.get("identity")}
    used |= {*arguments.get("groups", ())}
    for name, celeba in (("landmarks", LANDMARK_COLUMNS), ("boxes", BOX_COLUMNS)):
        typed = arguments.get(name) or ()
        used |= set(celeba if typed == "celeba" else typed)
    return {name for name in used if name is not None}


def _some(names: Sequence[str], shown: int = 5) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{', '.join(names[:shown])}{more}" if names else "none"
