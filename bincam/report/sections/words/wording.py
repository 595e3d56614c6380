"""Words for what an audit knows: which labels were counted, which class is rarer, what a reference rests on."""

from __future__ import annotations

from collections.abc import Sequence

from bincam.audit.summary.reference_variation import reference_name
from bincam.report.reading.audited_model import Arm
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import NONE, Kind, listed, shown, stated


def labels_counted(arm: Arm, attributes: Sequence[str]) -> str:
    """Name the labels whose counts decide which class is rarer: ``training labels`` or ``audited labels``."""
    trained = {arm.trained_counts(attribute) for attribute in attributes}
    if len(trained) > 1:
        return "training labels (for some attributes the audited ones)"
    return "training labels" if trained != {False} else "audited labels"


def classes(arm: Arm, attributes: Sequence[str]) -> tuple[str, str]:
    """Name the two classes of these attributes, first the one whose figures are called ``minority``.

    Where every attribute has as many images of both classes, neither is a minority.
    """
    if attributes and all(arm.tied(attribute) for attribute in attributes):
        return "images with the attribute", "images without it"
    return "minority class", "majority class"


def answers(arm: Arm, attributes: Sequence[str]) -> tuple[str, str]:
    """Name the two predictions of these attributes, as ``classes`` does."""
    if attributes and all(arm.tied(attribute) for attribute in attributes):
        return "the attribute", "its absence"
    return "the minority", "the majority"


def ties(arm: Arm, attributes: Sequence[str]) -> str:
    """State which attributes have no rarer class; empty where all have one."""
    tied = [attribute for attribute in attributes if arm.tied(attribute)]
    if not tied:
        return ""
    return (
        f"For {listed(tied)} both classes are equally frequent in the {labels_counted(arm, tied)}, so neither is a "
        "minority: figures and columns that say minority are of the images with the attribute there."
    )


def reference(arm: Arm) -> str:
    """Name the reference of bias shares, with the images and people that it was fitted on."""
    return reference_name(arm.audit.manifest.references_from)


def few(estimate: Estimate) -> bool:
    """Return True where an estimate is of so few images that no headline may state it: none, or one."""
    return estimate.images == 1 or not estimate.defined


def headline(estimate: Estimate, kind: Kind = "number") -> str:
    """Write an estimate in a finding, with interval, counts and, where it is small, a warning; of one image, nothing.

    >>> from bincam.stats.estimate import estimate
    >>> headline(estimate(0.25, 0.07, 0.59, 8, 4, "wilson"))
    '0.25 [0.07, 0.59] (8 images of 4 people, too few to rely on)'
    >>> headline(estimate(1.0, 0.2, 1.0, 1, None, "wilson"), "percent")
    'undefined (one image)'
    """
    return "undefined (one image)" if estimate.images == 1 and estimate.defined else stated(estimate, kind)


def marked(estimate: Estimate, kind: Kind = "number") -> str:
    """Write a value alone, as a headline: with a dagger where it is of few images; ``–`` where it is of one or none.

    >>> from bincam.stats.estimate import estimate
    >>> marked(estimate(0.25, 0.07, 0.59, 8, 4, "wilson")), marked(estimate(1.0, 0.2, 1.0, 1, None, "wilson"))
    ('0.25†', '–')
    """
    return NONE if few(estimate) else shown(estimate, kind) + "†" * estimate.small
