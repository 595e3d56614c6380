"""``bincam data``: describe, check, regions."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bincam.data.attribute_table import AttributeTable
    from bincam.data.check import Report
    from bincam.data.describe import Description
    from bincam.data.regions.regions import Regions

app = typer.Typer(help="Look at a data set: what is in it, what is wrong with it, where its attributes are.")


class Coding(StrEnum):
    """How the labels of a CSV or Parquet table are written."""

    zero_one = "0/1"
    minus_one = "-1/1"
    words = "true/false"


SourceArg = Annotated[
    str, typer.Argument(metavar="PATH", help="A folder in CelebA's layout, a .csv or .parquet table, or 'orl'.")
]
ImagesOpt = Annotated[Path | None, typer.Option("--images", help="Table only: the folder its paths are relative to.")]
LabelsOpt = Annotated[Coding | None, typer.Option("--labels", help="Table only: how labels are coded.")]
PathOpt = Annotated[str | None, typer.Option("--path-column", help="Table only: the column of image paths.")]
AttributesOpt = Annotated[
    str | None, typer.Option("--attributes", help="Attributes to look at, separated by commas; all by default.")
]
SplitColumnOpt = Annotated[str | None, typer.Option("--split-column", help="Table only: the column of splits.")]
IdentityOpt = Annotated[str | None, typer.Option("--identity-column", help="Table only: the column of identities.")]
GroupsOpt = Annotated[str | None, typer.Option("--group-columns", help="Table only: columns to slice by, with commas.")]
LandmarksOpt = Annotated[
    str | None, typer.Option("--landmark-columns", help="Table only: ten columns with commas, or 'celeba'.")
]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@app.command()
def describe(
    source: SourceArg,
    as_json: JsonOpt = False,
    out: Annotated[Path | None, typer.Option("--out", help="A folder for prevalence.png and correlation.png.")] = None,
    images: ImagesOpt = None,
    labels: LabelsOpt = None,
    path_column: PathOpt = None,
    attributes: AttributesOpt = None,
    split_column: SplitColumnOpt = None,
    identity_column: IdentityOpt = None,
    group_columns: GroupsOpt = None,
    landmark_columns: LandmarksOpt = None,
) -> None:
    """Count images, classes and identities per split; with --out draw prevalence and correlation."""
    import json

    table = _table(
        source, images, labels, path_column, attributes, split_column, identity_column, group_columns, landmark_columns
    )
    description = table.describe()
    if as_json:
        typer.echo(json.dumps(description.to_json(), indent=2, ensure_ascii=False))
    else:
        _print_description(description)
    if out is not None:
        from bincam.report.figures import dataset

        dataset.save(dataset.prevalence(description), out / "prevalence.png")
        dataset.save(dataset.correlation(description), out / "correlation.png")
        typer.echo(f"{out / 'prevalence.png'}, {out / 'correlation.png'}", err=True)


@app.command()
def check(
    source: SourceArg,
    as_json: JsonOpt = False,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Threads; all cores by default.")] = None,
    show: Annotated[int, typer.Option("--show", min=0, help="Problems of a kind to print; 0 prints all.")] = 20,
    images: ImagesOpt = None,
    labels: LabelsOpt = None,
    path_column: PathOpt = None,
    attributes: AttributesOpt = None,
    split_column: SplitColumnOpt = None,
    identity_column: IdentityOpt = None,
    group_columns: GroupsOpt = None,
    landmark_columns: LandmarksOpt = None,
) -> None:
    """Decode every image; find broken ones, duplicates and identities across splits, contradictory labels."""
    import json

    from bincam.data import check as checks
    from bincam.errors import InputError
    from bincam.progress import track

    try:
        table = _table(
            source, images, labels, path_column, attributes, split_column, identity_column, group_columns,
            landmark_columns,
        )  # fmt: skip
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
def regions(
    source: SourceArg,
    out: Annotated[Path, typer.Option("--out", help="The PNG to draw.")],
    kind: Annotated[
        str,
        typer.Option(
            "--regions", help="published (7x7 cells), face, orl, parts, influence, a YAML file or a folder of masks."
        ),
    ] = "published",
    count: Annotated[int, typer.Option("--count", min=1, max=20, help="Faces to draw.")] = 3,
    seed: Annotated[int, typer.Option("--seed", help="Which faces.")] = 0,
    images: ImagesOpt = None,
    labels: LabelsOpt = None,
    path_column: PathOpt = None,
    attributes: AttributesOpt = None,
    landmark_columns: LandmarksOpt = None,
) -> None:
    """Draw the regions over sample faces, as the model would see them."""
    from bincam.data import load_regions
    from bincam.data.dataset import FaceDataset, Sample
    from bincam.report.figures import dataset

    table = _table(source, images, labels, path_column, attributes, None, None, None, landmark_columns)
    chosen = load_regions(kind, source)
    names = _representatives(table, chosen)
    sample = table.select(names).subset(min(count, len(table)), stratify=False, seed=seed)
    drawn = [one for row in range(len(sample)) if isinstance(one := FaceDataset(sample, regions=chosen)[row], Sample)]
    masks = [
        [m if k else None for m, k in zip(one.masks, one.known, strict=True)]
        for one in drawn
        if one.masks is not None and one.known is not None
    ]
    if any(m is not None for row in masks for m in row):  # columns that no face has anything in are left out
        kept = [i for i in range(len(names)) if any(row[i] is not None for row in masks)]
        names, masks = [names[i] for i in kept], [[row[i] for i in kept] for row in masks]
    titles = [chosen.attributes.get(name, name) for name in names]
    title = f"{chosen.source or kind}: {len(titles)} regions over faces of {source}"
    dataset.save(dataset.regions([one.view.image for one in drawn], masks, titles, title), out)
    typer.echo(str(out), err=True)


def _table(
    source: str,
    images: Path | None,
    labels: Coding | None,
    path: str | None,
    attributes: str | None,
    split: str | None,
    identity: str | None,
    groups: str | None,
    landmarks: str | None,
) -> AttributeTable:
    from bincam.data import load

    options: dict[str, Any] = {
        "images": images,
        "labels": None if labels is None else labels.value,
        "path": path,
        "split": split,
        "identity": identity,
        "groups": groups and groups.split(","),
        "landmarks": landmarks if landmarks in {None, "celeba"} else landmarks.split(","),
    }
    chosen = attributes.split(",") if attributes else None
    tabular = source != "orl" and not Path(source).is_dir()
    if tabular:
        options["attributes"] = chosen  # a table need not be asked what its other columns mean
    table = load(source, **{name: value for name, value in options.items() if value is not None})
    return table if tabular or chosen is None else table.select(chosen)


def _representatives(table: AttributeTable, regions: Regions) -> list[str]:
    """One attribute per region: the others would be drawn alike."""
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
    from rich.console import Console
    from rich.table import Table

    console = Console()
    splits = Table(title=f"{description.source}: {len(description.names)} attributes", title_justify="left")
    for column in ("split", "images", "identities"):
        splits.add_column(column, justify="left" if column == "split" else "right")
    for split in description.splits:
        identities = "-" if split.identities is None else f"{split.identities:,}"
        splits.add_row(split.name or "(none)", f"{split.count:,}", identities)
    console.print(splits)

    whole = description.splits[0]
    shown = description.splits[1:] if len(description.splits) > 2 else ()
    rows = Table()
    rows.add_column("attribute", no_wrap=True)
    for column in ("pos. %", "unknown", "rarer", "ratio", *(f"{_SHORT.get(s.name, s.name)} %" for s in shown)):
        rows.add_column(column, justify="right")
    for i, name in enumerate(description.names):
        imbalance = whole.imbalance[i]
        rows.add_row(
            name,
            _percent(whole.prevalence[i]),
            f"{whole.unknown[i]:,}" if whole.unknown[i] else "-",
            whole.minority[i][:3],
            f"{imbalance:.1f}" if imbalance == imbalance else "-",  # noqa: PLR0124  # NaN
            *(_percent(split.prevalence[i]) for split in shown),
        )
    console.print(rows)
    if description.crossing:
        console.print(f"[bold red]{len(description.crossing):,} identities are in several splits[/]")
    elif whole.identities is not None:
        console.print("No identity is in more than one split.")


def _percent(value: float) -> str:
    return f"{100 * value:.1f}" if value == value else "-"  # noqa: PLR0124  # NaN


def _print_report(report: Report, show: int) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    sizes = ", ".join(f"{w}x{h} ({count:,})" for (w, h), count in report.sizes[:5])
    more = f" and {len(report.sizes) - 5} other sizes" if len(report.sizes) > 5 else ""
    console.print(
        f"{report.source}: {report.decoded:,} of {report.images:,} images decode; {sizes or 'no sizes'}{more}"
    )
    for kind, count in report.counts().items():
        console.print(f"[bold red]{kind}: {count:,}[/]")
        of_kind = [p for p in report.problems if p.kind == kind]
        for problem in of_kind[: show or None]:
            console.print(f"  {escape(problem.text)}", soft_wrap=True)
        if show and count > show:
            console.print(f"  ... and {count - show:,} more (--show 0 prints all)")
    if not report.problems:
        console.print("[green]Nothing wrong.[/]")
