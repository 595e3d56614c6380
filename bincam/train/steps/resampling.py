"""Resampling: rare classes are drawn more often, as an alternative to weighting them in the loss.

An image has one label per attribute, and drawing it for one attribute draws all its other labels too: no resampling of
whole images can balance many correlated attributes at once. ``rates`` computes the effect on each.

With one attribute an image's share of the draws depends only on its class, which shifts the log-odds that a network
learns by the same amount for every image: ``shift``. With several attributes it depends on all labels of the image, and
there is no such constant.

A set of outputs of which exactly one is true is one question with K classes, and counts as one attribute: ``questions``
turns its K labels into one column of class indices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from bincam.decision import check_labels
from bincam.errors import InputError
from bincam.one_of import set_columns, true_outputs, yes_or_no
from bincam.train.configuration.options import choose, require_not_negative
from bincam.train.labelled_sets import LabelledSets
from bincam.train.losses.base import AttributeLoss

Rows = NDArray[np.int64]
Shares = NDArray[np.float64]


def class_aware(labels: ArrayLike) -> Shares:
    """Compute the shares for drawing an attribute, then one of its classes, then one of that class's images, uniformly.

    The class-aware sampling of Shen et al., ECCV 2016, arXiv 1512.05830; the classes are the two classes of every
    attribute. With one attribute its classes become equally frequent, and the optimal logit shifts by log(n- / n+), n±
    the numbers of images; with several the shift is not a constant.

    Args:
        labels: ``(N, A)``: 1, 0 or NaN; of a set the index of the class, as ``questions`` returns it.

    Returns:
        ``(N,)``: each image's share of the draws; they sum to 1.

    Example:
        >>> class_aware([[0], [0], [0], [1]]).round(3)
        array([0.167, 0.167, 0.167, 0.5  ])
        >>> class_aware([[0], [0], [1], [2]]).round(3)  # a set of three outputs
        array([0.167, 0.167, 0.333, 0.333])
    """
    return np.asarray(_per_class(labels).mean(1))


def rarest_label(labels: ArrayLike, power: float = 1.0) -> Shares:
    """Compute the shares for drawing images in proportion to the inverse frequency of their rarest label.

    A method of this project, from no paper. With one attribute its positives are drawn (n- / n+)^(power - 1) times as
    often as its negatives, n± the numbers of images, and the optimal logit shifts by power log(n- / n+); with several
    the shift is not a constant.

    Args:
        labels: As for ``class_aware``.
        power: Exponent of the inverse frequency: 0 draws uniformly, 1/2 by its square root.

    Returns:
        As ``class_aware``.

    Raises:
        InputError: The power is negative, or so large that some image's share is 0.

    Example:
        >>> rarest_label([[0], [0], [0], [1]], power=0.5).round(3)
        array([0.211, 0.211, 0.211, 0.366])
    """
    require_not_negative(power=power)
    rarity = _per_class(labels).max(1)
    weights = (rarity / rarity.max()) ** power  # at most 1, so that no power overflows
    shares = np.asarray(weights / weights.sum())
    if not shares.all():
        raise InputError(f"power={power}: images whose labels are all frequent would never be drawn; reduce power")
    return shares


RESAMPLINGS: Mapping[str, Callable[..., Shares]] = {"class_aware": class_aware, "rarest_label": rarest_label}


def make_shares(labels: ArrayLike, name: str, **options: Any) -> Shares:
    """Compute each image's share of the draws, ``(N,)``.

    Args:
        labels: ``(N, A)``: 1, 0 or NaN.
        name: One of ``RESAMPLINGS``.
        **options: Keyword arguments of the resampling.

    Raises:
        InputError: The name or an option is unknown, an option is not a finite number or out of bounds, or an attribute
            has no positives or no negatives.

    Example:
        >>> make_shares([[0], [0], [0], [1]], "class_aware").round(3)
        array([0.167, 0.167, 0.167, 0.5  ])
    """
    return choose("resampling", name, RESAMPLINGS, options)(labels, **options)


def resampled(labels: ArrayLike, name: str, seed: int, **options: Any) -> Callable[[int], Rows]:
    """Return a function from an epoch to its rows, in order: N draws with replacement.

    Args:
        labels: ``(N, A)``: 1, 0 or NaN.
        name: One of ``RESAMPLINGS``.
        seed: Determines the draws together with the epoch.
        **options: Keyword arguments of the resampling.

    Returns:
        Epoch to ``(N,)`` rows.

    Raises:
        InputError: As ``make_shares``.

    Example:
        >>> rows = resampled([[0], [0], [0], [1]], "class_aware", seed=0)
        >>> rows(0), rows(1)
        (array([3, 1, 0, 0]), array([3, 3, 3, 3]))
    """
    shares = make_shares(labels, name, **options)
    return lambda epoch: np.random.default_rng([seed, epoch]).choice(len(shares), len(shares), p=shares)


def rates(labels: ArrayLike, shares: ArrayLike) -> Shares:
    """Compute the share of positives ``(A,)`` among the known labels of the images drawn.

    Raises:
        InputError: A label is not 0, 1 or NaN.

    Example:
        >>> labels = [[0, 0], [0, 0], [0, 1], [1, 1]]
        >>> rates(labels, class_aware(labels)).round(3)
        array([0.375, 0.583])
    """
    y, p = check_labels(labels), np.asarray(shares, np.float64)[:, None]
    return np.asarray((p * np.nan_to_num(y)).sum(0) / (p * ~np.isnan(y)).sum(0))


def shift(labels: ArrayLike, shares: ArrayLike) -> float | None:
    """Compute the shift of the learned log-odds by resampling: logit(rate drawn) - logit(rate in the data).

    Args:
        labels: ``(N, A)``: 1, 0 or NaN.
        shares: ``(N,)``, as returned by ``class_aware`` or ``rarest_label``.

    Returns:
        In logit units. None for several attributes, because an image's share then depends on its other labels, and no
        constant describes the change of the log-odds. None where a class is never drawn.

    Example:
        >>> labels = [[0], [0], [0], [1]]
        >>> round(shift(labels, class_aware(labels)), 3)  # log 3
        1.099
    """
    y = np.asarray(labels, np.float64)
    if y.shape[1] > 1:
        return None
    drawn, original = float(rates(y, shares)[0]), float(rates(y, np.full(len(y), 1 / len(y)))[0])
    if not (0 < drawn < 1 and 0 < original < 1):
        return None
    return math.log(drawn / (1 - drawn)) - math.log(original / (1 - original))


def weights_classes(loss: AttributeLoss) -> bool:
    """Return True if a loss treats the two classes differently: a positive at z costs other than a negative at -z."""
    z = torch.linspace(-2, 2, 5)[:, None].expand(-1, len(loss.attributes))  # (5, A)
    return not torch.allclose(loss.terms(z, torch.ones_like(z)), loss.terms(-z, torch.zeros_like(z)))


def questions(table: LabelledSets) -> NDArray[np.float64]:
    """Return one column per yes-or-no attribute, with its labels, and one per set, with the index of the true output.

    Args:
        table: The training split.

    Returns:
        ``(N, Q)``: NaN where unknown; attributes first.

    Example:
        >>> from bincam.data import AttributeTable
        >>> sets = {"hair": ("blond", "dark")}
        >>> questions(AttributeTable(("blond", "dark", "Male"), np.array([[0, 1, 1]]), ["a.png"], ".", one_of=sets))
        array([[1., 1.]])
    """
    labels = np.asarray(table.labels, np.float64)
    columns = yes_or_no(table.names, table.one_of)
    codes = [true_outputs(labels[:, list(at)]) for at in set_columns(table.one_of, table.names).values()]
    return np.column_stack([labels[:, columns], *(np.where(code < 0, np.nan, code) for code in codes)])


def _per_class(labels: ArrayLike) -> Shares:
    """Compute each image's share of the draws per question, ``(N, Q)``: classes are equal, unknown labels get 1/N."""
    y = np.asarray(labels, np.float64)
    if y.ndim != 2 or not len(y):
        raise InputError(f"expected labels (N, A) of at least one image, got {y.shape}")
    unknown = np.isnan(y)
    if (strange := ~unknown & ((y < 0) | (y != np.floor(y)) | np.isinf(y))).any():
        raise InputError(f"label {y[strange][0]:g}: labels are 0, 1 or NaN (unknown), of a set the index of the class")
    by_class = np.empty_like(y)
    for question in range(y.shape[1]):
        codes = np.where(unknown[:, question], 0, y[:, question]).astype(np.int64)
        counts = np.bincount(codes[~unknown[:, question]], minlength=2)
        if (counts == 0).any():
            value = int((counts == 0).argmax())
            what = ("negatives", "positives")[value] if len(counts) == 2 else f"images of class {value}"
            raise InputError(f"attribute {question} has no {what} to draw")
        by_class[:, question] = (1 / len(counts) / counts)[codes]
    known_share = 1 - unknown.mean(0)  # unknown labels keep their share of the draws
    return np.where(unknown, 1 / len(y), by_class * known_share)
