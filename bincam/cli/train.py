"""``bincam train``: train one model, or a balanced and an unbalanced one under the same conditions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bincam.cli.reading.option_groups import RESULTS_PANEL
from bincam.cli.reading.options import refuse_repeats
from bincam.heap import keep_freed_memory

if TYPE_CHECKING:
    from bincam.train import Result

_RUN = "Run"


def train(
    config: Annotated[Path, typer.Argument(help="YAML file; docs/train-config.md lists its keys.", show_default=False)],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Override a key, for example optimizer.lr=1e-4; may be repeated.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    pair: Annotated[
        bool,
        typer.Option(
            "--pair",
            help="Train every arm of the configuration; the arms differ only in the class weights.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume the run in the folder, if there is one.", rich_help_panel=_RUN)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results as JSON.", rich_help_panel=RESULTS_PANEL)
    ] = False,
) -> None:
    """Train an attribute classifier, or a pair of them that differ only in the class weights.

    Ctrl-C stops after the current step and saves the state; --resume continues from there.

    To train on several GPUs: accelerate launch -m bincam train CONFIG. In several processes on CPUs: torchrun
    --nproc-per-node 2 -m bincam train CONFIG.
    """
    from bincam.cli.reading.source import prepare
    from bincam.train.configuration.config import read_config

    refuse_repeats("--set", (text.partition("=")[0].strip() for text in set_ or ()))
    settings = read_config(config, set_ or [])
    keep_freed_memory(large=True)
    prepare()
    from bincam.train import fit, fit_pair

    both = None
    try:
        if pair:
            both = fit_pair(settings, resume=resume)
        arms = both.arms if both is not None else {"": fit(settings, resume=resume)}
    except KeyboardInterrupt:
        typer.echo(f"bincam: interrupted; run the same command with --resume to continue {settings.out}", err=True)
        raise typer.Exit(130) from None
    if not _main_process():
        return
    if as_json:
        runs = {name: _facts(result) for name, result in arms.items()}
        shown = {"pair": str(both.folder), "identical": both.proof["identical"], "arms": runs} if both else runs[""]
        typer.echo(json.dumps(shown, indent=2))
    else:
        for name, result in arms.items():
            _tell(name, result)
        if both:
            verdicts = both.proof["identical"].items()
            lines = [f"{what.replace('_', ' ')} {'the same' if same else 'NOT the same'}" for what, same in verdicts]
            typer.echo(f"{both.folder}: {', '.join(lines)}")
    if both and not both.identical:
        raise typer.Exit(1)


def _main_process() -> bool:
    from accelerate import PartialState

    return bool(PartialState().is_main_process)


def _facts(result: Result) -> dict[str, Any]:
    return {
        "folder": str(result.folder),
        "epochs": result.epochs,
        "ended": result.ended,
        "best_epoch": result.best_epoch,
        "best_value": result.best_value,
        "validation": result.history[result.best_epoch - 1]["validation"]["mean"],
        "test": None if result.test is None else {key: result.test[key]["mean"] for key in ("zero", "tuned")},
        **({"sets": _sets(result)} if "sets" in result.history[result.best_epoch - 1]["validation"] else {}),
    }


def _sets(result: Result) -> dict[str, Any]:
    """The metrics of sets of outputs at the best epoch, by split."""
    test = (
        {}
        if result.test is None
        else {"test": result.test["zero"]["sets"], "test, offsets": result.test["tuned"]["sets"]}
    )
    return {"validation": result.history[result.best_epoch - 1]["validation"]["sets"], **test}


def _tell(name: str, result: Result) -> None:
    """Print the best epoch in a few lines."""
    from bincam.stats.formatting import UNDEFINED, number, percent

    typer.echo(f"{result.folder}: {name + ', ' if name else ''}best epoch {result.best_epoch} of {result.epochs}")
    rows = {"validation": result.history[result.best_epoch - 1]["validation"]["mean"]}
    if result.test is not None:
        rows |= {"test": result.test["zero"]["mean"], "test, tuned thresholds": result.test["tuned"]["mean"]}
    for split, mean in rows.items():
        errors = [
            f"{rate} error {UNDEFINED if (share := mean[f'{rate}_error']) is None else percent(share)}"
            for rate in ("minority", "majority", "balanced")
        ]
        auroc = UNDEFINED if mean["auroc"] is None else number(mean["auroc"], 3)
        typer.echo(f"  {split}: {', '.join(errors)}, AUROC {auroc}")
    if "sets" in result.history[result.best_epoch - 1]["validation"]:
        from bincam.train.runs.progress import set_line

        for split, sets in _sets(result).items():
            for set_name, entry in sets.items():
                typer.echo(f"  {split}{set_line(set_name, entry)}")
