"""The explanation of the mean over views: views explained with the mean's weights and sides, then laid back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from bincam.cam.decompose import Decomposition
from bincam.cam.explained import joined
from bincam.cam.explanation import Explanation
from bincam.cam.maps.methods import Method
from bincam.cam.prediction_grid.reading import OF_VIEWS
from bincam.cam.requests.request import Request
from bincam.cam.views.laying import lay_back
from bincam.cam.views.placed import PlacedViews
from bincam.errors import UnsupportedError

COMPLETE = ("cam", "grad_cam", "hirescam")
"""Methods whose maps, where they are complete, are the head's own evidence cell by cell, so also what is beyond."""


def refuse_views(method: Method | None, name: str, *, cells: bool, further: bool) -> None:
    """Refuse what has no mean over views.

    Args:
        method: The native method, None for one of pytorch-grad-cam.
        name: Its name.
        cells: Whether prediction grids are to be kept.
        further: Whether the model has further inputs.

    Raises:
        UnsupportedError: Maps, grids or inputs cannot be combined; the message says why and what to do.
    """
    if method is None or method.name == "fullgrad":
        why = "are on the grid of the image, not of a layer" if method else "are in units of their own"
        raise UnsupportedError(
            f"{name} cannot be averaged over views: its maps {why}; use grad_cam, or explain without views"
        )
    if cells:
        raise UnsupportedError(OF_VIEWS)
    if further:
        raise UnsupportedError(
            "inputs= gives a model further inputs for each image, but views are several images of one; explain "
            "without views"
        )


def explain_views(
    views: PlacedViews,
    request: Request,
    explain: Callable[[Tensor, Request], Explanation],
    scores: Callable[[Tensor], Tensor],
    batch_size: int | None,
) -> Explanation:
    """Explain the mean over views of each image.

    Sides, decisions, ranks, rivals and the weights of alternatives are those of the mean scores. A pass runs all views
    of at least one image, so memory grows with their number; with ``batch_size=1`` every view is run alone, twice.

    Args:
        views: Of B images.
        request: What is asked of the B images.
        explain: Explains a batch of images by one pass.
        scores: Raw scores of a batch of images.
        batch_size: Views per pass; None for all.
    """
    together = len(views) if batch_size is None else max(1, batch_size // views.count)
    parts = []
    for begin in range(0, len(views), together):
        rows = slice(begin, begin + together)
        some, asked = views.rows(rows), _of_rows(request, rows)
        if batch_size == 1:
            alone = some.flat.split(1)
            mean = torch.cat([scores(view) for view in alone]).mean(0, keepdim=True)
            of_views = joined([explain(view, replace(asked, scores=mean)) for view in alone])
        else:
            of_views = explain(some.flat, asked.for_views(some.count))
        parts.append(laid(of_views, some))
    return joined(parts)


def mean_scores(views: PlacedViews, scores: Callable[[Tensor], Tensor], batch_size: int | None) -> Tensor:
    """Compute the mean over views of each image's raw scores, ``(B, all outputs)``."""
    flat = views.flat
    raw = torch.cat([scores(part) for part in flat.split(batch_size or len(flat))])
    return raw.reshape(len(views), views.count, -1).mean(1)


def _of_rows(request: Request, rows: slice) -> Request:
    return request if request.labels is None else replace(request, labels=request.labels[rows])


def laid(explanation: Explanation, views: PlacedViews) -> Explanation:
    """Average the explanations of views, ``(B V, ...)``, over each image's V views, in the image's frame.

    The mean logit is b + p + ΣS of the frame, with the means of the constants and prefixes. Evidence in cells beyond
    the image has no place in it, so it is added to the prefix, and stated as ``beyond``.

    Args:
        explanation: Of the views, with logits, sides and weights of the mean.
        views: Their places.
    """
    count = views.count
    grid = views.frame_grid((explanation.maps.shape[-2], explanation.maps.shape[-1]))

    def frame(maps: Tensor) -> tuple[Tensor, Tensor]:
        return lay_back(maps.unflatten(0, (-1, count)), views.places, grid)

    def mean(values: Tensor) -> Tensor:
        return values.reshape(-1, count, *values.shape[1:]).mean(1)

    maps, _ = frame(explanation.maps)
    terms, beyond = explanation.decomposition, None
    if terms is not None:
        evidence, beyond = frame(terms.evidence)
        terms = Decomposition(evidence, mean(terms.prefix) + beyond, mean(terms.bias))
    one = explanation.rows(slice(None, None, count))  # what all views of an image have in common
    exact = explanation.kind == "exact"
    return replace(
        one,
        maps=maps,
        decomposition=terms,
        bias=None if explanation.bias is None else mean(explanation.bias),
        kind="conditional" if exact else explanation.kind,
        reason=f"mean over {count} views of an image, laid back into its frame; of each view: {explanation.reason}",
        complete=explanation.complete and explanation.method in COMPLETE,
        pooled_cells=0,
        pointwise=False,
        views=count,
        beyond=beyond,
    )
