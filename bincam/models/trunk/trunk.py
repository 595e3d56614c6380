"""The trunk of a borrowed network: the calls below the explained tensor, run as they are, folded, or compiled.

Above it, calls of which the logits read one position alone compute no other (``bincam.models.tracing.one_position``).

The model is borrowed, so nothing of it is changed: calls of its pass are replaced, with copies of its weights. Whatever
cannot be run in another way runs as the model states it, and ``Trunk.reason`` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_of_torch

from bincam.errors import BincamError, out_of_memory
from bincam.models.tracing.cut import Above, Below, Cut, PathChangedError, Place
from bincam.models.tracing.one_position import NarrowedCalls, OnePosition, one_position
from bincam.models.tracing.trace import Trace, record
from bincam.models.trunk.compiled import CompiledPart, NotCompiledError, Skipped, compile_below
from bincam.models.trunk.folding import FoldedConvolution, foldable

TrunkKind = Literal["eager", "folded", "compiled"]
TRUNKS: tuple[TrunkKind, ...] = get_args(TrunkKind)

_ROUNDING = 1e-4
"""Relative difference of logits up to which a folded network is the network."""
_OWN_ROUNDING = 30.0
"""How many times the difference that the last bit of the images makes is rounding too, in networks that amplify it:
with random weights, differences of 2 to 6 times were seen."""
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@dataclass(frozen=True)
class TrunkState:
    """How the calls below the explained tensor run.

    Attributes:
        asked: As the user asked for it.
        ran: How they ran last.
        reason: Why otherwise; empty if they ran as asked.
    """

    asked: TrunkKind
    ran: TrunkKind
    reason: str = ""


class _Folded:
    """Folded convolutions in one pass; a ``Cut`` takes it as ``below``."""

    def __init__(self, replaced: dict[int, Callable[..., Any]]) -> None:
        self._replaced = replaced

    def function(self, index: int, function: Any, args: Any, kwargs: Any) -> Callable[..., Any]:
        del args, kwargs
        replacement = self._replaced.get(index)
        if replacement is None:
            return function  # type: ignore[no-any-return]
        return lambda *given, **named: replacement(function, *given, **named)

    def in_place(self, index: int) -> bool:
        del index
        return False


@dataclass
class Trunk:
    """Other ways to run a model's calls, for one image size and the weights as they are.

    Attributes:
        folded: The convolutions that are folded; copies of their weights are all that it takes in memory.
        reason: Why nothing is replaced, or nothing compiled; empty if everything is as it was asked for.
        compiles: Whether parts of the pass may be compiled.
        falls_back: Whether something went wrong, which a user is told; a network without batch normalisation has
            nothing to fold.
        single: Calls of which one position is read.
    """

    folded: tuple[FoldedConvolution, ...] = ()
    reason: str = ""
    compiles: bool = False
    falls_back: bool = False
    single: OnePosition | None = None
    _parts: dict[Any, CompiledPart | None] = field(default_factory=dict)
    _seen: set[tuple[int, ...]] = field(default_factory=set)
    _shape: tuple[int, ...] | None = None

    @property
    def kind(self) -> TrunkKind:
        """How passes run at present."""
        if any(self._parts.values()):
            return "compiled"
        return "folded" if self.folded else "eager"

    def below(
        self,
        model: nn.Module,
        images: Tensor,
        places: Sequence[Place],
        *,
        compiling: Callable[[Any], Tensor] | None = None,
    ) -> _Folded | Skipped | None:
        """What runs in place of the calls below the first of some places, for a batch; None for the model's own calls.

        Args:
            model: The model, in evaluation mode.
            images: ``(B, C, H, W)``, as they will be run.
            places: The places at which the pass will be cut; none if all of it may be replaced.
            compiling: The conversion of the raw output to raw scores, to run compiled code, for the first shape of
                batches that comes a second time: to compile takes as long as many batches.
        """
        first = min((place.call for place in places), default=None)
        below = [one for one in self.folded if first is None or one.norm < first]
        if compiling is not None and places and self.compiles:
            plain = {index: call for one in below for index, call in one.replacements(packing=False).items()}
            part = self._compiled(model, images, places, plain, compiling)
            if part is not None:
                return part(images)
        replaced = {index: call for one in below for index, call in one.replacements().items()}
        return _Folded(replaced) if replaced else None

    def above(self, keep: Place | None, start: Place | None) -> NarrowedCalls | None:
        """What runs in place of the calls above the place where a gradient starts; None for the model's own calls.

        Args:
            keep: The place whose tensors are kept: those of all positions.
            start: The place.
        """
        if self.single is None or start is None:
            return None
        first = start.call + (start.end == "output")
        return self.single.above(first) if keep is None or keep.call < first else None

    def _compiled(
        self,
        model: nn.Module,
        images: Tensor,
        places: Sequence[Place],
        replaced: dict[int, Callable[..., Any]],
        read: Callable[[Any], Tensor],
    ) -> CompiledPart | None:
        kind = images.device.type
        cast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        key = (images.stride(), images.dtype, cast, min((p.call, p.end) for p in places))
        shape = tuple(images.shape)
        if self._shape is None and shape in self._seen:
            self._shape = shape
        self._seen.add(shape)
        if shape != self._shape:
            return None
        if key in self._parts:
            return self._parts[key]
        try:
            self._parts[key] = compile_below(model, images, read, places, replaced)
        except NotCompiledError as error:
            self._parts[key] = None
            self.reason, self.falls_back = str(error), True
        return self._parts[key]

    def give_up(self, reason: str) -> None:
        """Run the model's own calls from now on."""
        self.folded, self.compiles, self.reason, self.falls_back = (), False, reason, True
        self.single = None
        self._parts.clear()


