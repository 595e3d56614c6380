"""Names of two compared models: what their folders are called, or their roles where their cards state these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

PLAIN = ("bce",)
"""Losses without class weights that shift no logits: a model of one of them, without another shift, is unbalanced."""

BALANCING = (
    "weighted_bce",
    "moon_bce",
    "moon_euclidean",
    "class_balanced",
    "logit_adjusted",
    "ldam",
    "distribution_balanced",
)
"""Losses that weight or shift the classes by their frequency in training."""


@dataclass(frozen=True)
class Names:
    """Names of the first and of the second model of a contrast.

    Attributes:
        first: Name of the first model.
        second: Name of the second, which differs.
        roles: True where the names are roles, ``unbalanced`` and ``balanced``, of which the models' cards are evidence.

    Example:
        >>> Names("unbalanced", "balanced", roles=True).of_first, Names("a", "b").of_second
        ('the unbalanced model', 'model b')
    """

    first: str
    second: str
    roles: bool = False

    @property
    def of_first(self) -> str:
        """The first model in a sentence."""
        return phrase(self.first, role=self.roles)

    @property
    def of_second(self) -> str:
        """The second model in a sentence."""
        return phrase(self.second, role=self.roles)

    def to_json(self) -> dict[str, Any]:
        """Return the entry ``names`` of ``contrast.json``."""
        return {"first": self.first, "second": self.second, "roles": self.roles}


def phrase(name: str, *, role: bool) -> str:
    """Write a model's name in a sentence."""
    return f"the {name} model" if role else f"model {name}"


def names_of(first: Audit, second: Audit) -> Names:
    """Name two audited models.

    Their roles are used only where both cards state losses of which one weights the classes and the other does not.
    Otherwise the names are those of the audits' folders, preceded by the folders above these where they are equal.
    """
    role, other_role = (_role(audit.manifest.model.card) for audit in (first, second))
    if {role, other_role} == {"balanced", "unbalanced"}:
        return Names(role, other_role, roles=True)
    return _of_folders(first.folder.resolve(), second.folder.resolve())


def names_from(document: Mapping[str, Any]) -> Names:
    """Read the names of a ``contrast.json``; one without them, of an earlier version, has those of its folders."""
    if names := document.get("names"):
        return Names(str(names["first"]), str(names["second"]), bool(names.get("roles")))
    arms = document.get("arms") or {}
    folders = [str((arms.get(which) or {}).get("folder") or "") for which in ("first", "second")]
    return _of_folders(*map(Path, folders)) if all(folders) else Names("first", "second")


def notes_on(first: Audit, second: Audit) -> list[str]:
    """State what two audits have in common that makes their differences trivial; empty where they do not."""
    one, other = first.manifest, second.manifest
    if one.model.digest != other.model.digest:
        return []
    if first.folder.resolve() == second.folder.resolve():
        return ["both audits are the same folder: an audit is compared with itself, so every difference is zero"]
    if one.thresholds == other.thresholds:
        return [
            "both audits are of the same model (one digest) at the same thresholds, so differences are zero up to "
            "rounding and sampling: this is no comparison of two models"
        ]
    return ["both audits are of the same model (one digest): differences come from the thresholds alone"]


def _role(card: Mapping[str, Any]) -> str:
    """Return ``balanced`` or ``unbalanced`` where a card is evidence of it; else an empty text."""
    loss, shift = card.get("loss"), card.get("logit_shift") or {}
    if loss in BALANCING:
        return "balanced"
    # Resampling, which cards do not name, shifts the logits by another constant or by none that is known.
    unshifted = set(card.get("attributes") or ()) <= set(shift) and not any(shift.values())
    return "unbalanced" if loss in PLAIN and shift and unshifted else ""


def _of_folders(first: Path, second: Path) -> Names:
    if first == second:
        return Names(f"{first.name} (first)", f"{first.name} (second)")
    for depth in range(1, max(len(first.parts), len(second.parts)) + 1):
        one, other = ("/".join(path.parts[-depth:]) for path in (first, second))
        if one != other:
            return Names(one, other)
    return Names("first", "second")
