"""The training loop: one configuration in, a run's folder out. It can be stopped anywhere and gone on with."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bincam import models
from bincam.data import loader
from bincam.data.attributes import AttributeTable
from bincam.data.batches import Batch
from bincam.errors import BincamError, InputError
from bincam.files import atomic, write_json
from bincam.models import AttributeClassifier
from bincam.train import manifest
from bincam.train.config import HIGHER_IS_BETTER, OptimizerConfig, TrainConfig, dump
from bincam.train.feed import Feed, Order, order_digest, pixel_sum, shuffled
from bincam.train.judge import Said, as_json, ask, plain
from bincam.train.losses import AttributeLoss, make_loss
from bincam.train.metrics import evaluate
from bincam.train.progress import Reporter
from bincam.train.schedule import factor, improved
from bincam.train.splits import Splits, read_splits
from bincam.train.start import card_of, first_model, weights_digest
from bincam.train.state import FILE as STATE
from bincam.train.state import Position, State, saving, read_state, write_state
from bincam.train.thresholds import tune
from bincam.train.weights import ClassCounts

_LOOK = 16  # steps on a GPU between two looks at the losses; each look waits for it


@dataclass(frozen=True)
class Result:
    """What a run gave.

    Attributes:
        folder: The run's folder, itself a model's folder.
        epochs: That were trained, counting those before a resumption.
        best_epoch: Whose weights are the model, from 1.
        best_value: The chosen metric there, on validation; None where it was never defined.
        ended: ``"epochs"`` or ``"early stopping"``.
        initial_weights: SHA-256 of the first weights.
        history: A record per epoch, the lines of ``metrics.jsonl``.
        test: What ``test.json`` holds, or None.
    """

    folder: Path
    epochs: int
    best_epoch: int
    best_value: float | None
    ended: str
    initial_weights: str
    history: tuple[dict[str, Any], ...]
    test: dict[str, Any] | None

    def model(self) -> AttributeClassifier:
        """The best epoch's model."""
        return models.load(self.folder)


def fit(
    config: TrainConfig, *, resume: bool = False, on_epoch: Callable[[dict[str, Any]], None] | None = None
) -> Result:
    """Train a model.

    In each step, over all processes and accumulated parts, the loss is Σ terms / normaliser, so its gradient does not
    depend on how a batch is divided. Random numbers of a step follow from seed, epoch, step and process, so a run that
    was interrupted and gone on with gives the same bytes on the same machine with as many threads and processes.

    Ctrl-C ends the step, writes the state and raises ``KeyboardInterrupt``; a second one does so at once.

    Args:
        config: What to do.
        resume: Go on with the run in ``config.out``, if there is one.
        on_epoch: Called with each epoch's record, when it is on disk.

    Returns:
        What became of it. ``config.out`` then holds ``card.json`` and ``weights.safetensors`` of the best epoch, and
        ``last/``, ``state/``, ``config.yaml``, ``manifest.json``, ``metrics.jsonl`` and, with a test split,
        ``test.json``.

    Raises:
        InputError: The configuration does not fit the data, the model or the machine, or ``out`` holds a run and
            ``resume`` was not asked for.
        BincamError: The loss or a logit is not finite (step and images are named), or the disk is full. The last good
            state is kept.
        KeyboardInterrupt: It was stopped; the state is written.
    """
    folder = Path(config.out)
    if (folder / STATE).exists() and not resume:
        raise InputError(f"{folder}: holds a run; go on with it by --resume (resume=True), or give another out")
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())), _stoppable() as stopped:
        run = _Run(config, stopped)
        if resume:
            run.take_up()
        return run.through(on_epoch)


