"""A model with what is stated of it and asked of it in every call: outputs, thresholds, method and layer."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, get_args

from torch import Tensor, nn

from bincam.cam.maps import bridge
from bincam.cam.maps.methods import Method, find
from bincam.cam.model.borrowed_model import BorrowedModel
from bincam.cam.model.read_model import Precision
from bincam.cam.requests.inputs import Inputs
from bincam.cam.requests.request import select_asked
from bincam.cam.requests.selection import Selection
from bincam.cam.views.mean import refuse_views
from bincam.cam.views.placed import PlacedViews
from bincam.errors import BincamWarning, InputError, UnsupportedError, nearest, out_of_memory
from bincam.models.anatomy import Anatomy
from bincam.models.card import Card
from bincam.models.heads import Head, Output, check_head
from bincam.models.open import open_model
from bincam.models.preprocess import preprocess
from bincam.models.trunk.trunk import TRUNKS, TrunkKind, TrunkState

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from PIL.Image import Image

    from bincam.cam.explanation import Explanation
    from bincam.inference.zoom.batches import Source
    from bincam.inference.zoom.plan import Plan

_Part = TypeVar("_Part")


class StatedModel:
    """What an ``Explainer`` knows before it runs the model; its arguments are documented there.

    Raises:
        InputError: The method, an attribute, the threshold or the layer is unknown, or an argument contradicts the
            card.
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
        output: Output = None,
        precision: Precision = "fp32",
        chunk: int | None = None,
        channels_last: bool = True,
        batch_size: int | None = None,
        one_of: Mapping[str, Sequence[str]] | None = None,
        versus: str | None = None,
        top: int | None = None,
        inputs: Inputs | None = None,
        cells: bool = False,
        trunk: TrunkKind = "folded",
    ) -> None:
        self.cells = cells
        self.head: Head = head or "logits"
        self.method: Method | None = None if method in bridge.BRIDGED else find(method, tuple(bridge.BRIDGED))
        self.method_name = method
        self.layer = layer
        if precision not in get_args(Precision):
            raise InputError(f"precision={precision!r}; expected 'fp32' or 'bf16'")
        if trunk not in TRUNKS:
            raise InputError(f"trunk={trunk!r}; expected {', '.join(TRUNKS)}")
        self.precision = precision
        if chunk is not None and chunk < 1:
            raise InputError(f"chunk={chunk}; expected at least 1 attribute")
        self._chunk = chunk
        if batch_size is not None and batch_size < 1:
            raise InputError(f"batch_size={batch_size}; expected at least 1 image")
        self.batch_size = batch_size
        self.halved_to: int | None = None
        """Images in a pass since memory was too small for more; None where it was not."""
        self._borrowed = BorrowedModel(
            open_model(model) if isinstance(model, (str, Path)) else model,
            names,
            layer=layer,
            head=self.head,
            output=output,
            precision=precision,
            channels_last=channels_last,
            alone=batch_size == 1,
            one_of=one_of,
            inputs=inputs,
            trunk="eager" if self.method is None or self.method.name == "fullgrad" else trunk,
        )
        self.card: Card | None = self._borrowed.card
        self.model = self._borrowed.given
        if self.card is not None and (head or output is not None or names or one_of):
            raise InputError("the model has a card, which states names, head, output and sets; omit these arguments")
        if self._borrowed.names is None and attributes and all(isinstance(a, str) for a in attributes):
            self._borrowed.names = tuple(str(a) for a in attributes)
        if one_of:
            check_head(self.head, one_of)
            if self._borrowed.names is None:
                raise InputError("one_of= names outputs; pass names=, the names of all outputs")
        self._wanted = attributes
        self._threshold = threshold
        self.versus, self.top = versus, top
        self._selection: Selection | None = None
        if self._borrowed.names is not None:
            self._selection = self._select(self._borrowed.names)
        if isinstance(layer, str) and layer != "pre_activation":
            layers = [name for name, _ in self.model.named_modules() if name]
            if layer not in layers:
                raise InputError(f"no layer {layer!r} in this model{nearest(layer, layers)}")

    def _select(self, names: Sequence[str]) -> Selection:
        card_thresholds = self.card.thresholds if self.card else {}
        stated = (self._wanted, self._threshold, card_thresholds, self._borrowed.one_of)
        return select_asked(names, *stated, versus=self.versus, top=self.top)

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

    @property
    def trunk(self) -> TrunkState:
        """How the part of the network below the explained tensor ran last.

        Example:
            >>> import torch
            >>> from torch import nn
            >>> from bincam import Explainer
            >>> model = nn.Sequential(
            ...     *(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()),
            ...     *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)),
            ... )
            >>> explainer = Explainer(model)
            >>> _ = explainer(torch.rand(4, 3, 16, 16))
            >>> explainer.trunk
            TrunkState(asked='folded', ran='folded', reason='')
        """
        return self._borrowed.trunk_state

    def views_of(
        self, images: Iterable[Source], plan: Plan, landmarks: Iterable[ArrayLike] | None = None
    ) -> PlacedViews:
        """Make the views of images, to explain the mean over them; the cost is one forward pass per view.

        Args:
            images: Files, or decoded images ``(H, W, 3)`` uint8.
            plan: The views, of the card's input size: ``centred_first(view_plan("short", ...), k)``, those that
                ``choose_views`` chose, or your own.
            landmarks: ``(5, 2)`` of every image, for a model that reads face crops.

        Raises:
            InputError: The model has no card, an image cannot be read, landmarks are missing, or the plan is of another
                input size.

        Example:
            >>> import numpy as np
            >>> from bincam import Explainer, models
            >>> from bincam.inference import centred_first, view_plan
            >>> model = models.build("resnet10t", ["Smiling", "Bald"], input_size=(64, 64))
            >>> explainer = Explainer(model)
            >>> photo = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
            >>> plan = centred_first(view_plan("short", (64, 64)), 4)
            >>> explanation = explainer(explainer.views_of([photo], plan))
            >>> explanation.views, explanation.kind, explanation.maps.shape
            (4, 'conditional', torch.Size([1, 2, 4, 4]))
            >>> bool((explanation.identity_gap.abs() < 1e-4).all())
            True
        """
        if self.card is None:
            raise InputError("this model has no card, so the input size, mean and std of its views are unknown")
        return PlacedViews.of(images, plan, self.card, landmarks)

    def anatomy(self, size: tuple[int, int], *, channels: int | None = None) -> Anatomy:
        """Resolve the structure of the model's head at an input size.

        Args:
            size: ``(H, W)``.
            channels: Of the images; as the card states, and 3 without a card, by default.

        Raises:
            InputError: The card states another number of channels, or it is below 1.
            UnsupportedError: The structure cannot be determined; the message names the argument to pass.

        Example:
            >>> from torch import nn
            >>> from bincam import Explainer
            >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
            >>> anatomy = Explainer(model).anatomy((16, 16))
            >>> anatomy.kind, anatomy.pooling, anatomy.layer.name
            ('exact', 'mean', '0')
        """
        with self._borrowed.running(self._borrowed.probe(size, channels)) as (batch, _):
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

    def _refuse_views(self, like: Explanation | None) -> None:
        if like is not None:
            raise UnsupportedError("like= repeats the question about changed images, which views do not answer")
        further = self._borrowed.arguments.given
        refuse_views(self.method, self.method_name, cells=self.cells, further=further)

    def _rows(self, images: Tensor) -> list[slice]:
        """The rows of each pass: one where images have heads of their own, or pytorch-grad-cam runs copies of them."""
        arguments = self._borrowed.arguments
        alone = arguments.given and (self.method is None or arguments.differ(images))
        size = 1 if alone else max(1, self.batch_size or len(images))
        return [slice(begin, begin + size) for begin in range(0, len(images), size)] or [slice(None)]

    def _in_memory(self, count: int, run: Callable[[], _Part]) -> _Part:
        """Run passes over ``count`` images, with half as many in a pass wherever memory is too small for a pass."""
        while True:
            size = min(self.batch_size or count, count)
            try:
                return run()
            except Exception as error:
                if size < 2 or not out_of_memory(error):
                    raise
            # Here the error is gone, and with it the tensors that its traceback held.
            self.batch_size = self.halved_to = size // 2
            text = f"memory is too small for {size} images in a pass of the network; from now on it gets {size // 2}"
            warnings.warn(text, BincamWarning, stacklevel=4)

    def _parts(self, passes: Sequence[slice], count: int, run: Callable[[slice], _Part]) -> list[_Part]:
        """What each pass over some rows of ``count`` images gives, with their rows of the model's further inputs."""
        parts = []
        for rows in passes:
            with self._borrowed.arguments.of_rows(rows, count):
                parts.append(run(rows))
        return parts
