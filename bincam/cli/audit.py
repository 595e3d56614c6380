"""``bincam audit``: a model on a data set, measured image by image and attribute by attribute."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bincam.cli import source
from bincam.errors import BincamWarning, InputError

if TYPE_CHECKING:
    from bincam.audit import Audit

INTERRUPTED = 130


def audit(
    *,
    model: Annotated[str | None, typer.Option(help="A model's folder, or a timm name.")] = None,
    data: Annotated[str, typer.Option(help="A folder in CelebA's layout, a CSV or Parquet table, or orl.")],
    out: Annotated[Path, typer.Option(help="The audit's folder; new or empty.")],
    split: Annotated[str, typer.Option(help="train, validation or test; all for every image.")] = "test",
    fold: Annotated[int | None, typer.Option(help="Of orl: which of its four folds is the test split.")] = None,
    attributes: Annotated[
        list[str] | None, typer.Option(help="a,b,c; may be repeated. [default: all that both have]")
    ] = None,
    method: Annotated[
        str, typer.Option(help="NAME or NAME@LAYER, several with commas; the first is the primary one.")
    ] = "grad_cam",
    side: Annotated[str, typer.Option(help="predicted, true, positive or negative.")] = "predicted",
    regions: Annotated[
        str,
        typer.Option(
            help="published, face, orl, parts, influence, a YAML file, a folder of masks, or none. [default: published "
            "for face crops, else orl for orl, else face where there are landmarks]"
        ),
    ] = "auto",
    object_masks: Annotated[
        str, typer.Option(help="Folder of object masks, or none. [default: the data's masks/parts]")
    ] = "auto",
    influence_masks: Annotated[
        str, typer.Option(help="Folder of influence masks, or none. [default: the data's masks/influence]")
    ] = "auto",
    groups: Annotated[
        str | None, typer.Option(help="Columns to slice by: a,b. [default: all that the data has]")
    ] = None,
    slice_by: Annotated[
        str | None,
        typer.Option(help="Group columns or attributes to slice by: a,b. [default: the kept groups, Male and Young]"),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Audit so many images: a stratified draw, in the table's order.")
    ] = None,
    sample: Annotated[
        int, typer.Option(min=0, help="Deletion, insertion and ROAD on so many images; slow. 0 for none.")
    ] = 0,
    gate_images: Annotated[
        int, typer.Option(min=0, help="The model-randomisation gate on so many images; 0 for none.")
    ] = 8,
    reference_split: Annotated[
        str, typer.Option(help="Where the ledger's references are fitted, or none. [default: validation, else train]")
    ] = "auto",
    reference_limit: Annotated[int, typer.Option(min=1, help="On so many images at most.")] = 2048,
    threshold_logit: source.ThresholdLogit = None,
    threshold_prob: source.ThresholdProb = None,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images per forward pass. [default: 8 on a CPU, 64 on a GPU]")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that read; 0: this one. [default: 1; for a GPU a core each, up to 8]"),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    precision: Annotated[str, typer.Option(help="fp32 or bf16.")] = "fp32",
    on_error: Annotated[str, typer.Option(help="raise on an image that cannot be read, or skip and count it.")] = (
        "raise"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an audit that was cut short.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON to stdout.")] = False,
    weights: source.Weights = None,
    factory: source.Factory = None,
    names: source.Names = None,
    head: source.HeadOption = None,
    output: source.Output = None,
    mean: source.Mean = None,
    std: source.Std = None,
    size: source.Size = None,
    fit: source.Fit = None,
    unsafe_pickle: source.UnsafePickle = False,
) -> None:
    """Audit a model: per image and attribute, where it looks, and how much it decides without looking.

    What is written is described in docs/audit.md. Cut short, the same command with --resume goes on.
    """
    from bincam.audit.folder.writer import check_free
    from bincam.audit.settings import Settings
    from bincam.data import load

    if on_error not in ("raise", "skip") or precision not in ("fp32", "bf16"):
        raise InputError(f"--on-error is raise or skip, --precision fp32 or bf16; got {on_error} and {precision}")
    check_free(out, resume=resume)
    table = load(data) if fold is None else load(data, fold=fold)
    said = source.Statement(None, factory, names, head, output, mean, std, size, fit)
    opened = source.open_source(model, weights, said, unsafe_pickle=unsafe_pickle, device=device)
    options: dict[str, Any] = {
        "split": None if split == "all" else split,
        "attributes": _listed(attributes),
        "methods": method.split(","),
        "side": side,
        "threshold": source.thresholds(opened.card, threshold_logit, threshold_prob),
        "regions": _regions(regions, data),
        "object_masks": _folder(object_masks),
        "influence_masks": _folder(influence_masks),
        "groups": None if groups is None else _names(groups),
        "slice_by": None if slice_by is None else _names(slice_by),
        "limit": limit,
        "sample": sample,
        "gate_images": gate_images,
        "reference_split": None if reference_split == "none" else reference_split,
        "reference_limit": reference_limit,
        "seed": seed,
        "batch_size": batch_size,
        "workers": _workers(device) if workers is None else workers,
        "device": device,
        "precision": precision,
        "on_error": on_error,
    }
    done = _run(opened, table, out, Settings(**options), resume=resume, called=str(model or factory))
    if as_json:
        typer.echo(json.dumps(done.summary, ensure_ascii=False, allow_nan=False))
    else:
        _tell(done)


def _run(opened: Any, table: Any, out: Path, settings: Any, *, resume: bool, called: str) -> Audit:
    from bincam.audit import run

    try:
        with _notes_as_lines():
            return run(opened, table, out, settings, resume=resume, source=called)
    except KeyboardInterrupt:
        typer.echo(f"bincam: interrupted; the same command with --resume resumes {out}", err=True)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _notes_as_lines() -> Iterator[None]:
    """Print the notes that an audit warns with as lines on stderr, whatever filters are set."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", BincamWarning)
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, BincamWarning):
                typer.echo(f"bincam: {message}", err=True)
            else:
                usual(message, category, *place, **more)

        warnings.showwarning = show
        yield


