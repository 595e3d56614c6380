"""Sides and targets: the class that is explained for each attribute, fixed by the clean image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from bincam.cam.requests.combination import MEAN, NOTHING
from bincam.display import counted
from bincam.errors import InputError, nearest
from bincam.models.heads import Head, raw_scores
from bincam.models.log_odds import Columns, decide, undefined

Side = Literal["predicted", "true", "positive", "negative"]
SIDES: tuple[Side, ...] = get_args(Side)


def sides(
    logits: Tensor,
    side: Side,
    threshold: Tensor | float = 0.0,
    labels: Tensor | None = None,
    one_of: Columns | None = None,
) -> Tensor:
    """Determine the explained side σ of every image and attribute.

    Args:
        logits: ``(B, A)``; of outputs in sets log-odds or raw scores.
        side: ``predicted``: +1 where z >= t, and of a set at the highest score, the first of equals, alone; ``true``:
            from the labels; ``positive`` and ``negative``: constant.
        threshold: t, in logit units, a number or ``(A,)``; without effect on outputs in sets.
        labels: ``(B, A)``, 1 for positive, 0 or -1 for negative, NaN for unknown; required for ``true`` only.
        one_of: Columns of the sets of outputs of which exactly one is true.

    Returns:
        ``(B, A)`` of +1 and -1 in the dtype of the logits; NaN where the logit, another logit of its set or the
        required label is NaN.

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
        >>> sides(torch.tensor([[-1.0, -0.5, -2.0]]), "predicted", one_of={"hair": (0, 1, 2)}).tolist()
        [[-1.0, 1.0, -1.0]]
    """
    if side not in SIDES:
        raise InputError(f"unknown side {side!r}{nearest(side, SIDES)}")
    unknown = undefined(logits, one_of or {})
    if side == "true":
        if labels is None:
            raise InputError("side='true' needs labels= (B, A): 1 positive, 0 or -1 negative, NaN unknown")
        truth = _labels(labels, logits)
        unknown = unknown | torch.isnan(truth)
        positive = truth == 1
    elif side == "predicted":
        positive = decide(logits, one_of or {}, threshold)
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
        one_of: Columns of the set to which the output belongs; z is then its log-odds. Empty for a yes-or-no attribute.
        versus: Another question about an output in a set: the column of an output to compare with, ``"mean"`` or
            ``"nothing"``.

    Example:
        >>> import torch
        >>> from bincam.cam import Target
        >>> Target(1, -1)(torch.tensor([0.5, 2.0])).item()
        -2.0
        >>> Target(1, -1, one_of=(0, 1), versus="nothing")(torch.tensor([0.5, 2.0])).item()
        -2.0
        >>> Target(1, -1, one_of=(0, 1))(torch.tensor([0.5, 2.0])).item()
        -1.5
    """

    attribute: int
    sign: int
    head: Head = "logits"
    one_of: tuple[int, ...] = ()
    versus: int | str | None = None

    def __call__(self, output: Tensor) -> Tensor:
        """Compute σz from one image's output: ``(A,)``, ``(A, 2)`` for pairs, or a scalar for a single logit."""
        if self.head == "two_logits" and output.ndim == 1:
            output = output[None]
        paired = self.head == "two_logits" or (self.head == "probabilities" and output.ndim == 2)
        flat = output.reshape(1, -1, 2) if paired else output.reshape(1, -1)
        count = flat.shape[1]
        if not -count <= self.attribute < count:
            raise InputError(f"attribute {self.attribute} of a model with {counted(count, 'output')}")
        attribute = self.attribute % count
        if self.one_of and (attribute not in self.one_of or not all(0 <= column < count for column in self.one_of)):
            raise InputError(
                f"one_of={self.one_of} has to contain attribute {attribute}, and columns of "
                f"{counted(count, 'output')} alone"
            )
        scores = raw_scores(flat, self.head, count, 1, {"its set": self.one_of} if self.one_of else None)[0]
        own = scores[attribute]
        if not self.one_of or self.versus == NOTHING:
            return self.sign * own
        if self.versus == MEAN:
            return self.sign * (own - scores[list(self.one_of)].mean())
        if self.versus is not None:
            return self.sign * (own - scores[int(self.versus)])
        others = [column for column in self.one_of if column != attribute]
        return self.sign * (own - scores[others].logsumexp(0))


def target(
    attribute: int, side: Literal["positive", "negative"], head: Head = "logits", one_of: Sequence[int] = ()
) -> Target:
    """Make one target for all images of a batch.

    Args:
        attribute: Column of the logits.
        side: ``positive`` or ``negative``. The predicted and the true side differ between images; ``targets`` makes
            one target per image.
        head: Meaning of the model's output.
        one_of: Columns of the set to which the output belongs, if it is in one.

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
    return Target(attribute, 1 if side == "positive" else -1, head, tuple(one_of))


def targets(
    logits: Tensor,
    attribute: int,
    side: Side,
    threshold: Tensor | float = 0.0,
    labels: Tensor | None = None,
    head: Head = "logits",
    one_of: Sequence[int] = (),
) -> list[Target]:
    """Make one target per image, with the side fixed by the clean image's logits.

    Args:
        logits: ``(B, A)``, of the clean images.
        attribute: Column of the attribute.
        side: As in ``sides``.
        threshold: As in ``sides``.
        labels: As in ``sides``.
        head: Meaning of the model's output when the targets are called.
        one_of: Columns of the set to which the output belongs, if it is in one.

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
    members = tuple(one_of)
    attribute_sides = sides(logits, side, threshold, labels, {"its set": members} if members else None)[:, attribute]
    return [Target(attribute, sign, head, members) for sign in signs(attribute_sides)]


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
