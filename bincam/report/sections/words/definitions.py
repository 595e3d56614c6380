"""Definitions of the measures, limits of the report, and provenance of its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bincam.audit.folder.manifest import Manifest
from bincam.one_of import collapse
from bincam.report.reading.audited_model import Arm
from bincam.report.sections.attributes import map_checks
from bincam.report.sections.attributes.map_reference import counted_from
from bincam.report.sections.words import sentences, wording
from bincam.report.view.parts import Definition
from bincam.report.view_model import Provenance
from bincam.stats.formatting import counted
from bincam.units import units

ERROR = (
    Definition(
        "Error",
        "Share of the images of a class that the model misclassifies at its own threshold. Images of unknown label or "
        "without a finite logit are excluded and counted.",
    ),
)

INTERVALS = Definition(
    "Intervals and small cells",
    "Brackets are 95\u202f% intervals: Wilson intervals for rates, intervals from what each person or image "
    "contributes for everything else, clustered by identity where identities are known. A number marked † is of too "
    "few images or people to be reliable, or of images that all have the same value; it is shown nevertheless.",
)

MEASURES = (
    Definition(
        "Evidence map",
        "For each cell of the model's grid, what it contributes for (red) or against (blue) {explained}, in {units}, "
        "counted from {counted}. Clear is 0. Mean maps average the images of one outcome; all mean maps of an "
        "attribute share one scale.",
    ),
    Definition(
        "Gain (chance-corrected energy)",
        "With E the share of the evidence for {explained} that is in the expected region, and f the region's share "
        "of the area: (E − f) / (1 − f). 0 is the value of a uniform map, 1 means that all evidence is inside, and a "
        "negative value that the evidence avoids the region.",
    ),
    Definition(
        "Energy and lift",
        "Energy is E itself, and lift is E / f, which is 1 for a uniform map. A large region has a large energy by "
        "chance, so attributes are compared by gain.",
    ),
    Definition(
        "No positive evidence (empty map)",
        "No cell of the map supports {explained}.",
    ),
    Definition(
        "Bias share",
        "The additive decomposition (ledger) sorts the terms of the logit into support for and opposition to "
        "{explained}. The bias share is the part of the support that is not located in the image: a constant of the "
        "attribute, the same for every image. What counts as constant depends on the reference: the midpoint, halfway "
        "between the mean evidence of the images labelled positive and of those labelled negative, fitted on other "
        "images; or zero, the head's own constant. The intervals let the fitted reference vary.",
    ),
    map_checks.RANDOMISATION,
    map_checks.SPECIFICITY,
    INTERVALS,
    Definition(
        "At stated rates",
        "Sensitivity and specificity at a threshold that is chosen on the audited images so that the other rate is as "
        "stated, and predictive values at a stated prevalence. Their intervals include the choice of the threshold; "
        "the prevalence counts as exact.",
    ),
    Definition(
        "Differences between groups",
        "Equalised odds: the largest gap between two groups in the true-positive or the false-positive rate. "
        "Demographic parity: the largest gap in the share predicted positive, whatever the labels. Both are positive "
        "by chance alone, so what chance gives is shown next to them.",
    ),
    Definition(
        "Calibration",
        "Images in 15 equally wide bins of the predicted probability; calibrated predictions are on the diagonal, and "
        "bins of few images or people are hollow. The expected calibration error is the mean distance from it. Chance "
        "alone makes it greater than zero, so it is given next to that of a perfectly calibrated model of the same "
        "images, with the p-value of perfect calibration, and debiased. The mean probability less the share of "
        "positives shows the direction; a slope below 1 means that probabilities are too extreme. A training loss with "
        "class weights shifts every logit; where that shift is a known constant, the paler line is prior-corrected.",
    ),
)

EXACT = Definition(
    "Object and influence gain and energy",
    "The same measures against per-image masks instead of the expected region: masks of the object itself, such as "
    "the glasses (images without the attribute have none and are excluded), and of all pixels that the attribute "
    "changes.",
)

OF_MAPS = Definition(
    "Maps are correlational",
    "A map shows how this model's logit is composed, not why, and not what would happen if the image were different. "
    "Evidence outside a region may be a correlated feature, context, or due to a region that is too small.",
)
"""The limit of pages with maps."""

LIMITS = (
    Definition(
        "Intended use",
        "For people who build, buy or are responsible for an attribute classifier, to find where it fails and what it "
        "relies on. It certifies nothing, and is no basis for judging any person shown.",
    ),
    Definition(
        "Labels are noisy",
        "Errors are counted against the data set's labels. Some labels are wrong, and an error rate close to the rate "
        "of wrong labels says little about the model.",
    ),
    Definition(
        "Some attributes are opinions",
        "Attributes such as attractive, young, big or chubby have no ground truth: labels record the opinions of "
        "annotators. Agreement with them is not a merit in itself.",
    ),
    OF_MAPS,
    Definition(
        "The data set is not the world",
        "All numbers hold for the audited images. Results may differ for other cameras, ages or populations.",
    ),
)


def definitions(arms: Sequence[Arm]) -> list[Definition]:
    """List the definitions of all measures, with this report's method and explained side."""
    whose = f" of {arms[0].phrase}" if len(arms) > 1 else ""
    labels = wording.labels_counted(arms[0], arms[0].audit.manifest.yes_or_no)
    classes = Definition(
        "Minority and majority class",
        f"The rarer and the more frequent class among the {labels}{whose}. Where training counts are unknown, the "
        "audited labels are counted, as stated in the provenance below. Where both classes are equally frequent there "
        "is none.",
    )
    words = {
        "explained": sentences.explained(arms[0]),
        "units": units(arms[0].method),
        "counted": counted_from(arms[0]),
    }
    measures = [Definition(measure.term, measure.text.format(**words)) for measure in MEASURES]
    if any(arm.audit.masks for arm in arms):
        measures.insert(3, EXACT)
    methods = sorted({arm.method for arm in arms})
    named = Definition(
        "Method of the maps",
        f"{' and '.join(methods)}. All maps and gains on this page are from this method; bias shares come from the "
        "decomposition of the head and do not depend on it.",
    )
    return [classes, *ERROR, measures[0], named, *measures[1:]]


