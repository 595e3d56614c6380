"""The report's end: definitions, limits, and where the numbers come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bincam.report.reading.audited_model import Arm
from bincam.report.sections import sentences
from bincam.report.view_model import Definition, Provenance
from bincam.stats.formatting import counted

ERROR = (
    Definition(
        "Error",
        "Share of the images of a class that the model misclassifies at its own threshold. Images of unknown label or "
        "without a finite logit are left out and counted.",
    ),
)

MEASURES = (
    Definition(
        "Evidence map",
        "For every cell of the model's grid, how many logit units it adds for (red) or against (blue) {explained}. "
        "Clear means zero. Mean maps average the images of one outcome; all mean maps of an attribute share one scale.",
    ),
    Definition(
        "Gain (chance-corrected energy)",
        "With E the share of the evidence for {explained} that lies in the expected region, and f the region's share "
        "of the area: (E − f) / (1 − f). 0 is what an evenly lit map reaches, 1 is all inside, below 0 the evidence "
        "avoids the region.",
    ),
    Definition(
        "Energy and lift",
        "Energy is E itself, and lift E / f: 1 is what an evenly lit map reaches. A large region has a large energy by "
        "chance, so attributes are compared by gain.",
    ),
    Definition(
        "Empty map",
        "No cell supports {explained}: the map has nothing to show for it.",
    ),
    Definition(
        "Bias share",
        "The additive decomposition sorts every term of the logit by whether it supports or opposes {explained}. The "
        "bias share is the part of the support that is a constant of the attribute and the same for every image, "
        "against the midpoint reference: half-way between the mean evidence of true positives and of true negatives.",
    ),
    Definition(
        "Randomisation test",
        "A map that stays the same when the model's parameters are made random shows the image, not the model. "
        "Parameters are randomised from the head downwards; the method passes where the maps' rank correlation with "
        "the original ones falls below a bound (Adebayo et al. 2018).",
    ),
    Definition(
        "Intervals and small cells",
        "Brackets hold 95 % intervals: Wilson's for rates, the bootstrap's for all else, clustered by identity where "
        "identities are known. A number marked † rests on too few images or people to be relied on; it is shown, not "
        "dropped.",
    ),
    Definition(
        "Calibration",
        "Images in 15 equally wide bins of the predicted probability; calibrated points lie on the diagonal. A "
        "training loss that weighs classes moves every logit; where the shift is a known constant, the paler line "
        "undoes it.",
    ),
)

EXACT = Definition(
    "Object and influence gain and energy",
    "The same measures against masks that are stored for every single image, in place of the expected region: of the "
    "object itself, such as the glasses (an image without the attribute has none, and is left out), and of all pixels "
    "that the attribute changes.",
)

LIMITS = (
    Definition(
        "Intended use",
        "For those who build, buy or answer for an attribute classifier, to find where it fails and what it leans on. "
        "It certifies nothing, and gives no ground for judging any person shown.",
    ),
    Definition(
        "Labels are noisy",
        "Errors are counted against the data set's labels. Some of these are wrong, and an error rate near the rate of "
        "wrong labels says little about the model.",
    ),
    Definition(
        "Some attributes are opinions",
        "Attractive, young, big or chubby have no fact of the matter: labels tell what annotators thought. Agreement "
        "with them is no merit in itself.",
    ),
    Definition(
        "Maps are correlational",
        "A map shows what this model's logit is made of, not what would happen if the image were different, and not "
        "why. Evidence outside a region may be a correlate, context, or a region drawn too small.",
    ),
    Definition(
        "The data set is not the world",
        "All numbers hold for the audited images. Other cameras, ages or peoples may fare differently.",
    ),
)


def definitions(arms: Sequence[Arm]) -> list[Definition]:
    """What every measure means, with this report's method and explained side named."""
    whose = f" of the {arms[0].name} model" if len(arms) > 1 else ""
    classes = Definition(
        "Minority and majority class",
        f"The rarer and the more frequent class among the training labels{whose}. Where no training counts are known "
        "they are taken from the audited data, and the provenance below says so.",
    )
    explained = sentences.explained(arms[0])
    measures = [Definition(one.term, one.text.format(explained=explained)) for one in MEASURES]
    if any(arm.audit.masks for arm in arms):
        measures.insert(3, EXACT)
    methods = sorted({arm.method for arm in arms})
    named = Definition(
        "Method of the maps",
        f"{' and '.join(methods)}. Every number of gain and every map on this page is this method's; bias shares come "
        "from the head's own decomposition, whatever draws the map.",
    )
    return [classes, *ERROR, measures[0], named, *measures[1:]]


def provenance(arm: Arm) -> Provenance:
    """The manifest, as pairs that can be read."""
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
        ("methods", ", ".join(manifest.methods)),
        ("grid", ", ".join(f"{name} {h} × {w}" for name, (h, w) in manifest.grid.items())),
        ("regions", f"{regions.source} ({regions.digest})" if regions else "none"),
        ("per-image masks", _pairs(manifest.masks)),
        ("references", _pairs(manifest.references)),
        ("training counts from", manifest.train_counts_from),
        ("only in the model", ", ".join(manifest.only_in_model)),
        ("only in the data", ", ".join(manifest.only_in_data)),
        ("images left out", _skipped(arm)),
        ("randomisation test", _gate(arm)),
        ("seed", manifest.seed),
        ("bincam", manifest.version),
        ("versions", _pairs(manifest.versions)),
        ("settings digest", manifest.settings_digest),
    ]
    return Provenance(arm.name, [(name, str(value)) for name, value in entries if value not in (None, "")])


def _pairs(value: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {one}" for name, one in (value or {}).items() if one)


def _gate(arm: Arm) -> str:
    gate = arm.gate
    return "not made" if gate is None else f"{'passed' if gate.get('passed') else 'not passed'} by {arm.method}"


def _skipped(arm: Arm) -> str:
    reasons = arm.audit.images["skipped"]
    bad = reasons[reasons != ""]
    return f"{len(bad):,} could not be read, the first: {bad.iloc[0]}" if len(bad) else ""
