"""The content of ``contrast.json``, with its representations and figures."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bincam import display
from bincam.audit.folder.digest import content_digest, file_digest
from bincam.audit.folder.overview import FEW, estimate_cell, intervals_of, minority_share, rarer, sample
from bincam.compare.names import names_from
from bincam.errors import BincamWarning, InputError
from bincam.stats.estimate import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SEAL = "seal"
"""Key of the digests of the content and of the difference maps, by which a changed contrast is known on reading."""


def sealed(document: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Add to the content of ``contrast.json`` its digest, and that of its difference maps."""
    content = {name: value for name, value in document.items() if name != SEAL}
    maps = content["maps"]["file"]
    seal = {"contrast": content_digest(content), "maps": file_digest(folder / maps) if maps else None}
    return {**content, SEAL: seal}


def check_seal(document: Mapping[str, Any], file: Path) -> None:
    """Refuse a contrast that was changed, or whose difference maps are not those that it was written with.

    Args:
        document: The content of ``contrast.json``.
        file: That file.

    Raises:
        InputError: It is refused.

    Warns:
        BincamWarning: The contrast is of an earlier version and has no digests.
    """
    seal = document.get(SEAL)
    if seal is None and not any("measurements" in arm for arm in document["arms"].values()):
        warnings.warn(
            f"{file}: of an earlier bincam, which kept no digests: if it was changed since is not known; "
            "'bincam compare' makes it anew",
            BincamWarning,
            stacklevel=3,
        )
        return
    content = {name: value for name, value in document.items() if name != SEAL}
    if not isinstance(seal, dict) or seal.get("contrast") != content_digest(content):
        raise InputError(f"{file}: changed since it was written; 'bincam compare' makes it anew")
    maps = document["maps"]["file"]
    if maps and seal.get("maps") != file_digest(file.parent / maps):
        raise InputError(
            f"{file.parent / maps}: not the maps that {file.name} was written with; 'bincam compare' makes both anew"
        )


class Contrast(dict[str, Any]):
    """Two audits of the same images, compared: a dictionary with the content of ``contrast.json``.

    Example:
        The dictionary is what ``compare`` writes and returns; one that was read from a file is wrapped again:

        >>> from bincam.compare import Contrast
        >>> contrast = Contrast({"names": {"first": "plain", "second": "weighted"}, "attributes": {}, "images": 0})
        >>> contrast
        Contrast of plain and weighted: 0 images, 0 attributes
    """

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()

    def plot(
        self,
        measure: Literal["error", "gain", "bias_share"] = "error",
        attributes: Sequence[str] | None = None,
    ) -> Figure:
        """Draw a measure of the rarer and of the other class by attribute, a panel per model.

        Args:
            measure: ``error``: share of each class that is misclassified, also at the adjusted threshold if there is
                one. ``gain`` and ``bias_share``: of the primary method, by predicted class.
            attributes: Attributes to draw; None for the ten with the rarest minority classes.

        Returns:
            The report's overview figure, which is not registered with pyplot.

        Raises:
            InputError: The measure or an attribute is unknown.
        """
        return display.backend().plot_contrast(self, measure=measure, attributes=attributes)

    def _table(self) -> display.Table:
        entries = self.get("attributes") or {}
        first, _, second = self.get("columns") or ("first", "", "second")
        models = names_from(self)
        names = sorted(entries, key=lambda name: minority_share(entries[name]))[: display.ROWS]
        rows = [(name, *self._cells(entries[name], first, second)) for name in names]
        sets, outputs = (len(self.get(part) or ()) for part in ("sets", "outputs"))
        subject = (
            sample(self.get("images"), self.get("identities")),
            display.counted(len(entries), "attribute"),
            display.counted(sets, "set") if sets else "",
            display.counted(outputs, "single output") if outputs else "",
        )
        notes = (
            intervals_of(self.get("level")),
            "errors of the rarer class" if rows else "",
            FEW if any("*" in cell for row in rows for cell in row[1:]) else "",
            display.omitted(len(rows), len(entries), "attributes"),
        )
        return display.Table(
            f"Contrast of {models.first} and {models.second}: {', '.join(filter(None, subject))}",
            ("attribute", "rarer class", "n", f"error, {models.first}", f"error, {models.second}", "difference"),
            rows,
            "; ".join(filter(None, notes)),
            left=2,
        )

    def _cells(self, entry: dict[str, Any], first: str, second: str) -> tuple[str, ...]:
        errors = (entry.get("errors") or {}).get("minority_error") or {}
        differences = (entry.get("error_differences") or {}).get("minority_error") or {}
        difference = (differences.get(f"{first} - {second}") or {}).get("difference")
        return (
            rarer(1 if entry.get("minority") == "positive" else -1, entry),
            f"{Estimate.from_json(errors.get(first)).images:,}",
            *(estimate_cell(errors.get(name), "percent") for name in (first, second)),
            estimate_cell(difference, "points"),
        )
