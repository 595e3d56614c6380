"""Explanations: maps for the explained side, and the additive decomposition behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from bincam import display
from bincam.cam import ledger as ledger_terms
from bincam.cam.explained import Explained
from bincam.cam.ledger import Ledger
from bincam.cam.listing import Position, first_rows, omitted_rows, size
from bincam.cam.map_reference import count_from
from bincam.cam.prediction_grid.grid import PredictionGrid, Reading
from bincam.cam.prediction_grid.reading import find_grid
from bincam.cam.reference import Reference
from bincam.errors import InputError
from bincam.references import MapReference
from bincam.resample import upsample

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDES = {1.0: "positive", -1.0: "negative"}
_IN_NOTEBOOK = 4  # attributes drawn where a notebook shows an explanation


@dataclass(frozen=True)
class Explanation(Explained):
    """Maps of B images and A attributes.

    Attributes:
        attributes: A names.
        logits: ``(B, A)``, z: of an output in a set, its log-odds against all others, or what ``versus`` asks for.
        side: ``(B, A)``, σ: +1 or -1; NaN where it is unknown.
        threshold: ``(A,)``, t in logit units.
        maps: ``(B, A, h, w)``, σS: evidence for the explained side, in logit units except for ``grad_cam_pp``,
            ``fullgrad`` that is not complete, and methods of pytorch-grad-cam. ``fullgrad``'s are ``(B, A, H, W)``.
        decomposition: The head's additive decomposition, whatever the method of the maps; None if the head has none.
        bias: ``(B, A)``, the constant that completes the maps: of the head, or for ``fullgrad`` of all layers without a
            grid; with a reference, and what the reference moves from the maps. None if there is no constant.
        method: Name of the method.
        layer: Name of the explained tensor.
        kind: Claim that the head permits.
        reason: Reason for ``kind``.
        complete: True if maps of this method, at this layer and under this head, add up: z = bias + prefix + ΣS.
        head: Meaning of the model's output, from which ``probability`` follows.
        image_size: ``(H, W)``.
        sets: Name of the set of each of the A outputs, of which exactly one is true; None for a yes-or-no attribute.
            Empty if there are no sets.
        versus: Question about outputs in sets, see ``Explainer``; None for log-odds.
        alternatives: ``(B, A)``, -H(π): what log-odds lose to the number of alternatives; 0 outside of sets and for
            other questions. None if there are no sets.
        odds: ``(B, A)``, log-odds, where ``versus`` asks for something else; else None.
        predicted: ``(B, A)``, booleans: the decision, in a set the output with the highest score. None if there are no
            sets; then z >= t decides.
        outputs: ``(B, A)``, columns of the explained outputs among ``names``, where they differ between images; the
            attributes then name ranks. Else None.
        rivals: ``(B, A)``, columns of the outputs that a pairwise question compares with; else None.
        names: Names of all outputs of the model, where ``outputs`` is given.
        scores: ``(B, all outputs)``, raw scores, from which sets are decided. None if there are no sets.
        members: Names of all outputs of each explained set, explained or not.
        pooling: Pooling of the head, see ``Anatomy``; empty if unknown.
        pooled_cells: Number of cells that the head pools; 0 if it pools no grid.
        pointwise: Whether the head can be applied to a single cell.
        grids: Prediction grids by reading, where ``Explainer(..., cells=True)`` has kept them.
        views: Number of views whose mean is explained; 0 for the images themselves.
        beyond: ``(B, A)``, of views: the part of the prefix that is evidence in cells beyond the image, for the
            positive class. None without views or a decomposition.
        reference: What the maps are counted from, see ``against``.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(
        ...     nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
        ... )
        >>> explanation = Explainer(model, names=["Smiling", "Bald"])(torch.rand(4, 3, 16, 16))
        >>> explanation.probability.shape, explanation.ledger().bias_share.shape
        (torch.Size([4, 2]), torch.Size([4, 2]))
        >>> [maps.shape for maps in explanation.upsampled((64, 64))][0]
        torch.Size([2, 64, 64])
    """

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        attributes = self.attributes[:_IN_NOTEBOOK]
        figure = self.plot(attributes=attributes)
        alt = f"Maps of image 0 for {', '.join(attributes)}"
        return self._table().html(picture=display.image(figure, alt))

    def _table(self) -> display.Table:
        shares = self.ledger().bias_share

        def cells(at: Position) -> tuple[str, ...]:
            in_set = self.set_of(at[1]) is not None
            return (
                display.cell(self.logits[at].item(), signed=True),
                display.NONE if in_set else display.cell(self.threshold[at[1]].item()),
                _SIDES.get(self.side[at].item(), display.NONE),
                display.cell(shares[at].item()),
            )

        def named(at: Position) -> str:
            probability = self.taken_with(*at)
            taken = "" if probability is None else f", taken with p = {display.cell(probability)}"
            output = self.output_names(at[0])[at[1]]
            rank = "" if self.outputs is None or self.set_of(at[1]) is None else f"{self.attributes[at[1]]}, "
            return f"{at[0]}, {rank}{output}{taken}"

        grid = " × ".join(str(length) for length in self.maps.shape[-2:])
        parts = ["maps", "constant"]
        parts += ["evidence beyond the image"] if self.beyond is not None else []
        parts += ["mean of all attributes"] if self.reference == "attribute_mean" else []
        parts += ["entropy of the alternatives"] if self.has_alternatives else []
        terms = f"{', '.join(parts[:-1])} and {parts[-1]}"
        adds_up = f"{terms} sum to the logit" if self.complete else "maps do not sum to the logit"
        asked = f"versus {self.versus}" if self.versus else ""
        counted = f"maps are counted from {self.reference}, bias shares from zero" if self.reference != "zero" else ""
        notes = (f"{self.kind}: {self.reason}", adds_up, asked, counted, omitted_rows(self.logits))
        return display.Table(
            f"Explanation of {size(self.attributes, self.logits)}: {self.method} at {self.layer}, maps of {grid} cells",
            ("image, attribute", "logit", "threshold", "explained", "bias share"),
            first_rows(self.attributes, self.logits, cells, named),
            "; ".join(filter(None, notes)),
        )

    def plot(
        self,
        images: Tensor | None = None,
        image: int = 0,
        attributes: Sequence[str] | None = None,
        *,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> Figure:
        """Draw the maps of one image, a panel per attribute.

        Args:
            images: The explained images ``(B, C, H, W)``, which an explanation does not keep; maps are drawn on them,
                on plain grey if None.
            image: Index of the image to draw.
            attributes: Attributes to draw, or sets with their outputs; None for the first ten.
            mean: Mean per channel with which the images were normalised, as on the model's card; None for 0.
            std: Standard deviation per channel; None for 1.

        Returns:
            The figure, which is not registered with pyplot. One attribute has one colour scale for all images of the
            explanation.

        Raises:
            InputError: An attribute or the image is not in the explanation, or ``images`` are not those explained or
                outside [0, 1] after the normalisation is undone.

        Example:
            >>> import torch
            >>> from torch import nn
            >>> from bincam import Explainer
            >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
            >>> images = torch.rand(4, 3, 16, 16)
            >>> figure = Explainer(model, names=["Smiling", "Bald"])(images).plot(images, image=2)
            >>> figure.savefig("explanation.png")  # doctest: +SKIP
        """
        return display.backend().plot_explanation(
            self, images=images, image=image, attributes=attributes, mean=mean, std=std
        )

    def against(self, reference: MapReference | Reference = "zero") -> Explanation:
        """Count the maps from a reference R: S' = S - R, with the constant b' = b + ΣR.

        Where the maps add up, they still do: z = b' + p + ΣS'. The ledger is not changed; it has references of its own.

        Args:
            reference: ``zero``: the maps as they are. A fitted ``Reference``, the same grid for every image: its
                ``midpoint`` lies between images with and without the attribute, its ``template`` is where images get
                evidence on average and sums to 0, so that b' = b. ``attribute_mean``: the mean of the evidence for all
                attributes of this explanation, image by image. The maps then sum to 0 over the attributes and explain
                by how much a logit exceeds their mean; what b' gains is no constant.

        Returns:
            The explanation with other maps and another constant.

        Raises:
            InputError: The reference is unknown, was fitted on other maps, or lacks an attribute; or there is one
                attribute, whose map is the mean itself.
            UnsupportedError: The method's maps leave out the evidence against a side; or ``attribute_mean`` is asked of
                outputs of a set, for which ``versus="mean"`` is the same question.

        Example:
            >>> import torch
            >>> from torch import nn
            >>> from bincam import Explainer
            >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
            >>> explainer, images = Explainer(model, names=["Smiling", "Bald"]), torch.rand(4, 3, 16, 16)
            >>> template = explainer.fit_reference([(images, torch.tensor([[0, 1]] * 4))], "template")
            >>> explained = explainer(images).against(template)
            >>> explained.reference, bool((explained.identity_gap.abs() < 1e-5).all())
            ('template', True)
        """
        return count_from(self, reference)

    def ledger(self, reference: Literal["zero", "floor"] | Reference = "zero") -> Ledger:
        """Sum the evidence for and against the explained side, relative to a reference.

        Args:
            reference: What counts as constant. ``zero``: the head's own constant. ``floor``: additionally the evidence
                that all cells of the image have in common. A fitted ``Reference``: additionally the evidence of its
                grid, which every image gets.

        Returns:
            The ledger; all NaN, with the reason, if the head has no additive decomposition.

        Raises:
            InputError: The reference is unknown, has another grid, or lacks one of these attributes.

        Example:
            >>> import torch
            >>> from torch import nn
            >>> from bincam import Explainer
            >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))
            >>> explanation = Explainer(model, names=["Smiling"])(torch.rand(4, 3, 16, 16))
            >>> bool((explanation.ledger().gap.abs() < 1e-5).all())
            True
        """
        name = reference.kind if isinstance(reference, Reference) else reference
        if isinstance(reference, Reference) and reference.method:
            raise InputError(
                f"the reference was fitted on maps of {reference.method} and the ledger decomposes the head; fit it "
                "with Explainer.fit_reference(..., of='head')"
            )
        if self.decomposition is None:
            nan = torch.full_like(self.logits, torch.nan)
            return ledger_terms.ledger(
                nan[..., None, None],
                nan,
                nan,
                self.logits,
                self.side,
                self.threshold,
                reference=name,
                alternatives=nan,
                reason=self.reason,
                attributes=self.attributes,
            )
        evidence, bias = self.decomposition.evidence, self.decomposition.bias
        if isinstance(reference, Reference):
            evidence, bias = ledger_terms.against(evidence, bias, self.reference_grid(reference))
        elif reference == "floor":
            evidence, bias = ledger_terms.floor(evidence, bias, self.side)
        elif reference != "zero":
            raise InputError(f"reference={reference!r}; expected 'zero', 'floor' or a fitted Reference")
        return ledger_terms.ledger(
            evidence,
            bias,
            self.decomposition.prefix,
            self.logits,
            self.side,
            self.threshold,
            alternatives=self.alternatives,
            reference=name,
            attributes=self.attributes,
        )

    def grid(self, reading: Reading | None = None, reference: Literal["zero"] | Reference = "zero") -> PredictionGrid:
        """Read what the head says of every single cell.

        Args:
            reading: ``frozen``, with a norm's statistics of the whole image: the mean of the cells is the logit.
                ``pointwise``, norm and head applied to each cell, which needs ``Explainer(..., cells=True)``. None for
                the one that the head permits, frozen where both do.
            reference: ``zero``, or a fitted reference, of which the midpoint takes the prior out of a cell's vote: the
                evidence that images of both labels get in a cell on average is spread over all cells alike.

        Returns:
            The cell scores, and what each cell says.

        Raises:
            UnsupportedError: The head pools no grid or a single cell, or does not permit this reading.
            InputError: The reading or reference is unknown, or the sides of a set's cells are not known.

        Example:
            >>> import torch
            >>> from torch import nn
            >>> from bincam import Explainer
            >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))
            >>> grid = Explainer(model, names=["Smiling"])(torch.rand(4, 3, 16, 16)).grid()
            >>> grid.yes.shape, bool((grid.gap.abs() < 1e-5).all())
            (torch.Size([4, 1, 14, 14]), True)
        """
        return find_grid(self, reading, reference)

    def upsample(self, size: tuple[int, int] | None = None) -> Tensor:
        """Upsample all maps to an image size, by default the explained one: ``(B, A, H, W)``.

        The result takes about A / 3 times the memory of the images; ``upsampled`` yields one image at a time.
        """
        return upsample(self.maps, size or self.image_size)

    def upsampled(self, size: tuple[int, int] | None = None) -> Iterator[Tensor]:
        """Yield the upsampled maps of one image at a time, ``(A, H, W)``, which bounds the memory."""
        for maps in self.maps:
            yield upsample(maps, size or self.image_size)
