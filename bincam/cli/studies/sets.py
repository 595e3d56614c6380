"""``bincam sets``: which answers the scores of an audit leave open, and for whom the true one is among them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from bincam.cli.reading.audit_folders import AuditFolder
from bincam.cli.reading.option_groups import LARGEST_SEED
from bincam.cli.reading.options import parse_names, parse_number, parse_whole
from bincam.errors import InputError
from bincam.storage import local_folder, shown

if TYPE_CHECKING:
    from bincam.postprocessing.label_sets import Ties

TIES = ("whole", "random")


def sets(
    audit: AuditFolder,
    *,
    calibrate: Annotated[
        str,
        typer.Option(
            metavar="FOLDER|SHARE",
            help="Images to calibrate on: the folder of another audit by the same model, such as that of the "
            "validation split, or a share of this audit's people (half, 0.3), who are then not judged.",
        ),
    ] = "half",
    k: Annotated[
        str, typer.Option("--k", metavar="SIZE,...", help="Mean numbers of labels per image for average-K sets.")
    ] = "1,1.2,1.5,2",
    alpha: Annotated[
        float, typer.Option(help="Share of images whose true label conformal sets may miss, above 0 and below 1.")
    ] = 0.1,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="lac, class_conditional, average_k, aps, raps of answers that exclude one another; global, "
            "per_attribute, crc of all attributes. The first is used where none is named (gate, explain --sets).",
            show_default="all, lac first",
        ),
    ] = None,
    raps: Annotated[
        str, typer.Option(metavar="PENALTY,FREE", help="Penalty of RAPS per label, and number of labels without it.")
    ] = "0.01,5",
    ties: Annotated[
        str,
        typer.Option(
            metavar="whole|random", help="Scores equal to an average-K threshold: keep all, or draw as many as fit."
        ),
    ] = "whole",
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the division of people and of all draws.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder of the study.", show_default="studies/sets in the audit's folder"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Finish an interrupted study; a finished one is shown as it is.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the study's summary as JSON to stdout.")] = False,
) -> None:
    """Make label sets of an audit's scores: all labels that a score leaves open, K on average or with a coverage.

    Thresholds are fitted on one part of the images and judged on the other: coverage per class, for the minority, by
    size and by slice, beside the realised size. Neither the model nor the images are needed.
    """
    from bincam.audit import open_audit
    from bincam.progress import track
    from bincam.studies.sets.settings import METHODS, SetsSettings
    from bincam.studies.sets.study import run_sets
    from bincam.studies.sets.table import sets_table

    if ties not in TIES:
        raise InputError(f"--ties {ties}: expected whole or random")
    folder, share = read_calibration(calibrate)
    penalty, free = _raps(raps)
    settings = SetsSettings(
        sizes=tuple(parse_number(f"--k {k}", size) for size in k.split(",")),
        alpha=alpha,
        methods=METHODS if method is None else tuple(parse_names("--method", method)),
        share=share,
        ties=cast("Ties", ties),
        penalty=penalty,
        free=free,
        seed=seed,
    ).check()
    study = run_sets(
        open_audit(audit), settings, calibration=folder, out=out, resume=resume,
        track=lambda names: track(names, "sets", unit="subjects"),
    )  # fmt: skip
    summary: dict[str, Any] = study.summary
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False, allow_nan=False))
        return
    typer.echo(sets_table(summary))
    typer.echo(f"Sets of every image and all figures: {shown(study.folder)}")


def read_calibration(text: str) -> tuple[Path | None, float | None]:
    """Read ``--calibrate``: a folder, or a share of the people.

    Raises:
        InputError: It is neither.

    >>> read_calibration("half"), read_calibration("0.3")
    ((None, 0.5), (None, 0.3))
    """
    if text == "half":
        return None, 0.5
    try:
        share = float(text)
    except ValueError:
        folder = local_folder(text)
        if not folder.exists():
            raise InputError(
                f"--calibrate {text}: no such folder, and no share of the people; expected an audit's folder, half, or "
                "a number such as 0.3"
            ) from None
        return folder, None
    if not 0 < share < 1:
        raise InputError(f"--calibrate {text}: expected a share of the people above 0 and below 1, such as 0.5")
    return None, share


def _raps(text: str) -> tuple[float, int]:
    penalty, _, free = (part.strip() for part in text.partition(","))
    count = parse_whole(free)
    if count is None:
        raise InputError(f"--raps {text}: expected PENALTY,FREE, such as 0.01,5")
    return parse_number(f"--raps {text}", penalty), count
