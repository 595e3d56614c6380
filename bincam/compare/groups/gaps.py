"""Differences between two models' gaps: by how much the largest difference between groups is smaller or greater."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bincam.audit.summary.groups.divisions import Slicing, slicings
from bincam.audit.summary.groups.gaps import TESTED
from bincam.compare.pairs.paired import Paired
from bincam.errors import InputError
from bincam.stats.clustered.gap_change import gap_change
from bincam.stats.estimate import LEVEL
from bincam.stats.hypotheses.hypothesis_tests import Test, family

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

FAMILY = "gaps between groups differ between the models"
"""Name of the tests, in ``families`` of ``contrast.json``."""

LABELS = {"error": None, "fnr": 1.0, "fpr": 0.0}
"""Errors, and the label of the images that they are of; None for all."""


@dataclass(frozen=True)
class ContrastedGaps:
    """How the gaps of two models differ.

    Attributes:
        entries: ``{attribute, measure, column, first, second, between, difference, few, p, holm, finding}``: ``first``
            and ``second`` are the models' largest gaps between two groups, ``between`` for each model the groups, the
            greater error first, ``difference`` the second's less the first's, and ``few`` the groups of too few images
            or people, which are not compared.
        left_out: Divisions that cannot be compared: ``{column, reason}``.
        families: The family of all tests, corrected over attributes, divisions and errors; none without tests.
    """

    entries: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    families: tuple[dict[str, Any], ...] = ()


def contrast_gaps(first: Audit, pair: Paired, level: float = LEVEL) -> ContrastedGaps:
    """Compare the gaps of two models, by every division of the first audit.

    Args:
        first: The first audit; its summary names the divisions.
        pair: The records of both.
        level: Confidence level.
    """
    panel = pair.with_groups(first)
    entries: list[dict[str, Any]] = []
    tests: list[tuple[Mapping[str, Any], Test]] = []
    left_out: list[dict[str, str]] = []
    for column in dict.fromkeys(entry["column"] for entry in (first.summary or {}).get("slices") or ()):
        try:
            divisions, without = slicings(panel, [column])
        except InputError as error:
            left_out.append({"column": column, "reason": str(error)})
            continue
        left_out += without
        for slicing in divisions:
            for place, attribute in enumerate(pair.attributes):
                if attribute not in slicing.columns:
                    _compare(pair, place, slicing, level, entries, tests)
    if not tests:
        return ContrastedGaps(entries, left_out)
    corrected = family(FAMILY, tests)
    for entry, test in zip(entries, corrected["tests"], strict=True):
        entry |= {name: test[name] for name in ("p", "holm", "finding")}
    return ContrastedGaps(entries, left_out, (corrected,))


def _compare(
    pair: Paired,
    place: int,
    slicing: Slicing,
    level: float,
    entries: list[dict[str, Any]],
    tests: list[tuple[Mapping[str, Any], Test]],
) -> None:
    decided = pair.decided(place)
    one, other, label = decided.wrong[0], decided.wrong[2], decided.label
    for measure in TESTED:
        inside = (
            np.isfinite(one) & np.isfinite(other) & ((label == of) if (of := LABELS[measure]) is not None else True)
        )
        counted = np.where(inside, one, np.nan)
        sound = slicing.sound(counted, pair.clusters)
        groups = [code for code in range(len(slicing.values)) if (sound[slicing.codes == code] >= 0).any()]
        change = gap_change(counted, np.where(inside, other, np.nan), sound, pair.clusters, level)
        about = {"attribute": pair.attributes[place], **slicing.to_json(), "measure": measure}
        named = [None if pairs is None else [slicing.values[groups[g]] for g in pairs] for pairs in change.between]
        entries.append(
            {
                **about,
                **{
                    name: float(size) if np.isfinite(size) else None
                    for name, size in zip(("first", "second"), change.gaps, strict=True)
                },
                "between": dict(zip(("first", "second"), named, strict=True)),
                "difference": change.difference.to_json(),
                "few": [value for code, value in enumerate(slicing.values) if code not in groups],
            }
        )
        tests.append((about, change.test))


def found(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the differences that were found, the greatest first."""
    return sorted(
        (entry for entry in entries if entry.get("finding") and entry["difference"]["value"] is not None),
        key=lambda entry: -abs(entry["difference"]["value"]),
    )
