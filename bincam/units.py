"""Units of the methods' maps, as far as they are known. Reports name them, and reading an audit imports no torch."""

from __future__ import annotations

LOGIT = ("cam", "grad_cam", "hirescam", "elementwise", "xgrad_cam", "layer_cam")
"""Methods whose cells are products of features and derivatives of the logit: they are in logit units."""

ARBITRARY = "arbitrary unit"


def unit(method: str, *, complete: bool | None = None) -> str:
    """Name the unit of a method's maps.

    The weights of ``grad_cam_pp`` are ratios of derivatives, so its sums are not in logit units, nor are those of
    methods of pytorch-grad-cam. ``fullgrad`` is in logit units only where its maps and constant add up to the logit.

    Args:
        method: Its name or spec, ``NAME`` or ``NAME@LAYER``.
        complete: True if the maps and the constant add up to the logit; None where it is not known.

    Returns:
        ``logit`` or ``arbitrary unit``.

    >>> unit("hirescam@layer4"), unit("grad_cam_pp"), unit("fullgrad", complete=True), unit("fullgrad")
    ('logit', 'arbitrary unit', 'logit', 'arbitrary unit')
    """
    name = method.partition("@")[0]
    return "logit" if name in LOGIT or (name == "fullgrad" and complete) else ARBITRARY


def units(method: str, *, complete: bool | None = None) -> str:
    """Name the unit in a sentence: ``logit units`` or ``arbitrary units``."""
    return f"{unit(method, complete=complete).removesuffix(' unit')} units"
