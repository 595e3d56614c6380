"""What each method trains: the same network and the same labels, another head and another loss.

``ce`` is softmax cross-entropy; ``two_head`` adds a sigmoid head. ``an_ls``, ``hill`` and ``asymmetric`` take the ten
outputs for attributes of which the stated one is true and all others are assumed not to be.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from bincam import scenes
from bincam.models import AttributeClassifier
from bincam.train import ClassCounts, make_loss, make_set_loss
from experiments.average_k.campaign import RARE, SetJob
from experiments.scenes import network
from experiments.scenes.training import Task

OUTPUTS = len(scenes.SHAPES)


def task_of(job: SetJob) -> Task:
    """Return the network, the labels and the loss of a job."""
    plan = job.plan
    single = job.method in ("ce", "two_head")
    card = network.card(
        "one" if single else "all", job.stride, job.pooling, plan.size, plan.widths, two_heads=job.method == "two_head"
    )
    loss = Loss(job)
    return Task(
        card,
        lambda present, epoch: labels(job, present, epoch),
        loss,
        RARE if job.rare else None,
        loss.begin,
        job.features if job.rare else None,
    )


def labels(job: SetJob, present: NDArray[np.bool_], epoch: int) -> Tensor:
    """Draw the label of every scene: anew in every epoch, or the same in all."""
    return torch.from_numpy(scenes.redraw_labels(present, seed=job.seed, epoch=0 if job.once else epoch))


class Loss:
    """The mean loss of a batch; no method weighs classes, so training counts do not matter.

    Args:
        job: Names the method.
    """

    def __init__(self, job: SetJob) -> None:
        even, self.epochs = [1] * OUTPUTS, job.plan.epochs
        options = {"size": job.size, "warmup_epochs": job.warm * self.epochs}
        self.of_set = make_set_loss("two_head", even, **options) if job.method == "two_head" else None
        counts = ClassCounts(tuple(scenes.SHAPES), even, even)
        self.of_attributes = None if job.method in ("ce", "two_head") else make_loss(job.method, counts)

    def begin(self, epoch: int) -> None:
        """Announce an epoch."""
        if self.of_set is not None:
            self.of_set.set_epoch(epoch, self.epochs)

    def __call__(self, scores: Tensor, true: Tensor) -> Tensor:
        """Compute the loss of scores ``(B, 10)``, of two heads ``(B, 20)``, and labels ``(B,)``."""
        if self.of_set is None and self.of_attributes is None:
            return cross_entropy(scores, true)
        one_hot = torch.nn.functional.one_hot(true, OUTPUTS).to(scores)
        loss = self.of_set or self.of_attributes
        assert loss is not None  # one of them is stated
        mean: Tensor = loss(scores, one_hot)
        return mean


@torch.no_grad()
def set_scores(model: AttributeClassifier, images: Tensor) -> dict[str, Tensor]:
    """Compute the scores from which label sets are made, ``(B, 10)``, of every head.

    Returns:
        ``sets``: what the method means by scores: the second head, the softmax, or the logistic of every output. Of two
        heads also ``softmax``, those of the first.
    """
    if not model.card.one_of:
        return {"sets": model(images).sigmoid()}
    found = {"sets": model.set_scores(images)["shape"]}
    if model.card.set_output is not None:
        found["softmax"] = model.scores(images).softmax(1)
    return found
