"""The explainer: one forward pass for all attributes, and gradients only where the head does not determine them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from bincam.cam.batch import asked_batch, batch_evidence, batch_explanation, batch_maps
from bincam.cam.decompose import full_precision
from bincam.cam.explained import joined
from bincam.cam.explanation import Explanation
from bincam.cam.map_reference import refuse_unsigned
from bincam.cam.maps.native import kept_and_start
from bincam.cam.model.stated_model import StatedModel
from bincam.cam.reference import Reference, ReferenceFit
from bincam.cam.requests.combination import refuse_unknown_scores
from bincam.cam.requests.inputs import check_images
from bincam.cam.requests.request import Request, check_counts
from bincam.cam.requests.targets import Side
from bincam.cam.views.mean import explain_views, mean_scores
from bincam.cam.views.placed import PlacedViews
from bincam.errors import InputError, UnsupportedError
from bincam.models.anatomy import Anatomy
from bincam.references import ReferenceKind


class Explainer(StatedModel):
    """Evidence maps of any classifier: of yes-or-no attributes, and of outputs of which exactly one is true.

    The model is borrowed: it is in evaluation mode for the time of a call, no ``.grad`` is written, no hook remains,
    and modes and random state are restored, also after an exception. Wrappers of ``torch.compile`` and of parallel
    training are removed.

    Args:
        model: An ``AttributeClassifier``, any ``nn.Module``, a model's folder, or a timm name (with timm's weights).
        attributes: Outputs to explain, by name or column; None for all.
        names: Names of *all* outputs, in order, for a model without a card. Without ``names``, strings given as
            ``attributes`` are taken to name all outputs.
        method: A native method (``bincam.cam.METHODS``) or one of pytorch-grad-cam (``bincam.cam.BRIDGED``).
        layer: A submodule or its dotted name; ``"pre_activation"`` for the sum before the last activation; None for the
            tensor that is pooled.
        threshold: Decision threshold t in logit units: a number, one per name, or None for the card's (0 without a
            card).
        head: Meaning of the output, see ``bincam.models.heads``, for a model without a card.
        output: Index or key of the raw output if a model without a card returns several tensors; a list of them for a
            model with several heads, whose outputs are joined in this order.
        precision: ``fp32`` runs the model as it is; ``bf16`` runs it under autocast. Maps are summed in float32 in both
            cases.
        chunk: Number of attributes differentiated together where gradients over a whole grid are needed; None chooses
            by memory.
        channels_last: Pass images in channels-last order, which is faster for convolutions on CPUs.
        batch_size: Maximum number of images per forward pass; None for all. With 1 every image is run alone, which a
            model needs whose output for an image depends on the other images of its batch.
        one_of: Sets of outputs of which exactly one is true, by name, for a model without a card. Their logits are
            log-odds, their evidence is that against their alternatives, and the predicted output of a set is the one
            with the highest score.
        versus: Another question about outputs in sets: the name of an output or ``"runner_up"`` to compare with,
            ``"mean"`` of the set, or ``"nothing"`` for the raw CAM, which cannot be compared between outputs. None for
            log-odds against all others.
        top: Explain of each set only the outputs with the highest scores, this many; they differ between images.
        inputs: Function from images to all arguments of the model's forward, for a model with further inputs:
            ``lambda images: (images, meta)``. Tensors with a row per image are taken to belong to the images.
        cells: Apply the head to every cell too, for ``Explanation.grid``: its pointwise reading, and grids of sets of
            which not all outputs are explained. Each takes as long as the maps of all outputs.
        trunk: How the part of the network below the explained tensor runs: ``eager``, as it is; ``folded``, with batch
            normalisation folded into copies of the convolutions' weights; ``compiled``, folded and compiled by
            ``torch.compile`` for the first shape of batches that comes a second time. Whatever cannot be run in this
            way is run as it is, and a warning tells so. FullGrad and methods of pytorch-grad-cam are run as they are.

    Raises:
        InputError: The method, an attribute, the threshold or the layer is unknown, or an argument contradicts the
            card.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(
        ...     nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
        ... )
        >>> explainer = Explainer(model, names=["Smiling", "Bald"])
        >>> explanation = explainer(torch.rand(4, 3, 16, 16))
        >>> explanation.maps.shape, explanation.kind, explanation.complete
        (torch.Size([4, 2, 16, 16]), 'exact', True)

        The maps and the constant sum to the logit, up to rounding:

        >>> bool((explanation.identity_gap.abs() < 1e-5).all())
        True
    """

    def __call__(
        self,
        images: Tensor | PlacedViews,
        side: Side | Literal["any"] = "predicted",
        labels: Tensor | None = None,
        *,
        like: Explanation | None = None,
    ) -> Explanation:
        """Explain a batch.

        Args:
            images: ``(B, C, H, W)``, floating, as the model's forward takes them (``preprocess`` makes them). Or views
                of B images (``views_of`` makes them): then the mean of their raw scores is explained, and maps are laid
                back into the image's frame.
            side: Class to explain: ``predicted`` (z >= t counts as positive; of a set, the output with the highest
                score is positive and all others are negative), ``true``, ``positive`` or ``negative``. ``any`` is for
                methods that cannot distinguish the sides, and allows one attribute alone.
            labels: ``(B, A)`` for the selected attributes, for ``side="true"``. With ``top``, for all outputs; the true
                output of each set is then explained too.
            like: An explanation of as many images, of which these are changed copies: the same outputs are explained
                for the same sides, against the same rivals. ``side`` and ``labels`` have no effect then.

        Returns:
            The explanation, detached from any graph.

        Raises:
            InputError: The images, labels or outputs contradict what was stated.
            UnsupportedError: The method cannot answer this question about this model, or the model's output is not a
                function of one image: it is random, or depends on the other images of its batch.
        """
        if isinstance(images, PlacedViews):
            self._refuse_views(like)
            check_counts(len(images), labels, None)
            request = self._request(side, labels, None)
            return self._explain_views(images, side, request)
        check_images(images)
        return self._in_memory(len(images), lambda: self._explain(images, side, labels, like))

    def _explain(
        self, images: Tensor, side: Side | Literal["any"], labels: Tensor | None, like: Explanation | None
    ) -> Explanation:
        passes = self._rows(images)
        check_counts(len(images), labels if len(passes) > 1 else None, like)  # in one pass, their shape is checked
        if len(passes) > 1:

            def explained(rows: slice) -> Explanation:
                own = None if labels is None else labels[rows]
                return self._explain(images[rows], side, own, None if like is None else like.rows(rows))

            return joined(self._parts(passes, len(images), explained))
        return self._pass(side, images, partial(self._request, side, labels, like))

    def _explain_views(self, views: PlacedViews, side: Side | Literal["any"], request: Request) -> Explanation:
        def explain(images: Tensor, of_views: Request) -> Explanation:
            return self._pass(side, images, lambda: of_views)

        return explain_views(views, request, explain, self._scores, self.batch_size)

    def _pass(self, side: Side | Literal["any"], images: Tensor, ask: Callable[[], Request]) -> Explanation:
        """Explain a batch by one forward pass; before it, outputs may have no names to ask about."""
        with self._borrowed.running(images) as (moved, casting):
            cut = partial(kept_and_start, self.method, cells=self.cells)
            anatomy, passed = self._borrowed.resolved_pass(moved, casting, cut)
            batch, maps, constant = batch_maps(
                asked_batch(self._borrowed, moved, casting, anatomy, passed, ask()),
                self.method,
                self.method_name,
                side=side,
                chunk=self._chunk,
                cut=cut,
                other_layer=self._other_layer,
            )
            return batch_explanation(batch, self.method_name, maps, constant, cells=self.cells)

    def _request(self, side: Side | Literal["any"], labels: Tensor | None, like: Explanation | None) -> Request:
        refuse_unknown_scores(self.versus, self._borrowed.centred)
        if like is not None and like.views:
            raise UnsupportedError(
                "the explanation is of a mean over views, which a single image cannot be asked like; explain the image "
                "itself first"
            )
        return Request(self.selection, self.versus, self.top, "positive" if side == "any" else side, labels, like)

    def held(self) -> AbstractContextManager[None]:
        """Borrow the model for several calls, between which nobody writes to its weights.

        A call borrows the model for itself: it is in evaluation mode meanwhile, and is then as it was. This takes a
        look at all modules and weights, some hundredths of a call's time, which is spent once here.

        Example:
            >>> import torch
            >>> from torch import nn
            >>> from bincam import Explainer
            >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
            >>> explainer = Explainer(model, names=["Smiling", "Bald"])
            >>> with explainer.held():
            ...     [len(explainer(images).logits) for images in torch.rand(6, 3, 16, 16).split(4)]
            [4, 2]
            >>> model.training
            True
        """
        return self._borrowed.held()

    def logits(self, images: Tensor | PlacedViews, *, like: Explanation | None = None) -> Tensor:
        """Compute the explained scores without maps, to score changed images.

        Args:
            images: ``(B, C, H, W)``, or views, as for a call.
            like: as for a call.

        Returns:
            ``(B, A)``, z, as in the explanation of these images.

        Raises:
            InputError: The images or outputs contradict what was stated.
            UnsupportedError: The model's output is not a function of one image.

        Example:
            >>> import torch
            >>> from torch import nn
            >>> from bincam import Explainer
            >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
            >>> Explainer(model, ["Bald"], names=["Smiling", "Bald"]).logits(torch.rand(4, 3, 16, 16)).shape
            torch.Size([4, 1])
        """
        if isinstance(images, PlacedViews):
            self._refuse_views(like)
            mean = mean_scores(images, self._scores, self.batch_size)
            return self._request("predicted", None, None).combination(mean).explained()
        check_images(images)
        return self._in_memory(len(images), lambda: self._logits(images, like))

    def _logits(self, images: Tensor, like: Explanation | None) -> Tensor:
        passes = self._rows(images)
        if len(passes) > 1:

            def scored(rows: slice) -> Tensor:
                return self._logits(images[rows], None if like is None else like.rows(rows))

            return torch.cat(self._parts(passes, len(images), scored))
        scores = self._scores(images)
        return self._request("predicted", None, like).combination(scores).explained()

    def _scores(self, images: Tensor) -> Tensor:
        """Run the model once: raw scores of all outputs, ``(B, all outputs)``."""
        with self._borrowed.running(images) as (batch, casting):
            self._borrowed.check(batch)
            with casting:
                return full_precision(self._borrowed.cut_pass(batch)[0].detach())

    def fit_reference(
        self,
        loader: Iterable[tuple[Tensor | PlacedViews, Tensor]],
        kind: ReferenceKind = "midpoint",
        max_batches: int | None = None,
        *,
        of: Literal["head", "maps"] = "head",
    ) -> Reference:
        """Fit the evidence that images get on average, on other images than those to audit (the validation split).

        Args:
            loader: Batches of images, or of views as for a call, and labels ``(B, A)`` for the selected attributes;
                1, 0 or -1, NaN for unknown.
            kind: ``midpoint``, ``mean``, ``balanced_mean`` or ``template``, see ``Reference``.
            max_batches: Maximum number of batches to read.
            of: What is averaged. ``head``: the head's own evidence, for the ledger, and for maps that are this
                evidence. ``maps``: the maps of this explainer, for ``Explanation.against`` where they are not.

        Returns:
            The reference, for ``Explanation.ledger`` and ``Explanation.against``.

        Raises:
            InputError: The loader is empty, or ``of`` is unknown.
            UnsupportedError: The head has no additive decomposition, or of ``maps``, the method's maps leave out the
                evidence against a side.

        Example:
            >>> import torch
            >>> from torch import nn
            >>> from bincam import Explainer
            >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))
            >>> explainer = Explainer(model, names=["Smiling"])
            >>> images, labels = torch.rand(6, 3, 16, 16), torch.tensor([[0], [1]] * 3)
            >>> reference = explainer.fit_reference([(images, labels)])
            >>> reference.kind, reference.counts.tolist()
            ('midpoint', [[3, 3]])
            >>> explainer(images).ledger(reference).reference
            'midpoint'
        """
        if of not in ("head", "maps"):
            raise InputError(f"of={of!r}; expected 'head' or 'maps'")
        if of == "maps":
            refuse_unsigned(self.method_name)
            if self.top is not None:
                raise InputError("of='maps' needs the maps of all outputs, and top= explains some; leave it out")
        fit: ReferenceFit | None = None
        layer = ""
        for number, (images, labels) in enumerate(loader):
            if max_batches is not None and number >= max_batches:
                break
            if of == "maps":
                explained = self(images, "positive")
                layer, parts = explained.layer, iter([(slice(None), explained.maps)])
            else:
                parts = self._evidence(images)
            for rows, evidence in parts:
                fit = fit or ReferenceFit(self.selection.attributes)
                fit.add(evidence, labels[rows])
        if fit is None:
            raise InputError("a reference needs at least one batch of images with labels")
        found = fit.result(kind)
        return replace(found, method=self.method_name, layer=layer) if of == "maps" else found

    def _evidence(self, images: Tensor | PlacedViews) -> Iterator[tuple[slice, Tensor]]:
        """The rows of each pass, and all selected outputs' evidence for the positive class, ``(rows, A, h, w)``."""
        if isinstance(images, PlacedViews):
            self._refuse_views(None)
            every = Request(self.selection, self.versus, side="positive")
            terms = self._explain_views(images, "positive", every).decomposition
            if terms is None:
                raise UnsupportedError("no reference can be fitted: the head has no additive decomposition")
            yield slice(None), terms.evidence
            return
        for rows in self._rows(images):
            with self._borrowed.arguments.of_rows(rows, len(images)):
                evidence = batch_evidence(self._borrowed, images[rows], self._every)
            yield rows, evidence  # the model is given back before the caller goes on

    def _every(self) -> Request:
        """All selected outputs: with ``top``, references of all are needed."""
        refuse_unknown_scores(self.versus, self._borrowed.centred)
        return Request(self.selection, self.versus)

    def _other_layer(self, anatomy: Anatomy) -> str:
        """Say which layer to explain in place of one without gradient."""
        if self.layer is None:
            return "pass layer= with an earlier layer"
        default = Explainer(
            self.model,
            names=None if self.card else self.selection.names,
            head=None if self.card else self.head,
            output=self._borrowed.output,
            channels_last=self._borrowed.channels_last,
            batch_size=self.batch_size,
            one_of=None if self.card else self._borrowed.one_of,
            inputs=self._borrowed.arguments.inputs,
            trunk=self._borrowed.trunk,
        )
        try:
            return f"use layer={default.anatomy(self._borrowed.explained_size).layer.name!r}"
        except UnsupportedError:
            return f"pass a layer before {anatomy.layer.name!r}"
