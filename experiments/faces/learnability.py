"""Measure how well a small network learns each attribute of the generated faces.

Faces are drawn with independent labels, so that no label predicts another, and each of a different person. A ResNet is
trained on them and evaluated on faces of other people:

- AUC of every drawn attribute. That of local ones should be between .75 (learnable) and .995 (not trivial).
- Flips: in counterfactual pairs, which differ in one attribute, the fraction in which the logit of that attribute moves
  in the right direction. Chance is .5; from .75 the network reads the attribute and not a correlate of it.

Run from the repository: ``PYTHONPATH=. python experiments/faces/learnability.py --out DIR``. It writes
``learnability.json`` and ``learnability.md`` there. Drawing uses all cores, training a GPU if there is one.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import platform
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam._version import __version__
from bincam.faces.counterfactuals.pairs import counterfactual
from bincam.faces.labels.constraints import visible_labels
from bincam.faces.labels.prevalence import target
from bincam.faces.labels.sampler import sampler
from bincam.faces.labels.spec import ATTRIBUTES, DRAWN, FaceSpec
from bincam.faces.render.settings import RENDERER
from bincam.progress import track

GLOBAL = ("Blurry", "Chubby", "Male", "Pale_Skin", "Young")  # they are not confined to some parts
LOWEST, HIGHEST, MEAN, FLIPS = 0.75, 0.995, 0.90, 0.75


@dataclass(frozen=True)
class Set:
    """Images (N, 3, H, W) uint8 and the labels (N, 40) visible in them."""

    images: NDArray[np.uint8]
    labels: NDArray[np.bool_]


def draw_one(face: FaceSpec, size: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw a face as it would be read from its file, with noise and JPEG, and its visible labels."""
    from PIL import Image

    from bincam.faces.render.image import render
    from bincam.generated.encode import jpeg

    drawn = render(face, size)
    decoded = np.asarray(Image.open(io.BytesIO(jpeg(drawn.image, drawn.jpeg_quality))).convert("RGB"))
    return decoded, visible_labels(face, drawn.visible)


def draw_chunk(job: tuple[list[FaceSpec], tuple[int, int]]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw some faces in a worker process."""
    faces, size = job
    drawn = [draw_one(face, size) for face in faces]
    return np.stack([image for image, _ in drawn]), np.stack([labels for _, labels in drawn])


def draw(faces: list[FaceSpec], size: tuple[int, int], workers: int, title: str) -> Set:
    """Draw faces on all cores."""
    jobs = [(faces[start : start + 25], size) for start in range(0, len(faces), 25)]
    if workers == 1:
        chunks = [draw_chunk(job) for job in track(jobs, title, unit="x25 images")]
    else:
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            chunks = list(track(pool.map(draw_chunk, jobs), title, total=len(jobs), unit="x25 images"))
    images = np.concatenate([chunk for chunk, _ in chunks]).transpose(0, 3, 1, 2)
    return Set(np.ascontiguousarray(images), np.concatenate([labels for _, labels in chunks]))


def batches(n: int, size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Yield indices in random order, without an incomplete last batch."""
    order = rng.permutation(n)
    for start in range(0, n - size + 1, size):
        yield order[start : start + size]


def train(data: Set, arguments: argparse.Namespace, device: Any) -> Any:
    """Train with binary cross-entropy, AdamW and a one-cycle schedule on mirrored and shifted images."""
    import timm
    import torch
    import torch.nn.functional as F

    torch.manual_seed(arguments.seed)
    model = timm.create_model(arguments.model, pretrained=False, num_classes=len(ATTRIBUTES))
    model = model.to(device, memory_format=torch.channels_last)
    images, labels = torch.from_numpy(data.images).to(device), torch.from_numpy(data.labels).to(device).float()
    size = min(arguments.batch, len(images))
    steps = arguments.epochs * (len(images) // size)
    optimiser = torch.optim.AdamW(model.parameters(), lr=arguments.lr, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, arguments.lr, total_steps=steps, pct_start=0.2)
    rng = np.random.default_rng(arguments.seed)
    model.train()
    for epoch in track(range(arguments.epochs), "training", unit="epochs"):
        total = 0.0
        for rows in batches(len(images), size, rng):
            batch = torch.from_numpy(rows).to(device)
            x = normalised(images[batch])  # (B, 3, H, W)
            if rng.random() < 0.5:
                x = x.flip(-1)
            down, right = (int(v) for v in rng.integers(-4, 5, size=2))
            x = torch.roll(F.pad(x, (4, 4, 4, 4), mode="replicate"), (down, right), (-2, -1))[..., 4:-4, 4:-4]
            with torch.autocast(device.type, torch.bfloat16, enabled=arguments.bf16 or device.type == "cuda"):
                logits = model(x.contiguous(memory_format=torch.channels_last))
            loss = F.binary_cross_entropy_with_logits(logits.float(), labels[batch])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        print(f"epoch {epoch + 1}: loss {total / max(len(images) // size, 1):.4f}", flush=True)
    return model.eval()


def normalised(images: Any) -> Any:
    """Scale bytes to about [-2, 2]."""
    return (images.float() - 127.5) / 64.0


def logits(model: Any, images: NDArray[np.uint8], device: Any) -> NDArray[np.float32]:
    """Compute logits (N, 40) in float32."""
    import torch

    chunks = []
    with torch.inference_mode():
        for start in range(0, len(images), 500):
            x = normalised(torch.from_numpy(images[start : start + 500]).to(device))
            chunks.append(model(x.contiguous(memory_format=torch.channels_last)).float().cpu().numpy())
    return np.concatenate(chunks)


def evaluate(
    scores: NDArray[np.float32], test: Set, base: NDArray[np.float32], base_labels: NDArray[np.bool_], flipped: Any
) -> list[dict[str, Any]]:
    """Compute a row of metrics for each drawn attribute."""
    from sklearn.metrics import roc_auc_score

    rows = []
    for name in DRAWN:
        column = ATTRIBUTES.index(name)
        truth = test.labels[:, column]
        auc = float(roc_auc_score(truth, scores[:, column])) if 0 < truth.sum() < len(truth) else None
        after, after_labels = flipped[name]
        changed = after_labels[:, column] != base_labels[:, column]
        direction = np.where(after_labels[:, column], 1.0, -1.0)
        right = (after[:, column] - base[:, column]) * direction > 0
        rows.append(
            {
                "attribute": name,
                "kind": "global" if name in GLOBAL else "local",
                "auc": auc,
                "positives": int(truth.sum()),
                "flips_right": float(right[changed].mean()) if changed.any() else None,
                "flips": int(changed.sum()),
                "median_step": float(np.median(((after - base)[:, column] * direction)[changed]))
                if changed.any()
                else None,
            }
        )
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare the rows with the expected values."""
    defined = [row for row in rows if row["auc"] is not None]
    local = [row for row in defined if row["kind"] == "local"]
    flips = [row["flips_right"] for row in rows if row["flips_right"] is not None]
    return {
        "mean_auc": float(np.mean([row["auc"] for row in defined])) if defined else None,
        "mean_auc_expected": MEAN,
        "least_auc": min(([row["auc"], row["attribute"]] for row in defined), default=None),
        "auc_below": [row["attribute"] for row in defined if row["auc"] < LOWEST],
        "local_auc_above": [row["attribute"] for row in local if row["auc"] > HIGHEST],
        "mean_flips_right": float(np.mean(flips)) if flips else None,
        "flips_below": [row["attribute"] for row in rows if (row["flips_right"] or 0.0) < FLIPS],
    }


def table(rows: list[dict[str, Any]], totals: dict[str, Any]) -> str:
    """Format the rows as Markdown, the hardest attribute first."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    lines = ["| attribute | kind | AUC | positives | flips right | flips |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row['attribute']} | {row['kind']} | {number(row['auc'])} | {row['positives']} "
        f"| {number(row['flips_right'])} | {row['flips']} |"
        for row in sorted(rows, key=lambda row: row["auc"] or 0.0)
    ]
    lines.append(f"| **mean** | | {number(totals['mean_auc'])} | | {number(totals['mean_flips_right'])} | |")
    return "\n".join(lines)


