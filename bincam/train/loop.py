"""The training loop: from one configuration to a run's folder, interruptible and resumable at any point."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch

from bincam.display import counted
from bincam.errors import BincamError, BincamWarning
from bincam.folder_lock import FolderLock, take
from bincam.models import load
from bincam.train.configuration.config import TrainConfig
from bincam.train.evaluations.run_evaluation import RunEvaluation
from bincam.train.runs import manifest as run_manifest
from bincam.train.runs.checkpoint import FILE as STATE
from bincam.train.runs.checkpoint import Position, State, read_state, write_state
from bincam.train.runs.folder import WRITES, Result, RunFolder, refuse_overwriting
from bincam.train.runs.progress import EventFile, Reporter, event_writer
from bincam.train.runs.setup import in_memory_order, make_setup
from bincam.train.runs.splits import read_splits
from bincam.train.steps.batches import TrainingBatches, order_digest
from bincam.train.steps.distributed import Process, deferred_interrupt
from bincam.train.steps.epoch_sums import EpochSums
from bincam.train.steps.optimizer_step import Stepper

_CHECK_EVERY = {"cpu": 1}  # steps between two reads of the losses, by device; each waits for a GPU, where it is 16


def fit(
    config: TrainConfig, *, resume: bool = False, on_epoch: Callable[[dict[str, Any]], None] | None = None
) -> Result:
    """Train a model.

    In each step, over all processes and accumulated parts, the loss is Σ terms / normaliser, so its gradient does not
    depend on how a batch is divided. The random numbers of a step follow from seed, epoch, step and process, so a run
    that was interrupted and resumed gives the same bytes on the same machine with as many threads and processes.

    Ctrl-C ends the current step, validation or test, writes the state and raises ``KeyboardInterrupt``; a second one
    interrupts immediately.

    Args:
        config: The run's configuration.
        resume: Resume the run in ``config.out``, if there is one.
        on_epoch: Called with each epoch's record once it is on disk.

    Returns:
        The run's result. ``config.out`` then contains ``card.json`` and ``weights.safetensors`` of the best epoch, and
        ``last/``, ``state/``, ``config.yaml``, ``manifest.json``, ``metrics.jsonl`` and, with a test split,
        ``test.json``.

    Raises:
        InputError: The configuration does not fit the data, the model or the machine; or ``out`` contains a run and
            ``resume`` is False, or a model without a run's state, or is being written by another process.
        BincamError: A loss or a weight is not finite (the step and its images are named), or a logit, or the disk is
            full. The last good state is kept.
        KeyboardInterrupt: The run was interrupted; its state is written.

    Example:
        Train a tiny network to recognise eyeglasses in the ORL photographs, for one epoch.

        >>> import tempfile
        >>> from bincam.train import TrainConfig, fit
        >>> folder = tempfile.TemporaryDirectory()
        >>> config = TrainConfig(
        ...     data={"source": "orl", "attributes": ["Eyeglasses"], "folds": 4, "size": 32},
        ...     model={"name": "resnet10t", "options": {"channels": [8, 16, 32, 64]}}, loss="moon_bce",
        ...     epochs=1, tensorboard=False, out=folder.name + "/run",
        ... )
        >>> result = fit(config)
        >>> result.epochs, result.ended, sorted(result.test)[:3]
        (1, 'epochs', ['epoch', 'images', 'kind'])
        >>> model = result.model()
        >>> model.card.loss, model.card.attributes
        ('moon_bce', ('Eyeglasses',))
        >>> fit(config, resume=True).epochs  # finished: nothing is trained again
        1
        >>> folder.cleanup()
    """
    with deferred_interrupt() as interrupted:
        return fit_until(config, interrupted, resume=resume, on_epoch=on_epoch)


def fit_until(
    config: TrainConfig,
    interrupted: Callable[[], bool],
    *,
    resume: bool,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
) -> Result:
    """Train as ``fit`` does; end as after Ctrl-C once ``interrupted`` returns True."""
    refuse_overwriting(Path(config.out), resume=resume)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        run = _Run(config, interrupted)
        with run.taken_folder(resume=resume):
            finished = run.restore() if resume else None
            return finished or run.train(on_epoch)


class _Run:
    """One run in one process, with everything that changes while it is trained."""

    def __init__(self, config: TrainConfig, interrupted: Callable[[], bool]) -> None:
        self.config, self.interrupted = config, interrupted
        self.process = process = Process(config)
        splits = read_splits(config.data, look_for_leaks=process.rank == 0)
        for leak in splits.leaks:
            warnings.warn(leak, BincamWarning, stacklevel=4)
        with process.failing_together():
            self.writer = event_writer(config.tensorboard) if process.rank == 0 else None
        self.setup = setup = make_setup(config, splits, world=process.world)
        ordered = in_memory_order(config, setup.model)
        self.stepper = Stepper(setup.model, setup.loss, ordered, process)
        self.batches = TrainingBatches(
            splits.train,
            ordered,
            setup.model.card,
            setup.order,
            rank=process.rank,
            world=process.world,
            device=process.device,
        )
        self.evaluation = RunEvaluation(ordered, setup, process)
        self.position = Position()
        self.sums = EpochSums(process)
        facts = {
            **run_manifest.run_facts(config, splits),
            "processes": process.world,
            "device": str(process.device),
            "threads": torch.get_num_threads(),
            "length": config.epochs,
            "initial_weights": setup.identity.initial_weights,
            "train_counts": setup.counts.pairs(),
        }
        self.folder = RunFolder(config, facts, writes=process.rank == 0)

    @contextmanager
    def taken_folder(self, *, resume: bool) -> Iterator[None]:
        """Take the run's folder in the process that writes it, so that no other run writes it meanwhile.

        Raises:
            InputError: Another process has taken it, or has written a run there since it was looked at.
        """
        lock: FolderLock | None = None
        try:
            with self.process.failing_together():
                if self.process.rank == 0:
                    lock = take(self.folder.path, writes=WRITES)
                    refuse_overwriting(self.folder.path, resume=resume)
            yield
        finally:
            if lock is not None:
                lock.release()

    def restore(self) -> Result | None:
        """Restore the run from its state file, if there is one.

        Returns:
            The result, if the run is already finished.
        """
        state = read_state(self.folder.path, self.setup.identity)
        if state is None:
            return None
        self.position = position = state.position
        self.stepper.load(state.tensors)
        self.sums.restore(position)
        if position.ended in {"", "epochs"}:  # the number of epochs may have been raised or lowered
            position.ended = "epochs" if position.epoch >= self.config.epochs else ""
        if position.ended and self.folder.is_finished():
            test = self.folder.read_test()
            if test is not None or self.evaluation.test_split is None:
                load(self.folder.path)  # refuses a model that has been damaged since
                if self.process.any(self.interrupted()):
                    raise KeyboardInterrupt
                return self._result(test)
        with self.process.failing_together():
            self.folder.resume(self.stepper.evaluated, position)
        return None

    def train(self, on_epoch: Callable[[dict[str, Any]], None] | None) -> Result:
        """Train all remaining epochs, then evaluate on the test split."""
        config, position, main = self.config, self.position, self.process.rank == 0
        with self.process.failing_together():
            self.folder.write_config()
            self.folder.write_records(position, "running")
        self._end_if_interrupted()
        done = position.epoch * self.batches.steps + position.step
        reporter = Reporter(config, steps=self.batches.steps, done=done, silent=not main)
        with self.process.failing_together():
            events = EventFile(self.folder.path, self.writer, position.history)
        with reporter, events:
            while not position.ended:
                self._train_epoch(reporter)
                record = self._evaluate_epoch()
                self._write_epoch(record)
                reporter.epoch(record)
                with self.process.failing_together():
                    events.write(record)
                if on_epoch is not None:
                    on_epoch(record)
                self._end_if_interrupted()
        test = self.evaluation.test(self.folder.path, position)
        if test is not None:
            with self.process.failing_together():
                test = self.folder.write_test(test)
        self._end_if_interrupted()
        with self.process.failing_together():  # in every process the result returned is on disk
            self.folder.write_records(position, "finished")
        return self._result(test)

    def _result(self, test: dict[str, Any] | None) -> Result:
        position = self.position
        return Result(
            folder=self.folder.path,
            epochs=position.epoch,
            best_epoch=position.best_epoch,
            best_value=position.best_value,
            ended=position.ended,
            initial_weights=self.setup.identity.initial_weights,
            history=tuple(position.history),
            test=test,
        )

    def _train_epoch(self, reporter: Reporter) -> None:
        """Take the remaining steps of the current epoch."""
        config, position, steps = self.config, self.position, self.batches.steps
        self.stepper.start_epoch(position.epoch)
        check_every = _CHECK_EVERY.get(self.process.device.type, 16)
        began = time.perf_counter()
        for parts in self.batches.epoch(position.epoch, position.step):
            self.sums.add_images(parts)
            reductions = position.plateau.reductions
            self.sums.add_loss(
                self.stepper.step(parts, epoch=position.epoch, step=position.step, steps=steps, reductions=reductions)
            )
            position.step += 1
            due = config.checkpoint_steps > 0 and position.step % config.checkpoint_steps == 0
            if due or position.step % check_every == 0 or position.step == steps:
                self._read_losses()
                interrupted = self.process.any(self.interrupted())
                if interrupted or due or position.step == steps:
                    self._check_weights()
                if interrupted or due:
                    position.seconds += time.perf_counter() - began
                    self._write_state()
                    began = time.perf_counter()
                if interrupted:
                    self._interrupt()
            reporter.step(position.epoch, position.step, self.sums.mean_loss(position.step))
        position.seconds += time.perf_counter() - began

    def _read_losses(self) -> None:
        """Read the losses of the last steps; fail at the first that is not finite."""
        step = self.sums.read(self.position.step, self.batches.steps)
        if step is not None:
            raise self._failure(f"the loss of step {step + 1} of epoch {self.position.epoch + 1} is not finite", step)

    def _check_weights(self) -> None:
        """Fail if the last step broke the weights: the gradient of a finite loss may not be finite."""
        if self.process.any(not self.stepper.has_finite_weights()):
            position = self.position
            what = f"the weights after step {position.step} of epoch {position.epoch + 1} are not finite, its loss is"
            raise self._failure(what, position.step - 1)

    def _failure(self, what: str, step: int | None = None) -> BincamError:
        """Record the failure; return the error to raise, which lists the images of the step where one is given."""
        self.folder.write_records(self.position, "stopped")
        if step is not None:
            size = self.config.batch_size
            rows = self.setup.order(self.position.epoch)[step * size :][:size].tolist()
            images = ", ".join(f"{self.setup.splits.train.ids[row]} (row {row})" for row in rows[:4])
            what = f"{what}; its {counted(len(rows), 'image')}, rows of the training split, are {images}, ..."
        file = self.folder.path / STATE
        kept = f"the last good state is {file}" if file.exists() else "no state has been written yet"
        return BincamError(f"{what}; {kept}; try a lower optimizer.lr, clip_norm, or precision: fp32")

    def _end_if_interrupted(self) -> None:
        """End the run here, where everything is on disk, if any process was interrupted by Ctrl-C."""
        if self.process.any(self.interrupted()):
            self._interrupt()

    def _interrupt(self) -> NoReturn:
        self.folder.write_records(self.position, "interrupted")
        raise KeyboardInterrupt

    def _evaluate_epoch(self) -> dict[str, Any]:
        """Evaluate the epoch just trained on the validation split; return its record."""
        config, position, steps = self.config, self.position, self.batches.steps
        loss, pixels = self.sums.totals()
        self.stepper.share_buffers()
        predictions = self.evaluation.validate(self.stepper.evaluated)
        if not np.isfinite(predictions.logits).all():
            raise self._failure(f"logits on validation are not finite after epoch {position.epoch + 1}")
        record = {
            "epoch": position.epoch + 1,
            "train_loss": loss / steps,
            "lr": self.stepper.lr,
            "images_per_second": steps * config.batch_size / max(position.seconds, 1e-9),
            "order": order_digest(self.setup.order(position.epoch)),
            "pixels": f"{pixels % 2**64:016x}",
            **({"warmup": True} if self.setup.loss.warming else {}),
            **self.evaluation.record(predictions),
        }
        position.count(record, config)
        self.sums.reset()
        return record

    def _write_epoch(self, record: dict[str, Any]) -> None:
        self._write_state()
        with self.process.failing_together():
            self.folder.write_models(self.stepper.evaluated, record, best=self.position.best_epoch == record["epoch"])
            self.folder.write_records(self.position, "running")

    def _write_state(self) -> None:
        """Write the state; all processes call this, because the sums are over all of them."""
        loss, pixels = self.sums.totals()
        with self.process.failing_together():
            if self.process.rank == 0:
                position = Position(**{**vars(self.position), "loss_sum": loss, "pixel_sum": pixels})
                write_state(self.folder.path, self.setup.identity, State(position, self.stepper.state()))
