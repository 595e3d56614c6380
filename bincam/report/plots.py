"""Figures of single results: the default backend of ``plot()`` of explanations, audits and contrasts.

``bincam.display`` finds this module by its name and describes the functions that a backend has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.compare.names import names_from
from bincam.display import ROWS, counted
from bincam.errors import InputError, nearest
from bincam.one_of import expand, set_of
from bincam.report.figures.theme import style
from bincam.report.reading.audited_model import Arm, common, minority_share
from bincam.report.sections.first_screen.comparisons import BIAS_SHARES, ERRORS, GAINS, Comparison
from bincam.report.sections.first_screen.overview import dumbbells
from bincam.stats.estimate import Estimate
from bincam.units import unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from bincam.audit import Audit
    from bincam.cam import Explanation

QUESTIONS: dict[str, Comparison] = {"error": ERRORS, "gain": GAINS, "bias_share": BIAS_SHARES}


def plot_explanation(
    explanation: Explanation,
    *,
    images: Tensor | None = None,
    image: int = 0,
    attributes: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Figure:
    """Draw the maps of one image; ``Explanation.plot`` describes the arguments and errors."""
    from bincam.cam import BRIDGED
    from bincam.report.explained.entries import about_sets, describe
    from bincam.report.explained.wording import caption, summary
    from bincam.report.figures.pictured.explanation import Panel, explanation_figure, scale

    names = _chosen(explanation.attributes, None if attributes is None else expand(attributes, explanation.one_of))
    count = len(explanation.logits)
    if not -count <= image < count:
        raise InputError(
            f"image={image} of an explanation of {counted(count, 'image')}; expected {-count} to {count - 1}"
        )
    image %= count
    blind = explanation.method in BRIDGED and not BRIDGED[explanation.method].knows_side
    columns = [explanation.attributes.index(name) for name in names]
    (entries,) = describe(_part(explanation, image, columns), blind=blind)
    maps = explanation.maps[:, columns].numpy(force=True)
    panels = [
        Panel(
            f"{name}, {entry['name']}" if "rank" in entry else name,
            summary(entry),
            maps[image, place],
            scale([maps[:, alike] for alike in _compared(explanation, columns, place)]),
        )
        for place, (name, entry) in enumerate(zip(names, entries, strict=True))
    ]
    pixels = None if images is None else _pixels(images, explanation, image, mean, std)
    height, width = explanation.image_size
    document = {
        "method": explanation.method,
        "layer": explanation.layer,
        "anatomy": {"kind": explanation.kind, "reason": explanation.reason},
        "complete": explanation.complete,
        **about_sets(explanation),
    }
    return explanation_figure(
        pixels,
        panels,
        title=f"image {image}",
        caption=caption(document),
        unit=unit(explanation.method, complete=explanation.complete),
        image_note=f"{width} × {height} pixels",
        size=(height, width),
    )


def _compared(explanation: Explanation, columns: Sequence[int], place: int) -> list[int]:
    """The places of the drawn outputs that have a colour scale in common with one of them: those of its set."""
    owner = explanation.set_of(columns[place])
    if owner is None or explanation.versus == "nothing":
        return [place]
    return [other for other, column in enumerate(columns) if explanation.set_of(column) == owner]


def plot_audit(audit: Audit, *, measure: str = "error", attributes: Sequence[str] | None = None) -> Figure:
    """Draw a measure of an audit by attribute; ``Audit.plot`` describes the arguments and errors."""
    comparison = _question(measure)
    summary = audit.summary
    if summary is None:
        raise InputError(f"{audit.folder}: the audit is unfinished; finish it by the same 'bincam audit ... --resume'")
    arm = Arm("model", audit, summary)
    if not common([arm]):
        raise InputError(
            f"{audit.folder}: the figure shows yes-or-no attributes, and there are none; 'bincam report' draws the "
            f"sets ({', '.join(audit.one_of)})"
        )
    _refuse_sets(attributes, audit.one_of)
    names = _chosen(common([arm]), attributes)
    values = {name: [comparison.read(arm, name)] for name in names}
    return _finished(dumbbells(comparison, [arm.name], values, [minority_share(arm, name) for name in names]))


def plot_contrast(
    contrast: Mapping[str, Any], *, measure: str = "error", attributes: Sequence[str] | None = None
) -> Figure:
    """Draw a measure of a contrast by attribute; ``Contrast.plot`` describes the arguments and errors."""
    comparison = _question(measure)
    entries = contrast["attributes"]
    shares = {name: _share(entry["train_counts"]) for name, entry in entries.items()}
    ordered = sorted(entries, key=lambda name: (math.isnan(shares[name]), shares[name], name))
    sets = {name: entry["outputs"] for name, entry in (contrast.get("sets") or {}).items()}
    _refuse_sets(attributes, sets)
    names = _chosen(ordered, attributes)
    first, adjusted, second = contrast["columns"]
    # An adjusted threshold changes errors alone: maps stay as they are.
    with_adjusted = measure == "error" and not contrast["moved"]["reason"]
    models = [first, adjusted, second] if with_adjusted else [first, second]
    values = {name: [_classes(contrast, entries[name], measure, model) for model in models] for name in names}
    called = names_from(contrast)
    labels = {first: called.first, adjusted: f"{called.first}, adjusted threshold", second: called.second}
    shown = [labels[model] for model in models]
    return _finished(dumbbells(comparison, shown, values, [shares[name] for name in names]))


def _classes(
    contrast: Mapping[str, Any], entry: Mapping[str, Any], measure: str, model: str
) -> tuple[Estimate, Estimate]:
    """Read the estimates of the minority and of the majority class for one model of a contrast."""
    column = "midpoint.bias_share" if measure == "bias_share" else f"{contrast['methods'][0]}.gain"
    minority, majority = (
        entry["errors"][f"{part}_error"]
        if measure == "error"
        else (entry["measures"].get(column) or {}).get(f"predicted:{part}") or {}
        for part in ("minority", "majority")
    )
    return Estimate.from_json(minority.get(model)), Estimate.from_json(majority.get(model))


def _share(counts: Sequence[int]) -> float:
    return min(counts) / sum(counts) if sum(counts) else math.nan


def _question(measure: str) -> Comparison:
    if measure not in QUESTIONS:
        raise InputError(f"measure={measure!r}{nearest(measure, QUESTIONS)}")
    return QUESTIONS[measure]


def _chosen(known: Sequence[str], attributes: Sequence[str] | None) -> list[str]:
    """Check the names of attributes; the first ``ROWS`` by default."""
    if attributes is None:
        return list(known[:ROWS])
    for name in attributes:
        if name not in known:
            raise InputError(f"unknown attribute {name!r}{nearest(name, known)}")
    if not attributes:
        raise InputError("no attribute is given; omit attributes for the first ten")
    return list(attributes)


def _refuse_sets(attributes: Sequence[str] | None, one_of: Mapping[str, Sequence[str]]) -> None:
    """Refuse names of sets and of their outputs in a figure of yes-or-no attributes."""
    for name in attributes or ():
        owner = name if name in one_of else set_of(name, one_of)
        if owner is not None:
            what = "a set of outputs" if name == owner else f"an output of set {owner!r}"
            raise InputError(f"{name!r} is {what}; the figure shows yes-or-no attributes, 'bincam report' draws sets")


def _finished(figure: Figure) -> Figure:
    """Give a figure of the page an opaque ground, and make its labels while the page's style is in force."""
    with style():
        figure.set_facecolor("white")
        figure.draw_without_rendering()
    return figure


