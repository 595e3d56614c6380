"""Folders of audits as commands take them: on this machine, or addresses on object storage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bincam.cli.reading.option_groups import RESULTS_PANEL
from bincam.errors import BincamError, InputError
from bincam.storage import local_folder


def read_folder(typed: str) -> Path:
    """The folder of an audit that is there; of one on object storage, its copy.

    Raises:
        BincamError: The store cannot be read.

    >>> read_folder("audits/mine")
    PosixPath('audits/mine')
    """
    return _local(typed, writes=False)


def new_folder(typed: str) -> Path:
    """The folder of an audit that is written; of one on object storage, its copy.

    Raises:
        BincamError: The store cannot be written to.
    """
    return _local(typed, writes=True)


def _local(typed: str, *, writes: bool) -> Path:
    try:
        return local_folder(typed, writes=writes)
    except InputError as error:  # a ValueError, which typer takes for a value of the wrong kind
        raise BincamError(error) from None


_AUDIT: dict[str, Any] = {
    "parser": read_folder,
    "metavar": "AUDIT",
    "help": "The audit's folder, or its address, such as s3://bucket/mine.",
}
AuditFolder = Annotated[Path, typer.Argument(**_AUDIT)]
OptionalAuditFolder = Annotated[Path | None, typer.Argument(**_AUDIT, show_default="none")]
OutFolder = Annotated[
    Path,
    typer.Option(
        parser=new_folder,
        metavar="FOLDER",
        help="Folder of the audit, or an address such as s3://bucket/mine; new or empty.",
        rich_help_panel=RESULTS_PANEL,
    ),
]
