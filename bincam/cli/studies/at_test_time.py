"""``bincam zoom --test-time``: methods at test time on the images of a zoom study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bincam.cli.reading.options import parse_names
from bincam.display import counted

if TYPE_CHECKING:
    from bincam.data import AttributeTable
    from bincam.inference import Plan
    from bincam.studies.zoom import Subject

_PANEL = "Methods at test time"


@dataclass(frozen=True)
class TestTimeOptions:
    """Methods at test time, as typed.

    Attributes:
        test_time: Names separated by commas.
        test_limit: Images at most.
    """

    __test__ = False  # it is no test, whatever its name begins with

    test_time: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Also compare the own crop with views (a mean over 8 that are chosen on the validation split), flip, "
            "memo or zoom-memo (64 views forward and backward per image).",
            rich_help_panel=_PANEL,
        ),
    ] = None
    test_limit: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Of the study's images, a stratified draw of at most N.", rich_help_panel=_PANEL
        ),
    ] = None

    @property
    def methods(self) -> tuple[str, ...]:
        """The named methods; empty if none is asked for.

        Raises:
            InputError: A name is unknown or repeated, or a limit is stated without a method.
        """
        from bincam.errors import InputError
        from bincam.studies.at_test_time.methods import find_methods

        if self.test_time is None:
            if self.test_limit is not None:
                raise InputError(f"--test-limit {self.test_limit} is of --test-time; name methods with it")
            return ()
        names = tuple(parse_names("--test-time", self.test_time))
        find_methods(names)
        return names

    def run(
        self,
        subject: Subject,
        data: AttributeTable,
        plan: Plan,
        folder: Path,
        *,
        seed: int,
        batch_size: int,
        resume: bool,
    ) -> dict[str, Any]:
        """Compare, or go on with an interrupted comparison, and return its summary.

        Args:
            subject: Model, images and questions of the zoom study.
            data: The data set with all its splits.
            plan: The study's plan, from which views are chosen; of a plan of more views the short one.
            folder: The zoom study's folder.
            seed: Seed of draws.
            batch_size: Views per forward pass.
            resume: Go on with an interrupted comparison, or read a finished one.
        """
        from bincam.inference import view_plan
        from bincam.studies.at_test_time.stored import NAME
        from bincam.studies.at_test_time.study import run_test_time

        short = view_plan("short", subject.model.card.input_size)
        return run_test_time(
            subject,
            folder / NAME,
            self.methods,
            data=data,
            plan=plan if len(plan) <= len(short) else short,
            limit=self.test_limit,
            seed=seed,
            batch_size=batch_size,
            resume=resume,
        )


def tell(summary: dict[str, Any]) -> None:
    """Print what each method costs and did."""
    typer.echo(f"at test time, {counted(summary['images'], 'image')}:")
    for name, method in summary["methods"].items():
        typer.echo(f"  {name}: {method['title']}, {method['cost']} per image")
        for entry in summary["questions"].values():
            typer.echo(f"    {entry[name]['sentence']}")
        if method["unadapted"]:
            typer.echo(
                f"{name}: {counted(method['unadapted'], 'image')} without a finite entropy or gradient; they keep the "
                "model's own answer, and are counted",
                err=True,
            )
