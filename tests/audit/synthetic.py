"""An audit's folder without a model: records drawn so that they hang together as a real audit's do.

Images of one identity resemble each other, errors are more frequent in the minority class, and where the majority class
is predicted the constant carries more of the decision the larger ``prior`` is. Some labels and measures are NaN.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder import reader
from bincam.audit.folder.audit import Audit
from bincam.audit.folder.files import DIGESTS
from bincam.audit.folder.manifest import Manifest
from bincam.audit.folder.parts.shard import Shard
from bincam.audit.folder.schema import measure_columns
from bincam.audit.folder.writer import AuditWriter
from bincam.references import FITTED, REFERENCES
from bincam.stats.outcomes import OUTCOMES

ATTRIBUTES = ("Smiling", "Bald", "Eyeglasses", "Young", "No_Beard", "Wearing_Hat")
PREVALENCE = (0.5, 0.08, 0.15, 0.85, 0.9, 0.06)
GRID = (7, 7)
SIZE = 56


def make_audit(
    folder: Path,
    *,
    images: int = 400,
    attributes: Sequence[str] = ATTRIBUTES,
    prevalence: Sequence[float] = PREVALENCE,
    methods: Sequence[str] = ("grad_cam", "hirescam@pre_activation"),
    masks: Sequence[str] = ("object", "influence"),
    prior: float = 0.6,
    noise: float = 0.0,
    seed: int = 0,
    data_seed: int = 0,
    shard_images: int = 128,
    pictures: Path | None = None,
    summary: Mapping[str, Any] | None = None,
    finished: bool = True,
) -> Path:
    """Write an audit's folder.

    Args:
        folder: Where to.
        images: How many; about three of each identity.
        attributes: Names.
        prevalence: Share of positives per attribute.
        methods: Specs; the first is the primary one.
        masks: Which per-image masks are pretended to be there.
        prior: In [0, 1]: how much the pretended model leans on a constant for its majority class.
        noise: How much noise the pretended model adds to its logits.
        seed: Of the model.
        data_seed: Of the images; two audits of the same images share it.
        shard_images: Images per shard.
        pictures: Also write a small PNG per image there, in CelebA's layout.
        summary: What to write as ``summary.json`` beside its kind and schema; a minimal one by default.
        finished: Write ``summary.json``.
    """
    data, model = np.random.default_rng([data_seed, 1]), np.random.default_rng([seed, 2])
    count, width = images, len(attributes)
    identity = data.integers(0, max(1, count // 3), count)
    person = data.normal(size=(count, width))[identity]
    rate = np.asarray(prevalence, float)
    cut = np.quantile(np.concatenate([person.ravel(), data.normal(size=4000)]), 1 - rate)
    truth = (0.8 * person + 0.6 * data.normal(size=(count, width)) > cut).astype(np.float32)
    label = np.where(data.random((count, width)) < 0.01, np.nan, truth).astype(np.float32)
    sex = np.where(data.random(count)[identity] < 0.4, "male", "female")
    age = np.where(data.random(count) < 0.05, "", np.where(person[:, 0] > 0, "young", "old"))
    ids = [f"{row + 1:06d}.png" for row in range(count)]

    lean = prior * np.log(rate / (1 - rate))
    logit = (2.4 * (truth - 0.5) + lean + model.normal(size=(count, width)) + 0.3 * person).astype(np.float32)
    if noise:
        logit += (noise * np.random.default_rng([seed, 3]).normal(size=logit.shape)).astype(np.float32)
    logit[0, 0] = np.nan
    side = np.where(logit >= 0, 1, -1) * ~np.isnan(logit)
    majority = np.where(rate > 0.5, 1, -1)
    leaning = (side == majority).astype(float)  # what the constant supports
    columns: dict[str, NDArray[Any]] = {
        "row": np.arange(count),
        "label": label,
        "logit": logit,
        "threshold": np.zeros(width),
        "side": side,
        "outcome": np.where(side > 0, np.where(label > 0, 0, 1), np.where(label > 0, 2, 3)),
    }
    columns["outcome"] = np.where(np.isnan(label) | np.isnan(logit), -1, columns["outcome"])
    columns |= _ledger(model, logit, side, leaning, prior)
    maps = {}
    for method in methods:
        drawn = _maps(model, leaning, prior)
        maps[method] = drawn
        columns |= _measures(model, method, drawn, leaning, prior, truth, masks)
    for name in measure_columns(methods, masks):
        columns[name] = np.where(side == 0, np.nan, columns[name]).astype(np.float32)

    folder.mkdir(parents=True, exist_ok=True)
    skipped = {count - 1: f"{ids[-1]}: empty file (0 bytes)"} if count > 10 else {}
    train = {name: [round(10_000 * (1 - p)), round(10_000 * p)] for name, p in zip(attributes, rate, strict=True)}
    source = pictures if pictures is not None else Path("no-pictures")
    manifest: dict[str, Any] = {
        "version": "0.1.0",
        "versions": {"python": "3.12"},
        "model": {
            "source": f"runs/{seed}",
            "digest": f"{seed:064x}",
            "name": "resnet10t",
            "card": {"name": "resnet10t"},
        },
        "data": {
            "source": str(source),
            "root": str(source / "img_align_celeba"),
            "digest": f"{data_seed:064x}",
            "split": "test",
            "images": count,
            "images_hash": f"{data_seed * 1000 + count:064x}",
        },
        "attributes": list(attributes),
        "only_in_model": ["Chubby"],
        "only_in_data": [],
        "methods": list(methods),
        "side": "predicted",
        "thresholds": dict.fromkeys(attributes, 0.0),
        "head": "logits",
        "regions": {"source": "published 7x7 regions", "digest": "0" * 64},
        "masks": {name: (f"masks/{name}" if name in masks else None) for name in ("object", "influence")},
        "references": dict.fromkeys(FITTED, "0" * 64),
        "train_counts": train,
        "train_counts_from": "card",
        "logit_shift": dict.fromkeys(attributes, 0.0),
        "grid": {method: list(GRID) for method in methods},
        "image_size": [SIZE, SIZE],
        "seed": 0,
        "shard_images": shard_images,
        "settings_digest": f"{seed * 7 + data_seed:064x}",
    }
    writer = AuditWriter.begin(folder, Manifest(**manifest))
    for number in range(writer.manifest.shards):
        rows = [r for r in range(number * shard_images, min(count, (number + 1) * shard_images)) if r not in skipped]
        here = {
            name: (value if value.ndim == 1 and name == "threshold" else value[rows]) for name, value in columns.items()
        }
        bad = {row: why for row, why in skipped.items() if row // shard_images == number}
        sums = {}
        for method in methods:
            sums |= _sums(method, maps[method][rows], columns["outcome"][rows])
        writer.write_shard(number, Shard(here, {m: drawn[rows] for m, drawn in maps.items()}, sums, bad))
    total, _ = writer.read_sums()
    writer.write_tensors(reader.MEANS, total)
    writer.write_tensors(reader.REGIONS, {"regions": _region_pictures(attributes)})
    _save_png(folder / reader.MEAN_IMAGE, _picture(np.random.default_rng(0), np.zeros(width)))
    writer.write_images(
        {
            "image": ids,
            "identity": [str(i) for i in identity],
            "group.sex": sex.tolist(),
            "group.age": age.tolist(),
            "skipped": [skipped.get(row, "") for row in range(count)],
        },
    )
    if pictures is not None:
        _write_pictures(pictures, ids, attributes, truth, identity)
    if finished:
        writer.write_summary(summary if summary is not None else {"level": 0.95, "attributes": {}})
    return folder


def reseal(folder: Path) -> Audit:
    """Seal an audit that a test has edited, as if it had been written so."""
    (folder / DIGESTS).unlink(missing_ok=True)
    summary = json.loads((folder / reader.SUMMARY).read_text(encoding="utf-8"))
    AuditWriter(folder, reader.open_audit(folder, unfinished=True).manifest).write_summary(summary)
    return reader.open_audit(folder)


def unseal(folder: Path) -> Path:
    """Make of an audit one of an earlier version, which wrote no digests."""
    (folder / DIGESTS).unlink()
    summary = json.loads((folder / reader.SUMMARY).read_text(encoding="utf-8"))
    del summary["seal"]
    (folder / reader.SUMMARY).write_text(json.dumps(summary), encoding="utf-8")
    return folder


def _ledger(
    rng: np.random.Generator, logit: NDArray[Any], side: NDArray[Any], leaning: NDArray[Any], prior: float
) -> dict[str, NDArray[Any]]:
    """T - O = σz holds for every reference; NaN where the logit is."""
    columns: dict[str, NDArray[Any]] = {}
    opposition = rng.gamma(2.0, 0.5, logit.shape)
    support = side * logit + opposition
    for reference in REFERENCES:
        weight = {"zero": 0.4, "floor": 0.7}.get(reference, 1.0)
        share = np.clip(leaning * prior * weight + 0.08 * rng.normal(size=logit.shape), 0, 1)
        columns[f"{reference}.support"] = support
        columns[f"{reference}.opposition"] = opposition
        columns[f"{reference}.bias_share"] = np.where(support > 0, share, np.nan)
        columns[f"{reference}.empty"] = (share > 0.97).astype(float)
    return columns


def _maps(rng: np.random.Generator, leaning: NDArray[Any], prior: float) -> NDArray[np.float16]:
    """A bump per attribute; where the constant does the work it is faint, and sometimes missing."""
    count, width = leaning.shape
    ys, xs = np.mgrid[0 : GRID[0], 0 : GRID[1]]
    centres = [(1 + a % 5, 1 + (2 * a) % 5) for a in range(width)]
    bumps = np.stack([np.exp(-((ys - cy) ** 2 + (xs - cx) ** 2) / 3) for cy, cx in centres])  # (A, h, w)
    strength = 0.3 * (1 - prior * leaning) * rng.gamma(4.0, 0.25, leaning.shape)
    drawn = strength[..., None, None] * bumps - 0.02 + 0.02 * rng.normal(size=(count, width, *GRID))
    blank = rng.random(leaning.shape) < 0.5 * prior * leaning
    return np.where(blank[..., None, None], -np.abs(drawn), drawn).astype(np.float16)


def _measures(
    rng: np.random.Generator,
    method: str,
    drawn: NDArray[np.float16],
    leaning: NDArray[Any],
    prior: float,
    truth: NDArray[Any],
    masks: Sequence[str],
) -> dict[str, NDArray[Any]]:
    positive = np.maximum(drawn.astype(float), 0).reshape(*leaning.shape, -1)
    mass = positive.sum(-1)
    blank = mass == 0
    area = np.full(leaning.shape, 9 / 49)
    gain = np.clip(0.55 - 0.4 * prior * leaning + 0.15 * rng.normal(size=leaning.shape), -area / (1 - area), 1)
    gain = np.where(blank, np.nan, gain)
    energy = gain * (1 - area) + area
    strongest = -np.sort(-positive, -1)[..., : positive.shape[-1] // 4]
    with np.errstate(invalid="ignore"):
        concentration = strongest.sum(-1) / mass
    top = positive.argmax(-1)
    found: dict[str, NDArray[Any]] = {
        "energy": energy,
        "gain": gain,
        "lift": energy / area,
        "published_energy": np.where(blank, 0, energy),
        "relevance_rank": np.where(blank, np.nan, np.sqrt(np.clip(energy, 0, 1))),
        "pointing": np.where(blank, np.nan, gain > 0.3),
        "area": area,
        "mass": mass,
        "empty": blank,
        "concentration": concentration,
        "peak_x": np.where(blank, np.nan, (top % GRID[1] + 0.5) / GRID[1]),
        "peak_y": np.where(blank, np.nan, (top // GRID[1] + 0.5) / GRID[0]),
    }
    for mask in masks:
        seen = (truth == 1) if mask == "object" else rng.random(leaning.shape) < 0.5
        masked = np.where(seen & ~blank, np.clip(gain + 0.05 * rng.normal(size=gain.shape), -0.2, 1), np.nan)
        found |= {f"{mask}_gain": masked, f"{mask}_energy": masked * (1 - area) + area}
    return {f"{method}.{name}": value for name, value in found.items()}


def _sums(method: str, drawn: NDArray[np.float16], outcome: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    picked = np.stack([outcome == n for n in range(len(OUTCOMES))], -1).astype(float)  # (B, A, 4)
    total = np.einsum("bao,bahw->aohw", picked, drawn.astype(float))
    return {f"{method}.sum": total, f"{method}.count": picked.sum(0)}


def _region_pictures(attributes: Sequence[str]) -> NDArray[np.float16]:
    regions = np.zeros((len(attributes), SIZE, SIZE), np.float16)
    step = SIZE // 7
    for number in range(len(attributes)):
        top, left = (number % 4) * step, ((2 * number) % 4) * step
        regions[number, top : top + 3 * step, left : left + 3 * step] = 1
    regions[-1] = np.nan  # an attribute without a region
    return regions


def _picture(rng: np.random.Generator, truth: NDArray[Any]) -> NDArray[np.uint8]:
    """A face of sorts: an oval, with a square for each attribute that is there."""
    ys, xs = np.mgrid[0:SIZE, 0:SIZE]
    image = np.full((SIZE, SIZE, 3), rng.integers(60, 120), np.uint8)
    image[((ys - 28) / 24) ** 2 + ((xs - 28) / 18) ** 2 < 1] = (210, 170, 140)
    for number in np.flatnonzero(truth):
        top, left = (number % 4) * 8 + 8, ((2 * number) % 4) * 8 + 12
        image[top : top + 6, left : left + 6] = (40 * (number + 1) % 255, 90, 200 - 25 * number)
    return image


def _write_pictures(
    root: Path, ids: Sequence[str], attributes: Sequence[str], truth: NDArray[Any], identity: NDArray[Any]
) -> None:
    from bincam.data import AttributeTable, write_celeba

    rng = np.random.default_rng(0)
    table = AttributeTable(
        names=tuple(attributes),
        labels=truth,
        ids=tuple(ids),
        root=root,
        splits=np.full(len(ids), "test"),
        identities=np.array([str(i + 1) for i in identity]),
    )
    write_celeba(table, (_picture(rng, row) for row in truth), root)


def _save_png(file: Path, pixels: NDArray[np.uint8]) -> None:
    from PIL import Image

    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)
