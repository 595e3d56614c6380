"""A classifier run without a trace: raw scores of batches, with everything restored afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from bincam.errors import BincamError, InputError
from bincam.models.borrowing.borrow import channels_last, evaluating, outside_grad_modes, own_rng, unwrap
from bincam.models.classifier import AttributeClassifier, ScoringClassifier, SetScoringClassifier
from bincam.models.tracing.eager import eager
from bincam.models.tracing.memory_order import takes_channels_last

Scores = Callable[[Tensor], Tensor]
"""Images ``(B, C, H, W)`` on any device to raw scores ``(B, A)`` float32 where the model is."""


def classifier_of(model: nn.Module) -> AttributeClassifier:
    """Return the classifier with a card, without wrappers of compilation and parallel training.

    Raises:
        InputError: The module has no card, or parameters without values.
    """
    classifier = unwrap(model)
    if not isinstance(classifier, AttributeClassifier):
        raise InputError(
            f"views are made by a model's card (input size, mean, std, meaning of its outputs), but "
            f"{type(classifier).__name__} has none; wrap it: bincam.models.AttributeClassifier(network, card)"
        )
    for name, parameter in classifier.named_parameters():
        if is_lazy(parameter):
            raise InputError(f"parameter {name!r} has no values before the first forward pass; run the model once")
    return classifier


def device_and_type(module: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Return where a module is and in which precision, by its first floating-point parameter; CPU and float32 if none.

    >>> device_and_type(nn.ReLU())
    (device(type='cpu'), torch.float32)
    """
    parameter = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    return (torch.device("cpu"), torch.float32) if parameter is None else (parameter.device, parameter.dtype)


@contextmanager
def shape_in_a_line(images: Tensor) -> Iterator[None]:
    """Turn an error inside of a network into one line that names the shape of the images.

    Raises:
        InputError: In place of torch's own error.
    """
    try:
        yield
    except (BincamError, RuntimeError, AssertionError) as error:
        # Where the model was lent before, its own error is the cause of the one that names the model.
        own = error.__cause__ if isinstance(error, BincamError) else error
        if not isinstance(own, RuntimeError | AssertionError):
            raise
        message = str(own).splitlines()[0] if str(own) else type(own).__name__
        raise InputError(f"the model does not take images of shape {tuple(images.shape)}: {message}") from own


@contextmanager
def borrowed(classifier: AttributeClassifier, *, second_head: bool = False) -> Iterator[Scores]:
    """Lend a classifier in evaluation mode, in full precision and without gradients.

    Modes, buffers, gradients, attributes, hooks and random state are as before afterwards, also after errors.

    Args:
        classifier: The classifier.
        second_head: Read the second head for label sets in place of the decisions.

    Yields:
        A function from images to raw scores, or to the logits ``(B, S)`` of the second head.

    Raises:
        InputError: There is no second head.
    """
    scoring = SetScoringClassifier(classifier) if second_head else ScoringClassifier(classifier)
    device, dtype = device_and_type(scoring)
    full = torch.autocast(device.type, enabled=False)
    with own_rng(device), outside_grad_modes(), full, evaluating(scoring), eager(scoring):
        probe = torch.zeros(1, len(classifier.card.mean), *classifier.card.input_size, device=device, dtype=dtype)
        with shape_in_a_line(probe):
            last = takes_channels_last(classifier.network, probe)
        order = torch.channels_last if last else torch.contiguous_format

        def scores(images: Tensor) -> Tensor:
            # The model may write to its input, so it gets a copy unless moving has made one.
            given = images.to(device, dtype, copy=True).contiguous(memory_format=order)
            with shape_in_a_line(images):
                raw: Tensor = scoring(given)
            return raw.float()

        if last:
            with channels_last(scoring):
                yield scores
        else:
            yield scores
