"""Options of ``bincam zoom``: what is looked at of each image, the model and the images, and plans of views."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bincam.cli.reading.option_groups import EXECUTION_PANEL, LARGEST_SEED, Device, ModelSource, WeightsFile
from bincam.errors import InputError

if TYPE_CHECKING:
    from bincam.inference import Plan

_WITHOUT_AUDIT = "Without an audit"


@dataclass(frozen=True)
class PassOptions:
    """What is looked at of each image, as typed.

    Attributes:
        plan: ``paper``, ``short`` or a file.
        limit: Images at most.
        seed: Of the draw.
        resume: Resume an interrupted study.
        batch_size: Views per forward pass.
    """

    plan: Annotated[
        str,
        typer.Option(
            metavar="paper|short|FILE",
            help="The views of each image: 324, 54, or those that a YAML or JSON file lists as [S, row, column].",
        ),
    ] = "short"
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Look at at most N images: a stratified draw.")
    ] = None
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of that draw.")] = 0
    resume: Annotated[bool, typer.Option("--resume", help="Resume an interrupted study.")] = False
    batch_size: Annotated[int, typer.Option(min=1, help="Views per forward pass.", rich_help_panel=EXECUTION_PANEL)] = (
        64
    )


@dataclass(frozen=True)
class SubjectOptions:
    """The model and the images, as typed.

    Attributes:
        model: A model folder or a timm name.
        data: A data set.
        out: Folder of a study without an audit.
        split: Of the data.
        attributes: Names separated by commas.
        device: Of the model.
        weights: State dict of a model without a card.
    """

    model: ModelSource = None
    data: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="A data set of a format that 'bincam data formats' lists, or orl.",
            show_default="the audited data",
        ),
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder of the study; new or empty.", rich_help_panel=_WITHOUT_AUDIT),
    ] = None
    split: Annotated[
        str | None,
        typer.Option(help="Split to look at, or all.", show_default="test", rich_help_panel=_WITHOUT_AUDIT),
    ] = None
    attributes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="Attributes and sets to ask for.",
            show_default="all that model and data share",
            rich_help_panel=_WITHOUT_AUDIT,
        ),
    ] = None
    device: Device = "cpu"
    weights: WeightsFile = None

    def folder(self, audit: Path | None) -> Path:
        """Return the folder of the study.

        Raises:
            InputError: The options contradict the audit, or name no folder.
        """
        from bincam.studies.folder import STUDIES

        if audit is None:
            if self.out is None:
                raise InputError("name an audit's folder, or --model, --data and --out of a study without one")
            return self.out
        for name, value in {"--out": self.out, "--split": self.split, "--attributes": self.attributes}.items():
            if value:
                raise InputError(
                    f"an audit states its images, its attributes and its studies' folder; leave out {name}"
                )
        return audit / STUDIES / "zoom"


def read_plan(typed: str, input_size: tuple[int, int]) -> Plan:
    """Read a plan of views.

    Args:
        typed: ``paper``, ``short``, or a YAML or JSON file with a list of views ``[S, row, column]``.
        input_size: ``(H, W)`` of the model's input.

    Raises:
        InputError: There is no such plan or file, or it has no views, repeated ones, or some that do not exist.

    Example:
        >>> len(read_plan("short", (224, 224)))
        54
    """
    from bincam.files import read_yaml
    from bincam.inference import view_plan

    if not Path(typed).is_file():
        if Path(typed).suffix:
            raise InputError(f"--plan {typed}: no such file")
        return view_plan(typed, input_size)
    content = read_yaml(typed)
    views = content.get("views") if isinstance(content, dict) else content
    if not isinstance(views, list) or not all(_is_view(entry) for entry in views):
        raise InputError(
            f"--plan {typed}: expected a list of views [S, row, column], such as [[256, 1, 1], [448, 0, 2]]"
        )
    try:
        return view_plan([tuple(entry) for entry in views], input_size)
    except InputError as error:
        raise InputError(f"--plan {typed}: {error}") from None


def _is_view(entry: object) -> bool:
    return isinstance(entry, list) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9  # False of NaN
        for value in entry
    )
