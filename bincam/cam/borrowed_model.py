"""A user's model, run without a trace and read as raw scores: of outputs in no set, these are the logits.

The model is put in evaluation mode for the time of a call. Modes, gradients, hooks and random state are restored
afterwards, also after an exception.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from bincam.cam.maps.evidence import Pass
from bincam.cam.requests.inputs import Arguments, Inputs, check_images
from bincam.errors import BincamWarning, InputError, out_of_memory
from bincam.models.anatomy import Anatomy
from bincam.models.borrowing.borrow import WeightsNumber, evaluating, outside_grad_modes, own_rng, unwrap
from bincam.models.borrowing.one_image import check_one_image
from bincam.models.card import Card
from bincam.models.classifier import AttributeClassifier, ScoringClassifier
from bincam.models.head_structure.claim import NOT_CANCELLING
from bincam.models.heads import Head, Output, check_probabilities, check_taken_back, raw_scores, select_output
from bincam.models.log_odds import centred
from bincam.models.resolution import resolve
from bincam.models.tracing.eager import check_followable, eager
from bincam.models.tracing.memory_order import takes_channels_last
from bincam.models.tracing.trace import Below, Cut, PathChangedError, Place
from bincam.models.trunk.trunk import Trunk, TrunkKind, TrunkState, hooked, told_now, trunk_of
from bincam.one_of import check_sets, set_columns

Precision = Literal["fp32", "bf16"]
Start = Literal["vector", "layer"] | None
"""The tensor from which a gradient starts: the pooled vector, the explained layer, or none."""
_Key = tuple[tuple[int, int], bytes]
_REMEMBERED = 16
"""Heads that are remembered of a model with further inputs."""


class BorrowedModel:
    """A model whose output is read as raw scores of all its outputs.

    Args:
        model: Any module; wrappers of ``torch.compile`` and of parallel training are removed.
        names: Names of all outputs if the model has no card; None numbers them after the first forward pass.
        layer: Layer to explain, as for ``Explainer``.
        head: Meaning of the raw output if the model has no card.
        output: Index or key of the raw output; several for a model with several heads.
        precision: ``fp32``, or ``bf16`` under autocast.
        channels_last: Pass images in channels-last order.
        alone: Every batch has one image, so that its output may depend on the batch.
        one_of: Sets of outputs of which exactly one is true, if the model has no card.
        inputs: Function from images to the arguments of the model's forward; None for the images alone.
        trunk: How the calls below the explained tensor run, see ``bincam.models.trunk.trunk``.
    """

    def __init__(
        self,
        model: nn.Module,
        names: Sequence[str] | None,
        *,
        layer: str | nn.Module | None,
        head: Head,
        output: Output,
        precision: Precision,
        channels_last: bool,
        alone: bool = False,
        one_of: Mapping[str, Sequence[str]] | None = None,
        inputs: Inputs | None = None,
        trunk: TrunkKind = "eager",
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
        self.layer = layer
        self.head = head
        self.output = output
        self.precision = precision
        self.channels_last = channels_last
        self.alone = alone
        self.trunk: TrunkKind = "eager" if self.arguments.given else trunk
        further = "the model has further inputs" if self.arguments.given and trunk != "eager" else ""
        self.trunk_state = TrunkState(trunk, "eager", further)
        self.checking = True
        self._weights = WeightsNumber(self.module)
        self._number = 0  # of the weights, in the present call
        self._anatomies: dict[_Key, tuple[int, Anatomy]] = {}  # by input size, with the weights' number
        self._checked: dict[tuple[int, int], int] = {}  # input sizes at which logits were checked, likewise
        self._dtype: torch.dtype | None = None  # of images, where the parameters have several

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
        module = self.module
        borrowed = evaluating(module), eager(module), outside_grad_modes()
        with self._weights.kept() as self._number, own_rng(device), borrowed[0], borrowed[1], borrowed[2], full:
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

    def anatomy(self, batch: Tensor) -> Anatomy:
        """Resolve the head's structure for the batch's image size; remembered until the weights change."""
        key = self._key(batch)
        remembered = self._anatomies.get(key)
        if remembered is None or remembered[0] != self._number:
            anatomy = self._resolve(batch)
            remembered = (self._number, anatomy)
            if self.arguments.given and len(self._anatomies) >= _REMEMBERED:
                self._anatomies.clear()  # further inputs may be new for every image
            self._anatomies[key] = remembered
            self._checked[key[0]] = self._number
        return remembered[1]

    def _key(self, batch: Tensor) -> _Key:
        """The input size, and the further inputs, with which a head is folded."""
        return (int(batch.shape[2]), int(batch.shape[3])), self.arguments.digest(batch)

    def _resolve(self, batch: Tensor) -> Anatomy:
        size = (int(batch.shape[2]), int(batch.shape[3]))
        checking = self.checking and (not self.arguments.given or self._checked.get(size) != self._number)

        def attempt() -> Anatomy:
            probe = self._probe_like(batch)
            return resolve(self.module, probe, self.read, self.layer, alone=self.alone, checked=checking)

        anatomy = attempt()
        if not self.one_of or self.centred or NOT_CANCELLING not in anatomy.reason:
            return anatomy
        self.centred = True  # the model may end in a log-softmax over a set
        relative = attempt()
        if relative.decomposes:
            return relative
        self.centred = False
        return anatomy

    def open_stops(self, batch: Tensor) -> Anatomy:
        """Let gradients pass ``detach`` at the batch's image size from now on; return the anatomy that states so."""
        key = self._key(batch)
        weights, anatomy = self._anatomies[key]
        self._anatomies[key] = weights, replace(anatomy, open_stops=True)
        return self._anatomies[key][1]

    def check(self, batch: Tensor) -> None:
        """Check that logits are a function of one image at the batch's image size; once until the weights change.

        Raises:
            UnsupportedError: They are not.
        """
        size = (int(batch.shape[2]), int(batch.shape[3]))
        if self.checking and self._checked.get(size) != self._number:
            check_one_image(self.module, self._probe_like(batch), self.read, alone=self.alone)
            self._checked[size] = self._number

    def _probe_like(self, batch: Tensor) -> Tensor:
        """One random image of a batch's shape; a blank image would leave units dead."""
        probe = torch.randn(batch[:1].shape, generator=torch.Generator().manual_seed(0)).to(batch)
        return self._ordered(probe)

    @property
    def explained_size(self) -> tuple[int, int]:
        """The first image size ``(H, W)`` that was explained."""
        return next(iter(self._anatomies))[0]

    def resolved_pass(
        self, batch: Tensor, casting: torch.autocast, cut: Callable[[Anatomy], tuple[bool, Start]]
    ) -> tuple[Anatomy, Pass]:
        """Resolve the head's structure and run the model once.

        Args:
            batch: ``(B, C, H, W)``, from ``running``.
            casting: From ``running``.
            cut: What to keep and where a gradient starts, see ``forward``, for an anatomy.
        """
        key = self._key(batch)
        remembered = self._anatomies.get(key)
        anatomy = self.anatomy(batch)
        try:
            with casting:
                return anatomy, self.forward(batch, anatomy, *cut(anatomy))
        except PathChangedError:
            if remembered is None or remembered[1] is not anatomy:
                raise
        # The caller may have run the model since it was resolved, and have filled a cache that later passes read.
        del self._anatomies[key]
        anatomy = self.anatomy(batch)
        with casting:
            return anatomy, self.forward(batch, anatomy, *cut(anatomy))

    def forward(self, batch: Tensor, anatomy: Anatomy, keep: bool, start: Start) -> Pass:
        """Run the model once.

        Args:
            batch: ``(B, C, H, W)``, from ``running``.
            anatomy: Of the model.
            keep: Keep the tensors that the head pools.
            start: Tensor from which a gradient will start.

        Raises:
            InputError: The model returns logits for another number of images.
        """
        keeping = anatomy.pooled.place if keep and anatomy.pooled is not None else None
        starting = {"vector": anatomy.vector, "layer": anatomy.layer.place, None: None}[start]
        scores, cut = self.cut_pass(batch, keeping, starting, open_stops=anatomy.open_stops)
        if len(scores) != len(batch):
            raise InputError(
                f"the model returned logits for {len(scores)} images, but {len(batch)} were passed; if it takes one "
                "image at a time, pass batch_size=1 (--batch-size 1)"
            )
        return Pass(scores, cut.kept, cut.leaf)

    def cut_pass(
        self,
        batch: Tensor,
        keep: Place | None = None,
        start: Place | None = None,
        value: Tensor | None = None,
        *,
        open_stops: bool = False,
        watch: bool = False,
        checked: bool = True,
    ) -> tuple[Tensor, Cut]:
        """Run the model once; calls below the places run as ``trunk`` says.

        Args:
            batch: ``(B, C, H, W)``, from ``running``.
            keep: As for ``Cut``, like the further arguments.
            start: Likewise.
            value: Likewise.
            open_stops: Likewise.
            watch: Likewise.
            checked: Refuse probabilities that cannot be what the head states.

        Returns:
            Raw scores and the cut.
        """

        def run(below: Below | None) -> tuple[Tensor, Cut]:
            cut = Cut(keep, start, value, open_stops=open_stops, watch=watch, below=below)
            images = batch.clone()  # the model may write to its input
            with torch.no_grad(), cut:  # the cut enables gradients where it starts; leaving no_grad restores them
                return (self.checked_read if checked else self.read)(self.module(images)), cut

        # Networks that are not checked are run for a few images, and of a batch of one there is seldom a second.
        compiling = self.read if self.checking and (len(batch) > 1 or self.alone) else None
        places = [place for place in (keep, start) if place is not None]
        trunk: Trunk | None = None
        for again in (False, True):  # the caller may have run the model since, and have filled a cache that passes read
            trunk = self._trunk(batch, again=again)
            if trunk is None:
                return run(None)
            try:
                result = run(trunk.below(self.module, batch, places, compiling=compiling))
            except Exception as error:  # of a call that got what another one was to compute, or the model's own
                if out_of_memory(error):
                    raise
            else:
                self._tell(trunk)
                return result
        assert trunk is not None
        result = run(None)  # raises, where the error is the model's own
        trunk.give_up("its passes differ from the one that was traced")
        self._tell(trunk)
        return result

    def _trunk(self, batch: Tensor, *, again: bool = False) -> Trunk | None:
        """What replaces the model's calls; None where all of them are run as they are."""
        if self.trunk == "eager":
            return None
        if hooked(self.module):
            self._tell(Trunk(reason="hooks that are registered in it read what it computes", falls_back=True))
            return None
        with torch.autocast(batch.device.type, enabled=False):
            return trunk_of(
                self.given,
                self.module,
                self._probe_like(batch),
                self.read,
                self.trunk,
                weights=self._weights.token,
                checked=self.checking,
                again=again,
            )

    def _tell(self, trunk: Trunk) -> None:
        """Keep how the pass ran, and warn once where it is not as it was asked for."""
        self.trunk_state = TrunkState(self.trunk, trunk.kind, trunk.reason)
        if trunk.falls_back and told_now(self.given, trunk.reason):
            warnings.warn(
                f"the network is run {trunk.kind} and not {self.trunk}: {trunk.reason}", BincamWarning, stacklevel=2
            )


def _refuse_lazy(module: nn.Module) -> None:
    """Refuse a model whose parameters are made by its first forward pass.

    Raises:
        InputError: A parameter has no values yet; the message names the first.
    """
    for name, parameter in module.named_parameters():
        if is_lazy(parameter):
            raise InputError(f"parameter {name!r} has no values before the first forward pass; run the model once")
