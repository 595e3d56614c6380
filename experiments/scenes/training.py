"""Training of one job: epochs over scenes drawn once, a checkpoint after each, and what it cost.

A killed run goes on after the last finished epoch and ends with the same weights, because the order of the scenes,
their reflections and their drawn labels follow from the seed and the epoch alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from bincam import scenes
from bincam.files import atomic
from bincam.models import AttributeClassifier, Card, load, save
from bincam.train.evaluations.raw_scores import raw_scores
from experiments.scenes import network
from experiments.scenes.campaign import Job

POOL_SEED, VALIDATION_SEED, TEST_SEED = 1000, 2000, 3000
"""Seeds of scenes: for training (plus the job's), for thresholds, and for the test, both the same for all jobs."""
DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True)
class Trained:
    """A trained classifier and how it came about.

    Attributes:
        model: In evaluation mode.
        history: Per epoch the mean loss, and what validation says.
        wall_s: Seconds of all epochs.
        cpu_s: Of processor time.
        dtype: In which convolutions were computed.
        drawn_s: Seconds of processor time in which the scenes were drawn; 0 if they were there.
    """

    model: AttributeClassifier
    history: list[dict[str, float]]
    wall_s: float
    cpu_s: float
    dtype: str
    drawn_s: float


@dataclass(frozen=True)
class Task:
    """What a job trains.

    Attributes:
        card: Of the network.
        targets: From the shapes present ``(N, 10)`` and the epoch to the labels.
        loss: Mean loss of a batch's scores, as ``raw_scores`` returns them, and its labels.
        prevalence: Of shapes, as ``bincam.scenes.draw`` takes it; None for all alike.
        begin: Called before each epoch with its number, if stated.
        start: The job whose features the training begins with, of the same seed; None for random weights.
    """

    card: Card
    targets: Callable[[NDArray[np.bool_], int], Tensor]
    loss: Callable[[Tensor, Tensor], Tensor]
    prevalence: Mapping[str, float] | None = None
    begin: Callable[[int], None] | None = None
    start: Job | None = None


def task_of(job: Job) -> Task:
    """The task of a job's rule: cross-entropy of ten attributes, or of ten outputs that exclude one another."""
    plan = job.plan
    return Task(
        network.card(job.rule, job.stride, job.pooling, plan.size, plan.widths),
        lambda present, epoch: targets(job, present, epoch),
        binary_cross_entropy_with_logits if job.rule == "all" else cross_entropy,
    )


def training_scenes(
    job: Job, work: Path, prevalence: Mapping[str, float] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], float]:
    """Draw a job's training scenes, or find those that another job of this seed has drawn.

    Args:
        job: The job.
        work: Folder of scenes.
        prevalence: Of shapes, the same for all jobs that state one.

    Returns:
        Images ``(N, H, W, 3)``, shapes present ``(N, 10)``, and the processor time of drawing in seconds.
    """
    plan = job.plan
    cue = "" if job.strength is None else f"-cue{round(100 * job.strength)}"
    rare = "" if prevalence is None else "-rare"
    file = work / "scenes" / f"{plan.count}-{plan.size}{cue}{rare}-seed{job.seed}.npy"
    shown = file.with_name(file.stem + "-present.npy")
    spent = 0.0
    if not (file.is_file() and shown.is_file()):
        began = time.process_time()
        drawn = scenes.draw(
            plan.count,
            seed=POOL_SEED + job.seed,
            rule="all",
            size=plan.size,
            shortcut=job.shortcut,
            prevalence=prevalence,
        )
        for path, values in ((shown, drawn.present), (file, drawn.images)):
            with atomic(path) as part:
                np.save(part, values)
        spent = time.process_time() - began
    return np.load(file, mmap_mode="r"), np.load(shown), spent


def normalised(images: NDArray[np.uint8], model: AttributeClassifier) -> Tensor:
    """Bring images ``(B, H, W, 3)`` to what the card states, ``(B, 3, H, W)`` in channels-last order."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (model.card.mean, model.card.std))
    x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    return ((x.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


def reflected(x: Tensor, which: int) -> Tensor:
    """Apply one of the square's eight symmetries; every shape has a mirror axis and any turn, so scenes stay scenes."""
    x = x.transpose(-1, -2) if which & 1 else x
    axes = [axis for axis, bit in ((-1, 2), (-2, 4)) if which & bit]
    return x.flip(axes) if axes else x


def targets(job: Job, present: NDArray[np.bool_], epoch: int) -> Tensor:
    """Labels of an epoch: with the rule ``one`` drawn anew, because labels that are drawn once are memorised."""
    if job.rule == "all":
        return torch.from_numpy(present.astype(np.float32))
    return torch.from_numpy(scenes.redraw_labels(present, seed=job.seed, epoch=epoch))


