"""``bincam data``: describe, formats, check, regions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bincam.cli.reading.option_groups import LARGEST_SEED
from bincam.cli.reading.options import expand_groups
from bincam.cli.reading.table_options import TableOptions
from bincam.display import counted, literal_console
from bincam.errors import in_a_line
from bincam.files import check_ending

if TYPE_CHECKING:
    from rich.console import Console

    from bincam.data.attribute_table import AttributeTable
    from bincam.data.check import Report
    from bincam.data.describe import Description
    from bincam.data.regions.regions import Regions

app = typer.Typer(help="Inspect a data set: its classes, its faults, and the regions of its attributes.")

SourceArg = Annotated[
    str, typer.Argument(metavar="PATH", help="A data set of a format that 'bincam data formats' lists, or 'orl'.")
]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
@expand_groups
def describe(
    source: SourceArg,
    *,
    as_json: JsonOpt = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Draw prevalence.png and correlation.png into this folder.")
    ] = None,
    save: Annotated[
        bool,
        typer.Option("--save", help="State these options in data.yaml beside the data, for every command to read."),
    ] = False,
    options: TableOptions,
) -> None:
    """Count images, classes and identities per split; draw prevalence and correlation with --out."""
    import json

    table = options.load(source)
    if save:
        from bincam.data.readers.data_file import save_reading

        typer.echo(f"{save_reading(source, table.reading)}", err=True)
    description = table.describe()
    if as_json:
        typer.echo(json.dumps(description.to_json(), indent=2, ensure_ascii=False))
    else:
        _print_description(description)
    if out is not None:
        from bincam.report.figures.audited import dataset

        dataset.save(dataset.prevalence(description), out / "prevalence.png")
        dataset.save(dataset.correlation(description), out / "correlation.png")
        typer.echo(f"{out / 'prevalence.png'}, {out / 'correlation.png'}", err=True)


@app.command()
def formats(
    name: Annotated[str | None, typer.Argument(help="A format, whose options are listed.", show_default=False)] = None,
    *,
    as_json: JsonOpt = False,
) -> None:
    """List the formats of data sets by name and by the files that each is known by, or the options of one of them."""
    import json

    from bincam.cli.reading.format_table import facts, print_formats
    from bincam.data.readers import formats as known

    chosen = list(known.formats().values()) if name is None else [known.by_name(name)]
    if as_json:
        typer.echo(json.dumps([facts(item) for item in chosen], indent=2, ensure_ascii=False))
    else:
        print_formats(chosen, with_options=name is not None)


@app.command()
@expand_groups
def check(
    source: SourceArg,
    *,
    as_json: JsonOpt = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that decode images.", show_default="all cores")
    ] = None,
    show: Annotated[int, typer.Option(min=0, help="Problems to print of each kind; 0 prints all.")] = 20,
    options: TableOptions,
) -> None:
    """Decode every image, and find broken images, contradictory labels, and duplicates or identities across splits.

    Exit code 1 means that there are problems.
    """
    import json

    from bincam.data import check as checks
    from bincam.data.readers.load import format_of
    from bincam.errors import InputError
    from bincam.progress import track

    options.reader_options(source)  # a mistyped list, or a format that is not known, is no problem of the data
    format_of(source, options.format)
    try:
        table = options.load(source)
    except InputError as error:
        if not Path(source).exists():
            raise
        report = checks.unreadable(source, error)
    else:
        report = checks.check(
            table, workers=workers, progress=lambda seen: track(seen, "checking", total=len(table), unit="images")
        )
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        _print_report(report, show)
    if report.problems:
        raise typer.Exit(1)


@app.command()
@expand_groups
def regions(
    source: SourceArg,
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="PNG to draw.")],
    kind: Annotated[
        str,
        typer.Option(
            "--regions",
            help="published (cells of a 7x7 grid), face, orl, parts, influence, a YAML file, a folder of masks, or a "
            "format's file of masks.",
        ),
    ] = "published",
    count: Annotated[int, typer.Option(min=1, max=20, help="Images to draw.")] = 3,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of the choice of images.")] = 0,
    options: TableOptions,
) -> None:
    """Draw the expected regions over sample images, cropped as for a model."""
    from bincam.data import load_regions
    from bincam.data.dataset import FaceDataset, Sample
    from bincam.report.figures.audited import dataset

    check_ending(out, dataset.FORMATS)
    table = options.load(source)
    chosen = load_regions(kind, source, table)
    names = _representatives(table, chosen)
    subset = table.select(names).subset(min(count, len(table)), stratify=False, seed=seed)
    crops = FaceDataset(subset, regions=chosen)
    samples = [sample for row in range(len(subset)) if isinstance(sample := crops[row], Sample)]
    masks = [
        [mask if known else None for mask, known in zip(sample.masks, sample.known, strict=True)]
        for sample in samples
        if sample.masks is not None and sample.known is not None
    ]
    if any(mask is not None for row in masks for mask in row):  # leave out columns without any mask
        kept = [i for i in range(len(names)) if any(row[i] is not None for row in masks)]
        names, masks = [names[i] for i in kept], [[row[i] for i in kept] for row in masks]
    titles = [chosen.attributes.get(name, name) for name in names]
    title = f"{chosen.source or kind}: {counted(len(titles), 'region')} over images of {source}"
    dataset.save(dataset.regions([sample.view.image for sample in samples], masks, titles, title), out)
    typer.echo(str(out), err=True)


def _representatives(table: AttributeTable, regions: Regions) -> list[str]:
    """One attribute per region, because attributes of one region have the same mask."""
    from bincam.errors import InputError

    if regions.per_image:
        return list(table.names)
    first: dict[str, str] = {}
    for name in table.names:
        if name in regions:
            first.setdefault(regions.attributes[name], name)
    if not first:
        raise InputError(f"none of the attributes has a region in {regions.source}: {', '.join(table.names)}")
    return list(first.values())


_SHORT = {"": "(none)", "validation": "val."}


def _print_description(description: Description) -> None:
    from rich.table import Table

    from bincam.stats.formatting import NONE, number

    console = literal_console()
    title = in_a_line(f"{description.source}: {counted(len(description.names), 'attribute')}")
    splits = Table(title=title, title_justify="left")
    for column in ("split", "images", "identities"):
        splits.add_column(column, justify="left" if column == "split" else "right")
    for split in description.splits:
        identities = NONE if split.identities is None else f"{split.identities:,}"
        splits.add_row(split.name or "(none)", f"{split.count:,}", identities)
    console.print(splits)

    whole = description.splits[0]
    shown = description.splits[1:] if len(description.splits) > 2 else ()
    rows = Table()
    rows.add_column("attribute", no_wrap=True)
    for column in ("pos. %", "unknown", "rarer", "ratio", *(f"{_SHORT.get(s.name, s.name)} %" for s in shown)):
        rows.add_column(column, justify="right")
    in_sets = {output for summaries in description.sets.values() for output in summaries[0].outputs}
    for i, name in enumerate(description.names):
        if name in in_sets:
            continue
        imbalance = whole.imbalance[i]
        rows.add_row(
            in_a_line(name),
            _percent(whole.prevalence[i]),
            f"{whole.unknown[i]:,}" if whole.unknown[i] else NONE,
            whole.minority[i][:3],
            number(imbalance, 1) if math.isfinite(imbalance) else NONE,
            *(_percent(split.prevalence[i]) for split in shown),
        )
    if rows.row_count:
        console.print(rows)
    _print_sets(description, console)
    for sentence in description.meaning:
        console.print(in_a_line(sentence))
    if description.crossing:
        console.print(
            f"{counted(len(description.crossing), 'identity', 'identities')} "
            f"{'is' if len(description.crossing) == 1 else 'are'} in several splits",
            style="bold red",
        )
    elif whole.identities is not None:
        console.print("No identity is in more than one split.")
    if description.without_landmarks:
        console.print(_landmarks(description.without_landmarks, whole.count))


def _landmarks(lacking: int, images: int) -> str:
    return (
        f"{lacking:,} of {images:,} images lack landmarks: without all five points there is no face crop and no region "
        "that follows the face."
    )


def _print_sets(description: Description, console: Console) -> None:
    """Print, for every set, the images of each class, and which are rarer than one in K in training."""
    from rich.table import Table

    from bincam.stats.formatting import NONE

    names = [split.name for split in description.splits]
    for name, summaries in description.sets.items():
        split = "train" if "train" in names else "all"
        training = summaries[names.index(split)]
        outputs = training.outputs
        title = f"{in_a_line(name)}: one of {len(outputs)}; rare: below {100 / len(outputs):.1f} % of {split}"
        rows = Table(title=title)
        rows.add_column("class", no_wrap=True)
        shown = range(len(names)) if len(names) > 2 else range(1)
        for k in shown:
            rows.add_column(_SHORT.get(names[k], names[k]), justify="right")
        for column in (f"{split} %", "rare"):
            rows.add_column(column, justify="right")
        for i, output in enumerate(outputs):
            rare = "rare" if output in training.minority else ""
            counts = [f"{summaries[k].images[i]:,}" for k in shown]
            rows.add_row(in_a_line(output), *counts, _percent(training.share[i]), rare)
        unknown = [f"{summaries[k].unknown:,}" if summaries[k].unknown else NONE for k in shown]
        if any(text != NONE for text in unknown):
            rows.add_row("unknown", *unknown, "", "")
        console.print(rows)


def _percent(value: float) -> str:
    from bincam.stats.formatting import NONE, number

    return number(100 * value, 1) if math.isfinite(value) else NONE


def _print_report(report: Report, show: int) -> None:
    console = literal_console()
    sizes = ", ".join(f"{w}x{h} ({count:,})" for (w, h), count in report.sizes[:5])
    more = f" and {len(report.sizes) - 5} other sizes" if len(report.sizes) > 5 else ""
    console.print(
        f"{in_a_line(report.source)}: {report.decoded:,} of {counted(report.images, 'image')} "
        f"{'decodes' if report.images == 1 else 'decode'}; {sizes or 'no sizes'}{more}"
    )
    if report.without_landmarks:
        console.print(_landmarks(report.without_landmarks, report.images))
    for note in report.notes:
        console.print(in_a_line(note))
    for kind, count in report.counts().items():
        console.print(f"{kind}: {count:,}", style="bold red")
        of_kind = [p for p in report.problems if p.kind == kind]
        for problem in of_kind[: show or None]:
            console.print(f"  {in_a_line(problem.text)}", soft_wrap=True)
        if show and count > show:
            console.print(f"  ... and {count - show:,} more (--show 0 prints all)")
    if not report.problems:
        console.print("Nothing wrong.", style="green")
