"""Two processes are one: the same losses, the same metrics, each image exactly once."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import torch
import yaml

import bincam
from bincam.errors import BincamError, InputError
from bincam.train import fit, fit_pair
from bincam.train.configuration.config import TrainConfig
from bincam.train.steps.distributed import Process, leave_group
from tests.train.conftest import values


def in_processes(count: int, run) -> list[int]:
    """Run something in forked processes that find each other as under ``accelerate launch``; their exit codes."""
    cv2.setNumThreads(1)  # a copy of opencv's pool without its threads would never answer
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sys.stdout.flush()
    children = []
    for rank in range(count):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.environ |= {
                    "ACCELERATE_USE_CPU": "true",
                    "WORLD_SIZE": str(count),
                    "RANK": str(rank),
                    "LOCAL_RANK": str(rank),
                    "LOCAL_WORLD_SIZE": str(count),
                    "MASTER_ADDR": "127.0.0.1",
                    "MASTER_PORT": str(port),
                }
                run(rank)
                leave_group()
                code = 0
            except KeyboardInterrupt:
                code = 130
            finally:
                os._exit(code)
        children.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]


def history(config: TrainConfig):
    return [json.loads(line) for line in (Path(config.out) / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"data__augmentation": "affact"},
        {"accumulate": 2, "clip_norm": 1.0, "loss": "moon_bce"},
        {"model__options__norm_layer": "batchnorm", "model__freeze_batchnorm": True, "ema": 0.9},
    ],
)
def test_two_processes_give_the_losses_and_metrics_of_one(config, changes):
    changes = {**changes, "epochs": 3, "optimizer__name": "sgd", "optimizer__lr": 0.05}
    one, two = config(to="one", **changes), config(to="two", **changes)
    fit(one)
    assert in_processes(2, lambda _: fit(two)) == [0, 0]
    for alone, together in zip(history(one), history(two), strict=True):
        assert together["train_loss"] == pytest.approx(alone["train_loss"], abs=1e-4)
        assert (together["order"], together["pixels"]) == (alone["order"], alone["pixels"])
        assert together["validation"]["mean"]["loss"] == pytest.approx(alone["validation"]["mean"]["loss"], abs=1e-4)
        assert together["validation"]["attributes"]["below"]["n"] == 45  # an odd number: shards are uneven
        for name in ("fnr", "fpr", "auroc"):
            mine, theirs = (line["validation"]["mean"][name] for line in (alone, together))
            assert mine == pytest.approx(theirs, abs=0.06)  # a logit at the threshold may fall to either side
    a, b = (bincam.load(Path(c.out) / "last").state_dict() for c in (one, two))
    for name in a:
        torch.testing.assert_close(a[name], b[name], atol=1e-4, rtol=1e-3)
    tests = [json.loads((Path(c.out) / "test.json").read_text()) for c in (one, two)]
    assert tests[0]["images"] == tests[1]["images"] == 30
    assert json.loads((Path(two.out) / "manifest.json").read_text())["processes"] == 2


def test_the_group_is_left_when_python_ends(config):
    def run(_: int) -> None:
        at_exit: list[object] = []
        atexit.register = at_exit.append  # type: ignore[assignment]  # in the child only
        Process(config())
        assert at_exit == [leave_group]
        assert torch.distributed.is_initialized()
        leave_group()
        assert not torch.distributed.is_initialized()

    assert in_processes(2, run) == [0, 0]


def test_every_image_of_a_split_is_judged_once_by_one_of_three(config, table, tmp_path):
    """Logits that name their row."""
    from bincam.data import loader
    from bincam.train.evaluations.evaluation import ask

    class Names(torch.nn.Module):
        def forward(self, images):
            asked.append(len(images))
            return torch.zeros(len(images), 2) + len(asked)

    asked: list[int] = []
    validation = table.split("validation")

    def run(rank: int) -> None:
        Process(config())
        batches = loader(validation, size=32, fit="stretch", batch_size=4, rank=rank, world=3)
        said = ask(Names(), batches, torch.device("cpu"), channels_last=False)
        assert said.logits.shape == (45, 2)
        expected = [row // 3 // 4 + 1 for row in range(45)]  # the batch that a row is in
        assert said.logits[:, 0].tolist() == expected
        (tmp_path / str(rank)).write_text(str(sum(asked)))

    assert in_processes(3, run) == [0, 0, 0]
    assert [int((tmp_path / str(rank)).read_text()) for rank in range(3)] == [15, 15, 15]


@pytest.mark.slow
def test_stopped_together_and_gone_on_with(config):
    from bincam.train.runs.progress import Reporter
    from bincam.train.steps.optimizer_step import Stepper

    changes = {"epochs": 2, "ema": 0.9}
    whole, broken = config(to="whole", **changes), config(to="broken", **changes)
    assert in_processes(2, lambda _: fit(whole)) == [0, 0]
    step = Stepper.step

    def run(rank: int) -> None:
        steps: list[int] = []

        def interrupted(self, *args, **kwargs):
            steps.append(1)
            if len(steps) == 3 and rank == 1:  # one of them notices, both stop
                os.kill(os.getpid(), signal.SIGINT)
            return step(self, *args, **kwargs)

        Stepper.step = interrupted  # type: ignore[method-assign]  # in the child only
        fit(broken)

    assert in_processes(2, run) == [130, 130]

    def go_on(rank: int) -> None:
        shown: list[float | None] = []
        Reporter.step = lambda *told: shown.append(told[-1])  # type: ignore[method-assign]  # likewise
        result = fit(broken, resume=True)
        if rank == 0:  # its own share of the loss stands for both, but for what both had before
            assert shown[2] == pytest.approx(result.history[0]["train_loss"], rel=0.15)

    assert in_processes(2, go_on) == [0, 0]
    for a, b in zip(history(whole), history(broken), strict=True):
        assert {**a, "images_per_second": 0} == {**b, "images_per_second": 0}


def test_both_judge_with_the_statistics_of_the_first(config, tmp_path):
    """BatchNorm's are each one's own while it trains: of the model, and of the average that is judged."""
    from bincam.train.evaluations import run_evaluation
    from bincam.train.steps.optimizer_step import Stepper

    settings = config(epochs=2, ema=0.9, model__options__norm_layer="batchnorm", test=False)
    step, ask = Stepper.step, run_evaluation.ask

    def run(rank: int) -> None:
        held = {}
        lines = []

        def statistics(model):
            return [buffer.tolist() for buffer in model.buffers()]

        def watched_step(self, *args, **kwargs):
            value = step(self, *args, **kwargs)
            held["stepper"] = self
            held["own"] = [statistics(self.model), statistics(self.average.model)]
            return value

        def watched_ask(model, *args, **kwargs):
            stepper = held["stepper"]
            assert model is stepper.average.model
            lines.append({"own": held["own"], "judged": [statistics(stepper.model), statistics(model)]})
            return ask(model, *args, **kwargs)

        Stepper.step, run_evaluation.ask = watched_step, watched_ask  # type: ignore[method-assign]  # in the child only
        fit(settings)
        (tmp_path / str(rank)).write_text(json.dumps(lines))

    assert in_processes(2, run) == [0, 0]
    first, second = (json.loads((tmp_path / str(rank)).read_text()) for rank in range(2))
    assert len(first) == len(second) == 2
    for one, other in zip(first, second, strict=True):
        assert all(a != b for a, b in zip(one["own"], other["own"], strict=True))
        assert one["judged"] == other["judged"] == one["own"]


def test_a_disk_that_fills_ends_both(config):
    from bincam.train.runs.folder import RunFolder

    settings = config(epochs=1)

    def run(rank: int) -> None:
        models = RunFolder.write_models

        def full(self, *args, **kwargs):
            models(self, *args, **kwargs)
            if self.writes:
                raise BincamError("No space left on device")

        RunFolder.write_models = full  # type: ignore[method-assign]  # in the child only
        with pytest.raises(BincamError, match=["No space left on device", "process 1 ends because another"][rank]):
            fit(settings)

    assert in_processes(2, run) == [0, 0]


def test_tensorboard_that_one_lacks_ends_both(config):
    settings = config(epochs=1, tensorboard=True)

    def run(rank: int) -> None:
        if rank == 0:
            sys.modules["torch.utils.tensorboard"] = None  # type: ignore[assignment]  # in the child only
        with pytest.raises(BincamError, match=["it is not installed", "process 1 ends because another"][rank]):
            fit(settings)

    assert in_processes(2, run) == [0, 0]


def test_a_batch_that_cannot_be_shared_is_refused(config):
    settings = config(batch_size=15)

    def run(_: int) -> None:
        with pytest.raises(InputError, match="15 cannot be divided among 2 processes"):
            fit(settings)

    assert in_processes(2, run) == [0, 0]


ARMS = {"unbalanced": {"loss": "bce"}, "balanced": {"loss": "moon_bce"}}


@pytest.mark.slow
def test_the_arms_of_a_pair_in_two_processes_see_what_they_see_in_one(config):
    one, two = config(to="one", arms=ARMS), config(to="two", arms=ARMS)
    alone = fit_pair(one).proof
    assert in_processes(2, lambda _: fit_pair(two)) == [0, 0]
    together = json.loads((Path(two.out) / "pair.json").read_text())
    assert together["identical"] == {"initial_weights": True, "order": True, "pixels": True}
    for arm in ARMS:
        assert {**together["arms"][arm], "best_epoch": 0} == {**alone["arms"][arm], "best_epoch": 0}


@pytest.mark.slow
def test_by_torchrun(spots, tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump(values(spots, tmp_path / "run", epochs=1, device="auto", arms=ARMS)))
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = [*launch, "-m", "bincam", "train", "--pair", str(file), "--json"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)  # once, by the main process
    assert all(said["identical"].values())
    for arm in ARMS:
        assert said["arms"][arm]["epochs"] == 1
        assert json.loads((tmp_path / "run" / arm / "manifest.json").read_text())["processes"] == 2


# As docs/train.md says: accelerate's own command, with a torchvision that can be imported. --multi_gpu is its name for
# several processes of one machine; without GPUs they find each other as with them.
REPAIRED = "import bincam.torchvision_ops; from accelerate.commands.accelerate_cli import main; main()"


@pytest.mark.slow
def test_by_accelerate_launch(spots, tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump(values(spots, tmp_path / "run", epochs=1, device="auto")))
    launch = ["-c", REPAIRED, "launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0"]
    environment = os.environ | {"HF_HOME": str(tmp_path / "of-no-user")}  # where accelerate's own settings are
    words = [sys.executable, *launch, "-m", "bincam", "train", str(file), "--json"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["epochs"] == 1  # once, by the main process
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["processes"] == 2
