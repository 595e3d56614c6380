"""Colours of the page, and matplotlib figures as inline SVG that follow them in light, dark and print.

A figure is drawn once, in the placeholder colours below. ``inline`` replaces each by the CSS variable of the same name,
which the style sheet defines for every theme.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import StringIO
from typing import TYPE_CHECKING, Any
from zlib import crc32

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, LINE, PAPER = "#1b1c1f", "#5d6169", "#dcdee3", "#fffffe"
MINORITY, MAJORITY = "#ad5600", "#4b47b5"  # amber and indigo: distinct for every common colour blindness, and in grey

VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    PAPER: "card",
    MINORITY: "minority",
    MAJORITY: "majority",
}
POINTS = 8.5  # size of text


@contextmanager
def style() -> Iterator[None]:
    """Apply seaborn's grid with the page's colours while a figure is drawn and saved."""
    import matplotlib as mpl

    with mpl.rc_context(_settings()):
        yield


@cache
def _settings() -> Any:  # matplotlib types a dictionary by its 300 keys
    import seaborn as sns

    return {
        **sns.axes_style("whitegrid"),
        **sns.plotting_context("paper"),
        **dict.fromkeys(("font.size", "axes.labelsize", "axes.titlesize", "legend.fontsize"), POINTS),
        **dict.fromkeys(("xtick.labelsize", "ytick.labelsize"), POINTS - 0.5),
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
        "axes.edgecolor": LINE,
        "grid.color": LINE,
        "grid.linewidth": 0.7,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "svg.fonttype": "none",  # text stays text, so it is searchable, can be read out and takes the page's font
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],  # part of matplotlib, and so wide that other fonts fit in its place
        "text.parse_math": False,  # an attribute may have a dollar sign in its name
        "svg.hashsalt": "bincam",  # so that equal figures give equal bytes
        "legend.frameon": False,
        "axes.titleweight": "bold",
    }


def inline(figure: Figure, label: str) -> str:
    """Convert a figure to an SVG element for an HTML page.

    Args:
        figure: Figure, drawn within ``style``.
        label: Its description, which becomes the accessible name.

    Returns:
        ``<svg role="img" ...>...</svg>``, scalable. Ids begin with a digest of the label, so that figures with
        different labels can share a page.
    """
    import warnings
    from html import escape

    buffer = StringIO()
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the page's font draws it
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"/>\s*', "", text)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"font: ((?:\d+ )?[\d.]+px)[^;\"]*", r"font: \1 var(--sans)", text)
    text = re.sub(r"font-family: [^;\"]*", "font-family: var(--sans)", text)
    for colour, name in VARIABLES.items():
        text = text.replace(colour, f"var(--{name})")
    prefix = f"f{crc32(label.encode()):08x}"
    text = re.sub(r'( id="|url\(#|href="#)', rf"\1{prefix}-", text)
    text = re.sub(r"(\d\.\d{2})\d+", r"\1", text)  # a hundredth of a point is finer than any screen
    width, height = figure.get_size_inches()
    head = (
        f'<svg class="plot" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {72 * width:g} {72 * height:g}" style="max-width:{1.34 * width:.2f}in;'
        f'--points:{72 * width:.0f}"'
    )
    text = re.sub(r"<svg[^>]*>", head + ">", text, count=1, flags=re.DOTALL)
    return re.sub(r"\n\s*", "\n", text).strip()
