"""Tiny models and images that the tests of all rooms share."""

from __future__ import annotations

import os

# One thread per process, set before numpy and torch start theirs: models this small only wait for a second one, and
# threads that spin on a busy machine count as processor time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# isort: split
import bincam.torchvision_ops  # noqa: F401  # must stand before timm and torchvision

# isort: split
import gc
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

torch.set_num_threads(1)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # of a shell's background job, and all that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``-n``, keep a file's tests in one process, whose fixtures they share, and the files in their order.

    By default files with many tests go first, and the longest tests, which are in files of few, come last, when other
    processes have nothing left to do.
    """
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have slow tests, so that short ones fill the time until the last process is done."""
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Exempt what has been imported from garbage collections: it stays, and there is much of it."""
    gc.collect()
    gc.freeze()


UNTIMED = {"BINCAM_PROPERTIES", "BINCAM_UNTIMED"}
"""Variables with which no time is judged: of many drawn inputs, and of old versions, whose first import takes long."""
LIMIT = 10.0
"""Seconds of processor time at which a test that is not marked as slow fails: twice those from which it should be
marked, because another machine may take twice as long."""

_UNMARKED: dict[str, float] = {}


def _processor_time() -> float:
    """Seconds of this process and of those that it waited for: a busy machine does not add to them."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Note tests that are slow and not marked so; what fixtures take is shared, and not counted."""
    start = _processor_time()
    yield
    seconds = _processor_time() - start
    if seconds > LIMIT and item.get_closest_marker("slow") is None and not UNTIMED & os.environ.keys():
        _UNMARKED[item.nodeid] = seconds


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Fail a test that is slow and not marked so."""
    report = yield
    seconds = _UNMARKED.pop(item.nodeid, None)
    if call.when == "call" and seconds is not None and report.passed:
        report.outcome = "failed"
        report.longrepr = f"took {seconds:.1f} s of processor time without @pytest.mark.slow"
    return report


ATTRIBUTES = ("Smiling", "Bald", "Eyeglasses", "Young")


class TinyNet(nn.Module):
    """Two convolutions, mean pooling, one linear layer: an exact head, with biases everywhere."""

    def __init__(self, count: int = len(ATTRIBUTES), channels: int = 6) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 5, 3, padding=1)
        self.bn = nn.BatchNorm2d(5)
        self.conv2 = nn.Conv2d(5, channels, 3, stride=2, padding=1)
        self.relu = nn.ReLU(inplace=True)  # one module, used twice, in place
        self.head = nn.Linear(channels, count)

    def features(self, images: Tensor) -> Tensor:
        return self.relu(self.conv2(self.relu(self.bn(self.conv1(images)))))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).mean((2, 3)))


def randomize(model: nn.Module, seed: int = 0) -> nn.Module:
    """Biases and statistics away from zero and one, so that nothing holds by accident."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
            elif not parameter.any():  # torchvision's ViT starts with a head of zeros
                parameter.normal_(0, 0.1, generator=generator)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1, generator=generator)
                module.running_var.uniform_(0.5, 1.5, generator=generator)
    return model.eval()


@pytest.fixture
def tiny() -> nn.Module:
    torch.manual_seed(0)
    return randomize(TinyNet())


@pytest.fixture
def images() -> Tensor:
    """Three images, 12 x 16 pixels: neither square nor a power of two."""
    return torch.randn(3, 3, 12, 16, generator=torch.Generator().manual_seed(1))
