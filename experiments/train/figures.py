"""Figures of training experiments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bincam.report.figures.pictured.explanation import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Value = Mapping[str, float | None]
"""``mean``, ``low`` and ``high`` over seeds."""


def prevalence_sweep(errors: Mapping[float, Mapping[str, Mapping[str, Value]]], attribute: str) -> Figure:
    """Plot the errors of the minority and the majority class against the minority's prevalence.

    Args:
        errors: Prevalence to model to ``minority_error`` and ``majority_error``.
        attribute: Its name.

    Returns:
        Two panels with a common scale; lines are means over seeds, bands their ranges.
    """
    import seaborn as sns
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    prevalences = sorted(errors)
    models = list(errors[prevalences[0]])
    colours = sns.color_palette("colorblind", len(models))
    with style():
        figure = Figure(figsize=(7.5, 3.2), layout="constrained")
        panels: Any = figure.subplots(1, 2, sharey=True)
        for axes, measure in zip(panels, ("minority_error", "majority_error"), strict=True):
            for model, colour in zip(models, colours, strict=True):
                values = [errors[p][model][measure] for p in prevalences]
                mean, low, high = ([_percent(value[key]) for value in values] for key in ("mean", "low", "high"))
                axes.plot(prevalences, mean, marker="o", color=colour, label=model)
                axes.fill_between(prevalences, low, high, color=colour, alpha=0.2, linewidth=0)
            axes.set(xscale="log", xlabel=f"share of {attribute} in training", title=measure.replace("_", " "))
            axes.set_xticks(prevalences)
            axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axes.minorticks_off()
            sns.despine(ax=axes)
        panels[0].set(ylabel="error on the test split [%]", ylim=(0, None))
        panels[0].legend(frameon=False)
    return figure


def _percent(value: float | None) -> float:
    return float("nan") if value is None else 100 * value
