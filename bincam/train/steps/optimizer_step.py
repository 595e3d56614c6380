"""The optimiser step: gradients over processes and parts, learning rate, clipping and weight averaging."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bincam.data.dataloader import Batch
from bincam.errors import InputError
from bincam.models import AttributeClassifier
from bincam.train.configuration.config import TrainConfig
from bincam.train.configuration.sections import OptimizerConfig
from bincam.train.evaluations.raw_scores import raw_scores
from bincam.train.losses.base import AttributeLoss
from bincam.train.losses.joint import JointLoss
from bincam.train.steps.distributed import Process
from bincam.train.steps.ema import Average
from bincam.train.steps.schedule import factor


class Stepper:
    """A model with its optimiser and its loss, trained step by step."""

    def __init__(
        self, model: AttributeClassifier, loss: AttributeLoss | JointLoss, config: TrainConfig, process: Process
    ) -> None:
        self.config, self.process = config, process
        self.loss = loss.to(process.device)
        self.model = model.to(process.device)
        if config.channels_last:
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's types
        optimizer = make_optimizer(self.model, config.optimizer)
        self._peak_rates = [group["lr"] for group in optimizer.param_groups]
        self.average = Average(self.model, config.ema) if config.ema is not None else None
        self._net: Any
        self.optimizer: Any
        self._net, self.optimizer = process.accelerator.prepare(_Forward(self.model), optimizer)

    @property
    def evaluated(self) -> AttributeClassifier:
        """The model that is evaluated and kept: the averaged one where there is an average."""
        return self.model if self.average is None else self.average.model

    def start_epoch(self, epoch: int) -> None:
        """Set the model to training mode and tell the loss which epoch starts."""
        self.loss.set_epoch(epoch, self.config.epochs)
        self._net.train()
        if self.config.model.freeze_batchnorm:
            for module in self._net.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001  # torch's only common base
                    module.eval()

    def step(self, parts: Sequence[Batch], *, epoch: int, step: int, steps: int, reductions: int) -> Tensor:
        """Take one optimiser step.

        The loss is Σ terms / normaliser over all processes and parts, so its gradient does not depend on how the batch
        is divided.
        With sets of outputs it is the sum of one such quotient for the attributes and one for each set. The model's
        random draws follow from seed, epoch, step and process.

        Args:
            parts: This process's images.
            epoch: From 0.
            step: Within the epoch, from 0.
            steps: Number per epoch.
            reductions: Number of reductions of the learning rate on plateaus so far.

        Returns:
            This process's share of the loss, a scalar on its device; the sum of the shares is the loss.

        Raises:
            InputError: A BatchNorm layer has a single value per channel.
        """
        config, process = self.config, self.process
        done = epoch * steps + step
        scale = factor(config.schedule, done, steps_per_epoch=steps, epochs=config.epochs, reductions=reductions)
        for group, peak in zip(self.optimizer.param_groups, self._peak_rates, strict=True):
            group["lr"] = peak * scale
        torch.manual_seed(int(np.random.SeedSequence([config.seed, epoch, step, process.rank]).generate_state(1)[0]))
        known = torch.stack([self.loss.normalizer(part.labels) for part in parts]).sum(
            0
        )  # one number per part of a loss
        normalizer = process.sum(known).clamp(min=1)  # if all labels are unknown the loss is 0, not 0/0
        total = torch.zeros((), device=process.device)
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            with contextlib.nullcontext() if last else process.accelerator.no_sync(self._net):
                value = (self.loss.sums(self._logits(part.images), part.labels) / normalizer).sum()
                process.accelerator.backward(value * process.world)  # gradients are averaged over processes
            total += value.detach()
        if config.clip_norm is not None:
            process.accelerator.clip_grad_norm_(self._net.parameters(), config.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(self.model, done)
        return total

    def _logits(self, images: Tensor) -> Tensor:
        try:
            logits: Tensor = self._net(images)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):  # torch's message for this case
                raise
            raise InputError(
                f"parts of {len(images)} image(s) leave a BatchNorm layer a single value per channel, which has no "
                "variance; use larger parts (batch_size, accumulate), larger images, or model.freeze_batchnorm: true"
            ) from None
        return logits

    @property
    def lr(self) -> float:
        """The learning rate of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def has_finite_weights(self) -> bool:
        """Return True if all parameters are finite; waits for a GPU."""
        return bool(torch.stack([parameter.isfinite().all() for parameter in self.model.parameters()]).all())

    def share_buffers(self) -> None:
        """Give the models of all processes the buffers of rank 0."""
        self.process.share_buffers(self.model)
        if self.average is not None:
            self.process.share_buffers(self.average.model)

    def state(self) -> dict[str, Any]:
        """Return the state dicts of everything that steps change."""
        scaler = self.process.accelerator.scaler
        return {
            "model": self.model.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            **({} if self.average is None else {"ema": self.average.model.network.state_dict()}),
            **({} if scaler is None else {"scaler": scaler.state_dict()}),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Restore what ``state`` returned."""
        self.model.network.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load(state["ema"])
        if self.process.accelerator.scaler is not None:
            self.process.accelerator.scaler.load_state_dict(state["scaler"])


class _Forward(nn.Module):
    """The module that steps call; accelerate adds mixed precision to it and leaves the classifier inside unchanged."""

    def __init__(self, model: AttributeClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits, and raw scores of sets, ``(B, A)`` of images ``(B, C, H, W)``."""
        return raw_scores(self.model, images)


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Create the optimiser; weight decay acts on weights, not on biases and norms (tensors of at most one axis)."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.name == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr)
    if config.name == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0)
    return torch.optim.RMSprop(groups, lr=config.lr, momentum=config.momentum, alpha=config.alpha)
