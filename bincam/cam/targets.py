"""Sides and targets: the class that is explained for each attribute, fixed by the clean image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from bincam.decision import is_positive
from bincam.errors import InputError, nearest
from bincam.models.heads import Head, logits_of

Side = Literal["predicted", "true", "positive", "negative"]
SIDES: tuple[Side, ...] = get_args(Side)


def sides(logits: Tensor, side: Side, threshold: Tensor | float = 0.0, labels: Tensor | None = None) -> Tensor:
    """Determine the explained side σ of every image and attribute.

    Args:
        logits: ``(B, A)``.
        side: ``predicted``: +1 where z >= t; ``true``: from the labels; ``positive`` and ``negative``: constant.
        threshold: t, in logit units, a number or ``(A,)``.
        labels: ``(B, A)``, 1 for positive, 0 or -1 for negative, NaN for unknown; required for ``true`` only.

    Returns:
        ``(B, A)`` of +1 and -1 in the dtype of the logits; NaN where the logit or the required label is NaN.

    Raises:
        InputError: The side is unknown, or labels are missing, of another shape or outside {-1, 0, 1}.

    Example:
        >>> import torch
        >>> from bincam.cam import sides
        >>> logits = torch.tensor([[2.0, -1.0], [0.5, float("nan")]])
        >>> sides(logits, "predicted", threshold=1.0).tolist()
        [[1.0, -1.0], [-1.0, nan]]
        >>> sides(logits, "true", labels=torch.tensor([[0, 1], [0, 1]])).tolist()
        [[-1.0, 1.0], [-1.0, nan]]
    """
    if side not in SIDES:
        raise InputError(f"unknown side {side!r}{nearest(side, SIDES)}")
    unknown = torch.isnan(logits)
    if side == "true":
        if labels is None:
            raise InputError("side='true' needs labels= (B, A): 1 positive, 0 or -1 negative, NaN unknown")
        truth = _labels(labels, logits)
        unknown = unknown | torch.isnan(truth)
        positive = truth == 1
    elif side == "predicted":
        positive = is_positive(logits, threshold)
    else:
        positive = torch.full_like(logits, side == "positive", dtype=torch.bool)
    sign = torch.where(positive, 1.0, -1.0).to(logits.dtype)
    return torch.where(unknown, torch.nan, sign)


def _labels(labels: Tensor, logits: Tensor) -> Tensor:
    truth = torch.as_tensor(labels, device=logits.device)
    if truth.ndim == 1 and logits.shape[1] == 1:
        truth = truth[:, None]
    if truth.shape != logits.shape:
        raise InputError(f"labels have shape {tuple(truth.shape)}, but there are {tuple(logits.shape)} logits")
    truth = truth.to(logits.dtype)
    illegal = ~(torch.isnan(truth) | (truth == 1) | (truth == 0) | (truth == -1))
    if bool(illegal.any()):
        image, attribute = (int(n) for n in illegal.nonzero()[0])
        raise InputError(
            f"label {truth[image, attribute].item():g} of image {image}, attribute {attribute}: labels are 1, 0, -1 or "
            f"NaN ({int(illegal.sum())} are not)"
        )
    return truth


@dataclass(frozen=True)
class Target:
    """σz of one attribute as a target for pytorch-grad-cam: a function from one image's output to a scalar.

    Attributes:
        attribute: Column of the attribute.
        sign: +1 or -1.
        head: Meaning of the model's output.

    Example:
        >>> import torch
        >>> from bincam.cam import Target
        >>> Target(1, -1)(torch.tensor([0.5, 2.0])).item()
        -2.0
    """

    attribute: int
    sign: int
    head: Head = "logits"

    def __call__(self, output: Tensor) -> Tensor:
        """Compute σz from one image's output: ``(A,)``, ``(A, 2)`` for pairs, or a scalar for a single logit."""
        if self.head == "two_logits" and output.ndim == 1:
            output = output[None]
        paired = self.head == "two_logits" or (self.head == "probabilities" and output.ndim == 2)
        flat = output.reshape(1, -1, 2) if paired else output.reshape(1, -1)
        z = logits_of(flat, self.head, flat.shape[1], 1)[0]
        if not -len(z) <= self.attribute < len(z):
            raise InputError(f"attribute {self.attribute} of a model with {len(z)} outputs")
        return self.sign * z[self.attribute]


def target(attribute: int, side: Literal["positive", "negative"], head: Head = "logits") -> Target:
    """Make one target for all images of a batch.

    Args:
        attribute: Column of the logits.
        side: ``positive`` or ``negative``. The predicted and the true side differ between images; ``targets`` makes
            one target per image.
        head: Meaning of the model's output.

    Returns:
        A callable for pytorch_grad_cam.

    Raises:
        InputError: The side is neither ``positive`` nor ``negative``.

    Example:
        >>> import torch
        >>> from bincam.cam import target
        >>> target(0, "negative")(torch.tensor([0.5, 2.0])).item()
        -0.5
    """
    if side not in ("positive", "negative"):
        raise InputError(
            f"side={side!r} for a single target; expected 'positive' or 'negative', for others use targets()"
        )
    return Target(attribute, 1 if side == "positive" else -1, head)


def targets(
    logits: Tensor,
    attribute: int,
    side: Side,
    threshold: Tensor | float = 0.0,
    labels: Tensor | None = None,
    head: Head = "logits",
) -> list[Target]:
    """Make one target per image, with the side fixed by the clean image's logits.

    Args:
        logits: ``(B, A)``, of the clean images.
        attribute: Column of the attribute.
        side: As in ``sides``.
        threshold: As in ``sides``.
        labels: As in ``sides``.
        head: Meaning of the model's output when the targets are called.

    Returns:
        B callables for pytorch_grad_cam.

    Raises:
        InputError: As ``sides``; or a side is unknown because the logit or label is NaN (the message names the image).

    Example:
        >>> import torch
        >>> from bincam.cam import targets
        >>> logits = torch.tensor([[2.0, -1.0], [-3.0, 0.5]])
        >>> [target.sign for target in targets(logits, 0, "predicted")]
        [1, -1]
    """
    attribute_sides = sides(logits, side, threshold, labels)[:, attribute]
    return [Target(attribute, sign, head) for sign in signs(attribute_sides)]


def signs(side: Tensor) -> Sequence[int]:
    """Convert sides ``(B,)`` to integers.

    Raises:
        InputError: A side is NaN; the message names the image.
    """
    if bool(torch.isnan(side).any()):
        raise InputError(
            f"the side of image {int(torch.isnan(side).nonzero()[0])} is unknown: its logit or label is NaN"
        )
    return [int(s) for s in side.tolist()]
