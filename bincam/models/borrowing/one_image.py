"""The check that a forward pass is a function of one image: not random, and independent of the rest of the batch.

Every number of an explanation or an audit is stated for one image. A pass that draws random numbers in evaluation mode,
or that mixes the images of a batch (batch normalisation without running statistics, features centred over the batch, a
softmax over the batch), has no such number. The check runs a probe twice alone and once between other images.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bincam.errors import BincamError, UnsupportedError
from bincam.models.borrowing.borrow import at_precision, evaluating, in_full_precision, outside_grad_modes, own_rng
from bincam.models.borrowing.differences import difference, first_dependent_module, shown, tolerance
from bincam.models.borrowing.random_calls import Extreme, RandomCalls
from bincam.models.tracing.cut import Cut, Place
from bincam.models.tracing.gradient_modes import lost_gradient

Values = Mapping[str, Tensor]
"""Results of a pass by name, each ``(B, ...)``."""
_ROUNDING_IN_DOUBLE = 1e-5
"""Differences up to this share are rounding in float64, where a model may compute some of its steps in float32."""
RUN_ALONE = "each image run alone, because the output for an image depends on the other images of its batch"
"""The remark on a model whose images are run alone and must be."""
RUN_ALONE_WITH = "to run every image alone, which is well defined, pass batch_size=1 (--batch-size 1)"
_DRAWS = 8
"""Further passes of a model that draws random numbers without an effect on the first two."""


def check_one_image(
    model: nn.Module,
    image: Tensor,
    read: Callable[[Any], Tensor],
    places: Mapping[str, Place | None] | None = None,
    *,
    alone: bool = False,
    remedy: str = RUN_ALONE_WITH,
) -> str:
    """Check that a model's logits, and the tensors that are explained, are a function of one image.

    Two passes of the same image may differ by rounding, as passes in batches of different sizes do. A larger difference
    is judged again in float64 before it is called a dependence.

    Args:
        model: The model.
        image: ``(1, C, H, W)``: the check draws images of this shape, on this device.
        read: Conversion of the model's raw output to logits ``(B, A)``.
        places: What else must not depend on the batch: ``pooled`` and ``layer``, places of tensors in the pass.
        alone: Every image will be run in a batch of its own, so that it does not matter what others would change.
        remedy: Advice about a pass that depends on the batch.

    Returns:
        A remark for the reason of a claim: that every image is run alone, if that matters; else empty.

    Raises:
        UnsupportedError: The pass is random, or depends on the batch; the message states what was measured.
    """
    places = places or {}

    def judged(watched: Mapping[str, Place | None]) -> str:
        return in_full_precision(
            model, image, lambda probe: _checked(model, probe, read, watched, alone=alone, remedy=remedy)
        )

    with evaluating(model), own_rng(image.device), outside_grad_modes():
        try:
            return judged(places)
        except UnsupportedError:
            if places:  # a random pass may take another path than before, which is not its own reason
                judged({})
            raise


def _checked(
    model: nn.Module,
    image: Tensor,
    read: Callable[[Any], Tensor],
    places: Mapping[str, Place | None],
    *,
    alone: bool,
    remedy: str,
) -> str:
    def run(batch: Tensor) -> Values:
        return _values(model, read, batch, places)

    images = _images(image, 0)
    try:
        before = _random_state(image.device)
        first = run(images[1:2])
        drew = not _equal(before, _random_state(image.device))
        if not bool(torch.isfinite(first["logits"]).all()):
            images = _images(image, 1)
            first = run(images[1:2])
        second = run(images[1:2])
    except BincamError:
        raise
    except Exception as error:
        _refuse_several_only(run, images, error)
        raise
    message = _random(model, images, run, (first, second), drew=drew)
    if message:
        raise UnsupportedError(message)
    try:
        together = _middle(run(images))
    except BincamError:
        raise
    except Exception:  # a model that takes one image at a time depends on no other
        return ""
    changed = _changed(model, images, run, first, together)
    if changed is None:
        return ""
    if alone:
        return RUN_ALONE
    if any("quantiz" in type(module).__module__ for module in model.modules()):
        raise UnsupportedError(
            "dynamically quantised layers choose their range of numbers from the whole batch, and "
            + lost_gradient(model, ())
        )
    name, one, other = changed
    where = first_dependent_module(model, images)
    by_itself, among_others = shown(one, other)
    raise UnsupportedError(
        f"the {name} of an image depend on the other images of its batch"
        + (f" (first seen at the output of {where})" if where else "")
        + f": the same image gives {by_itself} alone and {among_others} in a batch of {len(images)}, so every number "
        f"would change with the batch size; {remedy}"
    )


def _refuse_several_only(run: Callable[[Tensor], Values], images: Tensor, error: Exception) -> None:
    """Refuse a model that takes several images but not one.

    Raises:
        UnsupportedError: Several images work.
    """
    try:
        run(images)
    except Exception:  # the model's own error on one image says more
        return
    raise UnsupportedError(
        f"the model runs on {len(images)} images but not on one ({str(error).splitlines()[0]}), so its output for an "
        "image depends on the other images of its batch; no number can be stated for one image"
    ) from None


def _middle(values: Values) -> Values:
    """The results of the second of three images."""
    return {name: value[1:2] for name, value in values.items()}


def _images(image: Tensor, attempt: int) -> Tensor:
    """Three different images: normally distributed, or at the second attempt in [0, 1]."""
    shape = (3, *image.shape[1:])
    generator = torch.Generator().manual_seed(1)
    if attempt:
        return _like(torch.rand(shape, generator=generator), image)
    scale = torch.tensor([0.5, 1.0, 2.0]).view(3, 1, 1, 1)
    shift = torch.tensor([0.3, 0.0, -0.3]).view(3, 1, 1, 1)
    return _like(torch.randn(shape, generator=generator) * scale + shift, image)


def _like(images: Tensor, image: Tensor) -> Tensor:
    moved = images.to(image)
    last = image.is_contiguous(memory_format=torch.channels_last) and not image.is_contiguous()
    return moved.contiguous(memory_format=torch.channels_last) if last else moved


def _values(
    model: nn.Module, read: Callable[[Any], Tensor], batch: Tensor, places: Mapping[str, Place | None]
) -> Values:
    """Run a model once on a copy of the batch, and return logits and the tensors at the places."""
    cut = Cut(places.get("pooled"), places.get("layer"))
    images = batch.clone()  # the model may write to its input
    with torch.no_grad(), cut:
        values = {"logits": read(model(images)).detach()}
    if cut.kept:
        values["pooled features"] = cut.kept[0]
    if cut.leaf is not None:
        values["explained features"] = cut.leaf.detach()
    return {name: value for name, value in values.items() if len(value) == len(batch)}


def _random(
    model: nn.Module, images: Tensor, run: Callable[[Tensor], Values], pair: tuple[Values, Values], *, drew: bool
) -> str:
    """State that and why a pass is random; empty if it is not."""
    image = images[1:2]
    changed = _changed(model, image, run, *pair)
    extremes: tuple[Extreme, ...] = ("low", "high", *([None] * _DRAWS))
    for extreme in extremes if drew and changed is None else ():
        with RandomCalls(model, extreme):
            values = run(image)
        name = _first_difference(pair[0], values, tolerance(pair[0]))
        if name is not None:
            changed = name, pair[0][name], values[name]
            break
    if changed is None:
        return ""
    with RandomCalls(model) as calls:
        run(image)
    one, other = shown(changed[1], changed[2])
    where = f" ({', '.join(calls.found)})" if calls.found else ""
    return (
        f"the forward pass is random in evaluation mode{where}: the same image gives the {changed[0]} {one} and then "
        f"{other}; let it draw random numbers only where self.training is true (for functional dropout: "
        "training=self.training)"
    )


def _changed(
    model: nn.Module, batch: Tensor, run: Callable[[Tensor], Values], one: Values, other: Values
) -> tuple[str, Tensor, Tensor] | None:
    """Return the name and both values of the first result that differs by more than rounding; None if none does.

    Args:
        model: The model.
        batch: The batch that gave ``other``: one image, or three of which the second gave ``one``.
        run: A pass.
        one: Results for the image alone.
        other: Results for the image in the batch.
    """
    name = _first_difference(one, other, tolerance(one))
    if name is None:
        return None
    if bool(torch.isfinite(one[name]).all()):
        several = len(batch) > 1
        image = batch[1:2] if several else batch
        try:
            with at_precision(model, torch.float64):
                again = run(batch.double())
                precise = _first_difference(
                    run(image.double()), _middle(again) if several else again, _ROUNDING_IN_DOUBLE
                )
        except Exception:  # a model may demand its own precision
            precise = None if _rounds(run, image, one[name], other[name], name) else name
        if precise is None:
            return None
    return name, one[name], other[name]


def _first_difference(one: Values, other: Values, tolerance: float) -> str | None:
    for name in one:
        if name in other and difference(one[name], other[name]) > tolerance:
            return name
    return None


def _rounds(run: Callable[[Tensor], Values], image: Tensor, one: Tensor, other: Tensor, name: str) -> bool:
    """True if a difference is no larger than ten times what one rounding of the pixels does to the result."""
    nudged = run(image * (1 + 2 * torch.finfo(image.dtype).eps))
    return difference(one, other) <= 10 * difference(one, nudged[name])


def _random_state(device: torch.device) -> list[Any]:
    """The states of the generators that a model may draw from."""
    state: list[Any] = [torch.random.get_rng_state()]
    if device.type == "cuda":
        state.append(torch.cuda.get_rng_state(device))
    of_numpy: Any = np.random.get_state()  # noqa: NPY002  # the global generator that a model may use
    return [*state, random.getstate(), (of_numpy[1].tobytes(), *of_numpy[2:])]


def _equal(one: list[Any], other: list[Any]) -> bool:
    return all(torch.equal(a, b) if isinstance(a, Tensor) else a == b for a, b in zip(one, other, strict=True))
