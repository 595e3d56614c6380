"""``bincam faces make`` and ``bincam faces pairs``: folders of generated faces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

PREVALENCE = "celeba, balanced (all 50 %, as far as attributes do not exclude each other), independent, or a CSV file."
SET = "A prevalence to override, NAME=SHARE, for example Bald=0.5. Can be repeated."
CORRELATE = "A φ to override, NAME,NAME=φ, for example Smiling,Male=0.8. Can be repeated."
CORRELATION = "celeba or none: the φ of all other pairs. By default what --prevalence says."

Prevalence = Annotated[str, typer.Option(help=PREVALENCE)]
Set = Annotated[list[str] | None, typer.Option("--set", help=SET)]
Correlate = Annotated[list[str] | None, typer.Option(help=CORRELATE)]
Correlation = Annotated[str | None, typer.Option(help=CORRELATION)]
Size = Annotated[str, typer.Option(help="WIDTHxHEIGHT in pixels.")]
Json = Annotated[bool, typer.Option("--json", help="Print what was made as JSON.")]
Tau = Annotated[int, typer.Option(help="A pixel is influenced if a channel changes by more than this, of 255.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``bincam faces``."""
    app.command("make")(make)
    app.command("pairs")(pairs)


def make(
    out: Annotated[Path, typer.Option(help="The folder to make, or to go on with.")],
    count: Annotated[int, typer.Option(help="How many faces.")],
    seed: Annotated[int, typer.Option(help="Decides every face.")] = 0,
    prevalence: Prevalence = "celeba",
    set_: Set = None,
    correlate: Correlate = None,
    correlation: Correlation = None,
    size: Size = "178x218",
    images_per_person: Annotated[int, typer.Option(help="How many images of one person, on average.")] = 6,
    influence: Annotated[str, typer.Option(help="Attributes whose influence masks are written: NAME,NAME,...")] = "",
    influence_images: Annotated[
        int | None, typer.Option(help="Write them for so many images, the first of the test split. [default: all]")
    ] = None,
    tau: Tau = 8,
    workers: Annotated[int | None, typer.Option(help="Processes; by default one for each core.")] = None,
    as_json: Json = False,
) -> None:
    """Make a folder of faces in CelebA's layout, with masks and a card. Interrupted, run it again to go on."""
    from bincam.faces.dataset.writer import make as write

    card = write(
        out,
        count,
        seed,
        prevalence=prevalence,
        set=parse_set(set_ or []),
        correlate=parse_correlate(correlate or []),
        correlation=correlation,
        size=parse_size(size),
        images_per_person=images_per_person,
        influence=_names(influence),
        influence_images=influence_images,
        tau=tau,
        workers=workers,
    )
    if as_json:
        typer.echo(json.dumps(card, indent=2, ensure_ascii=False))
    else:
        _tell(card, out)


def pairs(
    out: Annotated[Path, typer.Option(help="The folder to make; new or empty.")],
    attributes: Annotated[str, typer.Option(help="What to turn over: NAME,NAME,... or all.")] = "all",
    count: Annotated[int, typer.Option(help="How many faces for each attribute.")] = 10,
    seed: Annotated[int, typer.Option(help="Decides every face.")] = 0,
    prevalence: Prevalence = "celeba",
    set_: Set = None,
    correlate: Correlate = None,
    correlation: Correlation = None,
    size: Size = "178x218",
    tau: Tau = 8,
    as_json: Json = False,
) -> None:
    """Write counterfactual pairs: the same face twice, one attribute turned over, with the mask of what changed."""
    from bincam.faces.counterfactuals.writer import write_pairs

    made = write_pairs(
        out,
        _names(attributes),
        count,
        seed,
        prevalence=prevalence,
        set=parse_set(set_ or []),
        correlate=parse_correlate(correlate or []),
        correlation=correlation,
        size=parse_size(size),
        tau=tau,
    )
    if as_json:
        typer.echo(json.dumps(made, indent=2, ensure_ascii=False))
    else:
        typer.echo(f"{made['pairs']} pairs of {len(made['attributes'])} attributes: {out / 'pairs.csv'}")


def parse_set(given: list[str]) -> dict[str, float]:
    """``["Bald=0.5"]`` → ``{"Bald": 0.5}``."""
    from bincam.errors import InputError

    result: dict[str, float] = {}
    for text in given:
        name, value = _assignment(text, "--set NAME=SHARE")
        if name in result:
            raise InputError(f"--set {name} is given twice")
        result[name] = value
    return result


def parse_correlate(given: list[str]) -> dict[tuple[str, str], float]:
    """``["Smiling,Male=0.8"]`` → ``{("Smiling", "Male"): 0.8}``."""
    from bincam.errors import InputError

    result: dict[tuple[str, str], float] = {}
    for text in given:
        names, value = _assignment(text, "--correlate NAME,NAME=PHI")
        pair = tuple(name.strip() for name in names.split(","))
        if len(pair) != 2:
            raise InputError(f"expected --correlate NAME,NAME=PHI, got {text!r}")
        if pair in result:
            raise InputError(f"--correlate {names} is given twice")
        result[pair[0], pair[1]] = value
    return result


def parse_size(text: str) -> tuple[int, int]:
    """``"178x218"`` → ``(178, 218)``."""
    from bincam.errors import InputError

    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        raise InputError(f"expected a size as WIDTHxHEIGHT, for example 178x218, got {text!r}")
    return int(parts[0]), int(parts[1])


def _assignment(text: str, form: str) -> tuple[str, float]:
    from bincam.errors import InputError

    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise InputError(f"expected {form}, got {text!r}") from None


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _tell(card: dict[str, Any], out: Path) -> None:
    measured = card["measured"]
    splits = ", ".join(f"{n} {name}" for name, n in measured["splits"].items())
    error = measured["prevalence_error_points"]
    phi = measured["phi_error"]
    typer.echo(f"{out}: {card['images']} images of {measured['people']} people ({splits})")
    typer.echo(
        f"prevalences are {error['mean']:.2f} points off on average, at most {error['max']:.2f} ({error['of']})"
        + (f"; φ {phi['mean']:.3f} over {phi['pairs']} pairs" if phi["pairs"] else "")
    )
    for name, value in measured["correlations"].items():
        typer.echo(f"φ of {name.replace(',', ' and ')}: {value:.3f}")
    ways = [f"{name} {way['wanted']:.3g} → {way['possible']:.3g}" for name, way in measured["given_way"].items()]
    if ways:
        typer.echo(f"gave way to what excludes them: {', '.join(ways)}", err=True)
