"""A request to an explainer: which outputs of each image are explained, for which side, and against what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bincam.cam.requests.combination import Combination, check_versus, find_rivals, gather, ranking
from bincam.cam.requests.selection import Selection, select
from bincam.cam.requests.targets import Side, sides
from bincam.display import counted
from bincam.errors import InputError
from bincam.models.log_odds import decide
from bincam.one_of import set_of

if TYPE_CHECKING:
    from bincam.cam.explanation import Explanation


_TRUE = -1
"""In place of a rank: the true output."""


@dataclass(frozen=True)
class _Slot:
    """An explained output: its name, its set, its place in the selection or, with ``top``, its rank in the set."""

    name: str
    owner: str | None
    place: int | None = None
    rank: int = 0


@dataclass(frozen=True)
class Request:
    """What is asked of a batch.

    Attributes:
        selection: The selected outputs.
        versus: As for ``Explainer``.
        top: As for ``Explainer``.
        side: The side to explain.
        labels: ``(B, A)`` for the selected outputs, or None.
        like: The explanation whose outputs, sides and rivals are repeated, or None.
        views: Number of consecutive rows that are views of one image, and are decided by their mean scores.
        scores: ``(B or 1, all outputs)``, raw scores that decide in place of those of the pass; None for those.
    """

    selection: Selection
    versus: str | None = None
    top: int | None = None
    side: Side = "predicted"
    labels: Tensor | None = None
    like: Explanation | None = None
    views: int = 1
    scores: Tensor | None = None

    def for_views(self, count: int) -> Request:
        """Ask the same of V views of each image: what is asked of an image is decided by the mean over its views."""
        labels = None if self.labels is None else torch.as_tensor(self.labels).repeat_interleave(count, 0)
        return replace(self, labels=labels, views=count)

    def deciding(self, scores: Tensor) -> Tensor:
        """Return the raw scores ``(B, all outputs)`` that decide: those of images, of views the mean of their image's.

        Args:
            scores: ``(B, all outputs)``, of a pass.
        """
        if self.scores is not None:
            return self.scores.to(scores).expand_as(scores)
        if self.views == 1:
            return scores
        return scores.reshape(-1, self.views, scores.shape[1]).mean(1).repeat_interleave(self.views, 0)

    @property
    def _slots(self) -> list[_Slot]:
        selection = self.selection
        named = zip(selection.attributes, selection.owners, strict=True)
        fixed = [_Slot(name, owner, place) for place, (name, owner) in enumerate(named)]
        if self.top is None:
            return fixed
        slots = [slot for slot in fixed if slot.owner is None]
        for owner, columns in selection.sets.items():
            ranks = range(min(self.top, len(columns)))
            slots += [_Slot(f"{owner}: {_ordinal(rank + 1)}", owner, rank=rank) for rank in ranks]
            true = f"{owner}: true"
            if self.labels is not None if self.like is None else true in self.like.attributes:
                slots.append(_Slot(true, owner, rank=_TRUE))
        return slots

    @property
    def attributes(self) -> tuple[str, ...]:
        """A names: of outputs, or, with ``top``, of ranks within sets."""
        return tuple(slot.name for slot in self._slots)

    @property
    def thresholds(self) -> Tensor:
        """``(A,)``, float64; 0 for outputs in sets."""
        stated = self.selection.thresholds.tolist()
        values = [0.0 if slot.place is None else stated[slot.place] for slot in self._slots]
        return torch.tensor(values, dtype=torch.float64)

    def combination(self, scores: Tensor) -> Combination:
        """Determine the explained outputs and their rivals.

        Args:
            scores: ``(B, all outputs)``, raw scores.
        """
        selection = self.selection
        owners = tuple(slot.owner for slot in self._slots)
        if self.like is not None and self.like.outputs is not None:
            outputs = self.like.outputs.to(scores.device)
        elif self.top is None:
            outputs = torch.tensor(selection.columns, device=scores.device)
        else:
            outputs = self._ranked(scores)
        asked = Combination(scores, outputs, owners, selection.sets, self.versus)
        if not any(owners):
            return asked
        if self.like is not None:
            rivals = None if self.like.rivals is None else self.like.rivals.to(scores.device)
        else:
            named = self.versus in selection.names
            rivals = find_rivals(asked, selection.names.index(str(self.versus)) if named else None)
        return Combination(scores, outputs, owners, selection.sets, self.versus, rivals)

    def _ranked(self, scores: Tensor) -> Tensor:
        """The columns of the outputs with the highest scores of each image, ``(B, A)``."""
        order = {
            owner: torch.tensor(columns, device=scores.device)[ranking(scores[:, list(columns)], len(columns))]
            for owner, columns in self.selection.sets.items()
        }
        columns = []
        for slot in self._slots:
            if slot.owner is None:
                assert slot.place is not None
                columns.append(torch.full((len(scores),), self.selection.columns[slot.place], device=scores.device))
            elif slot.rank == _TRUE:
                columns.append(self._true_output(slot.owner).to(scores.device))
            else:
                columns.append(order[slot.owner][:, slot.rank])
        return torch.stack(columns, 1)

    def _true_output(self, owner: str) -> Tensor:
        """The column of each image's true output of a set, ``(B,)``."""
        assert self.labels is not None
        members = self.selection.sets[owner]
        truth = torch.as_tensor(self.labels)
        if truth.ndim != 2 or truth.shape[1] != len(self.selection.names):
            raise InputError(
                f"labels have shape {tuple(truth.shape)}; with top= they are (B, {len(self.selection.names)}), for all "
                "outputs"
            )
        true = truth[:, list(members)] == 1
        missing = true.sum(1) != 1
        if bool(missing.any()):
            image = int(missing.nonzero()[0])
            raise InputError(
                f"image {image} has {int(true[image].sum())} true labels in set {owner!r}; exactly one is expected"
            )
        return torch.tensor(members)[true.int().argmax(1).cpu()]

    def decided(self, columns: Combination) -> Tensor:
        """Decide the explained outputs: booleans ``(B, A)``, in sets the output with the highest score."""
        thresholds = self.selection.all_thresholds(columns.scores)
        return gather(decide(columns.scores, columns.sets, thresholds), columns.outputs)

    def sides(self, columns: Combination, logits: Tensor) -> Tensor:
        """Determine σ, ``(B, A)``.

        Args:
            columns: The explained outputs.
            logits: ``(B, A)``, their scores; where they are NaN there is no side.
        """
        if self.like is not None:
            return torch.where(logits.isnan(), torch.nan, self.like.side.to(logits))
        if self.side == "predicted" and any(columns.owners):
            sign = torch.where(self.decided(columns), 1.0, -1.0).to(logits)
            return torch.where(logits.isnan(), torch.nan, sign)
        labels = self.labels
        if self.side == "true" and labels is not None and any(columns.owners):
            labels = self._checked(torch.as_tensor(labels), logits)
            if self.top is not None:
                labels = gather(labels.to(columns.outputs.device), columns.outputs)
        return sides(logits, self.side, self.thresholds.to(logits), labels)

    def _checked(self, labels: Tensor, logits: Tensor) -> Tensor:
        """Refuse two true labels of one set.

        Raises:
            InputError: An image has them.
        """
        count = len(self.selection.attributes)
        if labels.shape != (len(logits), count):
            raise InputError(f"labels have shape {tuple(labels.shape)}, but there are {(len(logits), count)} outputs")
        for owner in self.selection.sets:
            places = [place for place, name in enumerate(self.selection.owners) if name == owner]
            twice = (labels[:, places] == 1).sum(1) > 1
            if bool(twice.any()):
                image = int(twice.nonzero()[0])
                raise InputError(f"image {image} has several true labels in set {owner!r}; at most one is expected")
        return labels