def _part(explanation: Explanation, image: int, columns: Sequence[int]) -> Explanation:
    """Keep one image and some attributes of an explanation."""

    def part(values: Tensor) -> Tensor:
        return values[image : image + 1, list(columns)]

    terms = explanation.decomposition
    if terms is not None:
        terms = replace(terms, evidence=part(terms.evidence), prefix=part(terms.prefix), bias=part(terms.bias))

    def part_if_any(values: Tensor | None) -> Tensor | None:
        return None if values is None else part(values)

    return replace(
        explanation,
        attributes=tuple(explanation.attributes[column] for column in columns),
        threshold=explanation.threshold[list(columns)],
        logits=part(explanation.logits),
        side=part(explanation.side),
        maps=part(explanation.maps),
        bias=part_if_any(explanation.bias),
        decomposition=terms,
        sets=tuple(explanation.sets[column] for column in columns) if explanation.sets else (),
        alternatives=part_if_any(explanation.alternatives),
        odds=part_if_any(explanation.odds),
        predicted=part_if_any(explanation.predicted),
        outputs=part_if_any(explanation.outputs),
        rivals=part_if_any(explanation.rivals),
    )


def _pixels(
    images: Tensor, explanation: Explanation, image: int, mean: Sequence[float] | None, std: Sequence[float] | None
) -> NDArray[np.uint8]:
    """Undo the normalisation of one image: ``(H, W, 3)``."""
    expected = (len(explanation.logits), *explanation.image_size)
    if images.ndim != 4 or (len(images), *images.shape[2:]) != expected or images.shape[1] not in (1, 3):
        raise InputError(
            f"images have shape {tuple(images.shape)}; expected the {expected[0]} explained ones of "
            f"{expected[1]} x {expected[2]} pixels, with 1 or 3 channels; of more, pass those to show, such as "
            "images[:, :3], with their mean and std"
        )
    channels = images.shape[1]
    for name, values in (("mean", mean), ("std", std)):
        if values is not None and len(values) != channels:
            raise InputError(f"{name} has {counted(len(values), 'value')} for images of {counted(channels, 'channel')}")
    planes = images[image].detach().double().numpy(force=True)
    scale = np.asarray(std if std is not None else [1.0] * channels).reshape(-1, 1, 1)
    shift = np.asarray(mean if mean is not None else [0.0] * channels).reshape(-1, 1, 1)
    values = planes * scale + shift
    tolerance = 1 / 255
    if values.min() < -tolerance or values.max() > 1 + tolerance:
        raise InputError(
            f"pixels are between {values.min():.3g} and {values.max():.3g}, expected 0 to 1; pass the mean and "
            "std with which the images were normalised, as on the model's card"
        )
    pixels = (values.clip(0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0)
    return np.repeat(pixels, 3, axis=2) if channels == 1 else pixels
