"""What a model is given: the check of images before they are explained, and the further inputs of its forward."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from bincam.errors import InputError

Inputs = Callable[[Tensor], Any]
"""A function from images ``(B, C, H, W)`` to all arguments of a model's forward: a tuple, or a dict of keywords."""


class Arguments:
    """Further inputs of a model, added to the images in every forward pass.

    A pass may be of other images than those to explain: of a random probe, of masked copies of one image. Of tensors
    with a row for every image to explain, such a pass is given the row of the image. The weights of a head may depend
    on its further inputs, so images with different ones are explained one at a time, each with a head of its own.

    Args:
        module: The module whose forward takes several inputs.
        inputs: Function from images to its arguments; None for the images alone.

    Raises:
        InputError: The module's forward needs several inputs, and ``inputs`` is None.
    """

    def __init__(self, module: nn.Module, inputs: Inputs | None) -> None:
        self._module, self.inputs = module, inputs
        self._total, self._rows = 0, slice(None)  # images of the call, and those of them in the present batch
        if inputs is None:
            _refuse_several(module)

    @property
    def given(self) -> bool:
        """True if there are further inputs."""
        return self.inputs is not None

    def differ(self, images: Tensor) -> bool:
        """True if some further input has a row for every image, and the rows are not all equal."""
        if self.inputs is None or len(images) == 1:
            return False
        return any(
            isinstance(leaf, Tensor) and leaf.ndim > 0 and len(leaf) == len(images) and bool((leaf != leaf[:1]).any())
            for leaf in tree_leaves(self._call(images[:1]))
        )

    def digest(self, batch: Tensor) -> bytes:
        """Identify the further inputs of a batch that do not follow from its images."""
        if self.inputs is None:
            return b""
        blank = torch.zeros_like(batch[:1])
        leaves = [self._fitted(leaf, blank, batch) for leaf in tree_leaves(self._call(blank))]
        values = [leaf.detach().cpu().contiguous() for leaf in leaves if isinstance(leaf, Tensor) and leaf is not blank]
        return b"".join(leaf.float().numpy().tobytes() for leaf in values)

    @contextmanager
    def of_rows(self, rows: slice, total: int) -> Iterator[None]:
        """State meanwhile which of all images a batch has."""
        before = self._total, self._rows
        if not before[0]:
            self._total, self._rows = total, rows
        try:
            yield
        finally:
            self._total, self._rows = before

    @contextmanager
    def added(self, batch: Tensor) -> Iterator[None]:
        """Add the further inputs to every call of the module meanwhile.

        Args:
            batch: The images to explain, ``(B, C, H, W)``.
        """
        if self.inputs is None:
            yield
            return

        def add(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
            if len(args) != 1 or kwargs:  # the caller's own call, with all inputs
                return args, kwargs
            images = args[0]
            returned = self._call(images)
            with torch._C.DisableTorchFunction():  # noqa: SLF001  # a trace counts calls, and these depend on the batch
                fitted = tree_map(lambda leaf: self._fitted(leaf, images, batch), returned)
            return ((), dict(fitted)) if isinstance(fitted, Mapping) else (tuple(fitted), {})

        handle = self._module.register_forward_pre_hook(add, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()

    def _call(self, images: Tensor) -> Any:
        """Call the user's function.

        Raises:
            InputError: It raises an error, or returns something else than arguments.
        """
        assert self.inputs is not None
        try:
            returned = self.inputs(images)
        except Exception as error:  # a user's function may raise any error
            raise InputError(
                f"inputs= raised {type(error).__name__} for images of shape {tuple(images.shape)}: {error}"
            ) from error
        if not isinstance(returned, (tuple, list, Mapping)):
            raise InputError(
                f"inputs= returned a {type(returned).__name__}; expected a tuple with all arguments of the model's "
                "forward, such as (images, meta), or a dict of keywords"
            )
        return returned

    def _fitted(self, leaf: Any, images: Tensor, batch: Tensor) -> Any:
        """A tensor with the rows of the images of a pass."""
        if not isinstance(leaf, Tensor) or leaf is images or leaf.ndim == 0:
            return leaf
        rows = leaf
        if self._total and len(rows) == self._total and len(batch) != self._total:
            rows = rows[self._rows]
        if len(rows) == len(batch) and len(images) != len(batch):
            rows = rows[:1].expand(len(images), *rows.shape[1:])
        return rows.to(images.device)


def _refuse_several(module: nn.Module) -> None:
    """Refuse a module whose forward needs more than the images.

    Raises:
        InputError: It does; the message names its inputs.
    """
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):  # compiled code may have no signature
        return
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    needed = [p.name for p in parameters if p.default is inspect.Parameter.empty and p.kind in kinds]
    if len(needed) > 1:
        raise InputError(
            f"the model's forward takes {len(needed)} inputs ({', '.join(needed)}); pass inputs=, a function from the "
            "images to all of them, such as inputs=lambda images: (images, meta); in a command, name a --factory whose "
            "module takes the images alone"
        )


def check_images(images: Tensor) -> None:
    """Refuse images that no model can take.

    Raises:
        InputError: They are not a floating ``(B, C, H, W)`` tensor, are empty, or have NaN or infinite pixels (the
            message gives the indices).
    """
    if not isinstance(images, Tensor):
        raise InputError(f"images are a torch.Tensor (B, C, H, W), got {type(images).__name__}")
    if images.ndim != 4:
        raise InputError(f"images have shape (B, C, H, W), got {tuple(images.shape)}")
    if not images.is_floating_point():
        raise InputError(
            f"images are {images.dtype}, but the model takes floats, scaled and normalised as in training; "
            "Explainer.preprocess converts a PIL image"
        )
    if images.numel() == 0:
        raise InputError(f"an empty batch: images have shape {tuple(images.shape)}")
    not_finite = ~torch.isfinite(images).flatten(1).all(1)
    if bool(not_finite.any()):
        indices = ", ".join(str(int(n)) for n in not_finite.nonzero()[:5])
        raise InputError(
            f"{int(not_finite.sum())} of {len(images)} images have NaN or infinite pixels (index {indices})"
        )
