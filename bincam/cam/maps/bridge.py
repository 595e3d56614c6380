"""Methods of pytorch-grad-cam with bincam's interface.

Each method runs on the borrowed model with bincam's targets, one attribute at a time, and its map is taken before
pytorch-grad-cam rectifies, rescales and upsamples it. A method that cannot distinguish sides or attributes is refused
where the question requires it, instead of answering another question.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from bincam.cam.requests.combination import Combination
from bincam.cam.requests.targets import Side, Target, signs
from bincam.errors import UnsupportedError
from bincam.models.anatomy import Anatomy
from bincam.models.borrowing.borrow import at_precision
from bincam.models.grids.token_grid import Layout
from bincam.models.tracing.gradient_modes import GradientsEverywhere, lost_gradient


@dataclass(frozen=True)
class Bridged:
    """A method of pytorch-grad-cam and the questions that it can distinguish.

    Attributes:
        name: Name for ``Explainer``.
        cls: Name of the class in ``pytorch_grad_cam``.
        needs_gradient: True if it differentiates.
        knows_side: True if the negative side gets another map than the positive one.
        knows_attribute: True if different attributes get different maps.
        blind: Reason why it does not distinguish sides or attributes.

    Example:
        >>> from bincam.cam import BRIDGED
        >>> [name for name, method in BRIDGED.items() if method.knows_side]
        ['score_cam', 'shapley_cam']
        >>> BRIDGED["eigen_cam"].blind
        'it reads the activations alone, for any attribute and side'
    """

    name: str
    cls: str
    needs_gradient: bool = False
    knows_side: bool = True
    knows_attribute: bool = True
    blind: str = ""


_SEES_NO_TARGET = "it reads the activations alone, for any attribute and side"
BRIDGED: dict[str, Bridged] = {
    method.name: method
    for method in (
        Bridged("score_cam", "ScoreCAM"),
        Bridged(
            "ablation_cam",
            "AblationCAM",
            knows_side=False,
            blind="its weight (s - s')/s is the same for s and -s, so both sides get the same map",
        ),
        Bridged("eigen_cam", "EigenCAM", knows_side=False, knows_attribute=False, blind=_SEES_NO_TARGET),
        Bridged("kpca_cam", "KPCA_CAM", knows_side=False, knows_attribute=False, blind=_SEES_NO_TARGET),
        Bridged("fem", "FEM", knows_side=False, knows_attribute=False, blind=_SEES_NO_TARGET),
        Bridged(
            "random_cam",
            "RandomCAM",
            needs_gradient=True,  # the class computes the gradient, although it does not use it
            knows_side=False,
            knows_attribute=False,
            blind="its weights are random",
        ),
        Bridged(
            "eigen_grad_cam",
            "EigenGradCAM",
            needs_gradient=True,
            knows_side=False,
            blind="the sign of a principal component is arbitrary, so both sides get the same map",
        ),
        Bridged("shapley_cam", "ShapleyCAM", needs_gradient=True),
    )
}
"""Methods of pytorch-grad-cam by name."""


@dataclass(frozen=True)
class Question:
    """A question to a bridged method.

    Attributes:
        side: The side requested from the explainer.
        attributes: Names of the explained outputs.
        columns: Their scores as combinations of the model's raw scores.
        logits: Their logits, ``(B, A)``.
        sigma: σ, ``(B, A)``.
    """

    side: Side | Literal["any"]
    attributes: tuple[str, ...]
    columns: Combination
    logits: Tensor
    sigma: Tensor


class _ScoreModel(nn.Module):
    """A wrapper that makes a model return raw scores ``(B, all outputs)``."""

    def __init__(self, model: nn.Module, read: Callable[[Any], Tensor]) -> None:
        super().__init__()
        self.model = model
        self.mode: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        self._read = read
        self.training = False

    def train(self, mode: bool = True) -> _ScoreModel:
        """Keep the mode: the model is borrowed, and pytorch-grad-cam calls ``eval()``."""
        del mode
        return self

    def forward(self, images: Tensor) -> Tensor:
        with self.mode:
            return self._read(self.model(images.clone()))  # the model may write to its input


def run(
    model: nn.Module,
    read: Callable[[Any], Tensor],
    images: Tensor,
    anatomy: Anatomy,
    name: str,
    question: Question,
) -> Tensor:
    """Compute maps for the explained side by a method of pytorch-grad-cam.

    Args:
        model: The model, in evaluation mode. In half precision it is run in float32, because numpy's linear algebra has
            no half precision.
        read: Conversion of the model's raw output to raw scores.
        images: ``(B, C, H, W)``, as the model takes them.
        anatomy: Structure of the model, which names the layer.
        name: Key of ``BRIDGED``.
        question: Attributes and sides.

    Returns:
        ``(B, A, h, w)``: σS, in the method's own units.

    Raises:
        UnsupportedError: The method cannot distinguish what the question requires, or the layer is not a module's
            output.
    """
    method = BRIDGED[name]
    _refuse(method, question)
    module = _module(model, anatomy)
    runs = _count_runs(model, module, images)
    if runs != 1:
        raise UnsupportedError(
            f"pytorch-grad-cam explains the first run of a module, but {anatomy.layer.name!r} runs {runs} times in one "
            "pass; pass layer= with a module that runs once, or use a native method"
        )

    def maps(batch: Tensor) -> Tensor:
        results = []
        for position in range(len(question.attributes)):
            side_targets = _targets(question, position)
            score_model = _ScoreModel(model, read)
            results.append(_attribute_maps(method, score_model, module, anatomy.layer.layout, batch, side_targets))
        return torch.stack(results, 1).to(question.logits)

    if any(parameter.dtype in (torch.float16, torch.bfloat16) for parameter in model.parameters()):
        with contextlib.suppress(RuntimeError), at_precision(model, torch.float32):  # it may demand its own precision
            return maps(images.float())
    return maps(images)


def _targets(question: Question, position: int) -> list[Target]:
    """One target per image for an explained output, among all raw scores."""
    columns = question.columns
    owner = columns.owners[position]
    outputs = columns.outputs.expand(len(columns.scores), -1)[:, position].tolist()
    rivals = [None] * len(outputs) if columns.rivals is None else columns.rivals[:, position].tolist()
    members = () if owner is None else tuple(columns.sets[owner])
    versus = None if owner is None else columns.versus
    return [
        Target(output, sign, one_of=members, versus=rival if versus is not None and rival is not None else versus)
        for output, sign, rival in zip(outputs, signs(question.sigma[:, position]), rivals, strict=True)
    ]


def _refuse(method: Bridged, question: Question) -> None:
    attributes, logits = question.attributes, question.logits
    if method.name == "ablation_cam":
        if question.side != "positive":
            raise UnsupportedError(
                f"ablation_cam cannot explain side={question.side!r}: {method.blind}; use score_cam or grad_cam"
            )
        if bool((logits <= 0).any()):
            image, attribute = (int(n) for n in (logits <= 0).nonzero()[0])
            raise UnsupportedError(
                f"ablation_cam cannot explain the positive side of image {image}, attribute {attributes[attribute]!r}, "
                f"whose logit is {logits[image, attribute].item():.3g}: {method.blind}; use score_cam or grad_cam"
            )
    elif method.knows_side and question.side == "any":
        raise UnsupportedError(f"{method.name} distinguishes the sides; ask for one of them")
    elif not method.knows_side and question.side != "any":
        raise UnsupportedError(
            f"{method.name} cannot explain side={question.side!r}: {method.blind}; pass side='any' to see where it "
            "is active, or use grad_cam"
        )
    elif not method.knows_attribute and len(attributes) > 1:
        raise UnsupportedError(
            f"{method.name} cannot distinguish {attributes[0]!r} from {attributes[1]!r}: {method.blind}; "
            "select one attribute, or use grad_cam"
        )


def _module(model: nn.Module, anatomy: Anatomy) -> nn.Module:
    modules = dict(model.named_modules())
    if anatomy.layer.name not in modules:
        raise UnsupportedError(
            f"pytorch-grad-cam needs a module's output as the layer, which {anatomy.layer.name!r} is not; pass layer="
        )
    module: nn.Module = modules[anatomy.layer.name]
    return module


def _count_runs(model: nn.Module, module: nn.Module, images: Tensor) -> int:
    runs: list[int] = []
    handle = module.register_forward_hook(lambda *_: runs.append(1))
    try:
        with torch.no_grad():
            model(images[:1].clone())
    finally:
        handle.remove()
    return len(runs)


@contextlib.contextmanager
def _restored(model: nn.Module) -> Iterator[None]:
    """Restore what pytorch-grad-cam changes: gradients, hooks, the ablated module, and numpy's global random state."""
    hooks = [(module, dict(module._forward_hooks)) for module in model.modules()]  # noqa: SLF001  # ablation leaves one
    grads = [(parameter, parameter.grad) for parameter in model.parameters()]
    children = [(module, dict(module._modules)) for module in model.modules()]  # noqa: SLF001  # setattr runs hooks
    random_state = np.random.get_state()  # noqa: NPY002  # the generator that RandomCAM draws from
    try:
        yield
    finally:
        np.random.set_state(random_state)  # noqa: NPY002
        for module, submodules in children:
            module._modules.update(submodules)  # noqa: SLF001
        for module, registered in hooks:
            for key in module._forward_hooks.keys() - registered.keys():  # noqa: SLF001
                del module._forward_hooks[key]  # noqa: SLF001
        for parameter, grad in grads:
            parameter.grad = grad


