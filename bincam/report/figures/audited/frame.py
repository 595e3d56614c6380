"""A figure whose axes are laid out once, and drawn again only where their limits change."""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING, Any

from matplotlib.artist import Artist
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

SIZE = (3.45, 2.35)  # inches
_USED, _DEFINED = re.compile(r"url\(#(\w+)\)"), re.compile(r' id="(\w+)"')
_TAG = re.compile(r"<g\b[^>]*>|</g>")


class Frame(Figure):
    """A figure of axes below one another, into which data are drawn, written as SVG and wiped off, many times.

    matplotlib spends most of its time on ticks: it makes them anew when axes are cleared, and measures every label
    twice when they are drawn. Here axes stay, and what was written of an axis at some limits is written again as it is.

    Attributes:
        rows: The axes, from top to bottom.
    """

    def __init__(self, rows: int, title: str, xlabel: str, ylabel: str) -> None:
        super().__init__(figsize=SIZE)
        self.subplots_adjust(left=0.14, right=0.97, top=0.86, bottom=0.2, hspace=0.16)
        self.rows: list[Axes] = list(self.subplots(rows, 1, sharex=True, sharey=True, squeeze=False)[:, 0])
        for axes in self.rows:
            axes.grid(visible=True, axis="both")
            axes.tick_params(length=0)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        # A stated height: else matplotlib measures all labels at every drawing, to move the title above ticks.
        self.rows[0].set_title(title, loc="left", y=1.0)
        self.rows[-1].set_xlabel(xlabel)
        self.rows[rows // 2].set_ylabel(ylabel)
        self._written: dict[tuple[str, float, float], str] = {}
        self._places: list[tuple[str, Axis, _Place]] = []
        for number, axes in enumerate(self.rows):
            for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
                place = _Place(f"{name}{number}", axis)
                axes.add_artist(place)
                self._places.append((f"{name}{number}", axis, place))
        self.keep()

    def keep(self) -> None:
        """Make what is drawn so far a part of the frame."""
        self._own = [axes.get_children() for axes in self.rows]

    def wipe(self) -> None:
        """Remove what was drawn since, and forget its limits."""
        for axes, own in zip(self.rows, self._own, strict=True):
            for artist in axes.get_children():
                if artist not in own:
                    artist.remove()
            axes.dataLim.set(type(axes.dataLim).null())
            axes.ignore_existing_data_limits = True
            axes.autoscale(enable=True)

    def savefig(self, fname: Any, **options: Any) -> None:
        """Write the figure, as matplotlib does; SVG to a text stream with the axes that were written before."""
        if options.get("format") != "svg" or not isinstance(fname, StringIO):
            super().savefig(fname, **options)
            return
        limits = {name: axis.get_view_interval() for name, axis, _ in self._places}
        keys = {name: (name, float(low), float(high)) for name, (low, high) in limits.items()}
        text = self._svg(options, known={name for name, key in keys.items() if key in self._written})
        for name, key in keys.items():
            if key not in self._written:
                self._written[key] = _group(text, name)
        for name, key in keys.items():
            text = text.replace(f'<g id="{name}"/>', self._written[key])
        if not set(_USED.findall(text)) <= set(_DEFINED.findall(text)):  # axes without data define no region to clip to
            text = self._svg(options, known=set())
        fname.write(text)

    def _svg(self, options: dict[str, Any], known: set[str]) -> str:
        """Draw the figure, with an empty group in place of each known axis."""
        buffer = StringIO()
        for name, axis, place in self._places:
            axis.set_visible(name not in known)
            place.set_visible(name in known)
        try:
            super().savefig(buffer, **options)
        finally:
            for _, axis, place in self._places:
                axis.set_visible(True)
                place.set_visible(False)
        return buffer.getvalue()


class _Place(Artist):
    """The place of an axis among what is drawn: an empty group that bears its name."""

    def __init__(self, name: str, axis: Axis) -> None:
        super().__init__()
        axis.set_gid(name)
        self.set_gid(name)
        # Below all data as the axis is; that of y above an x axis that is drawn, as matplotlib orders them.
        self.set_zorder(axis.get_zorder() + (1e-6 if name[0] == "y" else 0))
        self.set_visible(False)

    def draw(self, renderer: Any) -> None:
        if self.get_visible():
            renderer.open_group("axis", gid=self.get_gid())
            renderer.close_group("axis")


def _group(text: str, name: str) -> str:
    """Return the group of this name from the text of an SVG, with all that is in it."""
    begin = text.index(f'<g id="{name}"')
    depth = 0
    for tag in _TAG.finditer(text, begin):
        depth += -1 if tag[0] == "</g>" else 0 if tag[0].endswith("/>") else 1
        if not depth:
            return text[begin : tag.end()]
    raise ValueError(f"no end of group {name}")
