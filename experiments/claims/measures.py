"""Figures of a pair of models: errors, evidence by class, empty maps, methods and layers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.contrast.findings import ARMS, errors, mean, measures

if TYPE_CHECKING:
    from bincam.data import AttributeTable

METHODS = ("grad_cam@pre_activation", "hirescam@pre_activation", "grad_cam", "hirescam")
"""The source's layer first; its maps are of both methods before the last activation."""
BY_CLASS = ("energy", "published_energy", "gain", "empty")
CLASSES = ("majority", "minority")


def figures(contrast: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what the claims are judged by.

    Args:
        contrast: Of ``bincam.compare``, with the source's regions or others.

    Returns:
        ``errors`` and ``measures`` as ``experiments.contrast`` has them; ``predicted``: column to class to arm to the
        mean over attributes, by predicted class as in the source; ``imbalance``: column to arm to Spearman's ρ over
        attributes; ``attributes``: each attribute's majority share in training and the same figures.
    """
    content = dict(contrast)
    attributes = {name: of_attribute(entry) for name, entry in content["attributes"].items()}
    columns = list(dict.fromkeys(column for one in attributes.values() for column in one["predicted"]))
    return {
        "errors": errors(content),
        "measures": measures(content),
        "predicted": {
            column: {
                side: {
                    arm: mean([one["predicted"][column][side][arm]["value"] for one in attributes.values()])
                    for arm in ARMS
                }
                for side in CLASSES
            }
            for column in columns
        },
        "imbalance": {
            column: {arm: content["correlation"][column][arm]["rho"] for arm in ARMS}
            for column in columns
            if column in content["correlation"]
        },
        "attributes": attributes,
    }


def of_attribute(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Select an attribute's figures: estimates of both arms by predicted class."""
    negative, positive = entry["train_counts"]
    columns = [f"{method}.{name}" for method in METHODS for name in BY_CLASS]
    return {
        "majority_share": max(negative, positive) / (negative + positive),
        "majority": "positive" if positive > negative else "negative",
        "errors": {
            rate: {column: short(found) for column, found in entry["errors"][rate].items()}
            for rate in ("minority_error", "majority_error")
        },
        "predicted": {
            column: {
                side: {arm: short(entry["measures"][column][f"predicted:{side}"][arm]) for arm in ARMS}
                for side in CLASSES
            }
            for column in columns
            if column in entry["measures"]
        },
    }


def short(estimate: Mapping[str, Any]) -> dict[str, Any]:
    """Keep value, interval, number of images and status of an estimate."""
    kept = {name: estimate[name] for name in ("value", "low", "high", "images", "status")}
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in kept.items()}


def measure(models: Mapping[str, Path], table: AttributeTable, folder: Path) -> dict[str, Any]:
    """Audit both models of a pair on the test split, compare them, and collect the figures.

    Args:
        models: Folder of each arm's model.
        table: The images, with the splits of training.
        folder: For audits and contrast; an interrupted audit goes on.
    """
    from bincam.audit import Settings, run
    from bincam.compare import compare

    settings = Settings(methods=METHODS, gate_images=0, batch_size=32)
    audits = {arm: run(model, table, folder / arm, settings, resume=True) for arm, model in models.items()}
    contrast = compare(audits[ARMS[0]], audits[ARMS[1]], folder / "contrast")
    regions = audits[ARMS[0]].manifest.regions
    return {
        "images": contrast["images"],
        "people": contrast["identities"],
        "regions": None if regions is None else regions.source,
        **figures(contrast),
    }