def _workers(device: str) -> int:
    """A CPU that runs the model too has one core to spare; a GPU waits for the images."""
    return 1 if device.partition(":")[0] == "cpu" else min(os.cpu_count() or 1, 8)


def _listed(given: list[str] | None) -> list[str] | None:
    if not given or given == ["all"]:
        return None
    return [name for value in given for name in _names(value)]


def _names(given: str) -> list[str]:
    return [name.strip() for name in given.split(",") if name.strip()]


def _regions(given: str, data: str) -> Any:
    """What ``--regions`` names."""
    from bincam.data import load_regions

    return {"auto": "auto", "none": None}[given] if given in ("auto", "none") else load_regions(given, data)


def _folder(given: str) -> Path | str | None:
    return {"auto": "auto", "none": None}.get(given, Path(given))


def _tell(done: Audit) -> None:
    """Print what was audited, where it is stored, and what could not be measured."""
    unmeasured = done.unmeasured
    typer.echo(
        f"{done.manifest.data.images - unmeasured['skipped']} images, {len(done.attributes)} attributes, "
        f"{', '.join(done.methods)}: {done.folder}"
    )
    if unmeasured["skipped"]:
        first = done.images.loc[done.images["skipped"] != "", "skipped"].iloc[0]
        typer.echo(f"{unmeasured['skipped']} images could not be read and were left out; first: {first}", err=True)
    for name, count in unmeasured["nan_logits"].items():
        typer.echo(f"{name}: {count} logits are NaN or infinite; they are counted and enter no figure", err=True)
    for method, counts in unmeasured["maps_beyond_half_precision"].items():
        for name, count in counts.items():
            typer.echo(
                f"{name}: {count} {method} maps exceed 65,504 logits; their stored maps hold NaN there", err=True
            )
    for left_out in (done.summary or {}).get("slices_left_out", []):
        typer.echo(f"no slices: {left_out['reason']}", err=True)
    for kind, counts in unmeasured["outside_the_crop"].items():
        for name, count in counts.items():
            typer.echo(f"{name}: in {count} images the {kind} mask lies outside the crop; NaN there", err=True)
