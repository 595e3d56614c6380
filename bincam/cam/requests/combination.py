"""The explained scores as combinations of a model's raw scores, with the weights of the alternatives held fixed.

Of a yes-or-no attribute the explained score is its logit. Of an output in a set (``bincam.models.log_odds``) it is:

=================== ======================================================= ==========================
``versus``          z                                                       evidence S
=================== ======================================================= ==========================
None                r_a - log Σ_{b≠a} exp r_b, the log-odds                 S_a - Σ_{b≠a} π_b S_b
an output's name c  r_a - r_c                                               S_a - S_c
``runner_up``       r_a - r_c, c the best of the other outputs              S_a - S_c
``mean``            r_a - mean over the set                                 S_a - mean over the set
``nothing``         r_a, the score of a raw CAM                             S_a
=================== ======================================================= ==========================

Every S is a combination of the raw scores' evidence whose weights are the derivatives of z, so the same combination of
the head's weights, or of the directions of a gradient, gives S without the evidence of all outputs. Only the log-odds
are not linear: there z = Σ_b c_b r_b - H(π).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bincam.errors import InputError, UnsupportedError, nearest
from bincam.models.log_odds import Columns, alternative_entropy, alternative_means, alternative_weights, set_log_odds

RUNNER_UP, MEAN, NOTHING = "runner_up", "mean", "nothing"
VERSUS = (RUNNER_UP, MEAN, NOTHING)
"""Questions other than log-odds, besides the name of an output."""


@dataclass(frozen=True)
class Combination:
    """Explained scores of B images and k outputs.

    Attributes:
        scores: ``(B, A)``, raw scores r of all outputs, detached.
        outputs: Columns of the explained outputs, ``(k,)``, or ``(B, k)`` where they differ between images.
        owners: Name of the set of each explained output; None for a yes-or-no attribute.
        sets: Columns of each set.
        versus: The question about outputs in sets; None for log-odds.
        rivals: ``(B, k)``, columns of the outputs c, for a pairwise question; where an output is in no set, its own.
    """

    scores: Tensor
    outputs: Tensor
    owners: tuple[str | None, ...]
    sets: Columns
    versus: str | None = None
    rivals: Tensor | None = None

    @property
    def plain(self) -> bool:
        """True if every explained score is a raw score of a fixed column, the same for all images."""
        return self.outputs.ndim == 1 and (self.versus == NOTHING or not any(self.owners))

    @property
    def conditional(self) -> bool:
        """True if the weights of alternatives depend on the image."""
        return self.versus is None and any(len(self.sets[owner]) > 2 for owner in self.owners if owner is not None)

    @property
    def few(self) -> bool:
        """True if combining the weights of the head costs less than combining the maps of all outputs."""
        return 2 * self.outputs.shape[-1] <= self.scores.shape[1]

    def part(self, chosen: slice | Tensor) -> Combination:
        """Select some of the explained outputs, by a slice or a mask ``(k,)``."""
        places = torch.arange(len(self.owners))[chosen.cpu() if isinstance(chosen, Tensor) else chosen].tolist()
        return replace(
            self,
            outputs=self.outputs[..., places],
            owners=tuple(self.owners[place] for place in places),
            rivals=None if self.rivals is None else self.rivals[:, places],
        )

    def explained(self) -> Tensor:
        """Compute z, ``(B, k)``."""
        if self.versus is not None:
            z: Tensor = self.apply(self.scores)
            return self._where_defined(z)
        return self.odds()

    def odds(self) -> Tensor:
        """Compute the log-odds of the explained outputs, ``(B, k)``, whatever the question."""
        z = gather(self.scores, self.outputs)
        for owner, places in self._groups():
            within = set_log_odds(self._of_set(owner))
            z[:, places] = gather(within, self._within(owner, places))
        return z

    def alternatives(self) -> Tensor:
        """Compute -H(π), ``(B, k)``: what log-odds lose to the number of alternatives; 0 for other questions."""
        lost = torch.zeros(len(self.scores), len(self.owners)).to(self.scores)
        if self.versus is None:
            for owner, places in self._groups():
                lost[:, places] = -alternative_entropy(self._of_set(owner), self._within(owner, places))
        return lost

    def apply(self, values: Tensor) -> Tensor:
        """Combine values of all outputs, such as weights, constants or maps.

        Args:
            values: ``(B, A, ...)``, or ``(1, A, ...)`` where all images share them.

        Returns:
            ``(B, k, ...)``; ``(1, k, ...)`` where ``plain`` and shared.
        """
        own = gather(values, self.outputs)
        if self.plain:
            return own
        own = own.expand(len(self.scores), *own.shape[1:])
        if self.versus == NOTHING:
            return own
        if self.rivals is not None:
            return torch.where(_along(self._in_sets(), own), own - gather(values, self.rivals), own)
        own = own.clone()
        for owner, places in self._groups():
            members = values[:, list(self.sets[owner])]
            if self.versus == MEAN:
                rest = members.mean(1, keepdim=True)
            else:
                flat = members.reshape(*members.shape[:2], -1)
                rest = alternative_means(flat, self._of_set(owner), self._within(owner, places))
                rest = rest.reshape(*rest.shape[:2], *members.shape[2:])
            own[:, places] = own[:, places] - rest
        return own

    def directions(self) -> Tensor:
        """Write out the weights c of the raw scores, the derivatives of z: ``(B, k, A)``."""
        count, (batch, width) = len(self.owners), self.scores.shape
        one_hot = torch.nn.functional.one_hot(self.outputs, width).to(self.scores).expand(batch, count, width)
        if self.versus == NOTHING:
            return one_hot
        if self.rivals is not None:
            rival = torch.nn.functional.one_hot(self.rivals, width).to(self.scores)
            return torch.where(_along(self._in_sets(), one_hot), one_hot - rival, one_hot)
        directions = one_hot.clone()
        for owner, places in self._groups():
            columns = list(self.sets[owner])
            if self.versus == MEAN:
                weights = self.scores.new_full((batch, len(places), len(columns)), 1 / len(columns))
            else:
                weights = alternative_weights(self._of_set(owner), self._within(owner, places))
            rows = directions[:, places]
            rows[..., columns] -= weights
            directions[:, places] = rows
        return directions

    def places(self) -> Tensor:
        """Place of each explained output within its set, ``(B, k)``; -1 for outputs in no set."""
        result = torch.full((len(self.scores), len(self.owners)), -1, device=self.scores.device)
        for owner, places in self._groups():
            result[:, places] = self._within(owner, places)
        return result

    def _groups(self) -> list[tuple[str, list[int]]]:
        """The sets that are asked about, each with the places of its explained outputs."""
        places: dict[str, list[int]] = {}
        for place, owner in enumerate(self.owners):
            if owner is not None:
                places.setdefault(owner, []).append(place)
        return list(places.items())

    def _of_set(self, owner: str) -> Tensor:
        return self.scores[:, list(self.sets[owner])]

    def _within(self, owner: str, places: Sequence[int]) -> Tensor:
        """Places of explained outputs within their set, ``(n,)`` or ``(B, n)``."""
        columns = self.outputs[..., list(places)]
        members = torch.tensor(self.sets[owner], device=columns.device)
        return (columns[..., None] == members).int().argmax(-1)

    def _in_sets(self) -> Tensor:
        return torch.tensor([owner is not None for owner in self.owners], device=self.scores.device)

    def _where_defined(self, z: Tensor) -> Tensor:
        """Leave a question about a set undefined where any score of the set is NaN, as its log-odds are."""
        for owner, places in self._groups():
            unknown = self._of_set(owner).isnan().any(1, keepdim=True)
            z[:, places] = torch.where(unknown, torch.nan, z[:, places])
        return z


def gather(values: Tensor, columns: Tensor) -> Tensor:
    """Select columns ``(k,)`` or ``(B, k)`` of ``(B or 1, A, ...)``: a new tensor ``(B or 1, k, ...)``."""
    if columns.ndim == 1:
        return values[:, columns]
    if len(values) == 1:
        return values[0][columns]
    return values[torch.arange(len(values), device=columns.device)[:, None], columns]


def _along(mask: Tensor, values: Tensor) -> Tensor:
    """Shape a mask ``(k,)`` so that it is broadcast along the second axis of values."""
    return mask.reshape(1, -1, *[1] * (values.ndim - 2))


def check_versus(versus: str | None, one_of: Mapping[str, Sequence[str]], names: Sequence[str]) -> None:
    """Refuse a question that no output can be asked.

    Raises:
        InputError: There are no sets, or no question and no output in a set has this name.
    """
    if versus is None:
        return
    if not one_of:
        raise InputError(
            f"versus={versus!r} compares outputs of which exactly one is true, but none are stated; state them with "
            "one_of= (--one-of)"
        )
    members = [output for outputs in one_of.values() for output in outputs]
    if versus in VERSUS and versus in members:
        raise InputError(f"versus={versus!r} is a question, but also the name of an output; rename the output")
    if versus in VERSUS or versus in members:
        return
    if versus in names:
        raise InputError(f"versus={versus!r} is a yes-or-no attribute, in no set, so no output excludes it")
    raise InputError(f"versus={versus!r}{nearest(versus, (*VERSUS, *members))}")


def find_rivals(combination: Combination, rival: int | None) -> Tensor | None:
    """Find the outputs that a pairwise question compares with.

    Args:
        combination: The explained outputs; its ``versus`` is not yet applied.
        rival: Column of the output that is named, or None.

    Returns:
        ``(B, k)``; None if the question is not pairwise.

    Raises:
        InputError: In some image an explained output is the named one itself.
    """
    if combination.versus in (None, MEAN, NOTHING):
        return None
    batch = len(combination.scores)
    outputs = combination.outputs.expand(batch, -1).clone()
    for owner, places in combination._groups():  # noqa: SLF001
        own = outputs[:, places]
        if rival is not None:
            same = (own == rival).any(1)
            if bool(same.any()):
                image = int(same.nonzero()[0])
                raise InputError(
                    f"versus={combination.versus!r}: image {image} would be explained for this output itself; select "
                    "other outputs with attributes=, or ask versus='runner_up'"
                )
            outputs[:, places] = rival
            continue
        first, second = best_two(combination.scores, combination.sets[owner])
        outputs[:, places] = torch.where(own == first, second, first)
    return outputs


def best_two(scores: Tensor, columns: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Find the columns of the outputs of a set with the highest and the second highest score, each ``(B, 1)``."""
    members = torch.tensor(columns, device=scores.device)
    ordered = ranking(scores[:, members], 2)
    return members[ordered[:, :1]], members[ordered[:, 1:]]


def ranking(scores: Tensor, count: int) -> Tensor:
    """Order the outputs of a set by their scores, the first of equals first.

    Args:
        scores: ``(B, K)``.
        count: Number of places.

    Returns:
        ``(B, count)``, columns of ``scores``.

    >>> ranking(torch.tensor([[1.0, 3.0, 3.0]]), 2)
    tensor([[1, 2]])
    """
    return scores.nan_to_num(nan=-torch.inf).sort(dim=1, descending=True, stable=True).indices[:, :count]


def refuse_unknown_scores(versus: str | None, centred: bool) -> None:
    """Refuse raw CAMs of outputs whose scores before the softmax are not known.

    Raises:
        UnsupportedError: ``versus`` is ``nothing`` and the scores are only known up to what a set has in common.
    """
    if versus == NOTHING and centred:
        raise UnsupportedError(
            "versus='nothing' needs the scores before the softmax, but the model returns what is left after it, in "
            "which their common part has cancelled; ask versus='mean', or use the model without its softmax"
        )
