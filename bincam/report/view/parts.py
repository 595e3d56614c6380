"""Parts of the page that several of its cards have: pictures, tables, tiles and examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """A raster image.

    Attributes:
        source: Data URI.
        alt: Text alternative.
        link: Path of the full-size file, relative to the page; empty without one.
    """

    source: str
    alt: str
    link: str = ""


@dataclass(frozen=True)
class Tile:
    """A headline number.

    Attributes:
        label: What it is.
        value: Text of the value, with a dagger where it is of few images.
        interval: Text of the interval.
        note: A short explanation.
        basis: The images and people behind it, and if they are too few.
        of_maps: True if it is made of maps, and marked where these did not pass their test.
    """

    label: str
    value: str
    interval: str
    note: str
    basis: str = ""
    of_maps: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell of the table.

    Attributes:
        text: Text.
        sort: Value to sort by; None sorts last.
        interval: Text of the interval, shown below.
        small: True if it is of too few images.
        note: The images behind it, shown as a tooltip.
        link: Target of a link.
    """

    text: str
    sort: float | str | None
    interval: str = ""
    small: bool = False
    note: str = ""
    link: str = ""


@dataclass(frozen=True)
class Example:
    """One example: the photograph, a map per arm, and the predictions."""

    photograph: Picture | None
    maps: Sequence[Picture | None]
    caption: str
    verdicts: Sequence[str]


@dataclass(frozen=True)
class Chart:
    """A small figure of one attribute, with its caption's lines."""

    svg: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A small table.

    Attributes:
        title: Text above it.
        caption: Text below it.
        heads: Heads of the columns.
        rows: Rows of cells; cells without a note are text, those with one are numbers.
    """

    title: str
    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Definition:
    """A term and its meaning on this page."""

    term: str
    text: str
