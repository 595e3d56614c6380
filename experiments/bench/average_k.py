"""Cost of average-K: λ against one partition of the same scores, and the sets of an audit.

    python experiments/bench/average_k.py [--rounds N] [--images N] [--out FILE]

writes ``experiments/bench/average-k.json``. λ of 200,000 x 1,000 float32 scores, against ``numpy.partition`` of the
same array at the same place, one thread, processor time of interleaved rounds; memory is what numpy allocates beyond
the scores, at its peak. Then an audit of 200,000 images and 40 outputs: thresholds, sets and their coverage.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from race import machine, milliseconds, race, ratios, write

from bincam.postprocessing.average_k import fit_average_k
from bincam.postprocessing.conformal import class_conditional, lac, risk_control
from bincam.postprocessing.conformal_adaptive import aps
from bincam.stats import Clusters, attribute_coverage, set_coverage


def scores(images: int, outputs: int) -> NDArray[np.float32]:
    """Probabilities of which a few are large, without a float64 copy of all."""
    p = np.random.default_rng(0).standard_exponential((images, outputs), dtype=np.float32)
    np.power(p, 3, out=p)
    p /= p.sum(1, keepdims=True)
    return p


def peak_over(base: int, run: Callable[[], object]) -> float:
    """Peak of what is allocated during a run, relative to a number of bytes."""
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return round(peak / base, 3)


def threshold(images: int, rounds: int) -> dict[str, Any]:
    p = scores(images, 1000)
    results: dict[str, Any] = {}
    for size in (1, 2, 10):
        place = p.size - round(images * size)
        runners: dict[str, Callable[[], object]] = {
            "partition": lambda place=place: np.partition(p.reshape(-1), place),
            "fit_average_k": lambda size=size: fit_average_k(p, size),
        }
        seconds = race(runners, rounds, warm=0, clock=time.process_time)
        results[f"size {size}"] = {
            "milliseconds": milliseconds(seconds),
            "over_partition": ratios(seconds, "partition")["fit_average_k"],
            "memory_over_scores": {name: peak_over(p.nbytes, run) for name, run in runners.items()},
        }
        print(size, results[f"size {size}"], flush=True)
    return results


def audit(images: int) -> dict[str, Any]:
    """Seconds and MiB of everything that a study of sets computes, once each."""
    p = scores(images, 40)
    rng = np.random.default_rng(1)
    true = (p.cumsum(1) < rng.random(images)[:, None]).sum(1).clip(max=39)
    labels = (rng.random(p.shape) < 0.2).astype(np.float64)
    people = [f"{n // 4}" for n in range(images)]
    clusters, few = Clusters.of(people), np.arange(40) < 10
    steps: dict[str, Callable[[], object]] = {
        "average-K at four sizes": lambda: [fit_average_k(p, k).sets(p) for k in (1, 1.2, 1.5, 2)],
        "lac": lambda: lac(p, true, 0.1, identities=people).sets(p),
        "class_conditional": lambda: class_conditional(p, true, 0.1, identities=people).sets(p),
        "risk_control": lambda: risk_control(p, labels, 0.1, identities=people).sets(p),
        "aps": lambda: aps(p, true, 0.1).sets(p, seed=1),
        "set_coverage": lambda: set_coverage(p >= 0.05, true, few, clusters),
        "attribute_coverage": lambda: attribute_coverage(p >= 0.05, labels, clusters),
    }
    results = {}
    for name, run in steps.items():
        seconds = race({name: run}, 1, warm=0, clock=time.process_time)[name][0]
        results[name] = {"seconds": round(seconds, 2), "mebibytes": round(peak_over(2**20, run))}
        print(name, results[name], flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "average-k.json")
    options = parser.parse_args()
    results: dict[str, Any] = {"machine": {**machine(), "numpy": np.__version__}, "images": options.images}
    results["threshold"] = threshold(options.images, options.rounds)
    results["audit"] = audit(options.images)
    write(options.out, results)


if __name__ == "__main__":
    main()
