"""A user's model whose output is read as raw scores: of outputs in no set, these are the logits.

The model is put in evaluation mode for the time of a call. Modes, gradients, hooks and random state are restored
afterwards, also after an exception.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from bincam.cam.requests.inputs import Arguments, Inputs, check_images
from bincam.errors import InputError
from bincam.models.borrowing.borrow import WeightsNumber, evaluating, outside_grad_modes, own_rng, unwrap
from bincam.models.card import Card
from bincam.models.classifier import AttributeClassifier, ScoringClassifier
from bincam.models.heads import Head, Output, check_probabilities, check_taken_back, raw_scores, select_output
from bincam.models.log_odds import centred
from bincam.models.tracing.eager import check_followable, eager
from bincam.models.tracing.memory_order import takes_channels_last
from bincam.one_of import check_sets, set_columns

Precision = Literal["fp32", "bf16"]


class ReadModel:
    """A model whose output is read as raw scores of all its outputs.

    Args:
        model: Any module; wrappers of ``torch.compile`` and of parallel training are removed.
        names: Names of all outputs if the model has no card; None numbers them after the first forward pass.
        head: Meaning of the raw output if the model has no card.
        output: Index or key of the raw output; several for a model with several heads.
        precision: ``fp32``, or ``bf16`` under autocast.
        channels_last: Pass images in channels-last order.
        alone: Every batch has one image, so that its output may depend on the batch.
        one_of: Sets of outputs of which exactly one is true, if the model has no card.
        inputs: Function from images to the arguments of the model's forward; None for the images alone.
    """

    def __init__(
        self,
        model: nn.Module,
        names: Sequence[str] | None,
        *,
        head: Head,
        output: Output,
        precision: Precision,
        channels_last: bool,
        alone: bool = False,
        one_of: Mapping[str, Sequence[str]] | None = None,
        inputs: Inputs | None = None,
    ) -> None:
        module = unwrap(model)
        check_followable(module)
        self.card: Card | None = module.card if isinstance(module, AttributeClassifier) else None
        self.one_of: Mapping[str, Sequence[str]] = self.card.one_of if self.card else one_of or {}
        self.given = module
        self.module: nn.Module = (
            ScoringClassifier(module) if isinstance(module, AttributeClassifier) and self.one_of else module
        )
        self.arguments = Arguments(module.network if isinstance(module, AttributeClassifier) else module, inputs)
        self.names = tuple(names) if names is not None else self.card.attributes if self.card else None
        self._sets: dict[str, tuple[int, ...]] | None = None
        self.centred = bool(self.one_of) and (self.card.head if self.card else head) == "probabilities"
        self.head = head
        self.output = output
        self.precision = precision
        self.channels_last = channels_last
        self.alone = alone
        self._weights = WeightsNumber(self.module)
        self._number = 0  # of the weights, in the present call
        self._dtype: torch.dtype | None = None  # of images, where the parameters have several
        self._held = False  # borrowed for several batches

    @contextmanager
    def held(self) -> Iterator[None]:
        """Borrow the model for several batches, between which nobody writes to its weights.

        What a borrowing costs, which is a look at all modules and weights, is spent once then.
        """
        if self._held:
            yield
            return
        parameter = next(self.module.parameters(), None)
        with self._weights.kept() as self._number, ExitStack() as borrowed:
            with own_rng(torch.device("cpu") if parameter is None else parameter.device):  # train() and eval() may draw
                borrowed.enter_context(evaluating(self.module))
                borrowed.enter_context(eager(self.module))
            self._held = True
            try:
                yield
            finally:
                self._held = False

    @contextmanager
    def running(self, images: Tensor) -> Iterator[tuple[Tensor, torch.autocast]]:
        """Check images and move them to the model, which is in evaluation mode meanwhile.

        Args:
            images: ``(B, C, H, W)``.

        Yields:
            The batch, and the autocast context for forward passes: the requested precision, or the caller's own
            autocast. Nothing is cast outside of that context, so that maps are summed in full precision.
        """
        check_images(images)
        parameter = next(self.module.parameters(), None)
        device = images.device if parameter is None else parameter.device
        cast = self.precision == "bf16" or torch.is_autocast_enabled(device.type)
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.get_autocast_dtype(device.type)
        casting = torch.autocast(device.type, dtype=dtype, enabled=cast)
        full = torch.autocast(device.type, enabled=False)
        _refuse_lazy(self.module)
        with self.held(), own_rng(device), outside_grad_modes(), full:
            batch = self._to_model(images)
            with self.arguments.added(batch):
                yield batch, casting

    def _to_model(self, images: Tensor) -> Tensor:
        parameter = self._floating_parameter()
        batch = images.detach()
        if parameter is not None:
            batch = batch.to(parameter.device, self._image_dtype(batch))
        # The model may write to its input. Nor can a tensor made in inference mode be part of a graph.
        return self._ordered(batch.clone())

    def _ordered(self, batch: Tensor) -> Tensor:
        """The images in the order of memory that is requested and that the model takes."""
        if self.channels_last and takes_channels_last(self.module, batch):
            return batch.contiguous(memory_format=torch.channels_last)
        return batch.contiguous() if self.channels_last else batch

    def _floating_parameter(self) -> Tensor | None:
        return next((p for p in self.module.parameters() if p.is_floating_point()), None)

    def _image_dtype(self, batch: Tensor) -> torch.dtype:
        """The precision in which the model takes images: the first of its parameters' that does not fail."""
        dtypes = list(dict.fromkeys(p.dtype for p in self.module.parameters() if p.is_floating_point()))
        if len(dtypes) == 1:
            return dtypes[0]
        if self._dtype is None:
            parameter = self._floating_parameter()
            assert parameter is not None
            for dtype in dtypes:
                try:
                    self.module(batch[:1].to(parameter.device, dtype, copy=True))
                except RuntimeError:  # torch's error for a convolution of mixed types
                    continue
                self._dtype = dtype
                break
        return self._dtype or dtypes[0]

    def probe(self, size: tuple[int, int], channels: int | None = None) -> Tensor:
        """Draw one random image ``(1, C, H, W)`` of the size ``(H, W)``, the same on each call.

        Raises:
            InputError: The card states another number of channels, or there are none.
        """
        parameter = self._floating_parameter()
        stated = len(self.card.mean) if self.card else channels or 3
        if channels is not None and (channels < 1 or channels != stated):
            expected = f"{stated}, as the card states" if self.card else "at least 1"
            raise InputError(f"channels={channels}: expected {expected}")
        channels = stated
        image = torch.randn(1, channels, *size, generator=torch.Generator().manual_seed(0))
        return image if parameter is None else image.to(parameter.device)

    @property
    def sets(self) -> dict[str, tuple[int, ...]]:
        """Columns of the sets of outputs of which exactly one is true."""
        if self._sets is None:
            names = self.names or ()
            self._sets = set_columns(check_sets(self.one_of, names), names)
        return self._sets

    def read(self, raw: Any) -> Tensor:
        """Convert the value that the model returns to raw scores ``(B, all outputs)``.

        Those of a set are relative to its first output where that lets the normaliser of a softmax cancel.
        """
        tensor = select_output(raw, self.output, self.head)
        if self.names is None:
            single = tensor.ndim == 1 or (self.head == "two_logits" and tensor.ndim == 2)
            self.names = tuple(str(column) for column in range(1 if single else tensor.shape[1]))
        sets = self.sets if self.one_of else {}
        read_here = {} if self.card else sets  # a model with a card has read its network's output
        scores = raw_scores(tensor, self.head, len(self.names), len(tensor), read_here)
        return centred(scores, sets) if self.centred else scores

    def checked_read(self, raw: Any) -> Tensor:
        """Convert as ``read``, and refuse probabilities that cannot be what the head states.

        Raises:
            InputError: They are outside [0, 1], or exactly 0 or 1.
        """
        if self.head == "probabilities":
            tensor = select_output(raw, self.output, self.head)
            one = self.names is not None and len(self.names) == 1
            paired = tensor.ndim == 3 or (one and tensor.shape[1:] == (2,))
            if self.one_of:  # of another shape is refused on reading
                check_probabilities(tensor, one_of=self.sets if tensor.shape[1:] == (len(self.names or ()),) else {})
            else:
                check_probabilities(tensor, paired=paired)
        elif self.card is not None and self.card.head == "probabilities":
            check_taken_back(raw)
        return self.read(raw)

    def _probe_like(self, batch: Tensor) -> Tensor:
        """One random image of a batch's shape; a blank image would leave units dead."""
        probe = torch.randn(batch[:1].shape, generator=torch.Generator().manual_seed(0)).to(batch)
        return self._ordered(probe)


def _refuse_lazy(module: nn.Module) -> None:
    """Refuse a model whose parameters are made by its first forward pass.

    Raises:
        InputError: A parameter has no values yet; the message names the first.
    """
    for name, parameter in module.named_parameters():
        if is_lazy(parameter):
            raise InputError(f"parameter {name!r} has no values before the first forward pass; run the model once")
