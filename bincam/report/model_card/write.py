"""The model card as files: the Markdown, and its figures beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from bincam.errors import InputError
from bincam.files import atomic
from bincam.markdown import plain
from bincam.report.html.page import Source, open_source
from bincam.report.model_card import content
from bincam.report.model_card.metadata import metadata
from bincam.report.plots import QUESTIONS, plot_audit, plot_contrast
from bincam.report.reading.audited_model import common

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

DPI = 150
_ALT = {
    "error": "Share of each class that is misclassified, by attribute",
    "gain": "Chance-corrected share of the evidence in the expected region, by attribute",
    "bias_share": "Share of the support that is not located in the image, by attribute",
}


def write_card(source: str | os.PathLike[str], out: str | os.PathLike[str]) -> Path:
    r"""Write a model card from an audit, or from a contrast of two.

    The card is Markdown with Hugging Face's metadata, without raw HTML: intended use, limits, errors by class and by
    group with intervals, and figures as PNG files beside it, ``NAME-error.png``, ``NAME-gain.png`` and
    ``NAME-bias_share.png``, where they are defined. That of a contrast is the card of its second model, with the first
    beside it in every table and the findings of the comparison.

    Args:
        source: The folder of an audit or a contrast.
        out: The Markdown file to write.

    Returns:
        The path of the Markdown file.

    Raises:
        InputError: The source cannot be read, or a file cannot be written.

    Example:
        >>> import tempfile, warnings
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
        >>> write_card(audit.folder, folder / "card.md").name
        'card.md'
    """
    from huggingface_hub import ModelCard

    opened, file = open_source(source), Path(out)
    arms, attributes = opened.arms, common(opened.arms)
    if not attributes and not any(arm.audit.one_of for arm in arms):
        raise InputError(f"{source}: the audits have no attribute in common, and no set of outputs")
    people = content.groups(arms, attributes)
    parts = [
        content.introduction(arms),
        content.intended_use(arms[-1], attributes),
        content.limits(arms, attributes, people),
        content.errors_by_class(arms, attributes),
        content.errors_by_group(people),
        _compared(opened),
        _figures(opened, attributes, file),
    ]
    text = f"---\n{metadata(arms, attributes).to_yaml()}\n---\n\n" + "\n".join(filter(None, parts))
    ModelCard(text)  # as the hub reads it: a card that it cannot read is not written
    with atomic(file) as part:
        part.write_text(text, encoding="utf-8")
    return file


def _compared(source: Source) -> str:
    if source.contrast is None:
        return ""
    lines = "".join(f"- {plain(finding)}\n" for finding in source.contrast.findings)
    return f"## Compared with {plain(source.arms[0].phrase)}\n\n{lines}"


def _figures(source: Source, attributes: Sequence[str], file: Path) -> str:
    """Draw the figures beside the card, and write the section that shows them; empty without an attribute."""
    lines = []
    for measure, comparison in QUESTIONS.items():
        if not any(comparison.defined(arm, attributes) for arm in source.arms):
            continue
        picture = file.with_name(f"{file.stem}-{measure}.png")
        with atomic(picture) as part:
            _drawn(source, measure, attributes).savefig(
                part, dpi=DPI, format="png", bbox_inches="tight", facecolor="white"
            )
        lines.append(f"![{_ALT[measure]}]({quote(picture.name)})\n")
    return "## Figures\n\n" + "\n".join(lines) if lines else ""


def _drawn(source: Source, measure: str, attributes: Sequence[str]) -> Figure:
    if source.contrast is None:
        return plot_audit(source.arms[0].audit, measure=measure, attributes=attributes)
    return plot_contrast(source.contrast.document, measure=measure, attributes=attributes)