def _attribute_maps(
    method: Bridged,
    model: _ScoreModel,
    module: nn.Module,
    layout: Layout,
    images: Tensor,
    side_targets: list[Target],
) -> Tensor:
    """Compute one attribute's raw maps ``(B, h, w)``, and restore the model."""
    import pytorch_grad_cam

    extra: dict[str, Any] = {}
    if method.name == "ablation_cam":  # the default ablation layer is one object that all calls share
        tokens = layout.order == "NLC"
        extra["ablation_layer"] = pytorch_grad_cam.AblationLayerVit() if tokens else pytorch_grad_cam.AblationLayer()
        if layout.order in ("NHWC", "NCL"):
            raise UnsupportedError(f"ablation_cam cannot ablate channels of a layer laid out {layout.order}")
    quiet = contextlib.redirect_stderr(io.StringIO())  # the method prints a progress bar for every image
    batch = images.detach().clone().requires_grad_(method.needs_gradient)
    cls = getattr(pytorch_grad_cam, method.cls)

    def attempt() -> Tensor:
        raw: list[Tensor] = []
        with (
            _restored(model),
            torch.set_grad_enabled(method.needs_gradient),
            quiet,
            cls(model, [module], reshape_transform=layout.grid_of, **extra) as runner,
        ):
            original = runner.get_cam_image

            def keep(*args: Any, **kwargs: Any) -> Any:
                image = original(*args, **kwargs)
                raw.append(torch.as_tensor(image))
                return image

            runner.get_cam_image = keep
            runner(batch, targets=side_targets)
        return raw[0]

    if not method.needs_gradient:
        return attempt()
    lost: list[str] = []
    failure: Exception | None = None
    for open_stops in (False, True):
        everywhere = GradientsEverywhere(open_stops=open_stops, watch=True)
        try:
            model.mode = everywhere
            return attempt()
        except (RuntimeError, IndexError) as error:  # torch's, or of pytorch-grad-cam's empty list of gradients
            lost, failure = everywhere.modes.lost, error
    raise UnsupportedError(f"{method.name} needs a gradient, but {lost_gradient(model, lost)}") from failure
