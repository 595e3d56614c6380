"""The explainer: one forward pass for all attributes, and gradients only where the head does not determine them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor, nn

from bincam.cam import bridge, fullgrad
from bincam.cam.borrowed_model import BorrowedModel, Precision, Start
from bincam.cam.decompose import Decomposition, decompose, full_precision
from bincam.cam.evidence import Pass, evidence
from bincam.cam.explanation import Explanation, joined
from bincam.cam.inputs import check_images
from bincam.cam.lost_gradient import lost_gradients
from bincam.cam.methods import Method, find
from bincam.cam.reference import Reference, ReferenceFit
from bincam.cam.selection import Selection, select
from bincam.cam.targets import Side, sides
from bincam.errors import InputError, UnsupportedError, nearest
from bincam.models.anatomy import Anatomy
from bincam.models.card import Card
from bincam.models.gradient_modes import lost_gradient
from bincam.models.heads import Head
from bincam.models.open import open_model
from bincam.models.preprocess import preprocess
from bincam.references import ReferenceKind

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from PIL.Image import Image


class Explainer:
    """Evidence maps of any classifier with one or many binary outputs.

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
        output: Index or key of the raw output if a model without a card returns several tensors.
        precision: ``fp32`` runs the model as it is; ``bf16`` runs it under autocast. Maps are summed in float32 in both
            cases.
        chunk: Number of attributes differentiated together where gradients over a whole grid are needed; None chooses
            by memory.
        channels_last: Pass images in channels-last order, which is faster for convolutions on CPUs.
        batch_size: Maximum number of images per forward pass; None for all. With 1 every image is run alone, which a
            model needs whose output for an image depends on the other images of its batch.

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

    def __init__(
        self,
        model: nn.Module | str | Path,
        attributes: Sequence[str | int] | None = None,
        *,
        names: Sequence[str] | None = None,
        method: str = "grad_cam",
        layer: str | nn.Module | None = None,
        threshold: float | Mapping[str, float] | None = None,
        head: Head | None = None,
        output: str | int | None = None,
        precision: Precision = "fp32",
        chunk: int | None = None,
        channels_last: bool = True,
        batch_size: int | None = None,
    ) -> None:
        self.head: Head = head or "logits"
        self.method: Method | None = None if method in bridge.BRIDGED else find(method, tuple(bridge.BRIDGED))
        self.method_name = method
        self.layer = layer
        if precision not in get_args(Precision):
            raise InputError(f"precision={precision!r}; expected 'fp32' or 'bf16'")
        self.precision = precision
        if chunk is not None and chunk < 1:
            raise InputError(f"chunk={chunk}; expected at least 1 attribute")
        self._chunk = chunk
        if batch_size is not None and batch_size < 1:
            raise InputError(f"batch_size={batch_size}; expected at least 1 image")
        self.batch_size = batch_size
        self._borrowed = BorrowedModel(
            open_model(model) if isinstance(model, (str, Path)) else model,
            names,
            layer=layer,
            head=self.head,
            output=output,
            precision=precision,
            channels_last=channels_last,
            alone=batch_size == 1,
        )
        self.model = self._borrowed.module
        self.card: Card | None = self._borrowed.card
        if self.card is not None and (head or output is not None or names):
            raise InputError("the model has a card, which states names, head and output; omit these arguments")
        if self._borrowed.names is None and attributes and all(isinstance(a, str) for a in attributes):
            self._borrowed.names = tuple(str(a) for a in attributes)
        self._wanted = attributes
        self._threshold = threshold
        self._selection: Selection | None = None
        if self._borrowed.names is not None:
            self._selection = self._select(self._borrowed.names)
        if isinstance(layer, str) and layer != "pre_activation":
            layers = [name for name, _ in self.model.named_modules() if name]
            if layer not in layers:
                raise InputError(f"no layer {layer!r} in this model{nearest(layer, layers)}")

    def _select(self, names: Sequence[str]) -> Selection:
        card_thresholds = self.card.thresholds if self.card else {}
        return select(names, self._wanted, self._threshold, card_thresholds)

    @property
    def selection(self) -> Selection:
        """The explained attributes with their columns and thresholds.

        Raises:
            InputError: The outputs have no names, and their number is unknown before the first batch.
        """
        if self._selection is None:
            if self._borrowed.names is None:
                raise InputError("the outputs have no names; pass names=, or explain a batch first to number them")
            self._selection = self._select(self._borrowed.names)
        return self._selection

    def __call__(
        self, images: Tensor, side: Side | Literal["any"] = "predicted", labels: Tensor | None = None
    ) -> Explanation:
        """Explain a batch.

        Args:
            images: ``(B, C, H, W)``, floating, as the model's forward takes them (``preprocess`` makes them).
            side: Class to explain: ``predicted`` (z >= t counts as positive), ``true``, ``positive`` or ``negative``.
                ``any`` is for methods that cannot distinguish the sides, and allows one attribute alone.
            labels: ``(B, A)`` for the selected attributes, for ``side="true"``.

        Returns:
            The explanation, detached from any graph.

        Raises:
            InputError: The images, labels or outputs contradict what was stated.
            UnsupportedError: The method cannot answer this question about this model, or the model's output is not a
                function of one image: it is random, or depends on the other images of its batch.
        """
        check_images(images)
        if self._divides(images):
            if labels is not None and len(labels) != len(images):
                raise InputError(f"there are labels of {len(labels)} images, but {len(images)} images")
            parts = [
                self(images[rows], side, None if labels is None else labels[rows]) for rows in self._rows(len(images))
            ]
            return joined(parts)
        with self._borrowed.running(images) as (batch, casting):
            anatomy, passed = self._borrowed.resolved_pass(batch, casting, self._cut)
            selection = self.selection
            columns = torch.tensor(selection.columns, device=batch.device)
            logits = full_precision(passed.logits[:, columns].detach())
            threshold = selection.thresholds.to(logits)
            explained: Side = "positive" if side == "any" else side
            sigma = sides(logits, explained, threshold, labels)
            decomposition = decompose(anatomy, passed.kept, columns) if anatomy.decomposes else None
            constant = decomposition.bias if decomposition else None
            if self.method is None:
                question = bridge.Question(side, selection, logits, sigma)
                # In full precision: pytorch-grad-cam converts activations to numpy, which has little half precision.
                maps = bridge.run(self.model, self._borrowed.read, batch, anatomy, self.method_name, question)
            elif side == "any":
                raise UnsupportedError(f"{self.method_name} distinguishes the sides; ask for one of them")
            elif self.method.name == "fullgrad":
                with casting:
                    located, constant = fullgrad.maps(self.model, self._borrowed.read, batch, columns)
                maps = sigma[..., None, None] * located
            else:
                signed = self._evidence(anatomy, passed, sigma, columns, decomposition, batch)
                if signed is None:  # gradients pass what the model detaches
                    anatomy = self._borrowed.open_stops(batch)
                    with casting:
                        passed = self._borrowed.forward(batch, anatomy, *self._cut(anatomy))
                    signed = self._evidence(anatomy, passed, sigma, columns, decomposition, batch)
                    assert signed is not None
                maps = sigma[..., None, None] * signed
            return Explanation(
                attributes=selection.attributes,
                logits=logits,
                side=sigma,
                threshold=threshold,
                maps=maps,
                decomposition=decomposition,
                bias=constant,
                method=self.method_name,
                layer="input" if self.method_name == "fullgrad" else anatomy.layer.name,
                kind=anatomy.kind,
                reason=anatomy.reason,
                complete=self._completes(anatomy, batch),
                head=self.head if self.card is None else self.card.head,
                image_size=(int(batch.shape[2]), int(batch.shape[3])),
            )

    def logits(self, images: Tensor) -> Tensor:
        """Compute the selected attributes' logits without maps, to score changed images.

        Args:
            images: ``(B, C, H, W)``, as for a call.

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
        check_images(images)
        if self._divides(images):
            return torch.cat([self.logits(images[rows]) for rows in self._rows(len(images))])
        with self._borrowed.running(images) as (batch, casting):
            self._borrowed.check(batch)
            with casting:
                scores = self._borrowed.checked_read(self.model(batch))
            return full_precision(scores[:, torch.tensor(self.selection.columns, device=batch.device)])

    def anatomy(self, size: tuple[int, int]) -> Anatomy:
        """Resolve the structure of the model's head at an input size ``(H, W)``.

        Raises:
            UnsupportedError: The structure cannot be determined; the message names the argument to pass.

        Example:
            >>> from torch import nn
            >>> from bincam import Explainer
            >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
            >>> anatomy = Explainer(model).anatomy((16, 16))
            >>> anatomy.kind, anatomy.pooling, anatomy.layer.name
            ('exact', 'mean', '0')
        """
        with self._borrowed.running(self._borrowed.probe(size)) as (batch, _):
            return self._borrowed.anatomy(batch)

    def preprocess(self, image: Image, landmarks: ArrayLike | None = None) -> Tensor:
        """Convert a PIL image to one input ``(C, H, W)``, as the model's card states.

        Args:
            image: RGB.
            landmarks: ``(5, 2)``, where the card's ``fit`` is ``face``.

        Raises:
            InputError: The model has no card, or landmarks are missing.
        """
        if self.card is None:
            raise InputError("this model has no card, so its input size, mean and std are unknown")
        return preprocess(image, self.card, landmarks)

    def fit_reference(
        self, loader: Iterable[tuple[Tensor, Tensor]], kind: ReferenceKind = "midpoint", max_batches: int | None = None
    ) -> Reference:
        """Fit the evidence that images get on average, on other images than those to audit (the validation split).

        Args:
            loader: Batches of images and labels ``(B, A)`` for the selected attributes; 1, 0 or -1, NaN for unknown.
            kind: ``midpoint``, ``mean`` or ``balanced_mean``, see ``Reference``.
            max_batches: Maximum number of batches to read.

        Returns:
            The reference, for ``Explanation.ledger``.

        Raises:
            InputError: The loader is empty.
            UnsupportedError: The head has no additive decomposition.

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
        fit: ReferenceFit | None = None
        for number, (images, labels) in enumerate(loader):
            if max_batches is not None and number >= max_batches:
                break
            for rows in self._rows(len(images)):
                with self._borrowed.running(images[rows]) as (batch, casting):
                    anatomy = self._borrowed.anatomy(batch)
                    if not anatomy.decomposes:
                        raise UnsupportedError(f"no reference can be fitted: {anatomy.reason}")
                    anatomy, passed = self._borrowed.resolved_pass(batch, casting, lambda _: (True, None))
                    columns = torch.tensor(self.selection.columns, device=batch.device)
                    decomposition = decompose(anatomy, passed.kept, columns)
                fit = fit or ReferenceFit(self.selection.attributes)
                fit.add(decomposition.evidence, labels[rows])
        if fit is None:
            raise InputError("a reference needs at least one batch of images with labels")
        return fit.result(kind)

    @contextmanager
    def unchecked(self) -> Iterator[None]:
        """Do not check meanwhile that the model's output is a function of one image.

        For copies of a checked model with other weights.
        """
        checking, self._borrowed.checking = self._borrowed.checking, False
        try:
            yield
        finally:
            self._borrowed.checking = checking

    def _divides(self, images: Tensor) -> bool:
        return self.batch_size is not None and len(images) > self.batch_size

    def _rows(self, count: int) -> list[slice]:
        """The rows of each forward pass."""
        size = max(1, self.batch_size or count)
        return [slice(begin, begin + size) for begin in range(0, count, size)] or [slice(None)]

    def _cut(self, anatomy: Anatomy) -> tuple[bool, Start]:
        """Decide whether to keep the tensors that the head pools, and where the gradient has to start."""
        method = self.method
        keep = anatomy.pooled is not None and (anatomy.decomposes or anatomy.pooling == "mean")
        if method is None or method.name in ("cam", "fullgrad"):
            return keep, None
        if anatomy.at_pooled and anatomy.kind == "exact":
            return keep, None
        if anatomy.at_pooled and anatomy.pooling == "mean" and anatomy.vector is not None:
            return keep, "vector"
        return keep, "layer"

    def _evidence(
        self,
        anatomy: Anatomy,
        passed: Pass,
        sigma: Tensor,
        columns: Tensor,
        decomposition: Decomposition | None,
        batch: Tensor,
    ) -> Tensor | None:
        """Compute S ``(B, A, h, w)`` by a native method at one layer; None if the graph ends where it may be opened."""
        assert self.method is not None
        if self.method.name == "cam":
            if decomposition is None:
                raise UnsupportedError(
                    f"cam needs a head with an additive decomposition, but {anatomy.reason}; use another method"
                )
            return decomposition.evidence
        assert self.method.function is not None
        signed = evidence(self.method.function, anatomy, passed, sigma, columns, self._chunk)
        zero = torch.ones_like(columns, dtype=torch.bool) if signed is None else ~signed.flatten(2).any(-1).any(0)
        if passed.leaf is not None and bool(zero.any()):
            _, start = self._cut(anatomy)
            lost = lost_gradients(self._borrowed, batch, anatomy, start, passed, columns[zero])
            if lost is not None and not anatomy.open_stops:
                return None
            if lost is not None:
                raise UnsupportedError(f"layer {anatomy.layer.name!r} has no map: {lost_gradient(self.model, lost)}")
        if signed is None:
            raise InputError(
                f"the gradient at layer {anatomy.layer.name!r} is zero in every cell of every image: nothing of it "
                f"reaches the logits (above the last attention only the class token does); {self._other_layer(anatomy)}"
            )
        return signed

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
        )
        try:
            return f"use layer={default.anatomy(self._borrowed.explained_size).layer.name!r}"
        except UnsupportedError:
            return f"pass a layer before {anatomy.layer.name!r}"

    def _completes(self, anatomy: Anatomy, batch: Tensor) -> bool:
        """Decide by method, layer, pooling and head whether maps, prefix and bias sum to the logit."""
        name = self.method_name
        if name == "cam":
            return anatomy.decomposes
        if name == "fullgrad":
            return fullgrad.completes(self.model, self._borrowed.read, batch[:1])
        if anatomy.kind != "exact":
            return False
        if anatomy.pre_activation:
            return name in ("hirescam", "xgrad_cam") and anatomy.rectified
        if name in ("hirescam", "xgrad_cam"):  # XGrad-CAM's weights are chosen so that its sum is HiResCAM's
            return anatomy.at_pooled
        return name == "grad_cam" and anatomy.at_pooled and anatomy.pooling == "mean"
