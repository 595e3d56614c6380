"""The explainer: one forward pass for all attributes, and only as much gradient as the head leaves open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from bincam.cam import bridge, fullgrad
from bincam.cam.decompose import Decomposition, decompose, full_precision
from bincam.cam.evidence import Pass, evidence
from bincam.cam.explanation import Explanation
from bincam.cam.inputs import check_images
from bincam.cam.methods import Method, find
from bincam.cam.reference import Reference, ReferenceFit
from bincam.cam.selection import Selection, select
from bincam.cam.targets import Side, sides
from bincam.errors import InputError, UnsupportedError, nearest
from bincam.models.anatomy import Anatomy, resolve
from bincam.models.borrow import evaluating, fingerprint, outside_grad_modes, own_rng, unwrap
from bincam.models.card import Card
from bincam.models.classifier import AttributeClassifier
from bincam.models.heads import Head, check_probabilities, check_taken_back, logits_of, select_output
from bincam.models.open import open_model
from bincam.models.preprocess import preprocess
from bincam.models.trace import Cut
from bincam.references import ReferenceKind

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from PIL.Image import Image

Precision = Literal["fp32", "bf16"]


class Explainer:
    """Evidence maps of any classifier with one or many binary outputs.

    The model is borrowed: it is put in evaluation mode for the time of a call, no ``.grad`` is written, no hook stays,
    and modes and random state come back, also on errors. ``torch.compile`` and parallel wrappers are opened.

    Args:
        model: An ``AttributeClassifier``, any ``nn.Module``, a model's folder, or a timm name (with timm's weights).
        attributes: Which outputs to explain, by name or column; None for all.
        names: Names of *all* outputs, in order, for a model without a card. Where it is None, names given as
            ``attributes`` are taken to be all of them.
        method: A native method (``bincam.cam.METHODS``) or one that pytorch-grad-cam runs (``bincam.cam.BRIDGED``).
        layer: A submodule or its dotted name; ``"pre_activation"`` for the sum before the last activation; None for the
            tensor that is pooled.
        threshold: Decision threshold t in logit units: a number, one per name, or None for the card's, else 0.
        head: What the output means, see ``bincam.models.heads``; a card says it itself.
        output: Which of several returned tensors; a card says it itself.
        precision: ``fp32`` runs the model as it is; ``bf16`` under autocast. Maps are summed in float32 either way.
        chunk: Attributes differentiated at a time where gradients over a whole grid are needed; None chooses by memory.
        channels_last: Give the model its images in channels-last order, which convolutions on CPUs prefer.

    Raises:
        InputError: An unknown method, attribute, threshold or layer, or statements that contradict the card.
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
    ) -> None:
        given = open_model(model) if isinstance(model, (str, Path)) else model
        self.model = unwrap(given)
        self.card: Card | None = self.model.card if isinstance(self.model, AttributeClassifier) else None
        if self.card is not None and (head or output is not None or names):
            raise InputError("the model has a card, which states names, head and output; leave them out")
        self.head: Head = head or "logits"
        self._output = output
        self.method: Method | None = None if method in bridge.BRIDGED else find(method, tuple(bridge.BRIDGED))
        self.method_name = method
        self.layer = layer
        if precision not in ("fp32", "bf16"):
            raise InputError(f"precision={precision!r}; expected 'fp32' or 'bf16'")
        self.precision = precision
        if chunk is not None and chunk < 1:
            raise InputError(f"chunk={chunk}; at least one attribute is differentiated at a time")
        self._chunk = chunk
        self._channels_last = channels_last
        self._anatomies: dict[tuple[int, int], tuple[int, Anatomy]] = {}  # by input size, with the weights' fingerprint
        self._wanted = attributes
        self._threshold = threshold
        self._selection: Selection | None = None
        all_names = self.card.attributes if self.card else names
        if all_names is None and attributes and all(isinstance(a, str) for a in attributes):
            all_names = [str(a) for a in attributes]
        if all_names is not None:
            self._select(all_names)
        if isinstance(layer, str) and layer != "pre_activation":
            known = [name for name, _ in self.model.named_modules() if name]
            if layer not in known:
                raise InputError(f"no layer {layer!r} in this model{nearest(layer, known)}")

    def _select(self, names: Sequence[str]) -> Selection:
        of_card = self.card.thresholds if self.card else {}
        self._selection = select(names, self._wanted, self._threshold, of_card)
        return self._selection

    @property
    def selection(self) -> Selection:
        """The explained attributes with their columns and thresholds.

        Raises:
            InputError: Nobody has named the outputs, and no image has yet shown how many there are.
        """
        if self._selection is None:
            raise InputError("the outputs are not named; give names=, or explain a batch first to number them")
        return self._selection

    def __call__(
        self, images: Tensor, side: Side | Literal["any"] = "predicted", labels: Tensor | None = None
    ) -> Explanation:
        """Explain a batch.

        Args:
            images: ``(B, C, H, W)``, floating, as the model's forward takes them (``preprocess`` makes them).
            side: Which class to explain: ``predicted`` (z >= t counts as positive), ``true``, ``positive`` or
                ``negative``. ``any`` is for methods that know no side, and for one attribute alone.
            labels: ``(B, A)`` for the selected attributes, for ``side="true"``.

        Returns:
            The explanation, detached from any graph.

        Raises:
            InputError: Images, labels or outputs that cannot be what was stated.
            UnsupportedError: The method cannot answer this question about this model.
        """
        with self._borrowed(images) as (batch, running):
            anatomy = self._anatomy(batch)
            with running:
                passed = self._forward(batch, anatomy, *self._places(anatomy))
            selection = self.selection
            columns = torch.tensor(selection.columns, device=batch.device)
            logits = passed.logits[:, columns]
            detached = full_precision(logits.detach())
            threshold = selection.thresholds.to(detached)
            asked: Side = "positive" if side == "any" else side
            sigma = sides(detached, asked, threshold, labels)
            account = decompose(anatomy, passed.kept, columns) if anatomy.decomposes else None
            constant = account.bias if account else None
            if self.method is None:
                question = bridge.Question(side, selection, detached, sigma)
                with running:
                    maps = bridge.run(self.model, self._read, batch, anatomy, self.method_name, question)
            elif side == "any":
                raise UnsupportedError(f"{self.method_name} knows which side it explains; ask for one")
            elif self.method.name == "fullgrad":
                with running:
                    placed, constant = fullgrad.maps(self.model, self._read, batch, columns)
                maps = sigma[..., None, None] * placed
            else:
                maps = sigma[..., None, None] * self._evidence(anatomy, passed, sigma, columns, account)
            return Explanation(
                attributes=selection.attributes,
                logits=detached,
                side=sigma,
                threshold=threshold,
                maps=maps,
                decomposition=account,
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
        """The selected attributes' logits without any map, for scoring changed images.

        Args:
            images: ``(B, C, H, W)``, as for a call.

        Returns:
            ``(B, A)``, z, as an explanation of these images has them.

        Raises:
            InputError: Images or outputs that cannot be what was stated.
        """
        with self._borrowed(images) as (batch, running):
            with running:
                scores = self._checked_read(self.model(batch))
            return full_precision(scores[:, torch.tensor(self.selection.columns, device=batch.device)])

    def anatomy(self, size: tuple[int, int]) -> Anatomy:
        """What was found out about the model at an input size ``(H, W)``.

        Raises:
            UnsupportedError: The structure cannot be told, with what to pass.
        """
        parameter = next((p for p in self.model.parameters() if p.is_floating_point()), torch.empty(0))
        channels = len(self.card.mean) if self.card else 3
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(1, channels, *size, generator=generator).to(parameter)
        with self._borrowed(images) as (batch, _):
            return self._anatomy(batch)

    def preprocess(self, image: Image, landmarks: ArrayLike | None = None) -> Tensor:
        """A PIL image to one input ``(C, H, W)``, as the model's card says.

        Args:
            image: RGB.
            landmarks: ``(5, 2)``, where the card's ``fit`` is ``face``.

        Raises:
            InputError: The model has no card, or its face crop no landmarks.
        """
        if self.card is None:
            raise InputError("without a card nobody has said which size, mean and std this model takes")
        return preprocess(image, self.card, landmarks)

    def fit_reference(
        self, loader: Iterable[tuple[Tensor, Tensor]], kind: ReferenceKind = "midpoint", max_batches: int | None = None
    ) -> Reference:
        """Fit what every image gets, on a data set that is not the one to be audited (the validation split).

        Args:
            loader: Batches of images and labels ``(B, A)`` for the selected attributes; 1, 0 or -1, NaN for unknown.
            kind: ``midpoint``, ``mean`` or ``balanced_mean``, see ``Reference``.
            max_batches: Stop after so many.

        Returns:
            The reference, for ``Explanation.ledger``.

        Raises:
            UnsupportedError: The head has no decomposition.
        """
        fit: ReferenceFit | None = None
        for number, (images, labels) in enumerate(loader):
            if max_batches is not None and number >= max_batches:
                break
            with self._borrowed(images) as (batch, running):
                anatomy = self._anatomy(batch)
                if not anatomy.decomposes:
                    raise UnsupportedError(f"no reference can be fitted: {anatomy.reason}")
                with running:
                    passed = self._forward(batch, anatomy, True, None)
                columns = torch.tensor(self.selection.columns, device=batch.device)
                account = decompose(anatomy, passed.kept, columns)
            fit = fit or ReferenceFit(self.selection.attributes)
            fit.add(account.evidence, labels)
        if fit is None:
            raise InputError("a reference needs at least one batch of images with labels")
        return fit.result(kind)

    @contextmanager
    def _borrowed(self, images: Tensor) -> Iterator[tuple[Tensor, torch.autocast]]:
        """The images, checked and moved to the model, while the model is in evaluation mode.

        With them comes the precision to run the model in: what was asked for, or what the caller's own autocast says.
        Outside of it nothing is cast, so that maps are summed in full precision.
        """
        check_images(images)
        device = self._device(images)
        cast = self.precision == "bf16" or torch.is_autocast_enabled(device.type)
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.get_autocast_dtype(device.type)
        running = torch.autocast(device.type, dtype=dtype, enabled=cast)
        full = torch.autocast(device.type, enabled=False)
        with evaluating(self.model), own_rng(device), outside_grad_modes(), full:
            yield self._on_model(images), running

    def _device(self, images: Tensor) -> torch.device:
        parameter = next(self.model.parameters(), None)
        return images.device if parameter is None else parameter.device

    def _on_model(self, images: Tensor) -> Tensor:
        parameter = next((p for p in self.model.parameters() if p.is_floating_point()), None)
        batch = images.detach()
        if batch.is_inference():
            batch = batch.clone()  # made in inference mode it could not enter a graph
        if parameter is not None:
            batch = batch.to(parameter.device, parameter.dtype)
        return batch.contiguous(memory_format=torch.channels_last) if self._channels_last else batch

    def _read(self, raw: Any) -> Tensor:
        """What the model returned, as logits of all outputs."""
        tensor = select_output(raw, self._output)
        if self._selection is None:
            single = tensor.ndim == 1 or (self.head == "two_logits" and tensor.ndim == 2)
            self._select([str(column) for column in range(1 if single else tensor.shape[1])])
        return logits_of(tensor, self.head, len(self.selection.names), len(tensor))

    def _checked_read(self, raw: Any) -> Tensor:
        if self.head == "probabilities":
            check_probabilities(select_output(raw, self._output))
        elif self.card is not None and self.card.head == "probabilities":
            check_taken_back(raw)
        return self._read(raw)

    def _anatomy(self, batch: Tensor) -> Anatomy:
        size = (int(batch.shape[2]), int(batch.shape[3]))
        weights = fingerprint(self.model)
        known = self._anatomies.get(size)
        if known is None or known[0] != weights:
            generator = torch.Generator().manual_seed(0)  # values that no dead unit is dead for
            probe = torch.randn(batch[:1].shape, generator=generator).to(batch)
            if self._channels_last:
                probe = probe.contiguous(memory_format=torch.channels_last)
            known = (weights, resolve(self.model, probe, self._read, self.layer))
            self._anatomies[size] = known
        return known[1]

    def _places(self, anatomy: Anatomy) -> tuple[bool, Literal["vector", "layer"] | None]:
        """Whether to keep what the head pools, and where the gradient has to start."""
        method = self.method
        keep = anatomy.pooled is not None and (anatomy.decomposes or anatomy.pooling == "mean")
        if method is None or method.name in ("cam", "fullgrad"):
            return keep, None
        if anatomy.at_pooled and anatomy.kind == "exact":
            return keep, None
        if anatomy.at_pooled and anatomy.pooling == "mean" and anatomy.vector is not None:
            return keep, "vector"
        return keep, "layer"

    def _forward(self, batch: Tensor, anatomy: Anatomy, keep: bool, start: Literal["vector", "layer"] | None) -> Pass:
        keeping = anatomy.pooled.place if keep and anatomy.pooled is not None else None
        starting = {"vector": anatomy.vector, "layer": anatomy.layer.place, None: None}[start]
        cut = Cut(keeping, starting)
        with torch.no_grad(), cut:  # the cut turns gradients on where it starts; leaving no_grad restores them
            raw = self.model(batch)
            logits = self._checked_read(raw)
        if len(logits) != len(batch):
            raise InputError(f"the model returned logits for {len(logits)} images, but was given {len(batch)}")
        return Pass(logits, cut.kept, cut.leaf)

    def _evidence(
        self, anatomy: Anatomy, passed: Pass, sigma: Tensor, columns: Tensor, account: Decomposition | None
    ) -> Tensor:
        """S ``(B, A, h, w)`` by a native method at one layer."""
        assert self.method is not None
        if self.method.name == "cam":
            if account is None:
                raise UnsupportedError(
                    f"cam needs a head that says what every cell contributes, but {anatomy.reason}; use another method"
                )
            return account.evidence
        assert self.method.function is not None
        found = evidence(self.method.function, anatomy, passed, sigma, columns, self._chunk)
        if found is None:
            raise InputError(
                f"the gradient at layer {anatomy.layer.name!r} is zero in every cell of every image: nothing of it "
                f"reaches the logits (above the last attention only the class token does); " + self._instead(anatomy)
            )
        return found

    def _instead(self, anatomy: Anatomy) -> str:
        if self.layer is None:
            return "pass layer= with an earlier layer"
        size = next(iter(self._anatomies))
        default = Explainer(
            self.model,
            names=None if self.card else self.selection.names,
            head=None if self.card else self.head,
            output=self._output,
            channels_last=self._channels_last,
        )
        try:
            return f"use layer={default.anatomy(size).layer.name!r}"
        except UnsupportedError:
            return f"pass a layer before {anatomy.layer.name!r}"

    def _completes(self, anatomy: Anatomy, batch: Tensor) -> bool:
        """Whether the maps, the prefix and the bias sum to the logit, by method, layer, pooling and head."""
        name = self.method_name
        if name == "cam":
            return anatomy.decomposes
        if name == "fullgrad":
            return fullgrad.completes(self.model, self._read, batch[:1])
        if anatomy.kind != "exact":
            return False
        if anatomy.pre_activation:
            return name in ("hirescam", "xgrad_cam") and anatomy.rectified
        if name in ("hirescam", "xgrad_cam"):  # XGrad-CAM's weights are made to keep HiResCAM's sum
            return anatomy.at_pooled
        return name == "grad_cam" and anatomy.at_pooled and anatomy.pooling == "mean"