_known: WeakKeyDictionary[nn.Module, dict[Any, tuple[int, Trunk]]] = WeakKeyDictionary()


_told: WeakKeyDictionary[nn.Module, set[str]] = WeakKeyDictionary()


def told_now(owner: nn.Module, reason: str) -> bool:
    """True if the user has not been told of this reason about this model before."""
    before = _told.setdefault(owner, set())
    if reason in before:
        return False
    before.add(reason)
    return True


def trunk_of(
    owner: nn.Module,
    model: nn.Module,
    probe: Tensor,
    read: Callable[[Any], Tensor],
    kind: TrunkKind,
    *,
    weights: int,
    checked: bool = True,
    again: bool = False,
) -> Trunk:
    """Return the trunk of a model, remembered for its owner until the weights change.

    Args:
        owner: The module that the user knows; several explainers of it share a trunk.
        model: The module that is run: the owner, or what reads its output in another way.
        probe: ``(1, C, H, W)``, an image as the model takes it.
        read: Conversion of the raw output to raw scores.
        kind: ``folded`` or ``compiled``.
        weights: Fingerprint of the weights, see ``bincam.models.borrowing.borrow.fingerprint``.
        checked: Compare the folded network's scores of the probe with the network's.
        again: Trace a pass anew.
    """
    known = _known.setdefault(owner, {})
    key = (type(model), tuple(probe.shape), probe.stride(), probe.dtype, probe.device, kind)
    remembered = known.get(key)
    if again or remembered is None or remembered[0] != weights:
        known.pop(key, None)  # its memory is free before there is another
        remembered = known[key] = weights, _made(model, probe, read, kind, checked=checked)
    return remembered[1]


def _made(model: nn.Module, probe: Tensor, read: Callable[[Any], Tensor], kind: TrunkKind, *, checked: bool) -> Trunk:
    try:
        trace = record(model, probe, read)
    except Exception as error:  # the model's own; the caller's pass reports it
        if out_of_memory(error):
            raise
        return Trunk(reason="the calls of its pass cannot be followed", falls_back=True)
    folded = foldable(trace, model)
    trunk = Trunk(tuple(folded), compiles=kind == "compiled")
    if folded and checked and not _same(model, probe, read, trace, below=trunk.below(model, probe, ())):
        return Trunk(reason="folded convolutions compute something else than the network", falls_back=True)
    single = one_position(trace)
    if single is not None and (not checked or _same(model, probe, read, trace, above=single.above(0))):
        trunk.single = single
    if not folded and kind == "folded":
        trunk.reason = "no batch normalisation with fixed statistics reads a convolution alone"
    return trunk


def _same(
    model: nn.Module,
    probe: Tensor,
    read: Callable[[Any], Tensor],
    trace: Trace,
    *,
    below: Below | None = None,
    above: Above | None = None,
) -> bool:
    image = probe.clone()  # the model may write to its input
    try:
        with torch.no_grad(), Cut(None, below=below, above=above):
            scores = read(model(image))
    except (BincamError, PathChangedError, RuntimeError) as error:
        if out_of_memory(error):
            raise
        return False
    expected = trace.logits.double()
    finite = expected.isfinite()
    if not torch.equal(finite, scores.isfinite()):
        return False
    if not finite.any():
        return True
    difference = float((scores.double() - expected)[finite].abs().max())
    limit = _ROUNDING * float(expected[finite].abs().max())
    if difference <= limit:
        return True
    with torch.no_grad():
        moved = read(model(probe * (1 + 2 * torch.finfo(probe.dtype).eps))).double()
    own = float((moved - expected)[finite].abs().max())
    return difference <= _OWN_ROUNDING * own and difference <= 100 * limit


def hooked(model: nn.Module) -> bool:
    """True if someone else's hooks run in a pass, which may read or replace what a folded or compiled call computes.

    Hooks of the model itself see the images and the result, which are the same.
    """
    for _, hooks in _hooks(model):
        for hook in hooks.values():
            if not str(getattr(hook, "__module__", "")).startswith("bincam."):
                return True
    return False


def _hooks(model: nn.Module) -> Iterator[tuple[str, dict[int, Any]]]:
    for module in model.modules():
        if module is not model:
            for name in _HOOKS:
                yield name, vars(module).get(name) or {}
    for name in ("_global_forward_hooks", "_global_forward_pre_hooks", "_global_backward_hooks"):
        yield name, getattr(module_of_torch, name, {})
