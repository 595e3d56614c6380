"""The report of an audit or a contrast as a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bincam.errors import InputError
from bincam.files import atomic
from bincam.report.conclusions.actions import TOLERATED
from bincam.report.html.beside import second_process
from bincam.report.html.pdf import print_pdf, require_browser
from bincam.report.view_model import MISSES
from bincam.storage.address import refuse_address

if TYPE_CHECKING:
    from bincam.report.html.page import Track


def write_report(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    hide_faces: bool = False,
    assets: str | os.PathLike[str] | None = None,
    tolerated: float = TOLERATED,
    misses: int = MISSES,
    pdf: str | os.PathLike[str] | None = None,
    track: Track | None = None,
    workers: int = 1,
) -> Path:
    r"""Write the report of an audit or a contrast.

    Args:
        source: The folder of an audit or a contrast.
        out: The HTML file to write. It needs no other files.
        hide_faces: Make every photograph unrecognisable before it is embedded.
        assets: Folder for the images in full size, to which the page links.
        tolerated: The error of a class that is tolerated, in (0, 1): what is certain to be above it needs an action.
        misses: Number of misses that an attribute's card shows, the furthest from the threshold first; 0 for none.
        pdf: Also print the page to this PDF file, with an installed Chromium.
        track: Wraps the attributes as they are drawn, to show progress.
        workers: 2 draws in a second process too, where there are enough attributes for it to pay. It is started by
            ``multiprocessing``'s spawn: a script that asks for it needs ``if __name__ == "__main__"``.

    Returns:
        The path of the HTML file.

    Raises:
        InputError: The source cannot be read, ``tolerated`` is no share, ``misses`` is negative, ``workers`` is less
            than 1, a file cannot be written, or a PDF is asked for without Chromium.

    Example:
        A small model with random weights, audited on four generated images:

        >>> import tempfile, warnings
        >>> from pathlib import Path
        >>> from bincam.audit import Settings, run
        >>> from bincam.example import write_images
        >>> from bincam.models import build
        >>> folder = Path(tempfile.mkdtemp())
        >>> lines = [f"{file.name},{int('disc' in file.name)}" for file in write_images(folder)]
        >>> _ = (folder / "table.csv").write_text("\n".join(["image,disc", *lines]))
        >>> model = build("resnet10t", ["disc"], channels=[8, 8, 8, 8], stem_width=8, input_size=(32, 32))
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")  # no regions, no training counts
        ...     audit = run(model, folder / "table.csv", folder / "audit", Settings(split=None, gate_images=0))
        >>> write_report(audit.folder, folder / "report.html").name
        'report.html'
    """
    target = Path(out)
    for place in (out, *(() if pdf is None else (pdf,))):
        refuse_address(place)  # before the work, which ends with them
    if not 0 < tolerated < 1:
        raise InputError(f"tolerated: got {tolerated}, expected a share between 0 and 1, such as {TOLERATED}")
    if misses < 0:
        raise InputError(f"misses: got {misses}, expected how many of an attribute's misses are shown, or 0 for none")
    if workers < 1:
        raise InputError(f"workers={workers}: expected at least 1 process")
    if pdf is not None:
        require_browser()  # before the work, not after it
    drawn: Any = {"hide_faces": hide_faces, "assets": assets, "misses": misses}
    with second_process(
        Path(source), target, workers=workers, **drawn
    ) as spread:  # started before this process imports what it draws with
        from bincam.report.html.page import build, open_source, render

        text = render(build(open_source(source), target, **drawn, tolerated=tolerated, track=track, spread=spread))
    with atomic(target) as part:
        part.write_text(text, encoding="utf-8")
    if pdf is not None:
        print_pdf(target, Path(pdf))
    return target