def provenance(arm: Arm) -> Provenance:
    """List the facts of the manifest as pairs of name and value."""
    manifest = arm.audit.manifest
    model, data, regions = manifest.model, manifest.data, manifest.regions
    entries: list[tuple[str, Any]] = [
        ("audit folder", arm.audit.folder.name),
        ("model", f"{model.name} ({model.source})"),
        ("model digest", model.digest),
        ("data", f"{data.source}, split {data.split or 'all'}, {counted(data.images, 'image')}"),
        ("data digest", data.digest),
        ("hash of the image list", data.images_hash),
        ("head", manifest.head),
        ("explained side", manifest.side),
        ("views", _views(manifest)),
        ("methods", ", ".join(manifest.methods)),
        ("grid", ", ".join(f"{name} {h} × {w}" for name, (h, w) in manifest.grid.items())),
        ("regions", f"{regions.source} ({regions.digest})" if regions else "none"),
        ("per-image masks", _pairs(manifest.masks)),
        ("references", _pairs(manifest.references)),
        ("references fitted on", _fitted_on(arm)),
        ("maps counted from", counted_from(arm)),
        ("training counts from", manifest.train_counts_from),
        ("only in the model", ", ".join(collapse(manifest.only_in_model, model.card.get("one_of") or {}))),
        ("only in the data", ", ".join(manifest.only_in_data)),
        ("images excluded", _skipped(arm)),
        ("model-parameter randomisation test", map_checks.tested(arm)),
        ("network below the explained tensor", _pairs(manifest.trunk.ran) if manifest.trunk else ""),
        ("seed", manifest.seed),
        ("bincam", manifest.version),
        ("versions", _pairs(manifest.versions)),
        ("settings digest", manifest.settings_digest),
    ]
    return Provenance(arm.name, [(name, str(value)) for name, value in entries if value not in (None, "")])


def _views(manifest: Manifest) -> str:
    """State the views whose mean was audited; empty for the images as the model sees them."""
    if manifest.views is None:
        return ""
    named = ", ".join(f"{size}:{row}:{column}" for size, row, column in manifest.views)
    frame = "face's crop" if manifest.frame_fit == "face" else "whole image"
    return f"mean over {counted(len(manifest.views), 'view')} S:row:column ({named}), maps in the frame of the {frame}"


def _pairs(value: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {item}" for name, item in (value or {}).items() if item)


def _fitted_on(arm: Arm) -> str:
    """State the images and people behind the references, and behind their rarest class."""
    fitted_on = arm.audit.manifest.references_from
    if fitted_on is None:
        return ""
    people = "" if fitted_on.identities is None else f" of {counted(fitted_on.identities, 'person', 'people')}"
    text = f"{counted(fitted_on.images, 'image')}{people}, split {', '.join(fitted_on.split)}"
    if fitted_on.counts:
        name = min(fitted_on.counts, key=lambda attribute: min(fitted_on.counts[attribute]))
        text += f"; fewest of a class: {counted(min(fitted_on.counts[name]), 'image')} ({name})"
    return text


def _skipped(arm: Arm) -> str:
    reasons = arm.audit.images["skipped"]
    bad = reasons[reasons != ""]
    return f"{len(bad):,} could not be read, the first: {bad.iloc[0]}" if len(bad) else ""
