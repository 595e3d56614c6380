"""The explainer that the options of ``bincam explain`` ask for, with as many outputs as a figure holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bincam.cli.reading.options import parse_attributes, refuse_repeats
from bincam.errors import InputError, nearest
from bincam.one_of import expand, set_of

if TYPE_CHECKING:
    from bincam.cam import Explainer
    from bincam.models import AttributeClassifier

MAX_PANELS = 100
"""As many as one figure can hold and remain readable."""
LARGE = 20
"""Number of outputs of a set above which only the predicted one is explained by default."""


def make_explainer(
    model: AttributeClassifier,
    attributes: Sequence[str] | None,
    method: str,
    layer: str | None,
    thresholds: dict[str, float],
    batch_size: int | None = None,
    versus: str | None = None,
    top: int | None = None,
    *,
    cells: bool = False,
) -> Explainer:
    """Make the explainer, so that every mistake in the request is reported before an image is read.

    Of a model with a set of more than ``LARGE`` outputs, only the predicted one is explained unless stated otherwise.

    Raises:
        InputError: An unknown attribute, method or layer, or more attributes than a figure holds.
        UnsupportedError: The model's structure cannot be determined.
    """
    from bincam.cam import Explainer

    sets, known = model.card.one_of, (*model.card.attributes, *model.card.one_of)
    named = parse_attributes(attributes, known)
    for name in named or ():
        if name not in known:
            raise InputError(f"unknown attribute {name!r}{nearest(name, known)}")
    chosen = None if named is None else expand(named, sets)
    refuse_repeats("--attributes", chosen or ())
    if chosen == list(model.card.attributes) and any(name in sets for name in named or ()):
        named = chosen = None  # the names of sets stand for all that there is
    if top is not None and (chosen or not sets):
        reason = "not with --attributes" if chosen else "and this model has no sets of outputs (--one-of)"
        raise InputError(f"--top {top} chooses the outputs with the highest scores of each set, {reason}")
    if chosen is None and any(len(members) > LARGE for members in sets.values()):
        top = top or 1
    if cells:  # a set has one panel
        count = len({set_of(name, sets) or name for name in chosen or model.card.attributes})
    else:
        count = len(chosen or model.card.attributes)
        if top is not None:
            count += sum(min(top, len(members)) - len(members) for members in sets.values())
    if count > MAX_PANELS:
        raise InputError(
            f"{count} attributes are more than the {MAX_PANELS} that a figure can hold; select some with --attributes, "
            "or, of a set, with --top 5"
        )
    explainer = Explainer(
        model,
        named,
        method=method,
        layer=layer,
        threshold=thresholds,
        batch_size=batch_size,
        versus=versus,
        top=top,
        cells=cells,
    )
    explainer.anatomy(model.card.input_size)
    return explainer
