"""Metadata of a model card: the results as Hugging Face's ``model-index``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from bincam.errors import in_a_line
from bincam.report.reading.audited_model import Arm
from bincam.stats.estimate import Estimate

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

TASK = "image-classification"
RATES = {
    "error": ("error_rate", "error"),
    "fnr": ("false_negative_rate", "missed"),
    "fpr": ("false_positive_rate", "false alarms"),
    "auroc": ("roc_auc", "AUROC"),
}
"""Rates of an attribute, to the hub's type of metric and the name."""

SET_RATES = {
    "accuracy": ("accuracy", "accuracy"),
    "minority_error": ("error_rate", "error of the rarer outputs"),
}
_DIGITS = 6


def metadata(arms: Sequence[Arm], attributes: Sequence[str]) -> ModelCardData:
    """Make the metadata of a card: every defined rate of the models, with interval and counts.

    Args:
        arms: The models; with two, each metric states its model.
        attributes: The attributes on the card.
    """
    from huggingface_hub import ModelCardData

    results = [result for arm in arms for result in _results(arm, attributes, several=len(arms) > 1)]
    return ModelCardData(
        model_name=model_name(arms[-1]),
        pipeline_tag=TASK,
        tags=["bincam", TASK],
        eval_results=results or None,
    )


def model_name(arm: Arm) -> str:
    """Return the name of a model in one line; never empty."""
    return in_a_line(arm.audit.manifest.model.name, 100).strip() or "model"


def data_name(arm: Arm) -> str:
    """Return the name of the data without the folders above it, which are of a machine."""
    return in_a_line(PurePath(arm.audit.manifest.data.source).name, 100).strip() or "data"


def _results(arm: Arm, attributes: Sequence[str], *, several: bool) -> list[EvalResult]:
    results = []
    for name in attributes:
        results += _of(arm, name, arm.entry(name)["rates"], RATES, several)
    for name, entry in (arm.summary.get("sets") or {}).items():
        results += _of(arm, name, entry["rates"], SET_RATES, several)
    return results


def _of(
    arm: Arm, name: str, rates: dict[str, Any], wanted: dict[str, tuple[str, str]], several: bool
) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    manifest = arm.audit.manifest
    results = []
    for rate, (kind, words) in wanted.items():
        estimate = Estimate.from_json(rates.get(rate))
        if not estimate.defined:
            continue
        about = {
            "low": _rounded(estimate.low), "high": _rounded(estimate.high), "level": arm.summary.get("level"),
            "images": estimate.images, "people": estimate.identities, "status": estimate.status,
            "model": arm.name if several else None,
        }  # fmt: skip
        results.append(
            EvalResult(
                task_type=TASK,
                dataset_type=re.sub(r"[^A-Za-z0-9._-]+", "-", data_name(arm)).strip("-.") or "data",
                dataset_name=data_name(arm),
                dataset_split=manifest.data.split or "all",
                metric_type=kind,
                metric_value=round(estimate.value, _DIGITS),
                metric_name=f"{in_a_line(name, 100)}, {words}" + (f" ({arm.name})" if several else ""),
                metric_args={key: value for key, value in about.items() if value is not None},
            )
        )
    return results


def _rounded(value: float) -> float | None:
    return round(value, _DIGITS) if math.isfinite(value) else None