def check_counts(images: int, labels: Tensor | None, like: Explanation | None) -> None:
    """Refuse labels, or an explanation to repeat, of another number of images.

    Raises:
        InputError: They are.
    """
    there = counted(images, "image")
    if like is not None and len(like.logits) != images:
        raise InputError(f"like= explains {counted(len(like.logits), 'image')}, but there are {there}")
    if labels is not None and len(labels) != images:
        raise InputError(f"there are labels of {counted(len(labels), 'image')}, but {there}")


def select_asked(
    names: Sequence[str],
    wanted: Sequence[str | int] | None,
    threshold: float | Mapping[str, float] | None,
    default: Mapping[str, float],
    one_of: Mapping[str, Sequence[str]],
    *,
    versus: str | None,
    top: int | None,
) -> Selection:
    """Select the outputs that a question is about.

    Args:
        names: As for ``select``.
        wanted: As for ``select``; None for all that can be asked.
        threshold: As for ``select``.
        default: As for ``select``.
        one_of: As for ``select``.
        versus: As for ``Explainer``.
        top: As for ``Explainer``.

    Raises:
        InputError: As for ``select``, or an output cannot be asked this question.
    """
    check_versus(versus, one_of, names)
    if top is not None and (top < 1 or wanted is not None or not one_of):
        reason = "at least 1" if top < 1 else "sets of outputs" if not one_of else "no attributes="
        raise InputError(f"top={top} explains the outputs of each set with the highest scores; it needs {reason}")
    compared = next((members for members in one_of.values() if versus in members), None)
    if compared is not None and top is None and (wanted is None or list(wanted) == [set_of(versus or "", one_of)]):
        wanted = [name for name in compared if name != versus]
    selection = select(names, wanted, threshold, default, one_of)
    if compared is not None and top is None:
        strange = [name for name in selection.attributes if name == versus or name not in compared]
        if strange:
            raise InputError(
                f"versus={versus!r} is compared with the other outputs of its set, but {strange[0]!r} is not one of "
                "them; select some of them with attributes=, or omit it for all"
            )
    return selection


def _ordinal(number: int) -> str:
    """Write a rank: 1st, 2nd, 3rd, 11th."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"
