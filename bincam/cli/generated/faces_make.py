"""``bincam faces make`` and ``bincam faces pairs``: folders of generated faces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bincam.cli.reading.option_groups import LARGEST_SEED
from bincam.cli.reading.options import expand_groups, parse_names, parse_numbers, parse_whole, refuse_repeats
from bincam.display import counted
from bincam.errors import InputError

LABELS = "Labels"


@dataclass(frozen=True)
class LabelOptions:
    """Prevalences and correlations of the attributes, as typed.

    Attributes:
        prevalence: Name of a set of prevalences, or a CSV file.
        set_: ``NAME=SHARE`` each.
        correlate: ``NAME,NAME=PHI`` each.
        correlation: ``celeba``, ``none``, or None for the default of ``prevalence``.
    """

    prevalence: Annotated[
        str,
        typer.Option(
            help="Prevalences: celeba, balanced (50 % each, as far as attributes do not exclude each other), "
            "independent, or a CSV file.",
            rich_help_panel=LABELS,
        ),
    ] = "celeba"
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=SHARE",
            help="Override a prevalence, for example Bald=0.5; may be repeated.",
            rich_help_panel=LABELS,
        ),
    ] = None
    correlate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,NAME=PHI",
            help="Override the φ coefficient of two attributes, for example Smiling,Male=0.8; may be repeated.",
            rich_help_panel=LABELS,
        ),
    ] = None
    correlation: Annotated[
        str | None,
        typer.Option(
            help="φ of all other pairs: celeba or none.", show_default="that of --prevalence", rich_help_panel=LABELS
        ),
    ] = None

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of ``bincam.faces.make`` that these options state.

        Raises:
            InputError: An assignment is malformed.
        """
        return {
            "prevalence": self.prevalence,
            "set": parse_numbers("--set", self.set_, "NAME=SHARE"),
            "correlate": parse_correlate(self.correlate),
            "correlation": self.correlation,
        }


Size = Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="Size of the images in pixels.")]
Seed = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of every face.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Tau = Annotated[
    int, typer.Option(help="A pixel is influenced where a channel changes by more than this, on a scale of 255.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to ``bincam faces``."""
    app.command("make")(make)
    app.command("pairs")(pairs)


@expand_groups
def make(
    *,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to make, or to resume.")],
    count: Annotated[int, typer.Option(help="Number of faces.")],
    seed: Seed = 0,
    size: Size = "178x218",
    images_per_person: Annotated[int, typer.Option(help="Images of one person, on average.")] = 6,
    influence: Annotated[
        str,
        typer.Option(metavar="NAME,...", help="Attributes whose influence masks are written.", show_default="none"),
    ] = "",
    influence_images: Annotated[
        int | None,
        typer.Option(
            help="Write influence masks for this many images, the first of the test split.", show_default="all"
        ),
    ] = None,
    tau: Tau = 8,
    workers: Annotated[int | None, typer.Option(help="Processes that draw.", show_default="one per core")] = None,
    as_json: Json = False,
    labels: LabelOptions,
) -> None:
    """Make a folder of faces in CelebA's layout, with masks and a card.

    After an interruption, run the same command again to resume.
    """
    from bincam.faces.dataset.writer import make as write

    card = write(
        out,
        count,
        seed,
        size=parse_size(size),
        images_per_person=images_per_person,
        influence=parse_names("--influence", influence, may_be_empty=True),
        influence_images=influence_images,
        tau=tau,
        workers=workers,
        **labels.arguments(),
    )
    if as_json:
        typer.echo(json.dumps(card, indent=2, ensure_ascii=False))
    else:
        _tell(card, out)


@expand_groups
def pairs(
    *,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to make; new or empty.")],
    attributes: Annotated[str, typer.Option(metavar="NAME,...|all", help="Attributes to flip.")] = "all",
    count: Annotated[int, typer.Option(help="Number of faces per attribute.")] = 10,
    seed: Seed = 0,
    size: Size = "178x218",
    tau: Tau = 8,
    as_json: Json = False,
    labels: LabelOptions,
) -> None:
    """Write counterfactual pairs: the same face with one attribute flipped, and a mask of the pixels that changed."""
    from bincam.faces.counterfactuals.writer import write_pairs

    card = write_pairs(
        out,
        parse_names("--attributes", attributes),
        count,
        seed,
        size=parse_size(size),
        tau=tau,
        **labels.arguments(),
    )
    if as_json:
        typer.echo(json.dumps(card, indent=2, ensure_ascii=False))
    else:
        typer.echo(
            f"{counted(card['pairs'], 'pair')} of {counted(len(card['attributes']), 'attribute')}: {out / 'pairs.csv'}"
        )


def parse_correlate(typed: Sequence[str] | None) -> dict[tuple[str, str], float]:
    """Parse each ``NAME,NAME=PHI``.

    Raises:
        InputError: One is malformed, or a pair is given twice, in whichever order.

    Example:
        >>> parse_correlate(["Smiling, Male=0.8"])
        {('Smiling', 'Male'): 0.8}
    """
    result: dict[tuple[str, str], float] = {}
    for text, value in parse_numbers("--correlate", typed, "NAME,NAME=PHI").items():
        names = parse_names("--correlate", text)
        if len(names) != 2:
            raise InputError(f"--correlate {text}: expected NAME,NAME=PHI")
        refuse_repeats("--correlate", [*map(_sorted, result), _sorted(names)])
        result[names[0], names[1]] = value
    return result


def _sorted(pair: Sequence[str]) -> str:
    return ",".join(sorted(pair))


def parse_size(text: str) -> tuple[int, int]:
    """Parse ``WIDTHxHEIGHT``.

    Raises:
        InputError: It has another form.

    Example:
        >>> parse_size("178x218")
        (178, 218)
    """
    parts = text.lower().split("x")
    sides = [side for part in parts if (side := parse_whole(part)) is not None]
    if len(parts) != 2 or len(sides) != 2:
        raise InputError(f"--size {text}: expected WIDTHxHEIGHT, for example 178x218")
    return sides[0], sides[1]


def _tell(card: dict[str, Any], out: Path) -> None:
    """Print what was made, and how far its labels are from the requested ones."""
    from bincam.stats.formatting import number, significant

    measured = card["measured"]
    splits = ", ".join(f"{n} {name}" for name, n in measured["splits"].items())
    error = measured["prevalence_error_points"]
    phi = measured["phi_error"]
    typer.echo(
        f"{out}: {counted(card['images'], 'image')} of {counted(measured['people'], 'person', 'people')} ({splits})"
    )
    over_pairs = f"; φ {number(phi['mean'], 3)} over {counted(phi['pairs'], 'pair')}" if phi["pairs"] else ""
    typer.echo(
        f"prevalences are off by {number(error['mean'])} points on average, at most {number(error['max'])} "
        f"({error['of']}){over_pairs}"
    )
    for name, value in measured["correlations"].items():
        typer.echo(f"φ of {name.replace(',', ' and ')}: {number(value, 3)}")
    lowered = [
        f"{name} {significant(way['wanted'], 3)} → {significant(way['possible'], 3)}"
        for name, way in measured["given_way"].items()
    ]
    if lowered:
        typer.echo(f"prevalences lowered because other attributes exclude them: {', '.join(lowered)}", err=True)
