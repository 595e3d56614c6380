"""``bincam compare``: what differs between two models on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bincam.errors import InputError


def compare(
    first: Annotated[Path, typer.Argument(help="Audit of the unbalanced model.")],
    second: Annotated[Path, typer.Argument(help="Audit of the balanced model, on the same images.")],
    *,
    out: Annotated[Path, typer.Option(help="Folder for contrast.json and the difference maps.")],
    moved: Annotated[
        list[str] | None,
        typer.Option(
            help="Threshold for the first model, tuned on validation: NAME=LOGIT, or a model's folder whose card holds "
            "them; may be repeated. [default: the first model's card]"
        ),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Set the source paper's CelebA figures beside these.")
    ] = False,
    resamples: Annotated[int, typer.Option(min=100, help="Of the bootstrap.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the contrast as JSON.")] = False,
) -> None:
    """Compare two audits image by image: errors, where the models look, and what a moved threshold explains."""
    import json

    from bincam.audit import open_audit
    from bincam.compare.contrast import FILE
    from bincam.compare.contrast import compare as contrast_of

    one = open_audit(first)
    found = contrast_of(
        one,
        open_audit(second),
        out,
        moved=read_thresholds(moved, one.attributes) if moved else None,
        moved_from=", ".join(moved or ()),
        published=published,
        resamples=resamples,
        seed=seed,
    )
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, allow_nan=False))
        return
    for name, sentences in found["sentences"].items():
        typer.echo(f"{name}. {' '.join(sentences)}\n")
    typer.echo("Most telling:")
    for line in found["findings"]:
        typer.echo(f"- {line}")
    for family in found["families"]:
        typer.echo(
            f"{family['name']}: {family['findings']} of {family['size']} tests at {family['level']:g} after Holm"
            + (f"; {family['undefined']} could not be made" if family["undefined"] else "")
        )
    if published:
        beside = found["published"]
        typer.echo(
            f"The paper's figures: {beside['same_direction']} differ in the same direction, "
            f"{beside['other_direction']} in the other, {beside['not_shown']} show none here, "
            f"and {beside['equal']} are equal in the paper."
            + (f" {beside['reason'][0].upper()}{beside['reason'][1:]}." if beside["reason"] else "")
        )
    for side in ("first", "second"):
        if found[f"only_in_{side}"]:
            typer.echo(f"only in the {side} audit: {', '.join(found[f'only_in_{side}'])}", err=True)
    if found["moved"]["reason"]:
        typer.echo(f"note: {found['moved']['reason']}", err=True)
    typer.echo(str(out / FILE), err=True)


def read_thresholds(given: Sequence[str], attributes: Sequence[str]) -> dict[str, float]:
    """Thresholds of ``--moved``, later ones before earlier ones; of a card, those of the audited attributes.

    Raises:
        InputError: Neither a model's folder nor ``NAME=LOGIT``, or the card holds none.
    """
    from bincam.models import read_card

    found: dict[str, float] = {}
    for one in given:
        if Path(one).is_dir():
            limits = {name: value for name, value in read_card(one).tuned_thresholds.items() if name in attributes}
            if not limits:
                raise InputError(f"--moved {one}: its card holds no tuned threshold of an audited attribute")
            found |= limits
            continue
        name, equals, value = one.rpartition("=")
        try:
            found[name] = float(value)
        except ValueError:
            equals = ""
        if not equals or not name:
            raise InputError(f"--moved {one}: neither a model's folder nor NAME=LOGIT")
    return found
