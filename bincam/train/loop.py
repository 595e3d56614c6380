"""The training loop: one configuration in, a run's folder out. It can be stopped anywhere and gone on with."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from bincam.data import AttributeTable, loader
from bincam.data.dataloader import Loader
from bincam.data.dataset import FaceDataset
from bincam.errors import BincamError, BincamWarning
from bincam.models import AttributeClassifier, load
from bincam.postprocessing.platt import platt
from bincam.postprocessing.thresholds import tune
from bincam.stats.class_counts import ClassCounts
from bincam.train import run_manifest
from bincam.train.batches import Feed, make_order, order_digest, pixel_sum
from bincam.train.checkpoint import FILE as STATE
from bincam.train.checkpoint import Identity, Position, State, read_state, write_state
from bincam.train.config import TrainConfig
from bincam.train.distributed import Process, stoppable
from bincam.train.evaluation import Said, ask, judge, plain
from bincam.train.initial_model import card_of, card_shift, first_model, weights_digest
from bincam.train.losses.registry import make_loss
from bincam.train.optimizer_step import Stepper
from bincam.train.progress import Board, Reporter, event_writer
from bincam.train.resampling import weighs_classes
from bincam.train.run_folder import Result, RunFolder, may_begin
from bincam.train.splits import read_splits

_LOOK = {"cpu": 1}  # steps between two looks at the losses, by device; each look waits for a GPU, so there it is 16


def fit(
    config: TrainConfig, *, resume: bool = False, on_epoch: Callable[[dict[str, Any]], None] | None = None
) -> Result:
    """Train a model.

    In each step, over all processes and accumulated parts, the loss is Σ terms / normaliser, so its gradient does not
    depend on how a batch is divided. Random numbers of a step follow from seed, epoch, step and process, so a run that
    was interrupted and gone on with gives the same bytes on the same machine with as many threads and processes.

    Ctrl-C ends the step, or the validation or the test that it falls in, writes the state and raises
    ``KeyboardInterrupt``; a second one does so at once.

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
            ``resume`` was not asked for, or a model without a run's state.
        BincamError: The loss or a weight is not finite (step and images are named), or a logit, or the disk is full.
            The last good state is kept.
        KeyboardInterrupt: It was stopped; the state is written.
    """
    with stoppable() as stopped:
        return fit_until(config, stopped, resume=resume, on_epoch=on_epoch)


def fit_until(
    config: TrainConfig,
    stopped: Callable[[], bool],
    *,
    resume: bool,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
) -> Result:
    """``fit``, ended as by Ctrl-C when ``stopped`` says so."""
    may_begin(Path(config.out), resume=resume)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        run = _Run(config, stopped)
        done = run.take_up() if resume else None
        return done or run.through(on_epoch)


class _Run:
    """One run in one process: everything that changes while it goes on."""

    def __init__(self, config: TrainConfig, stopped: Callable[[], bool]) -> None:
        self.config, self.stopped = config, stopped
        self.splits = read_splits(config.data)
        self.to_test = self.splits.test if config.test else None
        self.process = process = Process(config)
        with process.together():
            self.writer = event_writer(config.tensorboard) if process.rank == 0 else None
        train = self.splits.train
        self.attributes = train.names
        self.counts = ClassCounts.from_table(train)
        loss = make_loss(config.loss.name, self.counts, **config.loss.options)
        if not loss.separable and process.world * config.accumulate > 1:
            warnings.warn(
                f"loss {config.loss.name} compares the entries of a batch, and each of {process.world} processes x "
                f"{config.accumulate} parts compares only its own: the result depends on how batches are divided",
                BincamWarning,
                stacklevel=4,
            )
        if config.resampling.name != "none" and weighs_classes(loss):
            warnings.warn(
                f"loss {config.loss.name} weighs the classes of an attribute unlike, and resampling "
                f"{config.resampling.name} changes how often each is seen: the two add up; re-sample with bce, or "
                "weigh without re-sampling",
                BincamWarning,
                stacklevel=4,
            )
        model = first_model(config, train, self.counts.pairs())
        self.identity = Identity(config, train.names, self.splits.digest, weights_digest(model))
        model.card = self.card = card_of(
            model,
            loss=config.loss.name,
            head=loss.head,
            logit_shift=card_shift(loss, config.resampling, train),
            fit=FaceDataset(train, size=model.card.input_size, fit=config.data.fit).fit,
        )
        self.stepper = Stepper(model, loss, config, process)
        self.order = make_order(train, config)
        self.feed = Feed(
            train, config, self.card, self.order, rank=process.rank, world=process.world, device=process.device
        )
        self.validation = self._loader(self.splits.validation)
        self.at = Position()
        self.losses: list[Tensor] = []  # of the last steps, not looked at yet
        self.taken_up = 0.0  # of the epoch's losses: what all processes had before the run was gone on with
        self.pixels = torch.zeros((), dtype=torch.int64, device=process.device)
        facts = {
            **run_manifest.run_facts(config, self.splits),
            "processes": process.world,
            "device": str(process.device),
            "threads": torch.get_num_threads(),
            "length": config.epochs,
            "initial_weights": self.identity.initial_weights,
            "train_counts": self.counts.pairs(),
        }
        self.folder = RunFolder(config, facts, writes=process.rank == 0)

    def _loader(self, table: AttributeTable) -> Loader:
        process = self.process
        return loader(
            table,
            card=self.card,
            batch_size=max(self.config.batch_size // process.world, 1),
            workers=self.config.data.workers,
            rank=process.rank,
            world=process.world,
            pin_memory=process.device.type == "cuda",
        )

    def take_up(self) -> Result | None:
        """Put everything as it was when the state was written; nothing to do where there is none.

        Returns:
            What became of the run, where nothing is left to do.
        """
        state = read_state(self.folder.path, self.identity)
        if state is None:
            return None
        self.at = state.position
        self.stepper.load(state.tensors)
        if self.process.rank == 0:  # the sums are those of all processes, and rank 0 goes on with them
            self.pixels.fill_(self.at.pixel_sum)
            self.taken_up = self.at.loss_sum
        else:
            self.at.loss_sum = 0.0
        if self.at.ended in {"", "epochs"}:  # there may be more epochs to do than there were, or fewer
            self.at.ended = "epochs" if self.at.epoch >= self.config.epochs else ""
        if self.at.ended and self.folder.finished():
            tested = self.folder.tested()
            if tested is not None or self.to_test is None:
                load(self.folder.path)  # refuses what has been broken since
                if self.process.any(self.stopped()):
                    raise KeyboardInterrupt
                return self._result(tested)
        with self.process.together():
            self.folder.take_up(self.stepper.judged, self.at)
        return None

    def through(self, on_epoch: Callable[[dict[str, Any]], None] | None) -> Result:
        """All epochs that are left, then the test split."""
        config, at, main = self.config, self.at, self.process.rank == 0
        with self.process.together():
            self.folder.config_file()
            self.folder.records(at, "running")
        self._stop_if_asked()
        report = Reporter(config, steps=self.feed.steps, silent=not main)
        with self.process.together():
            board = Board(self.folder.path, self.writer, at.history)
        with report, board:
            while not at.ended:
                began = time.perf_counter()
                self._train_epoch(report)
                record = self._judge_epoch()
                self._write_epoch(record)
                report.epoch(record, time.perf_counter() - began)
                with self.process.together():
                    board.write(record)
                if on_epoch is not None:
                    on_epoch(record)
                self._stop_if_asked()
        test = self._test()
        self._stop_if_asked()
        with self.process.together():  # for everyone: what is returned is on disk
            self.folder.records(at, "finished")
        return self._result(test)

    def _result(self, test: dict[str, Any] | None) -> Result:
        at = self.at
        return Result(
            folder=self.folder.path,
            epochs=at.epoch,
            best_epoch=at.best_epoch,
            best_value=at.best_value,
            ended=at.ended,
            initial_weights=self.identity.initial_weights,
            history=tuple(at.history),
            test=test,
        )

    def _train_epoch(self, report: Reporter) -> None:
        """What is left of the next epoch's steps."""
        config, at, steps = self.config, self.at, self.feed.steps
        self.stepper.begin(at.epoch)
        look = _LOOK.get(self.process.device.type, 16)
        began = time.perf_counter()
        for parts in self.feed.epoch(at.epoch, at.step):
            for part in parts:
                self.pixels += pixel_sum(part.images, part.rows)
            reductions = at.plateau.reductions
            self.losses.append(
                self.stepper.step(parts, epoch=at.epoch, step=at.step, steps=steps, reductions=reductions)
            )
            at.step += 1
            due = config.checkpoint_steps > 0 and at.step % config.checkpoint_steps == 0
            if due or at.step % look == 0 or at.step == steps:
                self._look()
                stop = self.process.any(self.stopped())
                if stop or due or at.step == steps:
                    self._check_weights()
                if stop or due:
                    at.seconds += time.perf_counter() - began
                    self._write_state()
                    began = time.perf_counter()
                if stop:
                    self._interrupt()
            report.step(at.epoch, at.step, self._mean_loss())
        at.seconds += time.perf_counter() - began

    def _look(self) -> None:
        """Take the losses that have come in; stop where one is not finite, and say which images it was."""
        values = torch.stack(self.losses).tolist()
        self.losses = []
        first = self.at.step - len(values)
        bad = [first + i for i, value in enumerate(values) if not math.isfinite(value)]
        step = self.process.least(bad[0] if bad else self.feed.steps)
        if step < self.feed.steps:
            raise self._stop(f"the loss of step {step + 1} of epoch {self.at.epoch + 1} is not finite", step)
        for value in values:
            self.at.loss_sum += value

    def _check_weights(self) -> None:
        """Stop where the step just taken broke the weights: a finite loss may have a gradient that is not finite."""
        if self.process.any(not self.stepper.finite()):
            at = self.at
            what = f"the loss of step {at.step} of epoch {at.epoch + 1} is finite and the weights after it are not"
            raise self._stop(what, at.step - 1)

    def _stop(self, what: str, step: int | None = None) -> BincamError:
        """The error to end with; where one step is at fault, with its images."""
        self.folder.records(self.at, "stopped")
        if step is not None:
            size = self.config.batch_size
            rows = self.order(self.at.epoch)[step * size :][:size].tolist()
            shown = ", ".join(f"{self.splits.train.ids[row]} (row {row})" for row in rows[:4])
            what = f"{what}; its {len(rows)} images, rows of the training split, are {shown}, ..."
        file = self.folder.path / STATE
        kept = f"the last good state is {file}" if file.exists() else "there is no state yet"
        return BincamError(f"{what}; {kept}; a lower optimizer.lr, clip_norm, or precision: fp32 may help")

    def _stop_if_asked(self) -> None:
        """End here, where everything is on disk, if any process was told to by Ctrl-C."""
        if self.process.any(self.stopped()):
            self._interrupt()

    def _interrupt(self) -> NoReturn:
        self.folder.records(self.at, "interrupted")
        raise KeyboardInterrupt

    def _judge_epoch(self) -> dict[str, Any]:
        """Judge the epoch that has just been trained; its record."""
        config, at, process, steps = self.config, self.at, self.process, self.feed.steps
        loss, pixels = self._sums()
        self.stepper.share_buffers()
        said = ask(self.stepper.judged, self.validation, process.device, channels_last=config.channels_last)
        if not np.isfinite(said.logits).all():
            raise self._stop(f"logits on validation are not finite after epoch {at.epoch + 1}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BincamWarning)  # splits without a class were told of once, by name
            tuned = zip(self.attributes, tune(said.logits, said.labels).tolist(), strict=True)
        record = {
            "epoch": at.epoch + 1,
            "train_loss": loss / steps,
            "lr": self.stepper.lr,
            "images_per_second": steps * config.batch_size / max(at.seconds, 1e-9),
            "order": order_digest(self.order(at.epoch)),
            "pixels": f"{pixels % 2**64:016x}",
            "validation": self._metrics(said, {}),
            "tuned_thresholds": {name: value for name, value in tuned if math.isfinite(value)},
            "calibration": {} if self.card.logit_shift else self._calibration(said),
        }
        at.count(record, config)
        self.pixels.zero_()
        self.taken_up = 0.0
        return record

    def _calibration(self, said: Said) -> dict[str, tuple[float, float]]:
        """Slope and intercept of each attribute where they can be told."""
        fitted = zip(self.attributes, platt(said.logits, said.labels).tolist(), strict=True)
        return {name: (slope, intercept) for name, (slope, intercept) in fitted if math.isfinite(slope + intercept)}

    def _metrics(self, said: Said, thresholds: dict[str, float]) -> dict[str, Any]:
        """What ``judge`` says, and the loss, which depends on no threshold."""
        result = judge(said, self.card, self.counts, thresholds)
        with torch.no_grad():
            logits, labels = (torch.from_numpy(v).to(self.process.device) for v in (said.logits, said.labels))
            loss = self.stepper.loss.terms(logits, labels).sum() / self.stepper.loss.normalizer(labels).clamp(min=1)
        return {**result, "mean": {"loss": plain(float(loss)), **result["mean"]}}

    def _test(self) -> dict[str, Any] | None:
        """The best epoch's model on the test split, at threshold 0 and at the thresholds tuned on validation."""
        if self.to_test is None:
            return None
        model: AttributeClassifier = load(self.folder.path, self.process.device)
        if self.config.channels_last:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's types
        self.stepper.loss.set_epoch(self.at.epoch - 1, self.config.epochs)  # as in the last epoch, whoever trained it
        batches = self._loader(self.to_test)
        said = ask(model, batches, self.process.device, channels_last=self.config.channels_last)
        tuned = self.at.history[self.at.best_epoch - 1]["tuned_thresholds"]
        result = {
            "images": len(said.labels),
            "epoch": self.at.best_epoch,
            "zero": self._metrics(said, {}),
            "tuned": self._metrics(said, tuned),
            "tuned_thresholds": tuned,
        }
        with self.process.together():
            return self.folder.test(result)

    def _write_epoch(self, record: dict[str, Any]) -> None:
        self._write_state()
        with self.process.together():
            self.folder.models(self.stepper.judged, record, best=self.at.best_epoch == record["epoch"])
            self.folder.records(self.at, "running")

    def _write_state(self) -> None:
        """Called by all processes, because the sums are over all of them."""
        loss, pixels = self._sums()
        with self.process.together():
            if self.process.rank == 0:
                at = Position(**{**vars(self.at), "loss_sum": loss, "pixel_sum": pixels})
                write_state(self.folder.path, self.identity, State(at, self.stepper.state()))

    def _mean_loss(self) -> float | None:
        """About the epoch's mean loss so far, as if all processes' shares were this one's; None before it is known."""
        looked_at = self.at.step - len(self.losses)
        own = self.at.loss_sum - self.taken_up
        return (self.taken_up + own * self.process.world) / looked_at if looked_at else None

    def _sums(self) -> tuple[float, int]:
        """The epoch's losses and pixels so far, over all processes."""
        loss = torch.tensor(self.at.loss_sum, dtype=torch.float64, device=self.process.device)
        return float(self.process.sum(loss)), int(self.process.sum(self.pixels))