def main() -> None:
    """Draw faces, train the network, evaluate it and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=10_000, help="training faces")
    parser.add_argument("--test", type=int, default=3000, help="test faces")
    parser.add_argument("--pairs", type=int, default=200, help="counterfactual pairs for each attribute")
    parser.add_argument("--prevalence", default="independent")
    parser.add_argument("--size", default="128x157", help="WIDTHxHEIGHT in pixels; by default in CelebA's proportions")
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--bf16", action="store_true", help="mixed precision on a CPU too (always on a GPU)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="cores for drawing and training")
    arguments = parser.parse_args()
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"  # for the drawing processes; this process has already loaded its libraries
    width, height = (int(part) for part in arguments.size.split("x"))
    size = (width, height)
    seconds: dict[str, float] = {}

    began = time.perf_counter()
    needed = arguments.count + arguments.test + arguments.pairs
    faces = sampler(target(arguments.prevalence), arguments.seed, images_per_person=1).faces(0, needed)
    specs = [faces[row] for row in range(needed)]
    draw_one(specs[0], size)  # compiles once, before many processes start
    seconds["compile"] = time.perf_counter() - began
    began = time.perf_counter()
    training_and_test = draw(specs[: arguments.count + arguments.test], size, arguments.workers, "faces")
    images, labels = training_and_test.images, training_and_test.labels
    training = Set(images[: arguments.count], labels[: arguments.count])
    test = Set(images[arguments.count :], labels[arguments.count :])
    originals = specs[arguments.count + arguments.test :]
    counterfactuals = [counterfactual(face, name) for name in DRAWN for face in originals]
    pairs = draw([*originals, *counterfactuals], size, arguments.workers, "pairs")
    seconds["draw"] = time.perf_counter() - began

    import torch

    import bincam.torchvision_ops  # noqa: F401  # before train imports timm, which imports torchvision

    torch.set_num_threads(arguments.workers)  # the drawing processes have ended
    began = time.perf_counter()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = train(training, arguments, device)
    seconds["train"] = time.perf_counter() - began
    pair_logits = logits(model, pairs.images, device)
    n = len(originals)
    flipped = {
        name: (pair_logits[start : start + n], pairs.labels[start : start + n])
        for name, start in zip(DRAWN, range(n, n + n * len(DRAWN), n), strict=True)
    }
    rows = evaluate(logits(model, test.images, device), test, pair_logits[:n], pairs.labels[:n], flipped)
    totals = summary(rows)
    result = {
        "kind": "bincam-learnability",
        "schema": 1,
        "bincam": __version__,
        "renderer": RENDERER,
        "settings": {**vars(arguments), "out": None},
        "machine": {
            "device": torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or "cpu",
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "images_drawn_per_second": round((len(images) + len(pairs.images)) / seconds["draw"], 1),
        "summary": totals,
        "attributes": rows,
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "learnability.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    (arguments.out / "learnability.md").write_text(table(rows, totals) + "\n", encoding="utf-8")
    print(table(rows, totals))
    print(json.dumps({"summary": totals, "seconds": result["seconds"]}, indent=2))


if __name__ == "__main__":
    main()