class _Run:
    """One run in one process: everything that changes while it goes on."""

    def __init__(self, config: TrainConfig, stopped: Callable[[], bool]) -> None:
        self.config, self.stopped = config, stopped
        self.folder = Path(config.out)
        self.splits: Splits = read_splits(config.data)
        self.accelerator = _accelerator(config)
        self.device: torch.device = self.accelerator.device
        self.rank, self.world = int(self.accelerator.process_index), int(self.accelerator.num_processes)
        train = self.splits.train
        self.attributes = train.names
        self.counts = ClassCounts.from_table(train)
        self.loss: AttributeLoss = make_loss(config.loss.name, self.counts, **config.loss.options).to(self.device)
        model = first_model(config, train, _pairs(self.counts))
        self.initial_weights = weights_digest(model)
        model.card = card_of(model, **self._card_fields(train))
        self.model = model.to(self.device)
        if config.channels_last:
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's types
        self.optimizer: Any = make_optimizer(self.model, config.optimizer)
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]
        self.average = _average(self.model, config.ema)
        self.net, self.optimizer = self.accelerator.prepare(_Forward(self.model), self.optimizer)
        self.order = self._order(train)
        self.feed = Feed(
            train,
            config.data,
            self.model.card,
            self.order,
            seed=config.seed,
            batch_size=config.batch_size,
            accumulate=config.accumulate,
            rank=self.rank,
            world=self.world,
            device=self.device,
            channels_last=config.channels_last,
        )
        self.validation = self._loader(self.splits.validation)
        self.at = Position()
        self.tuned: dict[str, float] = {}
        self.pending: list[Tensor] = []  # losses of the last steps, not looked at yet
        self.pixels = torch.zeros((), dtype=torch.int64, device=self.device)
        self.manifest = {
            "kind": manifest.KIND,
            "schema": manifest.SCHEMA,
            "versions": manifest.versions(),
            "git": manifest.revision(),
            "data": manifest.data_facts(config, self.splits),
            "seed": config.seed,
            "processes": self.world,
            "device": str(self.device),
            "threads": torch.get_num_threads(),
            "precision": config.precision,
            "initial_weights": self.initial_weights,
            "train_counts": _pairs(self.counts),
        }

    # Setting up ------------------------------------------------------------------------------------------------------

    def _card_fields(self, train: AttributeTable) -> dict[str, Any]:
        from bincam.data.dataset import FaceDataset

        size = self.config.data.size
        shift = self.loss.logit_shift
        return {
            "loss": self.config.loss.name,
            "head": self.loss.head,
            "logit_shift": {} if shift is None else dict(zip(self.attributes, shift.tolist(), strict=True)),
            "fit": FaceDataset(train, size=size or 224, fit=self.config.data.fit).fit,
        }

    def _order(self, train: AttributeTable) -> Order:
        return shuffled(len(train), self.config.seed)

    def _loader(self, table: AttributeTable) -> Any:
        data = self.config.data
        return loader(
            table,
            card=self.model.card,
            batch_size=max(self.config.batch_size // self.world, 1),
            workers=data.workers,
            rank=self.rank,
            world=self.world,
            pin_memory=self.device.type == "cuda",
        )

    def take_up(self) -> None:
        """Put everything as it was when the state was written; nothing to do where there is none."""
        state = read_state(self.folder, self.config, self.attributes)
        if state is None:
            return
        self.at = state.position
        self.model.network.load_state_dict(state.tensors["model"])
        self.optimizer.load_state_dict(state.tensors["optimizer"])
        if self.average is not None:
            self.average.module.network.load_state_dict(state.tensors["ema"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state.tensors["scaler"])
        if self.rank == 0:
            self.pixels.fill_(self.at.pixel_sum)
        else:
            self.at.loss_sum = 0.0  # the sums of all processes are rank 0's to go on with
        if self.at.history:
            self.tuned = self.at.history[-1]["tuned_thresholds"]

    # Going through ---------------------------------------------------------------------------------------------------

    def through(self, on_epoch: Callable[[dict[str, Any]], None] | None) -> Result:
        """All epochs that are left, then the test split."""
        config = self.config
        if self.rank == 0:
            with saving(self.folder), atomic(self.folder / "config.yaml") as part:
                part.write_text(dump(config), encoding="utf-8")
        self._write_records("running")
        title = self.folder.name
        with (
            Reporter(
                epochs=config.epochs,
                steps=self.feed.steps,
                batch_size=config.batch_size,
                title=title,
                silent=self.rank > 0,
            ) as report,
            _board(config, self.folder, self.rank) as board,
        ):
            while not self._over():
                began = time.perf_counter()
                self._epoch(report)
                record = self._judge()
                self._write_epoch(record)
                report.epoch(record, time.perf_counter() - began)
                board(record)
                if on_epoch is not None:
                    on_epoch(record)
        test = self._test()
        self._write_records("finished")
        self.accelerator.wait_for_everyone()  # what is returned is on disk
        return Result(
            folder=self.folder,
            epochs=self.at.epoch,
            best_epoch=self.at.best_epoch,
            best_value=self.at.best_value,
            ended=self.at.ended,
            initial_weights=self.initial_weights,
            history=tuple(self.at.history),
            test=test,
        )

    def _over(self) -> bool:
        if self.at.ended == "epochs" and self.at.epoch < self.config.epochs:
            self.at.ended = ""  # gone on with, for more epochs
        return bool(self.at.ended)

    def _epoch(self, report: Reporter) -> None:
        """What is left of the next epoch's steps."""
        config, at = self.config, self.at
        self.loss.set_epoch(at.epoch, config.epochs)
        self.net.train()
        if config.model.freeze_batchnorm:
            for module in self.net.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001  # torch's only common base
                    module.eval()
        look = 1 if self.device.type == "cpu" else _LOOK
        began = time.perf_counter()
        for parts in self.feed.epoch(at.epoch, at.step):
            self.pending.append(self._step(parts))
            at.step += 1
            if at.step % look == 0 or at.step == self.feed.steps:
                self._look()
                stop = self._agree(self.stopped())
                due = config.checkpoint_steps and at.step % config.checkpoint_steps == 0
                if stop or due:
                    at.seconds += time.perf_counter() - began
                    began = time.perf_counter()
                    self._write_state()
                if stop:
                    self._write_records("interrupted")
                    raise KeyboardInterrupt
            report.step(at.epoch, at.step, lambda: self.at.loss_sum / max(self.at.step, 1) * self.world)
        at.seconds += time.perf_counter() - began

    def _step(self, parts: list[Batch]) -> Tensor:
        """One optimiser step; its loss, of this process's share, which sums over the processes to the whole."""
        config, at = self.config, self.at
        done = at.epoch * self.feed.steps + at.step
        scale = factor(
            config.schedule,
            done,
            steps_per_epoch=self.feed.steps,
            epochs=config.epochs,
            reductions=at.plateau.reductions,
        )
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * scale
        seeds = np.random.SeedSequence([config.seed, at.epoch, at.step, self.rank])
        torch.manual_seed(int(seeds.generate_state(1)[0]))
        normalizer = torch.stack([self.loss.normalizer(part.labels) for part in parts]).sum()
        if self.world > 1:
            torch.distributed.all_reduce(normalizer)
        normalizer = normalizer.clamp(min=torch.finfo(torch.float32).tiny)  # labels that are all unknown: 0, not 0/0
        total = torch.zeros((), device=self.device)
        for i, part in enumerate(parts):
            self.pixels += pixel_sum(part.images)
            within = contextlib.nullcontext() if i == len(parts) - 1 else self.accelerator.no_sync(self.net)
            with within:
                value = self.loss.terms(self.net(part.images), part.labels).sum() / normalizer
                self.accelerator.backward(value * self.world)  # processes' gradients are averaged, and it is their sum
            total += value.detach()
        if config.clip_norm is not None:
            self.accelerator.clip_grad_norm_(self.net.parameters(), config.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(self.model, step=done)
        return total

    def _look(self) -> None:
        """Take the losses that have come in; stop where one is not finite, and say which images it was."""
        at = self.at
        values = torch.stack(self.pending).tolist()
        first = at.step - len(values)
        self.pending = []
        wrong = next((i for i, value in enumerate(values) if not np.isfinite(value)), -1)
        if self.world > 1:
            told = torch.tensor([first + wrong if wrong >= 0 else 2**31], device=self.device)
            torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MIN)
            wrong = int(told) - first if int(told) < 2**31 else -1
        if wrong >= 0:
            value = values[wrong]
            raise self._refuse(f"the loss is {value} in step {first + wrong + 1} of epoch {at.epoch + 1}", first + wrong)
        for value in values:
            at.loss_sum += value

    def _refuse(self, what: str, step: int) -> BincamError:
        rows = self.order(self.at.epoch)[step * self.config.batch_size :][: self.config.batch_size]
        shown = ", ".join(f"{self.splits.train.ids[row]} (row {row})" for row in rows[:4].tolist())
        self._write_records("stopped")
        kept = f"the last good state is in {self.folder / STATE}" if (self.folder / STATE).exists() else "nothing is kept"
        return BincamError(
            f"{what}; its {len(rows)} images, rows of the training split: {shown}, ...; {kept}; a lower optimizer.lr, "
            "clip_norm or precision fp32 may help"
        )

    def _agree(self, wanted: bool) -> bool:
        """Whether any process wants it."""
        if self.world == 1:
            return wanted
        told = torch.tensor([int(wanted)], device=self.device)
        torch.distributed.all_reduce(told)
        return bool(told)

    # Judging ---------------------------------------------------------------------------------------------------------

    def _judge(self) -> dict[str, Any]:
        """Judge the epoch that has just been trained; its record."""
        at, config = self.at, self.config
        sums = torch.tensor([at.loss_sum], dtype=torch.float64, device=self.device)
        pixels = self.pixels.clone()
        if self.world > 1:
            torch.distributed.all_reduce(sums)
            torch.distributed.all_reduce(pixels)
            for buffer in self.net.buffers():  # statistics of BatchNorm are each process's own until here
                torch.distributed.broadcast(buffer, 0)
            for buffer in self.average.buffers() if self.average is not None else ():
                torch.distributed.broadcast(buffer, 0)
        said = ask(self.judged, self.validation, self.device, channels_last=config.channels_last)
        if not np.isfinite(said.logits).all():
            raise self._refuse(f"logits on validation are not finite after epoch {at.epoch + 1}", self.feed.steps - 1)
        order = self.order(at.epoch)
        record = {
            "epoch": at.epoch + 1,
            "train_loss": float(sums) / self.feed.steps,
            "lr": float(self.optimizer.param_groups[0]["lr"]),
            "images_per_second": self.feed.steps * config.batch_size / max(at.seconds, 1e-9),
            "order": order_digest(order),
            "pixels": f"{int(pixels) % 2**64:016x}",
            "validation": self._metrics(said, np.zeros(len(self.attributes))),
            "tuned_thresholds": self._tuned(said),
        }
        self._advance(record)
        return record

    @property
    def judged(self) -> AttributeClassifier:
        """The model that is judged and kept: the average of the weights where there is one."""
        if self.average is None:
            return self.model
        average: AttributeClassifier = self.average.module
        return average

    def _metrics(self, said: Said, thresholds: Any) -> dict[str, Any]:
        with torch.no_grad():
            logits, labels = (torch.from_numpy(v).to(self.device) for v in (said.logits, said.labels))
            value = self.loss.terms(logits, labels).sum() / self.loss.normalizer(labels)
        found = evaluate(said.logits, said.labels, thresholds, self.counts, self.loss.head)
        result = as_json(found, self.attributes)
        result["mean"] = {"loss": plain(float(value)), **result["mean"]}
        return result

    def _tuned(self, said: Said) -> dict[str, float]:
        found = np.asarray(tune(said.logits, said.labels), np.float64)
        return {name: float(t) for name, t in zip(self.attributes, found, strict=True) if np.isfinite(t)}

    def _advance(self, record: dict[str, Any]) -> None:
        """Count the epoch: whether it is the best so far, and whether it was the last."""
        at, config = self.at, self.config

        def value(metric: str) -> float:
            found = record["validation"]["mean"][metric]
            return float("nan") if found is None else float(found)

        at.epoch += 1
        at.step, at.loss_sum, at.seconds = 0, 0.0, 0.0
        self.pixels.zero_()
        at.history.append(record)
        self.tuned = record["tuned_thresholds"]
        if improved(value(config.best), at.best_value, higher=HIGHER_IS_BETTER[config.best]):
            at.best_epoch, at.best_value = at.epoch, value(config.best)
        elif at.best_epoch == 0:  # a metric that is undefined chooses no epoch, and some model must be kept
            at.best_epoch = at.epoch
        schedule, stopping = config.schedule, config.early_stopping
        if schedule.name == "plateau":
            higher = HIGHER_IS_BETTER[schedule.metric]
            at.plateau = at.plateau.after(value(schedule.metric), higher=higher, patience=schedule.patience)
        if stopping is not None:
            at.stopping = at.stopping.after(
                value(stopping.metric),
                higher=HIGHER_IS_BETTER[stopping.metric],
                patience=stopping.patience - 1,
                min_delta=stopping.min_delta,
            )
            if at.stopping.reductions:
                at.ended = "early stopping"
        if at.epoch >= config.epochs:
            at.ended = at.ended or "epochs"

    def _test(self) -> dict[str, Any] | None:
        """The best epoch's model on the test split, at threshold 0 and at the thresholds tuned on validation."""
        if self.splits.test is None or not self.config.test:
            return None
        self.accelerator.wait_for_everyone()
        model = models.load(self.folder, self.device)
        if self.config.channels_last:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's types
        batches = self._loader(self.splits.test)
        said = ask(model, batches, self.device, channels_last=self.config.channels_last)
        tuned = self.at.history[self.at.best_epoch - 1]["tuned_thresholds"]
        moved = np.array([tuned.get(name, 0.0) for name in self.attributes])
        result = {
            "kind": "bincam-test",
            "schema": 1,
            "images": len(said.labels),
            "epoch": self.at.best_epoch,
            "zero": self._metrics(said, np.zeros(len(self.attributes))),
            "tuned": self._metrics(said, moved),
            "tuned_thresholds": tuned,
        }
        if self.rank == 0:
            write_json(self.folder / "test.json", result)
        return result

    # Writing ---------------------------------------------------------------------------------------------------------

    def _write_epoch(self, record: dict[str, Any]) -> None:
        """Models, then the state, which is what counts: whatever a kill leaves undone is done again after resuming."""
        if self.rank:
            return
        model = self.judged
        card = card_of(
            model,
            tuned_thresholds=record["tuned_thresholds"],
            thresholds=record["tuned_thresholds"] if self.config.store_thresholds else {},
        )
        shown = AttributeClassifier(model.network, card)
        with saving(self.folder):
            if self.at.best_epoch == record["epoch"]:
                models.save(shown, self.folder)
            models.save(shown, self.folder / "last")
        self._write_state()
        self._write_records("running")

    def _write_state(self) -> None:
        sums = torch.stack([torch.tensor(self.at.loss_sum, dtype=torch.float64, device=self.device)])
        pixels = self.pixels.clone()
        if self.world > 1 and self.at.step:  # between epochs they are 0, and only rank 0 comes here
            torch.distributed.all_reduce(sums)
            torch.distributed.all_reduce(pixels)
        if self.rank:
            return
        at = Position(**{**vars(self.at), "loss_sum": float(sums), "pixel_sum": int(pixels)})
        tensors = {"model": self.model.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        if self.average is not None:
            tensors["ema"] = self.average.module.network.state_dict()
        if self.accelerator.scaler is not None:
            tensors["scaler"] = self.accelerator.scaler.state_dict()
        write_state(self.folder, self.config, self.attributes, State(at, tensors))

    def _write_records(self, status: str) -> None:
        if self.rank:
            return
        at = self.at
        with saving(self.folder):
            with atomic(self.folder / "metrics.jsonl") as part:
                lines = [json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in at.history]
                part.write_text("".join(lines), encoding="utf-8")
            write_json(
                self.folder / manifest.FILE,
                {
                    **self.manifest,
                    "status": status,
                    "ended": at.ended or None,
                    "epochs": [{key: record[key] for key in ("epoch", "order", "pixels")} for record in at.history],
                    "best": {"epoch": at.best_epoch, "metric": self.config.best, "value": at.best_value},
                    "tuned_thresholds": at.history[at.best_epoch - 1]["tuned_thresholds"] if at.history else {},
                },
            )


class _Forward(nn.Module):
    """What the steps call. accelerate puts mixed precision into it, and the classifier inside stays as it is."""

    def __init__(self, model: AttributeClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, A)``."""
        logits: Tensor = self.model(images)
        return logits


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """The optimizer, in two groups: weights decay, biases and norms (tensors of at most one axis) do not."""
    learned = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learned if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.name == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr)
    if config.name == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0)
    return torch.optim.RMSprop(groups, lr=config.lr, momentum=config.momentum, alpha=config.alpha)


def _average(model: AttributeClassifier, decay: float | None) -> Any:
    """timm's average of weights; its decay grows from 0, so that early weights are soon forgotten."""
    if decay is None:
        return None
    from timm.utils import ModelEmaV3

    return ModelEmaV3(model, decay=decay, use_warmup=True)


def _accelerator(config: TrainConfig) -> Any:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, PartialState

    there = torch.cuda.is_available()
    if config.device == "cuda" and not there:
        raise InputError("device: cuda, but torch finds no GPU here")
    if config.precision == "fp16" and (config.device == "cpu" or not there):
        raise InputError("precision: fp16 needs a GPU; bf16 runs on a CPU too")
    # accelerate keeps the first run's precision for the whole process; a second run may have another.
    AcceleratorState._reset_state()  # noqa: SLF001  # it has no public name
    if not torch.distributed.is_initialized():
        PartialState._reset_state()  # noqa: SLF001  # likewise for the device
    precision = "no" if config.precision == "fp32" else config.precision
    return Accelerator(cpu=config.device == "cpu", mixed_precision=precision)


def _pairs(counts: ClassCounts) -> dict[str, tuple[int, int]]:
    columns = zip(counts.attributes, counts.negatives, counts.positives, strict=True)
    return {name: (int(negatives), int(positives)) for name, negatives, positives in columns}


@contextlib.contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Notice Ctrl-C instead of breaking off; the second one breaks off. Handlers are put back."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked: list[int] = []

    def notice(number: int, _: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = signal.signal(signal.SIGINT, notice)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _board(config: TrainConfig, folder: Path, rank: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Where records go besides ``metrics.jsonl``: TensorBoard's event files, if wanted."""
    if not config.tensorboard or rank:
        yield lambda _: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise InputError("tensorboard: true, but it is not installed: pip install tensorboard") from None
    writer: Any = SummaryWriter(str(folder / "tensorboard"))

    def write(record: dict[str, Any]) -> None:
        step = record["epoch"]
        writer.add_scalar("train/loss", record["train_loss"], step)
        writer.add_scalar("train/lr", record["lr"], step)
        for name, value in record["validation"]["mean"].items():
            if value is not None:
                writer.add_scalar(f"validation/{name}", value, step)
        writer.flush()

    try:
        yield write
    finally:
        writer.close()
