"""What two audits have in common, and whether they can be compared: known without their records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.manifest import MaskSource
from bincam.audit.folder.schema import LEDGER, MASK_MEASURES, measure_columns
from bincam.audit.summary.reference_split.thresholds import KEY
from bincam.compare.cells import CELLS_COMPARED, same_cells
from bincam.compare.names import names_of
from bincam.compare.sets.matching import Common
from bincam.compare.sets.pairs import in_common
from bincam.display import counted
from bincam.errors import InputError, nearest
from bincam.one_of import check_no_threshold

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

COMPARED = ("energy", "lift", "gain", "empty", "published_energy", "concentration")
"""Measures of maps that are compared, of every method that both audits have."""


REFERENCE_SPLIT = "reference split"
"""Origin of adjusted thresholds that an audit chose on its reference split."""


@dataclass(frozen=True)
class Matched:
    """What two audits have in common.

    Attributes:
        common: Outputs and sets, by name.
        methods: Specs that both have, the first audit's primary one first.
        columns: Names of the measures that are compared.
    """

    common: Common
    methods: tuple[str, ...]
    columns: tuple[str, ...]


def match_audits(first: Audit, second: Audit) -> Matched:
    """Find what two audits have in common, without their records.

    Raises:
        InputError: The audits differ in images, sides, regions or masks; or they have no attribute or method in common.
    """
    _check_images(first, second)
    common = in_common(first, second, names_of(first, second))
    if not (common.attributes or common.sets or common.outputs):
        reasons = "".join(
            f"; set {name!r} of {audit.folder} is not compared: {reason}"
            for audit, left_out in zip((first, second), common.left_out, strict=True)
            for name, reason in left_out.items()
        )
        raise InputError(f"{first.folder} and {second.folder}: no attribute in common{reasons}")
    masks = tuple(name for name in first.masks if name in second.masks)
    _check_settings(first, second, masks, common)
    methods = tuple(name for name in first.methods if name in second.methods)
    if not methods:
        raise InputError(
            f"{first.folder} and {second.folder}: no method in common ({', '.join(first.methods)}; "
            f"{', '.join(second.methods)})"
        )
    columns = measure_columns(methods, masks, cells=same_cells(first, second))
    return Matched(common, methods, tuple(name for name in columns if _is_compared(name)))


def _check_settings(first: Audit, second: Audit, masks: Sequence[str], common: Common) -> None:
    """Refuse audits whose maps, of attributes or of outputs of sets, answer different questions."""
    named = [(name, name) for name in (*common.attributes, *common.outputs)]
    for name, other in common.sets.items():
        members, others = first.one_of[name], second.one_of[other]
        named += [(member, others[place]) for member, place in zip(members, common.order[name], strict=True)]
    settings_of_second = _measured_with(second, masks)
    for what, setting in _measured_with(first, masks).items():
        other_setting = settings_of_second[what]
        if not _alike(setting, other_setting, named):
            raise InputError(
                f"{first.folder} and {second.folder}: audited with different {what} ({_source(setting)}, "
                f"{_source(other_setting)}); their maps cannot be compared, repeat one audit with the other's {what}"
            )


def _alike(setting: Any, other: Any, named: Sequence[tuple[str, str]]) -> bool:
    """Compare a setting; regions by what they are of the outputs that both audits have, by their names in each."""
    if not isinstance(setting, MaskSource) and not isinstance(other, MaskSource):
        return bool(setting == other)
    own, theirs = ({} if source is None else source.by_attribute for source in (setting, other))
    if own is None or theirs is None:
        return setting is not None and other is not None and bool(setting.digest == other.digest)
    return all(own.get(name) == theirs.get(called) for name, called in named)


def _measured_with(audit: Audit, masks: Sequence[str]) -> dict[str, Any]:
    """The settings that maps depend on, by their name in messages."""
    manifest = audit.manifest
    return {
        "sides": manifest.side,
        "views": manifest.views,
        "references of maps": manifest.map_reference,
        "regions": manifest.regions,
        **{f"{name} masks": manifest.masks_digest.get(name) for name in masks},
    }


def _is_compared(column: str) -> bool:
    measure = column.rpartition(".")[2]
    masked = {f"{mask}_{name}" for mask in ("object", "influence") for name in MASK_MEASURES}
    return measure in COMPARED or measure in masked or measure == LEDGER[0] or column in CELLS_COMPARED


def _check_images(first: Audit, second: Audit) -> None:
    data, other_data = first.manifest.data, second.manifest.data
    if data.images_hash == other_data.images_hash:
        return
    names = [list(audit.images["image"].astype(str)) for audit in (first, second)]
    only = [sorted(set(a) - set(b)) for a, b in (names, names[::-1])]
    if only[0] or only[1]:
        reason = "; ".join(
            f"{len(extra)} only in {audit.folder} (first: {extra[0]})"
            for extra, audit in zip(only, (first, second), strict=True)
            if extra
        )
    elif names[0] != names[1]:
        at = next(n for n, (a, b) in enumerate(zip(*names, strict=False)) if a != b)
        reason = f"another order, from position {at} on ({names[0][at]}, {names[1][at]})"
    else:
        reason = "files of the same names with different contents"
    raise InputError(
        f"{first.folder} and {second.folder}: not the same images: {reason}; of split {data.split!r} and "
        f"{other_data.split!r}; audit both models on the same images"
    )


def differing_labels(first: Audit, second: Audit, count: int, example: str) -> InputError:
    """Return the error that labels of two audits differ, with one of them."""
    return InputError(
        f"{first.folder} and {second.folder}: {counted(count, 'differing label')} (first: {example}); audit both with "
        "the same labels"
    )


def adjusted_thresholds(
    first: Audit, names: Sequence[str], thresholds: Mapping[str, float] | None = None, source: str = "given"
) -> tuple[NDArray[np.float64], str]:
    """Find adjusted thresholds for the first model, and their origin: given, of the card, or of the reference split.

    Args:
        first: The first audit.
        names: Names of the A attributes.
        thresholds: Those that are given, by attribute.
        source: Their origin.

    Returns:
        Thresholds ``(A,)`` in logit units, NaN where none is known, and their origin, empty where there are none.

    Raises:
        InputError: A threshold is that of an unknown attribute, or no finite number.
    """
    limits, origin = _limits(first, thresholds, source)
    return np.array([limits.get(name, np.nan) for name in names]), origin


def _limits(first: Audit, thresholds: Mapping[str, float] | None, source: str) -> tuple[Mapping[str, float], str]:
    if thresholds is not None:
        for name, value in thresholds.items():
            check_no_threshold([name], first.one_of, "moved")
            if name not in first.attributes:
                raise InputError(f"adjusted threshold of unknown attribute {name!r}{nearest(name, first.attributes)}")
            if not np.isfinite(value):
                raise InputError(f"adjusted threshold of {name}: got {value}, expected a finite number in logit units")
        return thresholds, source
    if limits := first.manifest.model.card.get("tuned_thresholds"):
        return limits, "card"
    entries: Mapping[str, Any] = (first.summary or {}).get("attributes") or {}
    chosen = {name: float(entry[KEY]["threshold"]) for name, entry in entries.items() if entry.get(KEY)}
    return chosen, REFERENCE_SPLIT if chosen else ""


def _source(setting: Any) -> str:
    return setting.source if isinstance(setting, MaskSource) else str(setting)
