"""Speed beside busy processes, by how OpenMP's threads wait at barriers.

    PYTHONPATH=. python experiments/bench/busy.py [--rounds 4] [--busy 4]

trains (ResNet-10t, 80 px, 40 attributes) and explains in worker processes that differ in OpenMP's environment alone, in
turn, quiet and beside processes that never wait, and writes ``experiments/bench/busy.json``. A worker that is not
measured waits for its input and costs nothing. Ratios are taken within a round: quiet over quiet of torch's default,
busy over quiet of the same policy and over quiet of the default.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
THREADS = len(os.sched_getaffinity(0))
POLICIES: dict[str, dict[str, str]] = {
    "default": {},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "spin 1000": {"GOMP_SPINCOUNT": "1000"},
    "spin 10000": {"GOMP_SPINCOUNT": "10000"},
    "spin 30000": {"GOMP_SPINCOUNT": "30000"},
    "spin 100000": {"GOMP_SPINCOUNT": "100000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}


def work(what: str) -> None:
    """Be a worker: for every number of seconds read, print the rate and the seconds."""
    import torch

    from bincam.cam import Explainer
    from bincam.models import build

    torch.manual_seed(0)
    names = [f"a{place}" for place in range(40)]
    model = build("resnet10t", names, output_stride=16, input_size=(80, 80)).to(memory_format=torch.channels_last)
    images = torch.randn(32, 3, 80, 80).contiguous(memory_format=torch.channels_last)
    labels = (torch.rand(32, 40) < 0.3).float()
    optimizer = torch.optim.AdamW(model.parameters())
    explainer = Explainer(model.eval(), names) if what == "explain" else None

    def step() -> None:
        if explainer is not None:
            explainer(images)
            return
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    if what == "train":
        model.train()
    for _ in range(2):
        step()
    print("ready", flush=True)
    for line in sys.stdin:
        begin, steps = time.perf_counter(), 0
        while time.perf_counter() - begin < float(line):
            step()
            steps += 1
        print(steps / (time.perf_counter() - begin), flush=True)


def worker(what: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start a worker; what the caller's environment says of OpenMP does not count."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_", "KMP_"))}
    return subprocess.Popen(
        [sys.executable, __file__, "--work", what],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=inherited | environment,
    )  # fmt: skip


def answer(process: subprocess.Popen[str], seconds: float | None = None) -> str:
    """Return the worker's next line, after it was asked to work for some seconds."""
    assert process.stdin is not None
    assert process.stdout is not None
    if seconds is not None:
        process.stdin.write(f"{seconds}\n")
        process.stdin.flush()
    return process.stdout.readline().strip()


def measure(what: str, rounds: int, busy: int, policies: dict[str, dict[str, str]]) -> Iterator[dict[str, Any]]:
    """Yield rates and their ratios by policy, after every round those so far."""
    workers: dict[str, subprocess.Popen[str]] = {}
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    quiet: dict[str, list[float]] = {name: [] for name in policies}
    beside: dict[str, list[float]] = {name: [] for name in policies}
    try:
        for other in others:
            other.send_signal(signal.SIGSTOP)
        for name, environment in policies.items():  # in turn, for each begins with two steps
            workers[name] = worker(what, environment)
            if answer(workers[name]) != "ready":
                raise SystemExit(f"worker {name} did not start")
        for _ in range(rounds):
            for name, process in workers.items():
                quiet[name].append(float(answer(process, 1.5)))
            for other in others:
                other.send_signal(signal.SIGCONT)
            for name, process in workers.items():
                beside[name].append(float(answer(process, 4)))
            for other in others:
                other.send_signal(signal.SIGSTOP)
            yield {
                name: {
                    "quiet_per_second": round(median(quiet[name]), 2),
                    "busy_per_second": round(median(beside[name]), 3),
                    "quiet_over_default": _ratio(quiet[name], quiet["default"]),
                    "busy_over_own_quiet": _ratio(beside[name], quiet[name]),
                    "busy_over_default_quiet": _ratio(beside[name], quiet["default"]),
                }
                for name in workers
            }
    finally:
        for process in (*workers.values(), *others):
            process.kill()
            process.wait()


def _ratio(values: list[float], base: list[float]) -> float:
    return round(median(one / other for one, other in zip(values, base, strict=True)), 3)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", choices=("train", "explain"), help=argparse.SUPPRESS)
    parser.add_argument("--what", nargs="+", default=["train"], choices=("train", "explain"))
    parser.add_argument("--policies", nargs="+", default=list(POLICIES), choices=list(POLICIES))
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--busy", type=int, default=2 * THREADS)
    parser.add_argument("--out", type=Path, default=HERE / "busy.json")
    options = parser.parse_args()
    if options.work:
        work(options.work)
        return
    from race import machine, write

    policies = {name: POLICIES[name] for name in dict.fromkeys(("default", *options.policies))}
    result: dict[str, Any] = {"machine": machine(), "busy_processes": options.busy, "environment": policies}
    for what in options.what:
        for number, figures in enumerate(measure(what, options.rounds, options.busy, policies), start=1):
            result |= {what: {"rounds": number, **figures}}
            write(options.out, result)  # after every round: a machine is quiet for a while only
        for name, rates in figures.items():
            print(what, name, rates)


if __name__ == "__main__":
    main()
