"""A user's model, run without a trace: its structure, its passes, and how the calls below an explained tensor run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from bincam.cam.maps.evidence import Pass
from bincam.cam.model.read_model import Precision, ReadModel
from bincam.cam.requests.inputs import Inputs
from bincam.errors import BincamWarning, InputError, out_of_memory
from bincam.models.anatomy import Anatomy
from bincam.models.borrowing.one_image import check_one_image
from bincam.models.head_structure.claim import NOT_CANCELLING
from bincam.models.heads import Head, Output
from bincam.models.resolution import resolve
from bincam.models.tracing.cut import Above, Below, Cut, PathChangedError, Place
from bincam.models.trunk.trunk import Trunk, TrunkKind, TrunkState, hooked, told_now, trunk_of

Start = Literal["vector", "layer"] | None
"""The tensor from which a gradient starts: the pooled vector, the explained layer, or none."""
_Key = tuple[tuple[int, int], bytes]
_REMEMBERED = 16
"""Heads that are remembered of a model with further inputs."""


class BorrowedModel(ReadModel):
    """A model whose head is resolved once for each image size, and which is run up to a cut.

    Args:
        model: As for ``ReadModel``, like all that is not described here.
        names: Likewise.
        layer: Layer to explain, as for ``Explainer``.
        head: As for ``ReadModel``.
        output: Likewise.
        precision: Likewise.
        channels_last: Likewise.
        alone: Likewise.
        one_of: Likewise.
        inputs: Likewise.
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
        super().__init__(
            model,
            names,
            head=head,
            output=output,
            precision=precision,
            channels_last=channels_last,
            alone=alone,
            one_of=one_of,
            inputs=inputs,
        )
        self.layer = layer
        self.trunk: TrunkKind = "eager" if self.arguments.given else trunk
        further = "the model has further inputs" if self.arguments.given and trunk != "eager" else ""
        self.trunk_state = TrunkState(trunk, "eager", further)
        self.checking = True
        self._anatomies: dict[_Key, tuple[int, Anatomy]] = {}  # by input size, with the weights' number
        self._checked: dict[tuple[int, int], int] = {}  # input sizes at which logits were checked, likewise

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
        """Run the model once; calls below the places run as ``trunk`` says, those above for what is read.

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

        def run(below: Below | None, above: Above | None = None) -> tuple[Tensor, Cut]:
            cut = Cut(keep, start, value, open_stops=open_stops, watch=watch, below=below, above=above)
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
                below = trunk.below(self.module, batch, places, compiling=compiling)
                result = run(below, None if watch else trunk.above(keep, start))
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