def train(job: Job, work: Path, dtype: str = "float32", task: Task | None = None) -> Trained:
    """Train a job, or go on with it, or read what is finished.

    Args:
        job: The job.
        work: Folder of scenes, checkpoints and weights.
        dtype: Of the convolutions; ``bfloat16`` is about twice as fast on processors that compute in it.
        task: What is trained; None for that of the job's rule.
    """
    folder = work / "runs" / job.name
    plan = job.plan
    task = task or task_of(job)
    model = network.initial(task.card, job.seed)
    model.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    if task.start is not None:
        features = train(task.start, work, dtype).model.network.backbone
        model.network.backbone.load_state_dict(features.state_dict())  # type: ignore[union-attr, operator]  # of a Module
    images, present, drawn = training_scenes(job, work, task.prevalence)
    held = scenes.draw(plan.held, seed=VALIDATION_SEED, rule=job.rule, size=plan.size, prevalence=task.prevalence)
    optimiser = torch.optim.AdamW(model.parameters(), lr=plan.peak, weight_decay=0.01, fused=True)
    steps = plan.epochs * (plan.count // plan.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.peak, total_steps=steps, pct_start=0.2)
    state: dict[str, Any] = {"epoch": 0, "history": [], "wall_s": 0.0, "cpu_s": 0.0, "drawn_s": drawn, "dtype": dtype}
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.is_file():
        stored = torch.load(checkpoint, weights_only=True)
        if stored["settings"] == job.settings():
            model.network.load_state_dict(stored["weights"])
            optimiser.load_state_dict(stored["optimiser"])
            schedule.load_state_dict(stored["schedule"])
            state = stored["state"]
    for epoch in range(state["epoch"], plan.epochs):
        wall, cpu = time.perf_counter(), time.process_time()
        if task.begin is not None:
            task.begin(epoch)
        labels = task.targets(present, epoch)
        loss = one_epoch(job, epoch, model, (images, labels), (optimiser, schedule), state["dtype"], task.loss)
        state["history"].append({"loss": loss, **judged(job, model, held)})
        state["wall_s"] += time.perf_counter() - wall
        state["cpu_s"] += time.process_time() - cpu
        state["epoch"] = epoch + 1
        with atomic(checkpoint) as part:
            torch.save(
                {
                    "settings": job.settings(),
                    "weights": model.network.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "schedule": schedule.state_dict(),
                    "state": state,
                },
                part,
            )
        said = ", ".join(f"{name} {value:.3f}" for name, value in state["history"][-1].items())
        print(f"{job.name}: epoch {epoch + 1} of {plan.epochs}, {said}, {state['wall_s']:.0f} s", flush=True)
    final = folder / "model"
    save(model.eval(), final)
    return Trained(
        load(final, factory=network.FACTORY).eval(),
        *(state[name] for name in ("history", "wall_s", "cpu_s", "dtype", "drawn_s")),
    )


def one_epoch(
    job: Job,
    epoch: int,
    model: AttributeClassifier,
    data: tuple[NDArray[np.uint8], Tensor],
    updates: tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler],
    dtype: str,
    loss_of: Callable[[Tensor, Tensor], Tensor],
) -> float:
    """Train for one epoch and return the mean loss."""
    images, labels = data
    optimiser, schedule = updates
    random = np.random.default_rng([job.seed, epoch])
    order = random.permutation(len(images))
    total, batches = 0.0, len(images) // job.plan.batch
    model.train()
    for number in range(batches):
        rows = np.sort(order[number * job.plan.batch : (number + 1) * job.plan.batch])
        which = int(random.integers(8))
        x = normalised(images[rows], model)
        if job.strength is None:  # a mark in the corner has one place
            x = reflected(x, which).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            scores = raw_scores(model, x)
        loss = loss_of(scores.float(), labels[rows])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        total += float(loss.detach())
    return total / batches


@torch.no_grad()
def judged(job: Job, model: AttributeClassifier, held: scenes.Scenes) -> dict[str, float]:
    """Judge a model on validation scenes: mean average precision, and with single labels the accuracy of the image."""
    model.eval()
    z = torch.cat([model(normalised(held.images[at : at + 100], model)) for at in range(0, len(held), 100)]).numpy()
    found = {"map": float(np.mean(average_precisions(held.present, z)))}
    if job.rule == "one":
        first = z.argmax(1)
        found["top_1"] = float((first == held.labels).mean())
        found["top_1_present"] = float(held.present[np.arange(len(first)), first].mean())
    return found


def average_precisions(labels: NDArray[np.bool_], scores: NDArray[Any]) -> list[float]:
    """Compute the average precision of every shape that some of the images show and some do not."""
    from sklearn.metrics import average_precision_score

    shown = [a for a in range(labels.shape[1]) if 0 < labels[:, a].sum() < len(labels)]
    return [float(average_precision_score(labels[:, a], scores[:, a])) for a in shown]
