"""The prediction grid of an explanation, from its decomposition or from scores of cells that it has kept."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from bincam.cam.explained import Explained
from bincam.cam.ledger import against
from bincam.cam.prediction_grid.cells import FROZEN_POOLINGS, NOT_THIS, ONE_CELL, from_terms
from bincam.cam.prediction_grid.grid import PredictionGrid, Reading
from bincam.cam.reference import Reference
from bincam.cam.requests.combination import Combination
from bincam.errors import InputError, UnsupportedError


def explained_grid(
    explanation: Explained, scores: Tensor, columns: Combination, reading: Reading, *, raw: bool
) -> PredictionGrid:
    """Combine the raw scores of cells as an explanation combines those of images.

    Args:
        explanation: Of the batch.
        scores: ``(B, all outputs, h, w)``, of ``cell_scores``.
        columns: The explained combination of outputs.
        reading: Of the scores.
        raw: Whether they are known beyond what the outputs of a set have in common.
    """
    lost = 0 if explanation.alternatives is None else explanation.alternatives[..., None, None]
    owners = explanation.one_of
    return PredictionGrid(
        attributes=explanation.attributes,
        reading=reading,
        scores=columns.apply(scores) + lost,
        logits=explanation.logits,
        threshold=explanation.threshold,
        sets=explanation.sets,
        members={owner: scores[:, list(columns.sets[owner])] for owner in owners},
        names=explanation.members,
        places=columns.places() if owners else None,
        raw=raw,
    )


def decomposed_grid(explanation: Explained, reference: Literal["zero"] | Reference = "zero") -> PredictionGrid:
    """Read the grid off an explanation's decomposition: s = n S + b + p, less the entropy of the alternatives.

    A reference takes out the evidence that images get there on average: n (S - S_ref) + b + ΣS_ref, whose mean is still
    z. Raw scores of a set follow from the log-odds of all its outputs: with p_a the softmax probability,
    (1 - p_a) (s_a + H_a) is the raw score of a less the cell's mean of raw scores weighted by p. Against a fitted
    reference the same weights are used (*ours*).

    Args:
        explanation: With a decomposition of a mean-pooled or flattened head.
        reference: ``zero``, or a fitted reference.

    Raises:
        InputError: The sides of cells of a set are not known from what is explained.
    """
    terms = explanation.decomposition
    assert terms is not None
    evidence, bias = terms.evidence, terms.bias
    if isinstance(reference, Reference):
        evidence, bias = against(evidence, bias, explanation.reference_grid(reference))
    scores = from_terms(evidence, bias + terms.prefix)
    lost = explanation.alternatives
    owners = explanation.one_of
    members = {}
    places = torch.full(explanation.logits.shape, -1, device=scores.device) if owners else None
    for owner in owners:
        names = explanation.members[owner]
        own = [column for column, name in enumerate(explanation.sets) if name == owner]
        if explanation.versus is not None or explanation.outputs is not None or len(own) < len(names):
            raise InputError(
                f"of set {owner!r} a cell names the output with the highest raw score, which is only known here if the "
                "log-odds of all its outputs are explained; pass Explainer(..., cells=True), which also keeps those of "
                "cells" + (", and no reference" if isinstance(reference, Reference) else "")
            )
        order = [names.index(explanation.attributes[column]) for column in own]
        weights = torch.sigmoid(-explanation.logits[:, own])[..., None, None]
        members[owner] = torch.empty_like(scores[:, own])
        members[owner][:, order] = weights * scores[:, own]
        assert places is not None
        places[:, own] = torch.tensor(order, device=places.device)
    return PredictionGrid(
        attributes=explanation.attributes,
        reading="frozen",
        scores=scores if lost is None else scores + lost[..., None, None],
        logits=explanation.logits,
        threshold=explanation.threshold,
        sets=explanation.sets,
        members=members,
        names={owner: explanation.members[owner] for owner in owners},
        places=places,
        raw=not owners,
        reference=reference.kind if isinstance(reference, Reference) else "zero",
    )


OF_VIEWS = (
    "a prediction grid says what the head makes of each cell of one image; cells of several views have no common grid. "
    "Read the grid without views"
)


def find_grid(
    explanation: Explained, reading: Reading | None = None, reference: Literal["zero"] | Reference = "zero"
) -> PredictionGrid:
    """Find or compute the grid of an explanation; ``Explanation.grid`` describes it."""
    if reading is not None and reading not in get_args(Reading):
        raise InputError(f"reading={reading!r}; expected 'frozen' or 'pointwise'")
    if not isinstance(reference, Reference) and reference != "zero":
        raise InputError(f"reference={reference!r}; expected 'zero' or a fitted Reference")
    if explanation.views:
        raise UnsupportedError(OF_VIEWS)
    if explanation.pooled_cells == 1:
        raise UnsupportedError(ONE_CELL)
    terms = explanation.decomposition
    frozen = terms is not None and explanation.pooling in FROZEN_POOLINGS
    wanted = reading or ("frozen" if frozen else "pointwise")
    if isinstance(reference, Reference):
        if wanted != "frozen" or not frozen:
            raise UnsupportedError(
                "a reference is taken out of the evidence of cells, which only the frozen reading of a head with mean "
                f"pooling is made of; here {explanation.reason}"
            )
        return decomposed_grid(explanation, reference)
    if wanted in explanation.grids:
        return explanation.grids[wanted]
    if wanted == "frozen":
        if not frozen:
            raise UnsupportedError(NOT_THIS["frozen"].format(reason=explanation.reason))
        return decomposed_grid(explanation)
    if explanation.grids or not explanation.pointwise:
        raise UnsupportedError(NOT_THIS["pointwise"].format(reason=explanation.reason))
    raise UnsupportedError(
        f"the cells of a head with {explanation.pooling} pooling are read pointwise, from its features, which an "
        "explanation does not keep; pass Explainer(..., cells=True)"
        if not frozen
        else "a pointwise prediction grid needs the features, which an explanation does not keep; pass Explainer(..., "
        "cells=True)"
    )
