"""``bincam scenes``: generated scenes of several shapes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bincam.cli.reading.option_groups import LARGEST_SEED
from bincam.cli.reading.options import expand_groups, parse_names, parse_number, parse_numbers
from bincam.errors import InputError

app = typer.Typer(help="Generate scenes of several shapes with exact masks and boxes.", no_args_is_help=True)
PLANTED = "What is planted"


@dataclass(frozen=True)
class SceneOptions:
    """What scenes show, as typed.

    Attributes:
        size: Pixels.
        places: Where objects are.
        scale: ``SHARE`` or ``MIN-MAX``.
        prevalence: ``SHAPE=SHARE,...`` each.
        shortcut: ``CUE:SHAPE=STRENGTH`` each.
    """

    size: Annotated[int, typer.Option(help="Width and height of the images in pixels.")] = 96
    places: Annotated[
        str,
        typer.Option(
            metavar="any|centre|edges|corner",
            help="Where the centres of objects are: anywhere, in the middle half of both axes, outside of it, or in "
            "the top left quarter.",
            rich_help_panel=PLANTED,
        ),
    ] = "any"
    scale: Annotated[
        str | None,
        typer.Option(
            metavar="MIN-MAX",
            help="Side of objects as a share of the image's side; an object of side s covers s² pixels.",
            show_default="0.18-0.28, less where --places leaves less room",
            rich_help_panel=PLANTED,
        ),
    ] = None
    prevalence: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SHAPE=SHARE,...",
            help="Share of scenes that show a shape; the others share what is left. May be repeated.",
            show_default="0.4 each",
            rich_help_panel=PLANTED,
        ),
    ] = None
    shortcut: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CUE:SHAPE=STRENGTH",
            help="A cue (colour or mark) that agrees with a class in this share of the scenes, for example "
            "colour:star=0.9; may be repeated.",
            rich_help_panel=PLANTED,
        ),
    ] = None

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of ``bincam.scenes.make`` that these options state.

        Raises:
            InputError: One is malformed.
        """
        stated = parse_names("--prevalence", self.prevalence or "", may_be_empty=True)
        return {
            "size": self.size,
            "places": self.places,
            "scale": None if self.scale is None else parse_scale(self.scale),
            "prevalence": parse_numbers("--prevalence", stated, "SHAPE=SHARE"),
            "shortcut": parse_numbers("--shortcut", self.shortcut, "CUE:SHAPE=STRENGTH"),
        }


Seed = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of every scene.")]
Rule = Annotated[
    str,
    typer.Option(
        metavar="one|all|largest",
        help="Label: one of the shapes present, drawn uniformly; all of them as yes-or-no attributes; or the largest.",
    ),
]


@app.command()
@expand_groups
def make(
    *,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to make, or to resume.")],
    count: Annotated[int, typer.Option(help="Number of scenes.")],
    rule: Rule = "one",
    seed: Seed = 0,
    workers: Annotated[int | None, typer.Option(help="Processes that draw.", show_default="one per core")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the card as JSON.")] = False,
    shown: SceneOptions,
) -> None:
    """Make a folder of scenes with tables of labels, masks, boxes and a card.

    After an interruption, run the same command again to resume.
    """
    from bincam.scenes.dataset.writer import make as write

    card = write(out, count, seed, rule=rule, workers=workers, **shown.arguments())
    if as_json:
        typer.echo(json.dumps(card, indent=2, ensure_ascii=False))
    else:
        for line in summary(card, out):
            typer.echo(line)


@app.command()
@expand_groups
def sheet(
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="PNG to write.")],
    kind: Annotated[
        str,
        typer.Option(
            metavar="scenes|masks|shapes|both",
            help="Scenes; scenes beside their masks and boxes; the shapes by themselves; or shapes above masks.",
        ),
    ] = "both",
    count: Annotated[int, typer.Option(help="Scenes to draw.")] = 24,
    columns: Annotated[int, typer.Option(help="Scenes per row.")] = 6,
    zoom: Annotated[int, typer.Option(help="Enlarge by this factor.")] = 2,
    rule: Rule = "one",
    seed: Seed = 0,
    shown: SceneOptions,
) -> None:
    """Draw a contact sheet of scenes."""
    from bincam.scenes.dataset.contact_sheet import check_sheet, write
    from bincam.scenes.sampler import draw

    check_sheet(kind, count, shown.size, columns, zoom)
    write(out, kind, draw(count, seed, rule=rule, **shown.arguments()), columns, zoom)
    typer.echo(str(out))


def parse_scale(text: str) -> tuple[float, float]:
    """Parse ``SHARE`` or ``MIN-MAX``.

    Raises:
        InputError: It has another form.

    Example:
        >>> parse_scale("0.18-0.28"), parse_scale("0.2")
        ((0.18, 0.28), (0.2, 0.2))
    """
    ends = text.split("-")
    try:
        low, high = (parse_number("--scale", end) for end in (ends[0], ends[-1]))
    except InputError:
        low, high = -1.0, -1.0
    if len(ends) > 2 or low < 0:
        raise InputError(f"--scale {text}: expected MIN-MAX or one share of the image's side, for example 0.18-0.28")
    return low, high


def summary(card: dict[str, Any], out: Path) -> Sequence[str]:
    """Return lines that say what was made, what the labels allow, and where they are."""
    from bincam.stats.formatting import number

    measured, settings = card["measured"], card["settings"]
    splits = ", ".join(f"{n} {name}" for name, n in measured["splits"].items())
    rare, common = (pick(measured["prevalence"].items(), key=lambda item: item[1]) for pick in (min, max))
    lines = [
        f"{out}: {card['images']} images ({splits})",
        f"prevalences {number(rare[1], 3)} ({rare[0]}) to {number(common[1], 3)} ({common[0]}); at least "
        f"{number(100 * measured['least_visible_share'])} % of each object is seen",
    ]
    if settings["rule"] == "one":
        best = number(100 * measured["best_accuracy"])
        lines.append(
            f"labels are drawn among the shapes present: on average no classifier is right in more than {best} %"
        )
    for cue, found in measured["cues"].items() if settings["shortcuts"] else ():
        agreement = number(100 * found["agreement"])
        lines.append(f"the {cue} agrees with {found['class']} in {agreement} % of the images")
    lines.append(f"labels: {out / card['table']}; data.yaml beside it states to every command how it is read")
    return lines
