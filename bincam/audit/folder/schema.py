"""Columns of an audit's records, which have a row per image and attribute; they depend on the methods and masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from bincam.references import REFERENCES

if TYPE_CHECKING:
    import pyarrow as pa


LEDGER = ("bias_share", "support", "opposition")
EMPTY_FOR = ("zero", "floor", "midpoint")
"""References for which maps without positive evidence (``empty``) are recorded."""

REGION_MEASURES = ("energy", "lift", "gain", "published_energy", "relevance_rank", "pointing", "area")
MAP_MEASURES = ("mass", "empty", "concentration", "peak_x", "peak_y")
MASKS = ("object", "influence")
MASK_MEASURES = ("energy", "gain")

ALTERNATIVES = "zero.alternatives"
"""What log-odds lose to the number of alternatives, signed for the explained side; the same against every reference."""

PREFIX = "cells"
AGAINST_MIDPOINT = "midpoint_"
"""Before the measures of cells from which the midpoint reference was taken out."""

_COMPARED = ("auroc", "null_auroc", "auroc_gain", "inside", "outside", "contrast")
_RECOVERED = ("recovery", "chance", "recovery_gain", "false_alarm")
CELL_MEASURES = (
    *_COMPARED,
    *_RECOVERED,
    *("recoverable", "independent_chance", "absent_alarm", "foreground", "fallback", "gap"),
    *(f"{AGAINST_MIDPOINT}{name}" for name in (*_COMPARED, *_RECOVERED)),
)
"""Measures of prediction grids, see ``bincam.metrics.localization.cells``; ``*_gain`` are figures less their null."""

CELL_COLUMNS = tuple(f"{PREFIX}.{name}" for name in CELL_MEASURES)
"""Their columns in the records."""

CELL_SHORT: Mapping[str, str] = {
    "cell_auroc": "cells.auroc",
    "cell_auroc_gain": "cells.auroc_gain",
    "cell_contrast": "cells.contrast",
    "recovery": "cells.recovery",
    "recovery_gain": "cells.recovery_gain",
    "false_alarm": "cells.false_alarm",
    "recoverable": "cells.recoverable",
}
"""Short names of these columns in rules."""

KEYS = ("row", "attribute", "label", "logit", "threshold", "side", "outcome")


def measure_columns(
    methods: Sequence[str], masks: Sequence[str] = (), *, sets: bool = False, cells: bool = False
) -> tuple[str, ...]:
    """List the float columns of a record, in their order.

    Args:
        methods: Specs of the methods; the first is the primary one.
        masks: The kinds of ``MASKS`` that the data has.
        sets: True if outputs of sets are audited, whose ledger has a further term.
        cells: True if prediction grids are measured.

    >>> columns = measure_columns(["grad_cam"])
    >>> len(columns), columns[0], columns[-1]
    (30, 'zero.bias_share', 'grad_cam.peak_y')
    """
    names = [f"{reference}.{term}" for reference in REFERENCES for term in LEDGER]
    names += [f"{reference}.empty" for reference in EMPTY_FOR]
    names += [ALTERNATIVES] if sets else []
    for method in methods:
        names += [f"{method}.{measure}" for measure in (*REGION_MEASURES, *MAP_MEASURES)]
        names += [f"{method}.{mask}_{measure}" for mask in masks for measure in MASK_MEASURES]
    names += CELL_COLUMNS if cells else ()
    return tuple(names)


@cache
def record_schema(
    methods: tuple[str, ...],
    masks: tuple[str, ...] = (),
    *,
    sets: bool = False,
    large: bool = False,
    cells: bool = False,
) -> pa.Schema:
    """Return the arrow schema of ``records/*.parquet``.

    Args:
        methods: As for ``measure_columns``.
        masks: As for ``measure_columns``.
        sets: As for ``measure_columns``.
        large: True if a set has rows for the predicted and the true output alone, which ``output`` then names.
        cells: As for ``measure_columns``.
    """
    import pyarrow as pa

    names = pa.dictionary(pa.int16(), pa.string())
    keys: Mapping[str, pa.DataType] = {
        "row": pa.int32(),
        "attribute": names,
        "label": pa.float32(),
        "logit": pa.float32(),
        "threshold": pa.float32(),
        "side": pa.int8(),
        "outcome": names,
    }
    fields = [pa.field(name, keys[name], nullable=False) for name in KEYS]
    fields += [pa.field("output", names, nullable=False)] if large else []
    measures = measure_columns(methods, masks, sets=sets, cells=cells)
    fields += [pa.field(name, pa.float32(), nullable=False) for name in measures]
    return pa.schema(fields)
