"""An audit for other libraries: a data frame for fairness metrics, and flat numbers for experiment trackers."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

LONGEST_NAME = 250
"""Characters of a metric's name at most, as MLflow has it."""

FRAME_COLUMNS = ("row", "attribute", "label", "logit", "outcome")
"""Columns of the records that a frame is made of."""

_REFUSED = re.compile(r"[^A-Za-z0-9_. -]")
_LONGEST_SEGMENT = 70
"""So that four parts of a name with their slashes and a suffix keep to ``LONGEST_NAME``."""
_OF_MAPS = ("gain", "empty", "energy", "pointing")


def attribute_frame(attribute: str, records: pd.DataFrame, images: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Make a frame of one attribute's decisions, a row per image; see ``Audit.frame``.

    Args:
        attribute: Name of an audited attribute.
        records: The columns ``FRAME_COLUMNS`` of the records.
        images: ``Audit.images``.
        threshold: Of the attribute, in logit units.
    """
    import numpy as np

    images = images.set_index("row")
    labels = records.pivot(index="row", columns="attribute", values="label")
    own = records[records["attribute"] == attribute].set_index("row")
    known = own[own["outcome"] != ""]
    frame = images.loc[known.index, ["image", "identity"]].copy()
    frame.insert(0, "y_true", known["label"].astype(np.int64))
    frame.insert(1, "y_pred", known["outcome"].isin(["TP", "FP"]).astype(np.int64))
    frame.insert(2, "score", known["logit"].astype(np.float64))
    for name in images.columns:
        if str(name).startswith("group."):
            of_images = images.loc[known.index, name]
            frame[name] = of_images.where(of_images != "")
    for name in labels.columns:
        if name != attribute:
            frame[f"attribute.{name}"] = labels.loc[known.index, name].astype(np.float64)
    frame.attrs = {
        "attribute": attribute,
        "threshold": threshold,
        "left_out": int(len(own) - len(known)),
    }
    return frame


def flat_metrics(summary: Mapping[str, Any], *, intervals: bool = True) -> dict[str, float]:
    """Flatten a summary; see ``Audit.flat_metrics``.

    Args:
        summary: The content of ``summary.json``.
        intervals: Include the ends of intervals.

    Example:
        >>> rate = {"value": 0.2, "low": 0.1, "high": None, "images": 90, "status": "ok"}
        >>> flat_metrics({"images": 90, "attributes": {"a+b": {"rates": {"fnr": rate}}}})
        {'attributes/a_b-300273/fnr': 0.2, 'attributes/a_b-300273/fnr_low': 0.1, 'audit/images': 90.0, 'audit/left_out': 1.0, 'audit/small': 0.0}
    """  # noqa: E501
    result: dict[str, float] = {}
    left_out = small = 0
    for parts, figure in _figures(summary):
        name = "/".join(map(_segment, parts))
        ends = ("low", "high") if intervals else ()
        small += figure.get("status") == "small"
        for key in ("value", *ends):
            value = figure.get(key)
            if value is None or not math.isfinite(value):
                left_out += 1
            else:
                result[name if key == "value" else f"{name}_{key}"] = float(value)
    counts = {"images": summary.get("images"), "people": summary.get("identities")}
    result |= {f"audit/{name}": float(count) for name, count in counts.items() if count is not None}
    return {**result, "audit/left_out": float(left_out), "audit/small": float(small)}


def _figures(summary: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """All figures with the parts of their names."""
    methods = summary.get("methods") or []
    primary = {f"{methods[0]}.{name}" for name in _OF_MAPS} | {"midpoint.bias_share"} if methods else set()
    entries: dict[tuple[str, ...], Mapping[str, Any]] = {("overall",): summary.get("overall") or {}}
    entries |= {("attributes", name): entry for name, entry in (summary.get("attributes") or {}).items()}
    for where, entry in entries.items():
        for rate, figure in (entry.get("rates") or {}).items():
            yield (*where, rate), figure
        for column, groups in (entry.get("measures") or {}).items():
            if column in primary and "all" in groups:
                yield (*where, column.rpartition(".")[2]), groups["all"]
    for name, entry in (summary.get("sets") or {}).items():
        for rate, figure in entry["rates"].items():
            yield ("sets", name, rate), figure
        for output, of_output in entry["outputs"].items():
            for rate, figure in of_output["rates"].items():
                yield ("sets", name, output, rate), figure
    for entry in summary.get("slices") or ():
        if entry.get("largest_gap"):
            yield ("groups", entry["column"], entry["attribute"], f"gap_{entry['measure']}"), entry["largest_gap"]


def _segment(name: str) -> str:
    """Part of a metric's name with characters that trackers take; a changed one ends in a digest of the name.

    Without the digest ``a+b`` and ``a*b`` would be one metric. A part of dots alone would be a step in a path.
    """
    text = _REFUSED.sub("_", name)[:_LONGEST_SEGMENT]
    if text == name and text.strip(". ") and text == text.strip():
        return text
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{text.strip('. ')[: _LONGEST_SEGMENT - 7]}-{digest}"
