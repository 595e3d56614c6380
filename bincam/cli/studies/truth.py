"""``bincam truth``: on pairs of images that differ in one place, how much of the known change do maps hold?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bincam.cli.reading import source
from bincam.cli.reading.option_groups import (
    EXECUTION_PANEL,
    LARGEST_SEED,
    RESULTS_PANEL,
    SUBJECT_PANEL,
    Device,
    ModelOptions,
    ModelSource,
    WeightsFile,
)
from bincam.cli.reading.options import expand_groups, parse_attributes, parse_names

INTERRUPTED = 130

_MAPS = "Maps"


@expand_groups
def truth(
    *,
    model: ModelSource = None,
    pairs: Annotated[
        Path,
        typer.Option(
            metavar="TABLE",
            help="CSV or Parquet with the columns attribute, image, flipped, and, if there, influence (mask of the "
            "edited pixels), identity, label and flipped_label; bincam faces pairs writes one.",
            rich_help_panel=SUBJECT_PANEL,
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder of the study; new or empty.", rich_help_panel=RESULTS_PANEL)
    ],
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAME[@LAYER],...",
            help="Methods of maps, and, on the grid of the first one, the references occlusion and rise, and the "
            "control brightness, which never asks the model.",
            rich_help_panel=_MAPS,
        ),
    ] = "grad_cam,occlusion,brightness",
    attributes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="Attributes whose pairs are used.",
            show_default="all of the table",
            rich_help_panel=SUBJECT_PANEL,
        ),
    ] = None,
    least: Annotated[
        float,
        typer.Option(
            help="Smallest change of the logit of a pair that is judged; others are counted.", rich_help_panel=_MAPS
        ),
    ] = 0.1,
    tau: Annotated[
        int,
        typer.Option(
            help="Without a mask, a pixel is edited where a channel changes by more than this, of 255.",
            rich_help_panel=SUBJECT_PANEL,
        ),
    ] = 8,
    masks: Annotated[
        int, typer.Option(help="Random masks of rise: as many forward passes per image.", rich_help_panel=_MAPS)
    ] = 500,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=LARGEST_SEED, help="Of these masks, and of other pairs.", rich_help_panel=EXECUTION_PANEL
        ),
    ] = 0,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Resume an interrupted study; a finished one is shown as it is.",
            rich_help_panel=RESULTS_PANEL,
        ),
    ] = False,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Images per forward pass.", rich_help_panel=EXECUTION_PANEL)
    ] = 32,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the study's summary as JSON to stdout.", rich_help_panel=RESULTS_PANEL),
    ] = False,
    device: Device = "cpu",
    weights: WeightsFile = None,
    options: ModelOptions,
) -> None:
    """Score maps on pairs of images that differ in one place: of the known change of the logit, how much do they hold?

    Whatever the logit changes by, it changes because of the edited pixels. docs/truth.md explains the figures. After an
    interruption, run the same command with --resume.
    """
    from bincam.studies.counterfactual import TruthSettings, read_pairs, run_truth
    from bincam.studies.counterfactual.table import truth_table

    settings = TruthSettings(
        methods=tuple(parse_names("--methods", methods)),
        least=least,
        tau=tau,
        masks=masks,
        seed=seed,
        batch_size=batch_size,
    ).check()
    opened = source.open_source(model, weights, options, device=device)
    table = read_pairs(pairs, opened.card.attributes)
    named = parse_attributes(attributes, table.attributes)
    try:
        study = run_truth(opened, table if named is None else table.of(named), out, settings, resume=resume)
    except KeyboardInterrupt:
        typer.echo("bincam: interrupted; the same command with --resume resumes the study", err=True)
        raise typer.Exit(INTERRUPTED) from None
    summary: dict[str, Any] = study.summary
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False, allow_nan=False))
        return
    typer.echo(truth_table(summary))
    typer.echo(f"All figures: {study.folder / 'summary.json'}")
