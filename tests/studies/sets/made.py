"""Audits of made scores: yes-or-no attributes, and a set of outputs, without a model and with maps of one cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bincam.audit import Audit, open_audit
from bincam.audit.folder.files import MEANS
from bincam.audit.folder.manifest import Manifest
from bincam.audit.folder.parts.shard import Shard
from bincam.audit.folder.schema import measure_columns
from bincam.audit.folder.writer import AuditWriter
from bincam.stats.sets.scores import log_odds

SET = "pet"


def drawn_heads(images: int, prevalence: list[float], *, seed: int = 0, signal: float = 3.0, people: int = 1) -> dict:
    """Labels of stated prevalence, and logits that know the prevalence: the prior is in them."""
    rng = np.random.default_rng(seed)
    rate = np.asarray(prevalence)
    labels = (rng.random((images, len(rate))) < rate).astype(np.float32)
    logits = signal * (labels - 0.5) + np.log(rate / (1 - rate)) + rng.normal(size=labels.shape)
    return {"labels": labels, "logits": logits.astype(np.float32), "identity": identities(images, people, seed)}


def drawn_set(images: int, share: list[float], *, seed: int = 0, signal: float = 2.0, people: int = 1) -> dict:
    """True outputs of stated shares, and raw scores that know the shares."""
    rng = np.random.default_rng(seed)
    true = rng.choice(len(share), size=images, p=share)
    raw = signal * np.eye(len(share))[true] + np.log(share) + rng.normal(size=(images, len(share)))
    return {"true": true, "raw": raw.astype(np.float32), "identity": identities(images, people, seed)}


def identities(images: int, people: int, seed: int) -> list[str]:
    return [f"{seed}:{row // people}" for row in range(images)]


def write_made(
    folder: Path,
    *,
    names: tuple[str, ...] = (),
    labels: Any = None,
    logits: Any = None,
    outputs: tuple[str, ...] = (),
    raw: Any = None,
    true: Any = None,
    identity: list[str] | None = None,
    group: list[str] | None = None,
    digest: str = "0" * 64,
    split: str = "test",
    source: str = "made",
    counts: dict[str, tuple[int, int]] | None = None,
    thresholds: dict[str, float] | None = None,
    start: int = 0,
) -> Audit:
    """Write an audit whose records hold these scores; rows of outputs follow those of attributes."""
    count = len(labels if labels is not None else true)
    parts_y, parts_z = [np.zeros((count, 0))], [np.zeros((count, 0))]
    positive = [np.zeros((count, 0), bool)]
    t = np.array([(thresholds or {}).get(name, 0.0) for name in (*names, *outputs)])
    if names:
        parts_y.append(labels), parts_z.append(logits)
        positive.append(logits >= t[: len(names)])
    if outputs:
        known = np.asarray(true) >= 0
        parts_y.append(np.where(known[:, None], np.eye(len(outputs))[true], np.nan))
        parts_z.append(log_odds(raw))
        finite = np.isfinite(raw).all(1)
        positive.append(np.arange(len(outputs)) == np.where(finite[:, None], raw, 0).argmax(1)[:, None])
    y, z, yes = (np.concatenate(parts, 1) for parts in (parts_y, parts_z, positive))
    y, z = y.astype(np.float32), z.astype(np.float32)
    outcome = np.where(yes, np.where(y == 1, 0, 1), np.where(y == 1, 2, 3))
    outcome[np.isnan(y) | np.isnan(z)] = -1
    rows = (*names, *outputs)
    one_of = {SET: list(outputs)} if outputs else {}
    of_card = counts or {n: (int((y[:, a] == 0).sum()), int((y[:, a] == 1).sum())) for a, n in enumerate(rows)}
    card = {"one_of": one_of, "train_counts": of_card}
    manifest = Manifest(
        model={"source": "model", "digest": digest, "name": "made", "card": card},
        data={"source": source, "root": "", "digest": f"{source}", "split": split, "images": count,
              "images_hash": f"{split}{start}{count}"},
        attributes=rows,
        **({"one_of": one_of, "one_of_rows": 20} if outputs else {}),
        methods=["grad_cam"],
        thresholds=dict.fromkeys(names, 0.0) | (thresholds or {}),
        train_counts=of_card,
        shard_images=max(1, count),
        settings_digest=f"{split}{start}",
    )  # fmt: skip
    writer = AuditWriter.begin(folder, manifest)
    columns = {name: np.zeros(y.shape, np.float32) for name in measure_columns(["grad_cam"], sets=bool(outputs))}
    columns |= {"row": np.arange(count), "label": y, "logit": z, "threshold": t, "side": np.where(yes, 1, -1),
                "outcome": outcome}  # fmt: skip
    maps = {"grad_cam": np.zeros((*y.shape, 1, 1), np.float16)}
    writer.write_shard(0, Shard(columns, maps, scores=raw if outputs else None))
    A = len(rows)
    writer.write_tensors(MEANS, {"grad_cam.sum": np.zeros((A, 4, 1, 1)), "grad_cam.count": np.zeros((A, 4))})
    writer.write_images(
        {
            "image": [f"{start + row:05d}.png" for row in range(count)],
            "identity": identity if identity is not None else [""] * count,
            "group.site": group if group is not None else ["a", "b"] * (count // 2) + ["a"] * (count % 2),
            "skipped": [""] * count,
        }
    )
    writer.write_summary({"level": 0.95, "attributes": {}})
    return open_audit(folder)
